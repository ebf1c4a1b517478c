"""What the options about keeping jobs and results stand for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleet.config import EVERY
from fleet.errors import UsageError
from fleet.settings import FunctionPolicy, span_s


def default_store(port: int) -> str:
    """Where `fleet up` keeps jobs: a file for each port, in the system's place for root and else in the user's.

    The store makes the last directory; those above are made here, because nobody has named them.
    A fleet on any free port is for trying out, and leaves nothing behind.
    """
    if port == 0:
        return "memory"
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    folder = Path("/var/lib/fleet") if os.geteuid() == 0 else Path(home).expanduser() / "fleet"
    with contextlib.suppress(OSError):  # the server says what is wrong
        folder.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:{folder}/jobs-{port}.sqlite"


def policies(
    settings: Mapping[str, Mapping[str, Any]], cache: Iterable[str], **flags: int | None
) -> dict[str, FunctionPolicy]:
    """By function; "" is for all others. What the settings say of a function itself counts before the flags for all.

    Raises:
        UsageError: one of `cache` is no FUNCTION=SPAN.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    every = {**settings.get(EVERY, {}), **given}
    chosen = {name: dict(each) for name, each in settings.items() if name != EVERY}
    for text in cache:
        name, _, span = text.rpartition("=")
        try:
            cache_s = span_s(span if name else "")
        except UsageError as error:
            raise UsageError(f"--cache {text} makes no sense; write FUNCTION=SPAN, such as resize=1h") from error
        chosen[name] = {**chosen.get(name, {}), "cache_s": cache_s}
    return {"": _policy(every), **{name: _policy({**every, **each}) for name, each in chosen.items()}}


def _policy(fields: Mapping[str, Any]) -> FunctionPolicy:
    """What answers other submits must be kept for as long."""
    policy = FunctionPolicy(**fields)
    return replace(policy, keep_s=max(policy.keep_s, policy.cache_s))
