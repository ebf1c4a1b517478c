"""Which store, by the text that names it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from fleet.errors import UsageError
from fleet.jobserver.stores import Store


def opener(text: str) -> Callable[[], Store]:
    """What opens the store that `text` names: ``memory`` or ``sqlite:PATH``.

    Raises:
        UsageError: it names none.
    """
    kind, _, place = text.partition(":")
    if kind == "memory" and not place:
        from fleet.jobserver.stores.memory import MemoryStore

        return MemoryStore
    if kind == "sqlite" and place:
        from fleet.jobserver.stores.sqlite import SqliteStore

        return lambda: SqliteStore(_path(place))
    if text.startswith(("/", "./", "~/")):
        raise UsageError(f"{text!r} is no store; to keep jobs in that file, write sqlite:{text}")
    raise UsageError(f"{text!r} is no store; write sqlite:PATH with the path of its file, memory, or none")


def mark(text: str) -> int:
    """What tells the handles of this store's jobs from others: the same at every start, if the store outlives it."""
    kind, _, place = text.partition(":")
    if kind != "sqlite":
        return int.from_bytes(os.urandom(4))
    return crc32(os.fsencode(f"{socket.gethostname()}:{_path(place).resolve()}"))


def _path(place: str) -> Path:
    """No shell has seen a `~` behind the colon."""
    return Path(os.path.expanduser(place))
