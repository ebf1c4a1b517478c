"""What a job server is asked about the jobs it keeps, without a disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import BackedUp, BackUp, Refused, Request
from fleet.jobserver.stores.memory import MemoryStore
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION
from tests.jobserver.asking import Asked, ask, ask_for, bury, refused, states
from tests.jobserver.house import House
from tests.jobserver.queue import grabbed, peer


@pytest.fixture
def house() -> House:
    return House(attempts=2)


def test_the_result_of_a_background_job_can_be_asked_for_afterwards(house: House) -> None:
    ack = house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker), WORK_COMPLETE, b"thumb")
    asked, who = ask_for(house, ack.handle)
    house.commit()
    assert asked.told == ack.told
    assert who.heard == [(WORK_COMPLETE, ack.handle, b"thumb")]


@pytest.mark.parametrize("window", [1, 1000], ids=["only in the store", "in memory"])
def test_whoever_asks_before_the_job_has_ended_waits_for_it(window: int) -> None:
    house = House(window=window)
    acks = [house.submit() for _ in range(3)]
    house.commit()
    asked, who = ask_for(house, acks[2].handle)
    house.commit()
    assert asked.told == acks[2].told
    worker = house.worker()
    for _ in acks:
        house.finish(worker, grabbed(house.broker, worker), WORK_COMPLETE, b"thumb")
    assert who.heard == [(WORK_COMPLETE, acks[2].handle, b"thumb")]
    assert house.broker.stored == 0


def test_a_job_that_did_not_end_well_says_so_afterwards(house: House) -> None:
    failed, cancelled = house.submit(), house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker), WORK_EXCEPTION, b"BadSpec: no")
    house.broker.cancel(cancelled.handle, 0)
    house.commit()
    for handle, text in ((failed.handle, b"BadSpec: no"), (cancelled.handle, b"the job was cancelled")):
        _, who = ask_for(house, handle)
        house.commit()
        assert who.heard == [(WORK_EXCEPTION, handle, text)]


def test_a_job_that_is_not_known_is_refused(house: House) -> None:
    asked, who = ask_for(house, b"H:none")
    house.commit()
    assert refused(asked) == b"JOB_NOT_FOUND"
    assert who.heard == []


def test_a_job_that_ended_long_ago_is_told_from_one_that_never_was(house: House) -> None:
    house.broker._is_ours = lambda handle: handle.startswith(b"H:test:")
    ack = house.submit()
    house.commit()
    worker = house.worker()
    house.finish(worker, grabbed(house.broker, worker))
    house.wait(3601)
    for handle, code in ((ack.handle, b"RESULT_GONE"), (b"H:none", b"JOB_NOT_FOUND")):
        asked, _ = ask_for(house, handle)
        shown = Asked(house, "fleet.jobs", do="show", handle=handle.decode())
        house.commit()
        assert refused(asked) == refused(shown.ack) == code


# -- questions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 1000], ids=["mostly in the store", "in memory"])
def test_jobs_are_listed_with_their_states_page_by_page(window: int) -> None:
    house = House(window=window)
    for n in range(3):
        house.submit(b"u%d" % n, workload=b"12345")
    house.submit(name=b"g", epoch_s=5000)
    house.commit()
    grabbed(house.broker, house.worker())
    house.commit()
    assert states(house) == ["running", "queued", "queued", "waiting"]
    assert states(house, function="g") == ["waiting"]
    first = ask(house, "fleet.jobs", do="list", limit=2)
    assert [(job["unique"], job["bytes"]) for job in first["jobs"]] == [("u0", 5), ("u1", 5)]
    rest = ask(house, "fleet.jobs", do="list", limit=3, after=first["next"])
    assert ([job["unique"] for job in rest["jobs"]], rest["next"]) == (["u2", ""], 0)


def test_old_jobs_are_listed_by_their_age(house: House) -> None:
    house.wait(100)
    house.submit()
    house.wait(100)
    house.submit()
    house.commit()
    assert len(states(house, older=0)) == 2
    assert len(states(house, older=100)) == 1
    assert len(states(house, older=101)) == 0


def test_one_job_is_shown_as_long_as_anything_is_known_of_it(house: House) -> None:
    house.submit(b"u")
    house.commit()
    by_name = {"do": "show", "function": "f", "unique": "u"}
    assert ask(house, "fleet.jobs", **by_name)["state"] == "queued"
    worker = house.worker()
    job = grabbed(house.broker, worker)
    house.broker.progress(worker, job.handle, b"3", b"4")
    shown = ask(house, "fleet.jobs", do="show", handle=job.handle.decode())
    assert (shown["state"], shown["progress"], shown["unique"]) == ("running", [3, 4], "u")
    house.finish(worker, job, WORK_DATA, b"thu")
    house.finish(worker, job, WORK_COMPLETE, b"mb")
    shown = ask(house, "fleet.jobs", **by_name)
    assert (shown["state"], shown["bytes"], shown["handle"]) == ("completed", 5, job.handle.decode())


def test_a_foreground_job_is_shown_too(house: House) -> None:
    waiting = house.submit(b"u", background=False)
    house.commit()
    assert ask(house, "fleet.jobs", do="show", handle=waiting.handle.decode())["state"] == "queued"
    assert ask(house, "fleet.jobs", do="show", function="f", unique="u")["state"] == "queued"


def test_jobs_are_cancelled_and_the_answer_comes_after_the_commit() -> None:
    house = House(window=1)
    acks = [house.submit() for _ in range(4)]
    house.commit()
    running = grabbed(house.broker, house.worker())
    handles = [ack.handle.decode() for ack in acks[:3]]
    assert ask(house, "fleet.jobs", do="cancel", handles=[*handles, "H:none"]) == {"cancelled": 3}
    assert running.handle == acks[0].handle
    assert states(house) == ["queued"]
    assert ask(house, "fleet.jobs", do="show", handle=handles[2])["state"] == "cancelled"


# -- the dead letter ----------------------------------------------------------------------------------------------


def test_the_dead_are_listed_and_shown_with_the_error_of_each_attempt(house: House) -> None:
    handle, _ = bury(house, b"f", b"g")
    assert states(house, "fleet.dead") == ["dead", "dead"]
    assert states(house, "fleet.dead", function="g") == ["dead"]
    listed = ask(house, "fleet.dead", do="list", function="f")["jobs"][0]
    shown = ask(house, "fleet.dead", do="show", handle=handle)
    assert (listed["errors"], shown["errors"]) == (["ValueError: no"], ["ValueError: no"] * 2)
    assert ask(house, "fleet.jobs", do="show", function="f", unique="u0") == shown


def test_what_a_dead_job_was_given_is_shown_as_it_was(house: House) -> None:
    (handle,) = bury(house, b"f")
    asked = Asked(house, "fleet.dead", do="workload", handle=handle)
    missing = Asked(house, "fleet.dead", do="workload", handle="H:none")
    house.commit()
    assert [bytes(data) for _, _, data in asked.who.heard] == [b"w"]
    assert refused(missing.ack) == b"JOB_NOT_FOUND"


def test_a_dead_job_is_tried_again_with_nothing_held_against_it(house: House) -> None:
    (handle,) = bury(house, b"f")
    worker = house.worker()
    house.broker.sleep(worker, house.now)
    assert ask(house, "fleet.dead", do="retry", handles=[handle, "H:none"]) == {"retried": 1}
    assert worker.noops == 1
    job = grabbed(house.broker, worker)
    assert (job.handle.decode(), bytes(job.workload)) == (handle, b"w")
    house.finish(worker, job)
    assert house.look(job.handle).data == b"done"
    assert states(house, "fleet.dead") == []
    assert house.broker.stored == 0


def test_a_dead_job_is_not_tried_again_beside_a_live_one_of_its_unique(house: House) -> None:
    (handle,) = bury(house, b"f")
    house.submit(b"u0")
    assert ask(house, "fleet.dead", do="retry", handles=[handle]) == {"retried": 0}
    assert states(house, "fleet.dead") == ["dead"]


def test_a_full_store_revives_nobody(house: House) -> None:
    class Full(MemoryStore):
        def carry_out(self, batch: Any) -> list[Any]:
            return [Refused("the disk is full") for _ in batch]

    house.store = Full()
    asked = Asked(house, "fleet.dead", do="retry", handles=["H:test:1"])
    house.commit()
    assert refused(asked.ack) == b"QUEUE_ERROR"


def test_the_dead_are_purged(house: House) -> None:
    handles = bury(house, b"f", b"g")
    assert ask(house, "fleet.dead", do="purge", handles=handles[:1]) == {"purged": 1}
    assert states(house, "fleet.dead") == ["dead"]


# -- what makes no sense ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (b"", b"JSON object"),
        (b"H:img1:1", b"JSON object"),
        (b"[" * 200_000, b"JSON object"),
        (b'["list"]', b"JSON object"),
        (b'{"do": ' + b" " * 300_000 + b'"list"}', b"JSON object"),
        (b"{}", b"do is one of list, show, cancel"),
        (b'{"do": ["list"]}', b"do is one of"),
        (b'{"do": "purge"}', b"do is one of"),
        (b'{"do": "list", "limit": -1}', b"limit is a whole number"),
        (b'{"do": "list", "after": "H:1"}', b"after is a whole number"),
        (b'{"do": "list", "function": 5}', b"function is text"),
        (b'{"do": "show"}', b"named by its handle, or"),
        (b'{"do": "show", "unique": "u"}', b"named by its handle, or"),
        (b'{"do": "cancel"}', b"handles is a list"),
        (b'{"do": "cancel", "handles": [1]}', b"handles is a list"),
        (b'{"do": "cancel", "handles": [' + b'"a",' * 1000 + b'"a"]}', b"handles has 1000 at most"),
    ],
    ids=range(16),
)
def test_a_question_that_makes_no_sense_is_refused_and_says_why(house: House, asked: bytes, text: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        house.submit(name=b"fleet.jobs", workload=asked, background=False)
    assert caught.value.code == b"INVALID_ARGUMENT"
    assert text in caught.value.text


@pytest.mark.parametrize("handle", ["", "\ud800"])
def test_a_handle_that_is_none_is_only_not_found(house: House, handle: str) -> None:
    asked, _ = ask_for(house, handle.encode("utf-8", "replace"))
    shown = Asked(house, "fleet.jobs", do="show", handle=handle or "-")
    house.commit()
    assert refused(asked) == refused(shown.ack) == b"JOB_NOT_FOUND"


@pytest.mark.parametrize("name", [b"fleet.submit", b"fleet.result", b"fleet.jobs", b"fleet.dead"])
def test_a_question_is_asked_in_the_foreground(house: House, name: bytes) -> None:
    with pytest.raises(Refusal, match="submit it in the foreground"):
        house.submit(name=name, background=True)


@pytest.mark.parametrize(
    ("name", "do"),
    [("fleet.jobs", "cancel"), ("fleet.dead", "workload"), ("fleet.dead", "retry"), ("fleet.dead", "purge")],
)
def test_what_changes_jobs_or_shows_workloads_is_taken_from_this_machine_only(house: House, name: str, do: str) -> None:
    house.client.admin = False
    with pytest.raises(Refusal, match="PERMISSION_DENIED"):
        house.submit(name=name.encode(), workload=json.dumps({"do": do, "handles": []}).encode(), background=False)
    house.submit(name=name.encode(), workload=b'{"do": "list"}', background=False)


@pytest.mark.parametrize("name", [b"fleet.submit", b"fleet.result", b"fleet.jobs", b"fleet.dead"])
def test_without_a_store_a_question_is_refused_and_never_a_job(name: bytes) -> None:
    broker = Broker(lambda: b"H:1")
    client = peer(broker)
    with pytest.raises(Refusal, match=r"NO_STORE.*if it has a store: start it with --store"):
        broker.submit(client, name, b"", b"H:1", 0)
    with pytest.raises(Refusal, match="NO_STORE"):
        broker.can_do(client, name, 0)
    assert not broker.functions


def test_a_copy_of_the_store_is_made_for_its_own_machine_only(house: House) -> None:
    house.store = Copied()
    assert ask(house, "fleet.jobs", do="backup") == {"path": "/jobs.backup", "bytes": 5}
    far = peer(house.broker)
    far.admin = False
    with pytest.raises(Refusal, match="backup is taken from this machine only"):
        house.submit(name=b"fleet.jobs", workload=b'{"do": "backup"}', peer=far, background=False)


class Copied(MemoryStore):
    """A store that has a file."""

    def carry_out(self, batch: Sequence[Request]) -> list[Any]:
        return [BackedUp("/jobs.backup", 5) if isinstance(each, BackUp) else None for each in batch]
