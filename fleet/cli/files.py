"""Pictures from files, and results into them.

Rule 1: a result is written beside its place and renamed into it, so that there is a whole file there or none.
Rule 2: what has no end is not read to it.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import IO, Final

from fleet.errors import BadImage, UsageError
from fleet.settings import MIB

STDIO: Final = "-"
MOST_BYTES: Final = 1024 * MIB  # of a file or of stdin; no limit of a fleet is larger
KINDS: Final = (
    (stat.S_ISDIR, "a directory; name the pictures in it, such as {}/*.jpg"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def read(source: str) -> bytes:
    """All that is in a file; ``-`` is stdin. Raises UsageError, and BadImage where there is no end of it."""
    name = "stdin" if source == STDIO else source or "''"
    try:
        if source == STDIO:
            return _all_of(sys.stdin.buffer)
        mode = os.stat(source).st_mode
        for is_one, what in KINDS:
            if is_one(mode):
                raise UsageError(f"cannot read {name}: it is {what.format(source)}")
        with open(source, "rb") as file:
            return _all_of(file)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error


def _all_of(file: IO[bytes]) -> bytes:
    parts: list[bytes] = []
    left = MOST_BYTES
    while part := file.read(MIB):
        left -= len(part)
        if left < 0:
            raise BadImage("too-large", f"there are more than {MOST_BYTES:,} bytes, which no fleet takes; send fewer")
        parts.append(part)
    return b"".join(parts)


def write(target: Path, data: bytes) -> None:
    """Beside its place, and renamed into it; ``-`` is stdout. Raises UsageError."""
    if str(target) == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and not target.is_file():  # a device or a pipe is written to, not replaced
            target.write_bytes(data)
            return
        try:
            beside.write_bytes(data)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        if not os.path.isdir(target.parent):
            why = f"there is no directory {target.parent}; make it first"
        raise UsageError(f"cannot write {target}: {why}") from error
