"""What the fields of packets mean."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from fleet.protocol import Data

SCHEDULED: Final = b"\0\0"  # begins the keys of jobs that come again: whoever waits for a job must not wait for those


def coalescing_key(unique: bytes, workload: Data, *, scheduled: bool = False) -> bytes:
    """What two submits of a function must share to be one job; empty: they never are."""
    if unique == b"-":  # a NUL cannot stand in a unique, so a digest is never taken for one
        unique = b"\0" + blake2b(workload, digest_size=16).digest() if workload else b""
    return SCHEDULED + unique if scheduled and unique else unique


def uint32(text: bytes) -> int:
    """A number as GET_STATUS shows it: the leading digits, as C's atoi reads them, and 0 for anything else."""
    digits = text.strip()[:20]
    return int(digits) & 0xFFFFFFFF if digits.isdigit() else 0
