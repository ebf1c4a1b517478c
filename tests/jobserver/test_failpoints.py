"""Failpoints: what arms them, when they fire, and that without them nothing does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import UsageError
from fleet.jobserver import failpoints
from fleet.jobserver.stores import Claim, End, Entry, Finish, Put, Result

PUT = Put(Entry(b"H:1", b"f", b"w"))
FINISH = Finish(Result(b"H:1", b"f", b"", End.FAILED, b"", 0))


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def test_nothing_happens_unless_one_is_armed() -> None:
    for step in failpoints.STEPS:
        failpoints.reach(step, [PUT])


def test_it_fires_at_its_step_the_nth_time_and_not_again() -> None:
    failpoints.arm("written:2:error")
    failpoints.reach("written", [PUT])
    failpoints.reach("begun", [PUT])
    with pytest.raises(OSError, match="the failpoint's error"):
        failpoints.reach("written", [PUT])
    failpoints.reach("written", [PUT])


def test_it_may_wait_for_a_kind_of_request() -> None:
    failpoints.arm("written.Finish:1:error")
    failpoints.reach("written", [PUT])
    with pytest.raises(OSError, match="the failpoint's error"):
        failpoints.reach("written", [PUT, FINISH])


def test_it_may_write_down_what_was_asked_every_time(tmp_path: Path) -> None:
    failpoints.arm(f"committed:0:record={tmp_path}/history, begun:1:pause=0")
    failpoints.reach("begun", [PUT])
    failpoints.reach("committed", [PUT, Claim(b"f", 1, 10)])
    failpoints.reach("committed", [FINISH])
    lines = [json.loads(line) for line in (tmp_path / "history").read_text().splitlines()]
    assert [(line["kind"], line["handle"], line["end"]) for line in lines] == [
        ("Put", "H:1", ""),
        ("Claim", "", ""),
        ("Finish", "H:1", "failed"),
    ]
    assert {line["step"] for line in lines} == {"committed"}
    assert lines[0]["at"] <= lines[2]["at"]


@pytest.mark.parametrize("text", ["nowhere:1:crash", "written:x:crash", "written:1:explode", "written", "told:1:error"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="FLEET_FAILPOINT has"):
        failpoints.arm(text)
