"""Background jobs by HTTP: their terms, their status, and their results."""

from __future__ import annotations

import json

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import HIGH
from fleet.protocol import packets
from tests.jobserver.gateways.http.end import End
from tests.jobserver.house import House
from tests.jobserver.queue import Recorder, grabbed

BACKGROUND = "X-Gearman-Background: true"


def test_a_background_job_is_accepted_and_its_status_told(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f", b"work", BACKGROUND)
    status, headers, body = client.answer()
    handle = headers[b"x-gearman-job-handle"]
    assert (status, headers[b"x-gearman-command"], body) == (202, b"JOB_CREATED", b"")
    assert headers[b"location"] == b"/jobs/" + handle
    assert not client.wire.owed
    told = {"handle": handle.decode(), "known": True, "running": False, "numerator": 0, "denominator": 0}
    client.ask("GET", f"/jobs/{handle.decode()}")
    status, _, body = client.answer()
    assert (status, json.loads(body)) == (200, told)
    grabbed(broker, worker)
    broker.progress(worker, handle, b"1", b"3")
    client.ask("GET", f"/jobs/{handle.decode()}")
    assert json.loads(client.answer()[2]) == {**told, "running": True, "numerator": 1, "denominator": 3}
    broker.work(worker, packets.WORK_COMPLETE, handle, b"", 0)
    client.ask("GET", f"/jobs/{handle.decode()}")
    status, _, body = client.answer()
    assert (status, json.loads(body)["known"]) == (404, False)
    assert client.wire.guesses == 1


def test_a_background_job_has_terms_and_is_accepted_once_it_is_kept() -> None:
    house = House()
    client = End(house.broker)
    terms = "X-Gearman-Delay: 100", "X-Gearman-Ttl: 1m", "X-Gearman-Attempts: 3", "X-Gearman-Priority: high"
    client.ask("POST", "/f", b"work\n", BACKGROUND, *terms)
    assert client.raw() == b""
    house.commit()
    status, headers, body = client.answer()
    handle = headers[b"x-gearman-job-handle"]
    assert (status, headers[b"x-gearman-command"], body) == (202, b"JOB_CREATED", b"")
    assert headers[b"location"] == b"/jobs/" + handle
    entry = house.look(handle)
    assert (bytes(entry.workload), entry.priority, entry.unique) == (b"work\n", HIGH, b"-")
    assert (entry.run_at, entry.expires, entry.max_attempts) == (100, 160, 3)
    client.ask("POST", "/f", b"work\n", BACKGROUND, "X-Gearman-Attempts: 9")  # an equal body
    house.commit()
    assert client.answer()[1][b"x-gearman-job-handle"] == handle


def test_a_job_on_a_schedule_comes_by_http_too() -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Schedule: 0 3 * * *")
    house.commit()
    status, headers, _ = client.answer()
    assert status == 202
    assert house.look(headers[b"x-gearman-job-handle"]).schedule == "0 3 * * *"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (("X-Gearman-At: 5", "X-Gearman-Delay: 5"), b"at and delay both say when a job may begin; give one of them."),
        (("X-Gearman-Schedule: 0 24 * * *",), b"hour is * or numbers from 0 to 23, such as 0, 0-23 or */2."),
        (("X-Gearman-Schedule: @daily",), b"a schedule has five fields, minute hour mday month wday, not 1."),
        (("X-Gearman-Schedule: * * * * *", "X-Gearman-Ttl: 5"), b"a schedule says when; at, delay and ttl are"),
    ],
)
def test_terms_that_contradict_each_other_are_refused_and_the_next_request_is_answered(
    headers: tuple[str, ...], text: bytes
) -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, *headers)
    status, _, body = client.answer()
    assert (status, body.startswith(text)) == (400, True), body
    assert not house.broker.jobs
    client.ask("POST", "/f", b"work", BACKGROUND)
    house.commit()
    assert client.answer()[0] == 202


def test_terms_need_a_store(broker: Broker, client: End) -> None:
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Ttl: 5")
    status, _, text = client.answer()
    assert (status, text.endswith(b"start it with --store.\n")) == (501, True)
    assert not broker.jobs


def test_a_client_that_leaves_before_its_job_is_kept_is_told_nothing() -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Ttl: 50")
    client.wire.lost(0)
    house.commit()
    assert len(house.broker.jobs) == 1  # it was submitted, and nobody need wait for it


def test_the_result_of_a_background_job_is_fetched_before_and_after_it_has_ended() -> None:
    house = House()
    client, worker = End(house.broker), house.worker(b"resize")
    client.ask("POST", "/resize", b"large", BACKGROUND)
    house.commit()
    _, headers, _ = client.answer()
    where = headers[b"location"].decode() + "/result"
    client.ask("GET", where)
    assert client.raw() == b""
    house.finish(worker, grabbed(house.broker, worker), packets.WORK_COMPLETE, b"small")
    for _ in range(2):
        status, headers, body = client.answer("GET")
        assert (status, body) == (200, b"small")
        assert where == f"/jobs/{headers[b'x-gearman-job-handle'].decode()}/result"
        client.ask("GET", where)
        house.commit()


def test_a_result_that_is_not_to_be_had_says_why(broker: Broker, client: End) -> None:
    house = House()
    house.broker._is_ours = lambda handle: handle.startswith(b"H:test:")
    keeper = End(house.broker)
    for target, status in (("/jobs/H:test:9/result", 410), ("/jobs/H:none/result", 404)):
        keeper.ask("GET", target)
        house.commit()
        assert keeper.answer("GET")[0] == status
    client.ask("GET", "/jobs/H:test:9/result")
    status, _, text = client.answer("GET")
    assert (status, text.endswith(b"start it with --store.\n")) == (501, True)


def test_a_failed_jobs_result_is_its_failure() -> None:
    house = House()
    client, worker = End(house.broker), house.worker()
    ack = house.submit()
    house.commit()
    house.finish(worker, grabbed(house.broker, worker), packets.WORK_EXCEPTION, b"BadImage: corrupt: it is cut off")
    client.ask("GET", f"/jobs/{ack.handle.decode()}/result")
    house.commit()
    assert client.answer("GET")[::2] == (422, b"BadImage: corrupt: it is cut off")


def test_head_of_a_status_is_its_head(client: End) -> None:
    client.ask("HEAD", "/jobs/none")
    status, headers, body = client.answer("HEAD")
    assert (status, body) == (404, b"")
    assert int(headers[b"content-length"]) > 0
