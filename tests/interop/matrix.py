"""The matrix of who gets on with whom, which `make interop` prints: a row for each peer and direction.

A test says which row it belongs to by the mark that `row` makes. The outcome of a row is the worst of its tests'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import pytest

PROPERTY = "interop row"
WORST_FIRST = ("failed", "skipped", "passed")

Row = tuple[str, str, str]  # peer, version, direction


class Named(NamedTuple):
    """Something nobody here wrote, that has no more to it."""

    name: str
    version: Callable[[], str]


class Peer(Protocol):
    """What nobody here wrote: a library, a program, a job server."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> Callable[[], str]: ...


def row(peer: Peer, direction: str) -> pytest.MarkDecorator:
    """The mark of a test that belongs to this row."""
    return pytest.mark.row(peer, direction)


def row_of(item: pytest.Item) -> Row | None:
    mark = item.get_closest_marker("row")
    if mark is None:
        return None
    peer, direction = mark.args
    return peer.name, peer.version(), direction


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The lines of the matrix, in the order in which the tests are written."""
    outcomes: dict[Row, set[str]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                outcomes.setdefault(tuple(value), set()).add(report.outcome)  # type: ignore[arg-type]
    worst = {row: next(o for o in WORST_FIRST if o in found) for row, found in sorted(outcomes.items())}
    return [
        f"{peer:<20} {version or '-':<10} {direction:<34} {'ok' if outcome == 'passed' else outcome}"
        for (peer, version, direction), outcome in worst.items()
    ]
