"""What the options about keeping jobs and results stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from fleet.errors import UsageError
from fleet.settings import FunctionPolicy


def default_store(port: int) -> str:
    """Where `fleet up` keeps jobs: a file for each port, in the system's place for root and else in the user's.

    A fleet on any free port is for trying out, and leaves nothing behind.
    """
    if port == 0:
        return "memory"
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    folder = Path("/var/lib/fleet") if os.geteuid() == 0 else Path(home).expanduser() / "fleet"
    return f"sqlite:{folder}/jobs-{port}.sqlite"


def policies(attempts: int, keep_s: int, cache: Iterable[str]) -> dict[str, FunctionPolicy]:
    """By function; "" is for all others.

    Raises:
        UsageError: one of `cache` is no FUNCTION=SECONDS.
    """
    found = {"": FunctionPolicy(attempts=attempts, keep_s=keep_s)}
    for text in cache:
        name, _, seconds = text.rpartition("=")
        if not (name and seconds.isascii() and seconds.isdigit()):
            raise UsageError(f"--cache {text} makes no sense; write FUNCTION=SECONDS, such as resize=3600")
        cache_s = int(seconds)
        found[name] = FunctionPolicy(attempts=attempts, keep_s=max(keep_s, cache_s), cache_s=cache_s)
    return found
