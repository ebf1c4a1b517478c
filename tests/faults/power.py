"""A power cut, for files in one folder: what a program had not synced is gone. See c/powercut.c."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import need

SOURCE = Path(__file__).parent / "c" / "powercut.c"


class Power:
    """Of the programs that are started with `env`; `cut` is for when they were killed.

    Args:
        folder: whose files do not outlive a cut unless they were synced.
        beside: for the library and the copies; not on the same files.
    """

    def __init__(self, folder: Path, beside: Path) -> None:
        self._folder = folder
        self._copy = beside / "synced"
        self._copy.mkdir()
        self._library = beside / "powercut.so"
        cc = need("cc")
        flags = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
        subprocess.run([cc, *flags, "-o", self._library, SOURCE, "-ldl"], check=True)

    @property
    def env(self) -> Mapping[str, str]:
        places = {"POWERCUT_FOLDER": str(self._folder), "POWERCUT_COPY": str(self._copy)}
        return {"LD_PRELOAD": str(self._library), **places}

    def cut(self, names: tuple[str, ...] = ("jobs", "jobs-wal")) -> None:
        """Leave of these files what was synced."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
            if (self._copy / name).exists():
                shutil.copy(self._copy / name, self._folder / name)
