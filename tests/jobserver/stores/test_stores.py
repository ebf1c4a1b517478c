"""What every store promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import UsageError
from fleet.jobserver import stores
from fleet.jobserver.stores import Backlog, End, Entry, Exists, Listed, Refused, Result, Store, Stored, Swept
from fleet.jobserver.stores.choice import opener
from fleet.jobserver.stores.memory import MemoryStore
from fleet.jobserver.stores.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "jobs")
    assert opened.recover() == {}
    yield opened
    opened.close()


def sweep(
    now: int = 0, results: int = 10_000, dead_jobs: int = 100, dead_bytes: int = 10_000, limit: int = 100
) -> stores.Sweep:
    return stores.Sweep(now, results, dead_jobs, dead_bytes, limit)


def entry(number: int, function: bytes = b"f", **how: Any) -> Entry:
    return Entry(b"H:%d" % number, function, how.pop("workload", b"work %d" % number), **how)


def ask(store: Store, request: stores.Request) -> Any:
    (answer,) = store.carry_out([request])
    return answer


def put(store: Store, *entries: Entry, claim: bool = False) -> None:
    assert store.carry_out([stores.Put(entry, claim) for entry in entries]) == [Stored()] * len(entries)


def finish(
    entry: Entry, end: End = End.COMPLETED, data: bytes = b"done", ended: int = 100, keep: int = 200
) -> stores.Finish:
    result = Result(entry.handle, entry.function, entry.key, end, data, ended)
    return stores.Finish(result, keep, entry if end is End.DEAD else None)


def test_what_was_put_is_claimed_once_in_the_order_of_its_queue(store: Store) -> None:
    first, second, other, high = entry(1), entry(2), entry(3, b"g"), entry(4, priority=0)
    put(store, first, second, other, high)
    assert ask(store, stores.Claim(b"f", 1, 1)) == [first]
    assert ask(store, stores.Claim(b"f", 1, 10)) == [second]
    assert ask(store, stores.Claim(b"f", 1, 10)) == []
    assert ask(store, stores.Claim(b"f", 0, 10)) == [high]
    assert ask(store, stores.Claim(b"unknown", 1, 10)) == []


def test_a_job_put_with_a_claim_is_not_to_be_had_again(store: Store) -> None:
    put(store, entry(1), claim=True)
    put(store, entry(2))
    assert ask(store, stores.Claim(b"f", 1, 10)) == [entry(2)]


def test_a_job_put_with_a_claim_hides_none_before_it(store: Store) -> None:
    put(store, entry(1))
    put(store, entry(2), claim=True)
    put(store, entry(3))
    assert ask(store, stores.Claim(b"f", 1, 10)) == [entry(1), entry(3)]


def test_a_job_put_with_a_claim_hides_none_that_was_brought_back_before_it(store: Store) -> None:
    put(store, entry(1), claim=True)
    store.carry_out([finish(entry(1), End.DEAD), stores.Revive((b"H:1",)), stores.Put(entry(2), claim=True)])
    assert ask(store, stores.Claim(b"f", 1, 10)) == [entry(1)]


def test_everything_of_an_entry_comes_back(store: Store) -> None:
    full = entry(
        *(1, b"\xff\x00".replace(b"\0", b"\x01")),
        workload=b"a\0b",
        unique=b"\x01u",
        key=b"\0digest",
        priority=2,
        reducer=b"r",
        submitted=7,
        run_at=0,
        expires=9,
        max_attempts=3,
        failures=1,
        deaths=2,
        errors=("o\u00e4h", "no"),
    )
    put(store, full)
    assert ask(store, stores.Claim(full.function, 2, 1)) == [full]


def test_a_live_key_is_taken_and_free_again_when_its_job_has_ended(store: Store) -> None:
    put(store, entry(1, key=b"k"))
    assert ask(store, stores.Put(entry(2, key=b"k"))) == Exists(b"H:1")
    put(store, entry(3, b"g", key=b"k"), entry(4), entry(5))
    assert ask(store, finish(entry(1, key=b"k"))) is True
    put(store, entry(6, key=b"k"))


@pytest.mark.parametrize("doubled", [3, 20, 38])
def test_of_many_that_are_put_at_once_only_those_that_are_there_already_are_told_so(store: Store, doubled: int) -> None:
    jobs = [
        entry(number, key=b"%d" % number, workload=b"w" * (100_000 if number % 15 == 0 else 10))
        for number in range(1, 41)
    ]
    again = entry(100, key=b"%d" % doubled)
    batch = [*jobs[:39], again, jobs[39]]
    answers = store.carry_out([stores.Put(each, claim=each is jobs[0]) for each in batch])
    assert answers == [Stored()] * 39 + [Exists(b"H:%d" % doubled), Stored()]
    assert ask(store, stores.Claim(b"f", 1, 100)) == jobs[1:]


def test_a_job_is_probed_for_by_its_key_and_fetched_by_its_handle(store: Store) -> None:
    put(store, entry(1, key=b"k"), entry(2))
    assert ask(store, stores.Probe(b"f", b"other")) is None
    assert ask(store, stores.Probe(b"g", b"k")) is None
    assert ask(store, stores.Probe(b"f", b"k")) == entry(1, key=b"k")
    assert ask(store, stores.Fetch(b"H:2")) == entry(2)
    assert ask(store, stores.Fetch(b"H:none")) is None
    assert ask(store, stores.Claim(b"f", 1, 10)) == []


def test_jobs_for_later_are_claimed_by_their_time(store: Store) -> None:
    late, early = entry(1, run_at=30), entry(2, run_at=20)
    put(store, late, early, entry(3, run_at=40))
    assert ask(store, stores.Claim(b"f", 1, 10)) == []
    assert ask(store, stores.ClaimDue(10, 10)) == []
    assert ask(store, stores.ClaimDue(30, 1)) == [early]
    assert ask(store, stores.ClaimDue(30, 10)) == [late]


def test_a_job_that_ended_is_forgotten_and_its_result_is_kept(store: Store) -> None:
    put(store, entry(1, key=b"k"), claim=True)
    assert ask(store, stores.Look(b"H:1")) == entry(1, key=b"k")._replace(
        workload=ask(store, stores.Look(b"H:1")).workload
    )
    assert ask(store, finish(entry(1, key=b"k"), data=b"\0result")) is True
    assert ask(store, finish(entry(1, key=b"k"))) is False
    result = Result(b"H:1", b"f", b"k", End.COMPLETED, b"\0result", 100)
    assert ask(store, stores.Look(b"H:1")) == result
    assert ask(store, stores.LookUnique(b"f", b"k", 100)) == result
    assert ask(store, stores.LookUnique(b"f", b"k", 101)) is None
    assert ask(store, stores.LookUnique(b"g", b"k", 0)) is None
    assert ask(store, stores.Look(b"H:none")) is None


def test_a_result_that_nobody_wants_is_not_kept(store: Store) -> None:
    put(store, entry(1), claim=True)
    assert ask(store, finish(entry(1), keep=0)) is True
    assert ask(store, stores.Look(b"H:1")) is None


def test_a_claimed_job_may_change_and_stays_claimed(store: Store) -> None:
    put(store, entry(1), claim=True)
    assert ask(store, stores.Amend(entry(1, deaths=1, errors=("oh",)))) is None
    assert ask(store, stores.Claim(b"f", 1, 10)) == []
    looked = ask(store, stores.Look(b"H:1"))
    assert (looked.deaths, looked.errors) == (1, ("oh",))


def test_a_postponed_job_is_claimed_again_when_it_is_due(store: Store) -> None:
    put(store, entry(1), claim=True)
    again = entry(1, failures=1, run_at=50)
    assert ask(store, stores.Postpone(again)) is None
    assert ask(store, stores.Claim(b"f", 1, 10)) == []
    assert ask(store, stores.ClaimDue(50, 10)) == [again]
    assert ask(store, stores.ClaimDue(50, 10)) == []


def test_only_unclaimed_jobs_are_cancelled(store: Store) -> None:
    put(store, entry(1), claim=True)
    put(store, entry(2))
    assert ask(store, stores.Cancel(b"H:1", 100, 200)) is None
    assert ask(store, stores.Cancel(b"H:none", 100, 200)) is None
    assert ask(store, stores.Cancel(b"H:2", 100, 200)).handle == b"H:2"
    assert ask(store, stores.Look(b"H:2")).end is End.CANCELLED
    assert ask(store, stores.Claim(b"f", 1, 10)) == []


def test_the_dead_are_listed_revived_and_purged(store: Store) -> None:
    dead = [entry(n, key=b"k%d" % n, failures=3, errors=("why",)) for n in (1, 2, 3)]
    put(store, *dead, claim=True)
    store.carry_out([finish(each, End.DEAD, b"why") for each in dead])
    listed = ask(store, stores.ListJobs(dead=True))
    assert [row[:3] for row in listed] == [Listed(each._replace(workload=b""), 6, 100, 0)[:3] for each in dead]
    assert ask(store, stores.ListJobs(dead=True, after=listed[0].place, limit=1)) == listed[1:2]
    assert ask(store, stores.ListJobs(dead=True, function=b"g")) == []
    assert ask(store, stores.ListJobs(dead=True, until=99)) == []
    assert ask(store, stores.ListJobs(dead=True, until=100, handle=b"H:2")) == listed[1:2]
    put(store, entry(9, key=b"k2"))
    assert [revived.handle for revived in ask(store, stores.Revive((b"H:1", b"H:2", b"H:none")))] == [b"H:1"]
    claimed = ask(store, stores.Claim(b"f", 1, 10))
    assert claimed == [entry(9, key=b"k2"), dead[0]._replace(failures=0)]
    assert ask(store, stores.Purge((b"H:none", b"H:1"))) == 0
    assert ask(store, stores.Purge((b"H:3", b"H:2", b"H:3"))) == 2
    assert ask(store, stores.ListJobs(dead=True)) == []


def test_a_store_in_memory_cannot_be_copied() -> None:
    assert ask(MemoryStore(), stores.BackUp()) == Refused("the store is in memory, and has no file to copy")


def test_no_more_is_claimed_than_so_many_bytes_but_one_job_always(store: Store) -> None:
    put(store, *(entry(n, workload=bytes(10)) for n in (1, 2, 3, 4)))
    put(store, *(entry(n, workload=bytes(10), run_at=n) for n in (5, 6, 7, 8)))
    for first, request in ((1, stores.Claim(b"f", 1, 10, 11)), (5, stores.ClaimDue(9, 10, 11))):
        assert [claimed.handle for claimed in ask(store, request)] == [b"H:%d" % n for n in (first, first + 1)]
        assert [claimed.handle for claimed in ask(store, request._replace(most_bytes=1))] == [b"H:%d" % (first + 2)]
        assert [claimed.handle for claimed in ask(store, request)] == [b"H:%d" % (first + 3)]


@pytest.mark.parametrize(
    ("most", "kept"),
    [
        ({}, [1, 2, 3, 4]),
        ({"dead_jobs": 4, "dead_bytes": 24}, [1, 2, 3, 4]),
        ({"dead_jobs": 3}, [2, 3, 4]),
        ({"dead_bytes": 23}, [2, 3, 4]),
        ({"dead_bytes": 11}, [4]),
        ({"dead_jobs": 0}, []),
        ({"dead_jobs": 0, "limit": 3}, [4]),
    ],
)
def test_the_oldest_dead_go_where_there_are_too_many(store: Store, most: dict[str, int], kept: list[int]) -> None:
    for number in (1, 2, 3, 4, 5):
        job = entry(number, b"g" if number == 1 else b"f")
        put(store, job, claim=True)
        ask(store, finish(job, End.DEAD, b"why", keep=300))
    assert ask(store, stores.Purge((b"H:5",))) == 1
    went = 4 - len(kept)
    evicted = {name: count for name, count in ((b"g", min(went, 1)), (b"f", went - 1)) if count > 0}
    assert ask(store, sweep(**most)) == Swept(len(kept), 6 * len(kept), evicted)
    assert [each.entry.handle for each in ask(store, stores.ListJobs(dead=True))] == [b"H:%d" % n for n in kept]
    assert ask(store, stores.Look(b"H:1")).end is End.DEAD  # how it ended is kept as any result


def test_a_revived_job_no_longer_weighs_on_the_dead_letter(store: Store) -> None:
    put(store, entry(1), claim=True)
    ask(store, finish(entry(1), End.DEAD))
    assert len(ask(store, stores.Revive((b"H:1", b"H:1")))) == 1
    assert ask(store, sweep()) == Swept(0, 0, {})


def test_live_jobs_are_listed_without_their_workloads(store: Store) -> None:
    put(store, entry(1), entry(2, b"g"), entry(3))
    assert [row.entry.handle for row in ask(store, stores.ListJobs())] == [b"H:1", b"H:2", b"H:3"]
    first, _, third = ask(store, stores.ListJobs())
    assert third[:3] == (entry(3, workload=b""), 6, 0)
    assert ask(store, stores.ListJobs(function=b"f", after=first.place)) == [third]
    assert ask(store, stores.ListJobs(handle=b"H:3")) == [third]


def test_old_jobs_are_listed_by_when_they_were_submitted(store: Store) -> None:
    put(store, entry(1, submitted=10), entry(2, submitted=20))
    assert [row.entry.handle for row in ask(store, stores.ListJobs(until=15))] == [b"H:1"]


def test_the_place_behind_a_job_that_has_ended_is_still_a_place(store: Store) -> None:
    put(store, *(entry(n) for n in (1, 2, 3)), claim=True)
    _, second, third = ask(store, stores.ListJobs())
    ask(store, finish(entry(2)))
    assert ask(store, stores.ListJobs(after=second.place)) == [third]


def test_what_is_dead_is_known_as_long_as_it_is_there(store: Store) -> None:
    dead = entry(1, key=b"k", errors=("first", "why"))
    put(store, dead, claim=True)
    ask(store, finish(dead, End.DEAD, b"why"))
    result = Result(b"H:1", b"f", b"k", End.DEAD, b"why", 100)
    for now in (0, 10_000):
        ask(store, sweep(now))
        assert ask(store, stores.Look(b"H:1")) == ask(store, stores.LookNamed(b"f", b"k")) == result
    ask(store, stores.Purge((b"H:1",)))
    assert ask(store, stores.Look(b"H:1")) is ask(store, stores.LookNamed(b"f", b"k")) is None


def test_by_its_name_the_live_job_is_found_and_else_the_newest_that_ended(store: Store) -> None:
    for number in (1, 2):
        put(store, entry(number, key=b"k"), claim=True)
        ask(store, finish(entry(number, key=b"k"), End.FAILED, b"no", ended=number))
    assert ask(store, stores.LookNamed(b"f", b"k")).handle == b"H:2"
    assert ask(store, stores.LookNamed(b"g", b"k")) is None
    put(store, entry(3, key=b"k"))
    assert isinstance(ask(store, stores.LookNamed(b"f", b"k")), Entry)


def test_a_live_job_is_found_by_its_key_in_any_function(store: Store) -> None:
    put(store, entry(1, b"g", key=b"k"))
    assert ask(store, stores.LookKey(b"k")).handle == b"H:1"
    assert ask(store, stores.LookKey(b"other")) is None


def test_results_go_when_their_time_is_over_and_the_oldest_when_there_are_too_many(store: Store) -> None:
    for number in range(6):
        put(store, entry(number), claim=True)
        ask(store, finish(entry(number), data=bytes(100), ended=number, keep=1000 - number))
    ask(store, sweep(996))
    assert [ask(store, stores.Look(b"H:%d" % n)) is not None for n in range(6)] == [True] * 4 + [False] * 2
    ask(store, sweep(results=0))
    assert not any(ask(store, stores.Look(b"H:%d" % n)) for n in range(6))


@pytest.mark.parametrize("text", ["", "redis", "sqlite", "sqlite:", "memory:x"])
def test_a_text_that_names_no_store_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no store; write sqlite:PATH with the path of its file, memory, or none"):
        opener(text)


def test_the_path_of_a_file_alone_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match=r"write sqlite:/var/lib/jobs$"):
        opener("/var/lib/jobs")


def test_a_text_names_a_store(tmp_path: Path) -> None:
    assert isinstance(opener("memory")(), MemoryStore)
    store = opener(f"sqlite:{tmp_path}/down/jobs")()
    assert str(store.facts()["store"]).endswith("down/jobs")
    store.close()


def test_a_sqlite_store_is_found_again_with_nothing_claimed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jobs")
    store.recover()
    put(store, entry(1), claim=True)
    put(store, entry(2, priority=0), entry(3, run_at=9), entry(4))
    ask(store, finish(entry(4)))
    store.close()
    again = SqliteStore(tmp_path / "jobs")
    assert again.recover() == {b"f": Backlog([1, 1, 0], 1)}
    assert ask(again, stores.Claim(b"f", 1, 10)) == [entry(1)]
    assert ask(again, stores.Look(b"H:4")).data == b"done"
    again.close()


def test_jobs_that_are_late_expire_unless_they_are_claimed(store: Store) -> None:
    put(store, entry(1, expires=10), entry(4, expires=30), entry(5))
    put(store, entry(2, expires=20, key=b"k", run_at=15), entry(3, expires=20))
    assert ask(store, stores.Fetch(b"H:3"))
    assert [e.handle for e in ask(store, stores.Expire(20, 100, 1))] == [b"H:1"]
    assert [e.handle for e in ask(store, stores.Expire(20, 100, 10))] == [b"H:2"]
    assert ask(store, stores.Look(b"H:2")) == Result(b"H:2", b"f", b"k", End.EXPIRED, b"", 20)
    assert [row.entry.handle for row in ask(store, stores.ListJobs())] == [b"H:4", b"H:5", b"H:3"]


def test_a_dead_job_is_exhumed_with_its_workload_and_stays_where_it_is(store: Store) -> None:
    dead = entry(1, workload=b"\0poison", errors=("why",))
    put(store, dead, entry(2), claim=True)
    ask(store, finish(dead, End.DEAD, b"why"))
    for _ in range(2):
        assert ask(store, stores.Exhume(b"H:1")) == dead
    assert ask(store, stores.Exhume(b"H:2")) is None


def test_a_job_that_comes_again_keeps_its_result_and_is_there_for_its_next_time(store: Store) -> None:
    job = entry(1, run_at=60, schedule="* * * * *")
    put(store, job)
    assert ask(store, stores.ClaimDue(60, 10)) == [job]
    for ended, data in ((61, b"one"), (121, b"two")):
        result = Result(job.handle, b"f", b"", End.COMPLETED, data, ended)
        job = job._replace(run_at=ended + 59)
        assert ask(store, stores.Again(result, 1000, job)) is None
        assert ask(store, stores.ClaimDue(ended, 10)) == []
        assert ask(store, stores.ClaimDue(ended + 59, 10)) == [job]
    ask(store, sweep(900, len(b"two")))  # the newest result alone is kept
    ask(store, finish(job, End.CANCELLED, b"", keep=0))
    assert ask(store, stores.Look(job.handle)).data == b"two"
