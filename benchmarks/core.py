"""The job server's core without sockets: nanoseconds for a job's whole course through sessions and broker.

The packets are those of the loads in `benchmarks.jobserver`, cut as they arrive there. What is left out is the shell:
the event loop and the system calls, which cost about as much again.

    python -m benchmarks.core [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import statistics
import time
from collections.abc import Callable, Sequence

from fleet.jobserver.broker import Broker
from fleet.jobserver.handles import handle_maker
from fleet.jobserver.session import Session
from fleet.jobserver.wire import Hub
from fleet.protocol import REQ, encode, packets

JOBS = 20_000
ROUNDS = 7
WORKERS = 8

SUBMIT = encode(REQ, packets.SUBMIT_JOB, b"function-0", b"", b"x" * 64)
GRAB = encode(REQ, packets.GRAB_JOB_UNIQ)
SLEEP = encode(REQ, packets.PRE_SLEEP)


class Core:
    """A broker, a client and workers, joined in memory."""

    def __init__(self, functions: int = 1) -> None:
        self.broker = Broker(handle_maker())
        self.hub = Hub(self.broker)
        self.client = Session(self.hub)
        self.workers = [Session(self.hub) for _ in range(WORKERS)]
        for worker in self.workers:
            for number in range(functions):
                self.feed(worker, encode(REQ, packets.CAN_DO, b"function-%d" % number))

    def feed(self, session: Session, data: bytes) -> bytes:
        """What arrived; what the same peer is sent, and others' outboxes emptied."""
        now = time.monotonic_ns()
        session.feed(data, now)
        if now >= self.broker.due:
            self.broker.tick(now, time.time())
        self.broker.wake(now)
        answer = b""
        while self.hub.dirty:
            peer, _ = self.hub.dirty.popitem()
            sent = b"".join(peer.take())
            if peer is session:
                answer = sent
        return answer


def complete(assigned: bytes) -> bytes:
    handle = assigned[12 : assigned.index(0, 12)]
    return encode(REQ, packets.WORK_COMPLETE, handle, b"ok") + GRAB


def idle_workers(core: Core, jobs: int) -> None:
    """Each job wakes a worker, which sleeps again afterwards: one job at a time."""
    for worker in core.workers:
        core.feed(worker, GRAB)
        core.feed(worker, SLEEP)
    for _ in range(jobs):
        core.feed(core.client, SUBMIT)
        worker = next(peer for peer in core.workers if peer.woken_for)
        core.feed(worker, complete(core.feed(worker, GRAB)))
        core.feed(worker, SLEEP)


def busy_workers(core: Core, jobs: int) -> None:
    """There is always a job queued, so that no worker ever sleeps."""
    core.feed(core.client, SUBMIT)
    assigned = core.feed(core.workers[0], GRAB)
    for _ in range(jobs):
        core.feed(core.client, SUBMIT)
        assigned = core.feed(core.workers[0], complete(assigned))


def filling(core: Core, jobs: int) -> None:
    """Background jobs with uniques, 32 in each read, and nobody who does them."""
    numbers = itertools.count()
    for _ in range(jobs // 32):
        submits = [
            encode(REQ, packets.SUBMIT_JOB_BG, b"function-0", b"%036d" % next(numbers), b"x" * 64) for _ in range(32)
        ]
        core.feed(core.client, b"".join(submits))


COURSES: tuple[Callable[[Core, int], None], ...] = (idle_workers, busy_workers, filling)


def nanoseconds_per_job(course: Callable[[Core, int], None]) -> float:
    core = Core()
    began = time.process_time_ns()
    course(core, JOBS)
    return (time.process_time_ns() - began) / JOBS


def main(argv: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core")
    parser.add_argument("--profile", action="store_true", help="where the time goes, by function")
    options = parser.parse_args(argv)
    for course in COURSES:
        figures = [nanoseconds_per_job(course) for _ in range(ROUNDS)]
        print(
            f"{course.__name__:<16} {statistics.median(figures):8.0f} ns per job, {min(figures):.0f} at best",
            flush=True,
        )
        if options.profile:
            with cProfile.Profile() as profile:
                course(Core(), JOBS)
            profile.print_stats("tottime")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
