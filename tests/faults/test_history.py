"""The checker itself: each promise that is broken is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.jobserver.stores import End, Finish, Put, Result
from fleet.jobserver.stores.sqlite import SqliteStore
from tests.faults.history import History, Run, Submit
from tests.faults.scene import entry

SECOND = 1_000_000_000


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Of two jobs, of which one ended, the other is queued."""
    history = History(tmp_path / "store" / "jobs")
    store = SqliteStore(history.store)
    store.carry_out([Put(entry("done")), Put(entry("queued"))])
    store.carry_out([Finish(Result(b"H:done", b"f", b"done", End.COMPLETED, b"ok", 1), 2)])
    store.close()
    history.submits += [Submit("done", 0, 1, "H:done"), Submit("queued", 0, 1, "H:queued"), Submit("unknown", 0, 1)]
    history.runs += [Run("done", "H:done", 1, 2, 4)]
    commit(history, "Put", "H:done", 1)
    commit(history, "Finish", "H:done", 5)
    return history


def commit(history: History, kind: str, handle: str, at: int) -> None:
    with history.records.open("a") as file:
        file.write(json.dumps({"kind": kind, "handle": handle, "at": at}) + "\n")


def again(history: History) -> None:
    """The same unique, as another job that is there at the same time."""
    history.submits.append(Submit("done", 2, 3, "H:again"))
    store = SqliteStore(history.store)
    store.carry_out([Put(entry("again"))])
    store.close()
    commit(history, "Put", "H:again", 3)


def test_a_run_that_kept_all_promises_passes(history: History) -> None:
    history.check()


@pytest.mark.parametrize(
    ("promise", "breach"),
    [
        ("I1: lost 1 of 3", lambda h: h.submits.append(Submit("u", 0, 1, "H:lost"))),
        ("I2: ended twice", lambda h: commit(h, "Finish", "H:done", 6)),
        ("I3: two runs of done at once", lambda h: h.runs.append(Run("done", "H:done", 1, 3, 6))),
        ("I3: two live jobs of done at once", again),
        ("I4: a call took 40.0 s", lambda h: h.submits.append(Submit("slow", 0, 40 * SECOND))),
        ("I5: the queue was empty only after 61 s", lambda h: setattr(h, "recovered_s", 61.0)),
        ("I6: left behind", lambda h: h.store.with_name("jobs.tmp").touch()),
        ("I7: one handle for different jobs", lambda h: h.submits.append(Submit("other", 0, 1, "H:done"))),
    ],
)
def test_a_promise_that_was_broken_is_noticed(
    history: History, promise: str, breach: Callable[[History], None]
) -> None:
    breach(history)
    with pytest.raises(AssertionError, match=promise):
        history.check()
