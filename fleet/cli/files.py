"""Results in files: written beside their places and renamed into them, so that there is a whole file there or none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from fleet.errors import UsageError

STDIO: Final = "-"


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
        raise UsageError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from error
