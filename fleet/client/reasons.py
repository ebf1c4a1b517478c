"""What a client says when nothing came: which servers were tried, and whether any worker is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fleet.protocol.admin import printable
from fleet.settings import MIB

if TYPE_CHECKING:
    from fleet.client.admin import FunctionStatus
    from fleet.settings import Address

REMEDY: Final = "Check the address, and that `fleet up` or `fleet server` runs there"
LONGER: Final = "give it longer, or see `fleet status`"
NAMES_MOST: Final = 10  # functions that are named; more are counted


def nobody(tried: Mapping[Address, str]) -> str:
    """No server would have a task."""
    servers = "; ".join(f"{address} ({reason})" for address, reason in tried.items())
    return f"no job server answered: {servers}. {REMEDY}"


def late(function: bytes, functions: Sequence[FunctionStatus]) -> str:
    """What the functions of its server say of a job that has not ended in time."""
    names = {name.decode("utf-8", "replace") for name in (function, printable(function))}
    workers, jobs = next(((row.workers, row.jobs) for row in functions if row.name in names), (0, 0))
    if not workers:
        name = function.decode("utf-8", "replace")
        return f"no worker has registered {name!r} there ({_listed(name, functions)})"
    return f"it has {_count(workers, 'worker')} there for {_count(jobs, 'job')}; give it longer, or start more workers"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(name: str, functions: Sequence[FunctionStatus]) -> str:
    """The functions that could have been meant; else the first of them all."""
    from difflib import get_close_matches

    names = sorted(row.name for row in functions if row.workers)
    if near := get_close_matches(name, names):
        return f"did you mean {' or '.join(near)}?"
    more = f" and {len(names) - NAMES_MOST} more" if len(names) > NAMES_MOST else ""
    return f"functions there: {', '.join(names[:NAMES_MOST])}{more}" if names else "nor any other function"


def too_much(most_bytes: int) -> str:
    """More came for a task than is kept until somebody reads it."""
    kept = f"{round(most_bytes / MIB, 2):g} MiB that are kept unread of one task"
    return f"the worker sent more data and warnings than the {kept}; stream() them, or make it Client(unread_bytes=...)"
