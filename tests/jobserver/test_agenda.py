"""Jobs by when something is due for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.jobserver.agenda import MIN_ENTRIES, Agenda
from fleet.jobserver.job import Function, Job


def jobs(count: int) -> list[Job]:
    return [Job(b"H:%d" % n, Function(b"f"), b"", b"", b"") for n in range(count)]


def test_what_is_due_comes_in_order_and_only_once() -> None:
    agenda = Agenda()
    late, early, also_early = jobs(3)
    agenda.set(late, 9)
    agenda.set(early, 5)
    agenda.set(also_early, 5)
    assert agenda.next() == 5
    assert list(agenda.due(8)) == [early, also_early]
    assert list(agenda.due(8)) == []
    assert agenda.next() == 9
    assert list(agenda.due(9)) == [late]
    assert agenda.next() is None
    assert not agenda


def test_a_job_that_was_moved_or_dropped_is_not_due() -> None:
    agenda = Agenda()
    moved, dropped = jobs(2)
    for job in (moved, dropped):
        agenda.set(job, 5)
    agenda.set(moved, 7)
    agenda.drop(dropped)
    agenda.drop(dropped)
    assert dropped not in agenda
    assert list(agenda.due(6)) == []
    assert list(agenda.due(7)) == [moved]


def test_what_was_dropped_does_not_pile_up() -> None:
    agenda = Agenda()
    (job,) = jobs(1)
    for when in range(10_000):
        agenda.set(job, 10**9 + when)
        agenda.drop(job)
    assert len(agenda.entries) <= MIN_ENTRIES + 2


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["set", "drop", "due"]), st.integers(0, 5))))
def test_it_says_what_a_plain_dictionary_says(steps: list[tuple[int, str, int]]) -> None:
    agenda, model, all_jobs = Agenda(), dict[Job, int](), jobs(6)
    for when, what, which in steps:
        job = all_jobs[which]
        if what == "set":
            agenda.set(job, when)
            model.pop(job, None)
            model[job] = when
        elif what == "drop":
            agenda.drop(job)
            model.pop(job, None)
        else:
            due = sorted((job for job, due in model.items() if due <= when), key=model.__getitem__)
            assert list(agenda.due(when)) == due
            for job in due:
                del model[job]
        assert len(agenda) == len(model)
        assert agenda.next() == min(model.values(), default=None)
