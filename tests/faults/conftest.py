"""What the faults share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.ports import ClosedPort
from tests.processes import Program


@pytest.fixture
def scene(spawn: Callable[..., Program], tmp_path: Path, closed_port: ClosedPort) -> Scene:
    return Scene(spawn, tmp_path, closed_port())
