"""What the fields of packets mean."""

from __future__ import annotations

from hashlib import blake2b

from fleet.protocol import Data


def coalescing_key(unique: bytes, workload: Data) -> bytes:
    """What two submits of a function must share to be one job; empty: they never are."""
    if unique != b"-":
        return unique
    # A NUL cannot stand in a unique, so a digest is never taken for one.
    return b"\0" + blake2b(workload, digest_size=16).digest() if workload else b""


def uint32(text: bytes) -> int:
    """A number as GET_STATUS shows it: the leading digits, as C's atoi reads them, and 0 for anything else."""
    digits = text.strip()[:20]
    return int(digits) & 0xFFFFFFFF if digits.isdigit() else 0
