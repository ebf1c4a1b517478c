"""The queue as a machine: whatever happens in whatever order, these stay true."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import HIGH, LOW, NORMAL, Job, Peer
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import Schedule
from fleet.protocol import Data
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL
from fleet.settings import ServerLimits

MS = 1_000_000
SECOND = 1_000_000_000
FINAL = (WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION)


class Recorder(Peer):
    """A peer that writes down what it was told."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.noops = 0
        self.grants: list[Job | None] = []
        self.heard: list[tuple[Any, ...]] = []
        broker.join(self)

    def wake(self) -> None:
        self.noops += 1

    def granted(self, job: Job | None) -> None:
        self.grants.append(job)

    def progress(self, job: Job, numerator: bytes, denominator: bytes) -> None:
        self.heard.append(("status", job.handle, numerator, denominator))

    def news(self, kind: int, job: Job, data: Data) -> None:
        self.heard.append((kind, job.handle, bytes(data)))


def make_broker(*, job_retries: int = -1, worker_wakeup: int = 1, **limits: Any) -> Broker:
    numbers = itertools.count(1)
    return Broker(
        lambda: b"H:test:%d" % next(numbers),
        ServerLimits(**limits),
        job_retries=job_retries,
        worker_wakeup=worker_wakeup,
    )


@pytest.fixture
def broker() -> Broker:
    return make_broker()


def peer(broker: Broker, *functions: bytes) -> Recorder:
    made = Recorder(broker)
    for name in functions:
        broker.can_do(made, name, 0)
    return made


def grabbed(broker: Broker, worker: Peer) -> Job:
    job = broker.grab(worker, 0)
    assert job is not None
    return job


# -- order ----------------------------------------------------------------------------------------------------


def test_priority_goes_first_over_all_functions_then_functions_take_turns(broker: Broker) -> None:
    client = peer(broker)
    for n in range(3):
        broker.submit(client, b"f", b"", b"f%d" % n, 0)
        broker.submit(client, b"g", b"", b"g%d" % n, 0)
    broker.submit(client, b"f", b"", b"f-low", 0, priority=LOW)
    broker.submit(client, b"g", b"", b"g-high", 0, priority=HIGH)
    worker = peer(broker, b"f", b"g")
    got = [bytes(grabbed(broker, worker).workload) for _ in range(8)]
    assert got == [b"g-high", b"f0", b"g0", b"f1", b"g1", b"f2", b"g2", b"f-low"]


def test_a_worker_gets_only_what_it_registered_for(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0)
    assert broker.grab(peer(broker, b"g"), 0) is None
    assert broker.grab(peer(broker), 0) is None


def test_registering_twice_is_as_registering_once(broker: Broker) -> None:
    worker = peer(broker, b"f", b"f")
    assert len(broker.functions[b"f"].workers) == 1
    broker.cant_do(worker, b"f", 0)
    broker.cant_do(worker, b"never heard of", 0)
    assert not broker.functions[b"f"].workers


# -- waking ---------------------------------------------------------------------------------------------------


def submit_and_wake(broker: Broker, name: bytes = b"f") -> None:
    broker.submit(peer(broker), name, b"", b"", 0, background=True)
    broker.wake(0)


def test_a_submit_wakes_one_sleeper_not_all(broker: Broker) -> None:
    workers = [peer(broker, b"f") for _ in range(5)]
    for worker in workers:
        broker.sleep(worker, 0)
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 0, 0, 0, 0]
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 1, 0, 0, 0]


def test_going_to_sleep_beside_a_job_is_answered_with_a_noop_at_once(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0)
    worker = peer(broker, b"f")
    broker.sleep(worker, 0)
    assert worker.noops == 1
    assert not worker.asleep


def test_a_woken_worker_that_does_not_come_is_replaced(broker: Broker) -> None:
    stuck, other = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(stuck, 0)
    broker.sleep(other, 0)
    submit_and_wake(broker)
    assert (stuck.noops, other.noops) == (1, 0)
    assert broker.tick(0) == SECOND
    assert broker.tick(SECOND) is not None
    assert (stuck.noops, other.noops) == (1, 1)


