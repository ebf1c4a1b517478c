"""Which settings files hold; what they say is tested with `config`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet.config_files import tables
from fleet.errors import UsageError


def test_without_files_there_is_nothing_and_nothing_is_loaded(tmp_path: Path) -> None:
    assert not list(tables({"HOME": str(tmp_path)}, tmp_path, tmp_path / "etc.toml"))
    code = (
        "import sys, fleet.config_files as files; list(files.tables({}, files.Path('/nowhere'))); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert not {"tomllib", "fleet.images", "fleet.config"} & set(loaded.split())


def test_a_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(tables({"FLEET_CONFIG": str(tmp_path / "none.toml")}, tmp_path, tmp_path))
