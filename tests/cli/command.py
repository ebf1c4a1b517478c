"""Running the `fleet` command as a person does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fleet.settings import Address
from tests.processes import FLEET, LIMIT_S, ROOT

Done = subprocess.CompletedProcess[bytes]


def fleet(
    *words: str | Path,
    stdin: bytes = b"",
    server: Address | None = None,
    cwd: Path = ROOT,
    path: Path = ROOT,
    settings: Path | None = None,
) -> Done:
    """The finished command; `server` is where FLEET_SERVERS points, `settings` where FLEET_CONFIG does, and `path`
    where modules are found first.
    """
    env = {**os.environ, "PYTHONPATH": f"{path}:{ROOT}", "NO_COLOR": "1", "COLUMNS": "200"}
    env.pop("FLEET_SERVERS", None)
    if server:
        env["FLEET_SERVERS"] = str(server)
    if settings:
        env["FLEET_CONFIG"] = str(settings)
    argv = [*FLEET, *map(str, words)]
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=LIMIT_S, env=env, cwd=cwd, check=False)


def complaint(done: Done) -> str:
    """What it said on stderr, which must be one line."""
    (line,) = done.stderr.decode().splitlines()
    return line