def test_a_woken_worker_that_disconnects_is_replaced_at_once(broker: Broker) -> None:
    gone, other = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(gone, 0)
    broker.sleep(other, 0)
    submit_and_wake(broker)
    broker.leave(gone, 0)
    broker.wake(0)
    assert other.noops == 1


def test_a_worker_woken_for_one_function_that_takes_another_leaves_none_stranded(broker: Broker) -> None:
    both, only_f, only_g = peer(broker, b"f", b"g"), peer(broker, b"f"), peer(broker, b"g")
    for worker in (both, only_f, only_g):
        broker.sleep(worker, 0)
    submit_and_wake(broker, b"g")  # wakes `both`
    submit_and_wake(broker, b"f")  # wakes `only_f`
    broker.functions[b"g"].turn = 99  # so that `both` takes f's job
    assert grabbed(broker, both).function.name == b"f"
    broker.wake(0)
    assert only_g.noops == 1


def test_registering_while_asleep_wakes_for_a_waiting_job(broker: Broker) -> None:
    worker = peer(broker, b"g")
    broker.sleep(worker, 0)
    broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.can_do(worker, b"f", 0)
    broker.wake(0)
    assert worker.noops == 1


def test_more_workers_than_jobs_are_woken_where_that_is_asked_for() -> None:
    broker = make_broker(worker_wakeup=2)
    workers = [peer(broker, b"f") for _ in range(5)]
    for worker in workers:
        broker.sleep(worker, 0)
    submit_and_wake(broker)
    assert [w.noops for w in workers] == [1, 1, 0, 0, 0]


def test_a_job_that_was_grabbed_before_anybody_was_woken_wakes_nobody(broker: Broker) -> None:
    sleeper, busy = peer(broker, b"f"), peer(broker, b"f")
    broker.sleep(sleeper, 0)
    broker.submit(peer(broker), b"f", b"", b"", 0)
    grabbed(broker, busy)
    broker.wake(0)
    assert sleeper.noops == 0


# -- lingering ------------------------------------------------------------------------------------------------


def lingering(broker: Broker, *names: bytes) -> Recorder:
    """A worker that has ended a job and grabbed in vain."""
    worker = peer(broker, *names)
    broker.submit(peer(broker), names[0], b"", b"", 0)
    broker.work(worker, WORK_COMPLETE, grabbed(broker, worker).handle, b"", 0)
    assert broker.grab(worker, 0) is None
    assert broker.linger(worker, 0)
    return worker


def test_a_worker_that_has_ended_a_job_gets_the_next_one_without_going_to_sleep(broker: Broker) -> None:
    sleeper, worker = peer(broker, b"f"), lingering(broker, b"f", b"g")
    broker.sleep(sleeper, 0)
    job = broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.wake(0)
    assert worker.grants == [job]
    assert job.worker is worker
    assert sleeper.noops == 0


def test_a_grab_lingers_for_a_millisecond_and_only_once_after_a_job(broker: Broker) -> None:
    worker = lingering(broker, b"f")
    broker.tick(MS - 1)
    assert worker.grants == []
    broker.tick(MS)
    assert worker.grants == [None]
    assert broker.grab(worker, MS) is None
    assert not broker.linger(worker, MS)


def test_a_grab_does_not_linger_where_that_is_switched_off() -> None:
    broker = make_broker(linger_s=0)
    worker = peer(broker, b"f")
    broker.submit(peer(broker), b"f", b"", b"", 0)
    broker.work(worker, WORK_COMPLETE, grabbed(broker, worker).handle, b"", 0)
    assert broker.grab(worker, 0) is None
    assert not broker.linger(worker, 0)


def test_a_job_that_who_lingers_cannot_do_wakes_somebody_else(broker: Broker) -> None:
    worker, other = lingering(broker, b"f"), peer(broker, b"g")
    broker.sleep(other, 0)
    submit_and_wake(broker, b"g")
    assert worker.grants == []
    assert other.noops == 1


def test_nobody_lingers_after_having_left(broker: Broker) -> None:
    worker = lingering(broker, b"f")
    broker.leave(worker, 0)
    submit_and_wake(broker)
    broker.tick(MS)
    assert worker.grants == []
    assert broker.functions[b"f"].queued == 1


# -- coalescing and who waits ---------------------------------------------------------------------------------


