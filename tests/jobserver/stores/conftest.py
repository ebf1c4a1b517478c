"""What the tests of the store on a disk begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.jobserver.stores.sqlite import SqliteStore
from tests.jobserver.stores.test_stores import entry, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with two jobs, that nobody has open."""
    store = SqliteStore(tmp_path / "jobs")
    put(store, entry(1), entry(2))
    store.close()
    return tmp_path / "jobs"
