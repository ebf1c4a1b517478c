"""Debian's vipsthumbnail: how long its thumbnails take, and what they are. It works from file to file."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final

SUFFIX: Final = {"jpeg": "jpg"}


def suffix(format: str) -> str:
    return SUFFIX.get(format, format)


def milliseconds(path: Path, format: str, times: int) -> float:
    """Of processor time for a thumbnail: the mean of so many, without what the process itself costs."""
    copies = [path.with_name(f"{number}-{path.name}") for number in range(1 + times)]
    for copy in copies:  # because it remembers what it has opened
        if not copy.exists():
            shutil.copy(path, copy)
    return (_spent(copies, format) - _spent(copies[:1], format)) / times


def _spent(paths: list[Path], format: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = ["vipsthumbnail", "-s", "200x150", "-o", f"%s-thumbnail.{suffix(format)}", *map(str, paths)]
    subprocess.run(argv, check=True, env={**os.environ, "VIPS_CONCURRENCY": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def make(folder: Path, path: Path, format: str) -> bytes | None:
    """A default thumbnail in sRGB; None if it does not open the file."""
    target = folder / f"{path.stem}.{suffix(format)}"
    argv = ["vipsthumbnail", "-s", "200x150", "-o", f"{target}[strip]", "--eprofile", "srgb", str(path)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        return None
    return target.read_bytes()