def test_equal_uniques_are_one_job_and_everyone_hears(broker: Broker) -> None:
    first, second = peer(broker), peer(broker)
    job = broker.submit(first, b"f", b"u", b"one", 0)
    assert broker.submit(second, b"f", b"u", b"two", 0) is job
    assert broker.submit(second, b"g", b"u", b"two", 0) is not job
    worker = peer(broker, b"f")
    grabbed(broker, worker)
    broker.work(worker, WORK_DATA, job.handle, b"some", 0)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert first.heard == second.heard == [(WORK_DATA, job.handle, b"some"), (WORK_COMPLETE, job.handle, b"done")]


def test_a_connection_attached_twice_hears_twice(broker: Broker) -> None:
    client = peer(broker)
    job = broker.submit(client, b"f", b"u", b"", 0)
    broker.submit(client, b"f", b"u", b"", 0)
    worker = peer(broker, b"f")
    grabbed(broker, worker)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert len(client.heard) == 2
    assert not client.listening


def test_the_unique_dash_coalesces_equal_workloads_but_no_empty_ones(broker: Broker) -> None:
    client = peer(broker)
    one = broker.submit(client, b"f", b"-", b"same", 0)
    assert broker.submit(client, b"f", b"-", memoryview(b"same"), 0) is one
    assert broker.submit(client, b"f", b"-", b"other", 0) is not one
    assert broker.submit(client, b"f", b"-", b"", 0) is not broker.submit(client, b"f", b"-", b"", 0)


def test_an_empty_unique_never_coalesces(broker: Broker) -> None:
    client = peer(broker)
    assert broker.submit(client, b"f", b"", b"x", 0) is not broker.submit(client, b"f", b"", b"x", 0)


def test_a_queued_job_nobody_waits_for_any_more_is_dropped(broker: Broker) -> None:
    client = peer(broker)
    broker.submit(client, b"f", b"u", b"x" * 100, 0)
    broker.leave(client, 0)
    assert broker.grab(peer(broker, b"f"), 0) is None
    assert (len(broker.jobs), broker.queued_bytes) == (0, 0)


@pytest.mark.parametrize("order", ["background first", "foreground first"])
def test_f19_f20_a_foreground_leaver_keeps_the_background_job(broker: Broker, order: str) -> None:
    waiting, other = peer(broker), peer(broker)
    for background in (True, False) if order == "background first" else (False, True):
        broker.submit(other if background else waiting, b"f", b"u", b"", 0, background=background)
    broker.leave(waiting, 0)
    assert grabbed(broker, peer(broker, b"f")).background


def test_a_submit_onto_an_abandoned_unique_gets_a_fresh_run(broker: Broker) -> None:
    gone, client = peer(broker), peer(broker)
    doomed = broker.submit(gone, b"f", b"u", b"", 0)
    broker.leave(gone, 0)
    job = broker.submit(client, b"f", b"u", b"", 0)
    assert job is not doomed
    assert grabbed(broker, peer(broker, b"f")) is job


def test_cancel_tells_the_waiting_once_and_swallows_the_late_result(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    assert broker.cancel(job.handle, 0)
    assert not broker.cancel(job.handle, 0)
    assert broker.work(worker, WORK_COMPLETE, job.handle, b"late", 0)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]


# -- jobs that come again -------------------------------------------------------------------------------------

MINUTE = 60 * SECOND
EACH_MINUTE = Schedule.read("* * * * *")


def at_minute(broker: Broker, minute: int) -> int:
    """Let so many minutes be over."""
    broker.tick(minute * MINUTE, 1_800_000_000 + minute * 60.0)
    return minute * MINUTE


def test_a_scheduled_job_comes_at_its_time_and_again_after_it_has_ended(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    handle = broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE).handle
    at_minute(broker, 0)
    assert broker.grab(worker, 0) is None
    for minute, kind in ((1, WORK_COMPLETE), (2, WORK_FAIL), (3, WORK_COMPLETE)):
        now = at_minute(broker, minute)
        job = broker.grab(worker, now)
        assert job is not None
        assert (job.handle, job.unique, job.workload) == (handle, b"u", b"w")
        broker.work(worker, kind, handle, b"", now)
        at_minute(broker, minute)
        assert broker.grab(worker, now) is None  # not twice in one minute
    assert broker.functions[b"f"].jobs == 1


