"""What Perl's client and worker do beyond the common: uniques, retries, and jobs that die or take too long."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from fleet.client import Client, admin
from fleet.errors import JobFailed
from fleet.protocol import packets
from fleet.settings import Address
from tests.interop.families import PERL, PROGRAMS, perl
from tests.interop.matrix import row
from tests.peer import Peer, worker
from tests.processes import LIMIT_S, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]


def status(server: Address, function: str) -> admin.FunctionStatus:
    return {found.name: found for found in admin.status(server)}[function]


@row(PERL, "uniques, retries, task sets")
def test_uniques_coalesce_and_failures_are_tried_again(server: Address, spawn: Callable[..., Program]) -> None:
    numbers, attempts = count(1), count(1)

    def counted(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_COMPLETE, handle, b"%d" % next(numbers))

    def lucky(peer: Peer, handle: bytes, workload: bytes) -> None:
        if (attempt := next(attempts)) < 3:
            peer.send(packets.WORK_FAIL, handle)
        else:
            peer.send(packets.WORK_COMPLETE, handle, b"%d" % attempt)

    program = spawn(perl(), str(PROGRAMS / "task_set.pl"), server.host, str(server.port))
    until(lambda: {f.name: f.jobs for f in admin.status(server)} == {"count": 2, "third_time_lucky": 1}, "all came")
    with worker(server, count=counted, third_time_lucky=lucky):
        assert program.ended() == 0
    assert sorted(program.out.rest()) == ["at last: 3", "other: 2", "retry 1", "retry 2", "same: 1", "same: 1"]


@row(PERL, "its worker outlives its jobs' ends")
def test_a_worker_goes_on_after_a_job_that_dies_and_one_that_takes_too_long(
    server: Address, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    program = spawn(perl(), str(PROGRAMS / "slow_worker.pl"), server.host, str(server.port), str(pipe))
    with Client(server, timeout=LIMIT_S) as client:
        with pytest.raises(JobFailed, match="boom"):
            client.run("dies")
        task = client.submit("slow")
        until(lambda: status(server, "slow").running == 1, "the job runs")
        until(lambda: status(server, "slow").running == 0, "the job's time is over")
        answer(pipe, b"late")
        until(lambda: status(server, "slow").running == 1, "the job runs again, and the late result did no harm")
        answer(pipe, b"in time")
        assert task.result() == b"in time"
    assert program.process.poll() is None


def answer(pipe: Path, line: bytes) -> None:
    """Write the line to whoever reads the pipe, once somebody does."""
    opened: list[int] = []

    def open_for_its_reader() -> bool:
        try:
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False  # nobody reads it yet
        return True

    until(open_for_its_reader, "the job reads its pipe")
    os.write(opened[0], line)
    os.close(opened[0])
