"""A release: fleet's wheel and all that it needs, in one file, so that hosts install without a network.

It is made for hosts that have this machine's processor and version of Python.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final, NamedTuple

from fleet.errors import FleetError
from fleet.version import __version__

ROOT: Final = Path(__file__).parents[1]
EXTRAS: Final = "vips,heif"
BUILD_S: Final = 600.0


class BuildFailed(FleetError):
    """The release could not be built."""


class Release(NamedTuple):
    name: str  # the version, and what tells it from others of that version: the same wheels have the same
    file: Path  # a tar of wheels
    sha256: str


def build(folder: Path, extras: str = EXTRAS) -> Release:
    """Make the release of this checkout in `folder`.

    Raises:
        BuildFailed: pip could not make or find a wheel.
    """
    wheels = folder / "wheels"
    wanted = f"{ROOT}[{extras}]" if extras else str(ROOT)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S)
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"pip did not finish the release's wheels within {BUILD_S:.0f} s") from error
    if done.returncode:
        raise BuildFailed(f"pip could not make the release's wheels: {done.stderr.strip().splitlines()[-1]}")
    return pack(sorted(wheels.glob("*.whl")), folder)


def pack(wheels: list[Path], folder: Path) -> Release:
    """These wheels as one file."""
    sums = [f"{_sha256(wheel)}  {wheel.name}" for wheel in wheels]
    digest = hashlib.sha256("\n".join(sums).encode()).hexdigest()
    name = f"{__version__}-{digest[:12]}"
    file = folder / f"{name}.tar"
    with tarfile.open(file, "w") as tar:
        for wheel in wheels:
            tar.add(wheel, wheel.name)
    return Release(name, file, _sha256(file))


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