def test_a_scheduled_job_that_takes_longer_leaves_out_what_it_missed(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"w", 0, background=True, schedule=EACH_MINUTE)
    at_minute(broker, 0)
    now = at_minute(broker, 1)
    job = broker.grab(worker, now)
    assert job is not None
    now = at_minute(broker, 5)
    broker.work(worker, WORK_COMPLETE, job.handle, b"", now)
    at_minute(broker, 5)
    assert broker.grab(worker, now) is None
    assert broker.grab(worker, at_minute(broker, 6)) is not None
    assert broker.grab(worker, at_minute(broker, 6)) is None


@pytest.mark.parametrize("when", ["unplanned", "waiting", "queued", "running"])
def test_a_cancelled_schedule_is_over(broker: Broker, when: str) -> None:
    worker = peer(broker, b"f")
    handle = broker.submit(peer(broker), b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE).handle
    if when != "unplanned":
        at_minute(broker, 0)
    if when in ("queued", "running"):
        at_minute(broker, 1)
    if when == "running":
        grabbed(broker, worker)
    assert broker.cancel(handle, MINUTE)
    at_minute(broker, 9)
    assert broker.grab(worker, 9 * MINUTE) is None
    assert not broker.jobs
    assert not broker._schedules
    assert not broker._unplanned
    assert broker.functions[b"f"].jobs == 0


def test_a_schedule_coalesces_with_its_like_and_with_no_other_job(broker: Broker) -> None:
    client = peer(broker)
    scheduled = broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE)
    assert broker.submit(client, b"f", b"u", b"w", 0, background=True, schedule=EACH_MINUTE) is scheduled
    assert broker.submit(client, b"f", b"u", b"w", 0) is not scheduled
    at_minute(broker, 0)
    assert grabbed(broker, peer(broker, b"f")) is not scheduled


# -- workers that go, hang and misbehave ----------------------------------------------------------------------


def test_a_lost_workers_job_goes_to_another_with_its_progress_reset(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, worker)
    broker.progress(worker, job.handle, b"1", b"2")
    assert job.progress == (1, 2)
    broker.leave(worker, 0)
    assert (job.progress, job.retries) == ((0, 0), 1)
    assert grabbed(broker, peer(broker, b"f")) is job


def test_a_worker_that_lost_its_connection_goes_on_with_its_job_if_nobody_else_has_it(broker: Broker) -> None:
    client, before = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, before)
    broker.leave(before, 0)
    after = peer(broker, b"f")
    assert broker.resume(after, job.handle, 0)
    assert broker.grab(peer(broker, b"f"), 0) is None
    assert broker.work(after, WORK_COMPLETE, job.handle, b"done", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"done")]
    assert not broker.resume(after, job.handle, 0)  # it has ended


def test_a_resumed_job_whose_worker_is_lost_again_is_queued_again(broker: Broker) -> None:
    client, before = peer(broker), peer(broker, b"f")
    ahead, job = (broker.submit(client, b"f", b"", b"x", 0) for _ in range(2))
    after = peer(broker, b"f")
    assert broker.resume(after, job.handle, 0)
    broker.leave(after, 0)
    assert grabbed(broker, before) is ahead
    assert grabbed(broker, before) is job


def test_a_job_that_somebody_else_has_already_is_not_resumed(broker: Broker) -> None:
    client, before, other = peer(broker), peer(broker, b"f"), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"x", 0)
    grabbed(broker, before)
    broker.leave(before, 0)
    assert grabbed(broker, other) is job
    assert not broker.resume(peer(broker, b"f"), job.handle, 0)
    assert broker.resume(other, job.handle, 0)
    assert job.worker is other


def test_a_running_job_whose_client_left_ends_with_its_worker(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    broker.submit(client, b"f", b"", b"", 0)
    job = grabbed(broker, worker)
    broker.leave(client, 0)
    assert job.handle in broker.jobs
    broker.leave(worker, 0)
    assert not broker.jobs


def test_a_job_over_its_workers_timeout_goes_back_and_the_late_result_is_swallowed(broker: Broker) -> None:
    client, slow = peer(broker), Recorder(broker)
    broker.can_do(slow, b"f", 0, timeout_ns=2 * SECOND)
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, slow)
    assert broker.tick(0) == 2 * SECOND
    broker.tick(2 * SECOND)
    other = peer(broker, b"f")
    assert grabbed(broker, other) is job
    assert broker.work(slow, WORK_COMPLETE, job.handle, b"late", 0)
    broker.work(other, WORK_COMPLETE, job.handle, b"good", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"good")]


