"""`fleet server` with a store that does not wait for the disk: what the power-cut test must find out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from fleet.cli import main
from fleet.jobserver import server
from fleet.jobserver.stores import Store
from fleet.jobserver.stores.sqlite import SqliteStore


def opener(text: str) -> Callable[[], Store]:
    return lambda: SqliteStore(Path(text.removeprefix("sqlite:")), synchronous="NORMAL")


vars(server)["opener"] = opener
sys.exit(main())
