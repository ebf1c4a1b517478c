"""sharp, in node: how long its thumbnails take, and what they are."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NODE: Final = Path(__file__).with_name("node")


def milliseconds(path: Path, format: str, times: int) -> float:
    """Of processor time for a thumbnail, bytes in memory to bytes in memory: the median of so many."""
    return float(_run("time", format, str(times), str(path)))


def make(folder: Path, formats: Mapping[Path, str]) -> None:
    """Default thumbnails of files, each in the format beside it, under the files' own names."""
    _run("make", str(folder), *(f"{path}={format}" for path, format in formats.items()))


def _run(*arguments: str) -> str:
    return subprocess.run(
        ["node", "thumbnails.js", *arguments], cwd=NODE, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
