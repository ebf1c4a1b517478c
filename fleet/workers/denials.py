"""Jobs that killed their runners, so that they do it no more: the same workload is refused for a day. Pure.

Rule: looking one up costs nothing unless one of that very size is known; only then is a digest made.
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from typing import Final

from fleet.protocol import Data

MOST: Final = 1000  # the newest are kept
FOR_NS: Final = 24 * 3600 * 1_000_000_000


class Denials:
    """Of one pool. Times are nanoseconds, monotonic."""

    def __init__(self, most: int = MOST, for_ns: int = FOR_NS) -> None:
        self._most = most
        self._for_ns = for_ns
        self._denied: dict[Hashable, tuple[int, str]] = {}  # when and why, by size and digest, oldest first
        self._sizes: dict[int, int] = {}  # how many are known of each size

    def __len__(self) -> int:
        return len(self._denied)

    def add(self, function: str, workload: Data, why: str, now: int) -> None:
        """The workload killed a runner of `function`."""
        key = _key(function, workload)
        if key in self._denied:
            self._forget(key)
        elif len(self._denied) >= self._most:
            self._forget(next(iter(self._denied)))
        self._denied[key] = now, why
        self._sizes[key[0]] = self._sizes.get(key[0], 0) + 1

    def reason(self, function: str, workload: Data, now: int) -> str | None:
        """Why the workload is refused; None if it is not."""
        if len(workload) not in self._sizes:
            return None
        key = _key(function, workload)
        if key not in self._denied:
            return None
        when, why = self._denied[key]
        if now - when >= self._for_ns:
            self._forget(key)
            return None
        return why

    def _forget(self, key: Hashable) -> None:
        del self._denied[key]
        assert isinstance(key, tuple)
        size = key[0]
        self._sizes[size] -= 1
        if not self._sizes[size]:
            del self._sizes[size]


def _key(function: str, workload: Data) -> tuple[int, bytes]:
    digest = blake2b(workload, digest_size=32, key=function.encode()[:64])
    return len(workload), digest.digest()