def test_unregistering_keeps_running_jobs_running(broker: Broker) -> None:
    client, worker = peer(broker), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    broker.reset_abilities(worker, 0)
    broker.work(worker, WORK_COMPLETE, job.handle, b"done", 0)
    assert client.heard == [(WORK_COMPLETE, job.handle, b"done")]


def test_w18_results_for_strangers_jobs_change_nothing(broker: Broker) -> None:
    client, worker, stranger = peer(broker), peer(broker, b"f"), peer(broker, b"f")
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, worker)
    assert not broker.work(stranger, WORK_COMPLETE, job.handle, b"forged", 0)
    assert not broker.work(worker, WORK_COMPLETE, b"H:none", b"", 0)
    assert client.heard == []
    assert broker.work(worker, WORK_EXCEPTION, job.handle, b"why", 0)
    assert broker.work(worker, WORK_FAIL, job.handle, b"", 0)  # Perl workers send both
    assert client.heard == [(WORK_EXCEPTION, job.handle, b"why")]


@pytest.mark.parametrize(("job_retries", "attempts"), [(0, 1), (1, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("background", [False, True])
def test_a_job_that_lost_all_its_workers_fails(job_retries: int, attempts: int, background: bool) -> None:
    broker = make_broker(job_retries=job_retries)
    client = peer(broker)
    job = broker.submit(client, b"f", b"u", b"", 0, background=background)
    for _ in range(attempts):
        worker = peer(broker, b"f")
        assert grabbed(broker, worker) is job
        broker.leave(worker, 0)
    assert not broker.jobs
    assert client.heard == ([] if background else [(WORK_FAIL, job.handle, b"")])
    assert not client.listening
    assert broker.submit(client, b"f", b"u", b"", 0) is not job


def test_a_timed_out_attempt_counts_as_a_lost_worker() -> None:
    broker = make_broker(job_retries=1)
    client, slow = peer(broker), Recorder(broker)
    broker.can_do(slow, b"f", 0, timeout_ns=SECOND)
    job = broker.submit(client, b"f", b"", b"", 0)
    grabbed(broker, slow)
    broker.tick(SECOND)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]
    assert broker.work(slow, WORK_COMPLETE, job.handle, b"late", 0)
    assert client.heard == [(WORK_FAIL, job.handle, b"")]


# -- later ----------------------------------------------------------------------------------------------------


def test_a_job_for_later_is_nobodys_until_its_time_has_come(broker: Broker) -> None:
    worker = peer(broker, b"f")
    broker.sleep(worker, 0)
    later = broker.submit(peer(broker), b"f", b"", b"", 0, background=True, epoch_s=100)
    assert worker.noops == 0
    assert broker.tick(0, 99.9) == SECOND  # the wall clock may jump, so it is looked at again
    assert broker.grab(worker, 0) is None
    broker.sleep(worker, 0)
    assert broker.tick(SECOND, 100.0) == SECOND  # now for the worker that was woken
    assert worker.noops == 1
    assert broker.grab(worker, SECOND) is later
    assert broker.tick(SECOND, 100.0) is None


def test_a_job_for_the_past_runs_at_once(broker: Broker) -> None:
    broker.submit(peer(broker), b"f", b"", b"", 0, background=True, epoch_s=5)
    broker.tick(0, 100.0)
    assert broker.functions[b"f"].queued == 1


def test_jobs_for_later_keep_their_order_and_leave_when_cancelled(broker: Broker) -> None:
    client = peer(broker)
    jobs = [broker.submit(client, b"f", b"", b"", 0, background=True, epoch_s=when) for when in (7, 5, 5, 6)]
    assert broker.functions[b"f"].jobs == 4
    broker.cancel(jobs[3].handle, 0)
    broker.tick(0, 50.0)
    worker = peer(broker, b"f")
    assert [grabbed(broker, worker) for _ in range(3)] == [jobs[1], jobs[2], jobs[0]]
    assert broker.functions[b"f"].jobs == 3


def test_a_submit_onto_a_job_for_later_waits_with_it(broker: Broker) -> None:
    client = peer(broker)
    later = broker.submit(client, b"f", b"u", b"", 0, background=True, epoch_s=100)
    assert broker.submit(client, b"f", b"u", b"", 0) is later
    broker.leave(client, 0)
    assert later.handle in broker.jobs


# -- limits ---------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_but_still_coalesces() -> None:
    broker = make_broker(jobs=2, queued_bytes=100)
    client = peer(broker)
    broker.submit(client, b"f", b"u", b"x" * 90, 0)
    with pytest.raises(Refusal, match="Job queue is full"):
        broker.submit(client, b"f", b"", b"x" * 11, 0)
    broker.submit(client, b"f", b"", b"x" * 10, 0)
    with pytest.raises(Refusal, match="Job queue is full"):
        broker.submit(client, b"f", b"", b"", 0)
    broker.submit(client, b"f", b"u", b"", 0)


@pytest.mark.parametrize(("function", "unique"), [(b"", b""), (b"f" * 513, b""), (b"f", b"u" * 65)])
def test_names_of_the_wrong_length_are_refused(broker: Broker, function: bytes, unique: bytes) -> None:
    with pytest.raises(Refusal):
        broker.submit(peer(broker), function, unique, b"", 0)
    broker.submit(peer(broker), b"f" * 512, b"u" * 64, b"", 0)


def test_unused_function_names_make_room_for_new_ones() -> None:
    broker = make_broker(functions=2)
    worker = peer(broker, b"f", b"g")
    with pytest.raises(Refusal, match="has 2 functions"):
        broker.can_do(worker, b"h", 0)
    broker.cant_do(worker, b"g", 0)
    broker.can_do(worker, b"h", 0)
    assert set(broker.functions) == {b"f", b"h"}


def test_a_worker_cannot_hoard_jobs() -> None:
    broker = make_broker(jobs_per_worker=2)
    client, worker = peer(broker), peer(broker, b"f")
    for _ in range(3):
        broker.submit(client, b"f", b"", b"", 0)
    held = [grabbed(broker, worker), grabbed(broker, worker)]
    assert broker.grab(worker, 0) is None
    broker.work(worker, WORK_COMPLETE, held[0].handle, b"", 0)
    assert broker.grab(worker, 0) is not None


@pytest.mark.parametrize("how", ["cancelled", "completed", "timed out"])
def test_a_worker_that_sleeps_with_all_it_may_have_is_woken_once_it_may_have_more(how: str) -> None:
    broker = make_broker(jobs_per_worker=1)
    client, worker = peer(broker), peer(broker, b"f")
    broker.can_do(worker, b"g", 0, SECOND)
    broker.submit(client, b"g", b"", b"", 0)
    held = grabbed(broker, worker)
    broker.submit(client, b"f", b"", b"", 0)
    broker.sleep(worker, 0)
    broker.wake(0)
    assert worker.noops == 0
    if how == "cancelled":
        broker.cancel(held.handle, 0)
    elif how == "completed":
        broker.work(worker, WORK_COMPLETE, held.handle, b"", 0)
    else:
        broker.tick(SECOND)
    broker.wake(0)
    assert worker.noops == 1
    assert grabbed(broker, worker).handle != held.handle


def test_workers_that_have_all_they_may_are_not_woken_in_turn_for_a_job_that_neither_can_take() -> None:
    broker = make_broker(jobs_per_worker=1)
    client, workers = peer(broker), [peer(broker, b"f"), peer(broker, b"f")]
    for worker in workers:
        broker.submit(client, b"f", b"", b"", 0)
        grabbed(broker, worker)
        broker.sleep(worker, 0)
    broker.submit(client, b"f", b"", b"", 0)
    broker.wake(0)
    assert [worker.noops for worker in workers] == [0, 0]
    broker.cancel(next(iter(workers[1].holding)), 0)
    broker.wake(0)
    assert [worker.noops for worker in workers] == [0, 1]


# -- the machine ----------------------------------------------------------------------------------------------

NAMES = st.sampled_from([b"f", b"g", b"h"])
UNIQUES = st.sampled_from([b"", b"", b"u", b"v", b"-"])


class BrokerMachine(RuleBasedStateMachine):
    """Clients and workers that do anything at any time, with a clock that only goes forward."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.broker = make_broker(jobs=30, jobs_per_worker=3, job_retries=3)
        self.now = 0
        self.backgrounds: set[bytes] = set()
        self.retries: dict[bytes, int] = {}  # as last seen, by handle
        self.ended: set[bytes] = set()

    @rule(target=peers)
    def connect(self) -> Recorder:
        return Recorder(self.broker)

    @rule(peer=consumes(peers))
    def vanish(self, peer: Recorder) -> None:
        self.broker.leave(peer, self.now)

    @rule(peer=peers, name=NAMES, timeout_s=st.sampled_from([0, 0, 2]))
    def can_do(self, peer: Recorder, name: bytes, timeout_s: int) -> None:
        self.hear(peer)
        self.broker.can_do(peer, name, self.now, timeout_s * SECOND)

    @rule(peer=peers, name=NAMES)
    def cant_do(self, peer: Recorder, name: bytes) -> None:
        self.hear(peer)
        self.broker.cant_do(peer, name, self.now)

    @rule(peer=peers, name=NAMES, unique=UNIQUES, priority=st.sampled_from([HIGH, NORMAL, LOW]), bg=st.booleans())
    def submit(self, peer: Recorder, name: bytes, unique: bytes, priority: int, bg: bool) -> None:
        try:
            job = self.broker.submit(peer, name, unique, b"work", self.now, priority=priority, background=bg)
        except Refusal:
            return
        if bg:
            self.backgrounds.add(job.handle)

    @rule(peer=peers, name=NAMES, unique=UNIQUES, in_s=st.sampled_from([-5, 0, 1, 3]))
    def submit_for_later(self, peer: Recorder, name: bytes, unique: bytes, in_s: int) -> None:
        when = max(1, int(self.wall()) + in_s)
        try:
            job = self.broker.submit(peer, name, unique, b"work", self.now, background=True, epoch_s=when)
        except Refusal:
            return
        self.backgrounds.add(job.handle)

    @rule(peer=peers, name=NAMES, unique=UNIQUES)
    def submit_on_a_schedule(self, peer: Recorder, name: bytes, unique: bytes) -> None:
        try:
            self.broker.submit(peer, name, unique, b"work", self.now, background=True, schedule=EACH_MINUTE)
        except Refusal:
            return

    def wall(self) -> float:
        return self.now / SECOND

    @rule(peer=peers)
    def grab(self, peer: Recorder) -> None:
        self.hear(peer)
        could = any(f.queued for f in peer.functions) and len(peer.holding) < 3
        assert (self.broker.grab(peer, self.now) is not None) == could
        if not could:
            self.broker.linger(peer, self.now)

    def hear(self, peer: Recorder) -> None:
        """A packet of a worker comes: what it asked for before is answered first."""
        if peer.lingering:
            self.broker.settle(peer, self.now)

    @rule(peer=peers, data=st.data())
    def resume(self, peer: Recorder, data: st.DataObject) -> None:
        self.hear(peer)
        if self.broker.jobs:
            handle = data.draw(st.sampled_from(sorted(self.broker.jobs)))
            resumed = self.broker.resume(peer, handle, self.now)
            assert resumed == (handle in peer.holding)

    @rule(peer=peers)
    def sleep(self, peer: Recorder) -> None:
        self.hear(peer)
        self.broker.sleep(peer, self.now)

    @rule(peer=peers, kind=st.sampled_from([WORK_DATA, *FINAL]), data=st.data())
    def work(self, peer: Recorder, kind: int, data: st.DataObject) -> None:
        self.hear(peer)
        if peer.holding:
            handle = data.draw(st.sampled_from(sorted(peer.holding)))
            assert self.broker.work(peer, kind, handle, b"data", self.now)
            if kind in FINAL:
                self.ended.add(handle)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.broker.jobs:
            handle = data.draw(st.sampled_from(sorted(self.broker.jobs)))
            assert self.broker.cancel(handle, self.now)
            self.ended.add(handle)

    @rule(seconds=st.sampled_from([0.0005, 0.1, 0.6, 1.0, 2.5, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        due = self.broker.tick(self.now, self.wall())
        assert due is None or due > 0

    @invariant()
    def every_live_job_is_in_exactly_one_place(self) -> None:
        queued = [job for f in self.broker.functions.values() for queue in f.queues for job in queue]
        held = [job for peer in self.broker.peers for job in peer.holding.values()]
        waiting = [job for job in self.broker.jobs.values() if job in self.broker._later]
        assert sorted(job.handle for job in queued + held + waiting) == sorted(self.broker.jobs)
        assert all(job.worker is None for job in queued)
        assert all(job.worker is not None for job in held)
        for function in self.broker.functions.values():
            assert function.running == sum(job.function is function for job in held)
            assert function.queued == sum(job.function is function for job in queued)
            assert function.waiting == sum(job.function is function for job in waiting)
        assert self.broker.queued_bytes == sum(len(job.workload) for job in self.broker.jobs.values())

    @invariant()
    def nobody_lingers_for_long_or_beside_a_job_it_could_do(self) -> None:
        self.broker.wake(self.now)
        self.broker.tick(self.now, self.wall())
        for peer in (peer for peer in self.broker.peers if peer.lingering):
            assert self.now < peer.lingers_since + MS
            assert not any(function.queued for function in peer.functions)
        assert [peer.lingering for peer in self.broker.peers].count(True) == len(self.broker._lingering)

    @invariant()
    def nobody_sleeps_beside_a_job_that_no_one_was_woken_for(self) -> None:
        self.broker.wake(self.now)
        for function in self.broker.functions.values():
            assert function.woken == sum(peer.woken_for is function for peer in self.broker.peers)
            idle = [p for p in function.workers if p.asleep and len(p.holding) < 3]
            assert not idle or function.queued <= function.woken

    @invariant()
    def every_sleeper_is_listed_by_all_its_functions(self) -> None:
        for peer in self.broker.peers:
            assert set(peer.unlisted) <= set(peer.functions)
            assert all((peer in function.sleepers) != (function in peer.unlisted) for function in peer.functions)
            assert not (peer.asleep and peer.unlisted and len(peer.holding) < 3)

    @invariant()
    def a_wake_up_that_nobody_answers_lasts_a_second_at_most(self) -> None:
        self.broker.tick(self.now, self.wall())
        for peer in self.broker.peers:
            assert peer.woken_for is None or self.now < peer.woken_at + SECOND

    @invariant()
    def background_jobs_end_only_by_a_result_or_after_all_their_retries(self) -> None:
        self.retries |= {job.handle: job.retries for job in self.broker.jobs.values()}
        gone = self.backgrounds - self.ended - set(self.broker.jobs)
        assert all(self.retries[handle] >= 2 for handle in gone)

    @invariant()
    def every_job_is_counted_at_its_submit_and_at_its_end(self) -> None:
        tallies = [function.tally for function in self.broker.functions.values()]
        ended = sum(t.completed + t.failed + t.dead + t.expired + t.cancelled for t in tallies)
        assert sum(t.submitted for t in tallies) == ended + self.live()

    def live(self) -> int:
        return len(self.broker.jobs)

    @invariant()
    def listeners_and_their_jobs_know_each_other(self) -> None:
        for peer in self.broker.peers:
            assert all(peer in job.listeners and job.handle in self.broker.jobs for job in peer.listening)
        for job in self.broker.jobs.values():
            assert all(job in listener.listening for listener in job.listeners)

    @invariant()
    def queued_jobs_are_wanted(self) -> None:
        assert all(job.worker or job.background or job.listeners for job in self.broker.jobs.values())

    @invariant()
    def every_one_hears_of_an_end_once_for_each_submit(self) -> None:
        for peer in self.broker.peers:
            assert isinstance(peer, Recorder)
            for kind, handle, _ in (news for news in peer.heard if news[0] in FINAL):
                assert handle in self.ended or (kind == WORK_FAIL and self.retries[handle] >= 2)
                assert handle not in self.broker.jobs


TestBrokerMachine = BrokerMachine.TestCase
TestBrokerMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
