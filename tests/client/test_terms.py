"""What may be said of when and how often a background job is done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.client.terms import Terms
from fleet.errors import UsageError


@pytest.mark.parametrize(
    ("said", "terms"),
    [
        ({}, Terms()),
        ({"at": 1500}, Terms(1500)),
        ({"at": 1500.2}, Terms(1501)),
        ({"at": datetime.fromtimestamp(1500, UTC)}, Terms(1500)),
        ({"at": datetime.fromtimestamp(1500)}, Terms(1500)),  # of this machine's time zone
        ({"at": -5}, Terms()),
        ({"delay": 10}, Terms(1010)),
        ({"schedule": " 0 3  * * 0-4"}, Terms(schedule="0 3 * * 0-4")),
        ({"delay": 0.5, "ttl": 0.5, "attempts": 3}, Terms(1001, 1, 3)),
    ],
)
def test_what_is_said_becomes_whole_seconds_and_never_too_early(said: dict[str, Any], terms: Terms) -> None:
    assert Terms.of(1000.0, **said) == terms


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"at": 1, "delay": 1}, "at and delay both say"),
        ({"delay": -1}, "delay is -1"),
        ({"delay": float("nan")}, "delay is nan"),
        ({"at": float("inf")}, "at is inf"),
        ({"ttl": -1}, "ttl is -1"),
        ({"ttl": 0}, "a ttl of 0"),
        ({"attempts": 0}, "attempts is 0"),
        ({"schedule": ""}, "schedule '' has 0 fields, and not the five minute hour mday month wday; write '0 3 "),
        ({"schedule": "@daily"}, "schedule '@daily' has 1 field, and not"),
        ({"schedule": "* * * * *", "delay": 5}, "a schedule says when"),
        ({"schedule": "* * * * *", "ttl": 5}, "a schedule says when"),
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Terms.of(1000.0, **said)
