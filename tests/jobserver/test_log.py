"""A log that peers cannot fill."""

from __future__ import annotations

import logging

from fleet.jobserver.log import Scarce


def lines(kept: Scarce, message: str, second: float, count: int) -> list[str]:
    """What is let through of so many lines."""
    found = []
    for _ in range(count):
        record = logging.makeLogRecord({"msg": message, "created": second})
        if kept.filter(record):
            found.append(record.getMessage())
    return found


def test_each_kind_of_line_has_its_share_of_each_second() -> None:
    kept = Scarce(per_second=3)
    assert lines(kept, "cut: slow", 1.0, 5) == ["cut: slow"] * 3
    assert lines(kept, "cut: deaf", 1.5, 2) == ["cut: deaf"] * 2
    assert lines(kept, "cut: slow", 2.0, 2) == ["cut: slow (and 2 such lines before)", "cut: slow"]
