"""Hard times for a server that lives on: few descriptors, a long queue, a pause in which it does nothing at all."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.protocol import packets as p
from tests.conftest import listening
from tests.faults.actors import Client, Worker, at_work
from tests.faults.scene import Scene
from tests.peer import Peer, reverse, worker
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "20"))
QUEUED = 1000 * ROUNDS  # 200 rounds have a fifth of a million
PAUSE_S = min(30.0, ROUNDS / 10)
MEMORY_BYTES = 400_000_000
START_S = 5.0  # of processor time
LARGE, LARGE_BYTES = 6 * ROUNDS, 1_000_000  # 1.2 GB in 200 rounds
SMALL_MEMORY_BYTES = 110_000_000  # half as much as all of CI's, and the interpreter
# Half of them are kept for what is not a connection.
FEW_DESCRIPTORS = ("bash", "-c", 'ulimit -n 128; exec "$@"', "-", sys.executable, "-m", "fleet", "server")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    """The most that it ever had in memory."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_f12_without_descriptors_it_does_not_spin_and_goes_on_for_those_it_has(spawn: Callable[..., Program]) -> None:
    program = spawn(*FEW_DESCRIPTORS, "--port", "0")
    address = listening(program)
    with worker(address, reverse=reverse), Peer(address) as client, ExitStack() as crowd:
        for _ in range(200):
            crowd.enter_context(socket.create_connection((address.host, address.port), LIMIT_S))
        client.ask(p.ECHO_REQ, b"has it met them all?")
        before = cpu_s(program.pid)
        threading.Event().wait(1)
        assert cpu_s(program.pid) - before < 0.1
        client.send(p.SUBMIT_JOB, b"reverse", b"", b"abc")
        assert [client.read().kind, bytes(client.read().args[1])] == [p.JOB_CREATED, b"cba"]
    assert admin.status(address) is not None  # and it takes new ones again


def test_f13_large_workloads_wait_on_the_disk_and_not_in_memory(spawn: Callable[..., Program], tmp_path: Path) -> None:
    """As much as the memory of a small machine, submitted, found again after a kill, and done."""
    (tmp_path / "fleet.toml").write_text("[store]\nwindow_bytes = 8_000_000\n")
    start = partial(spawn, *FLEET, "server", "--port", "0", "--store", f"sqlite:{tmp_path}/jobs", cwd=tmp_path)
    server = start()
    with Peer(listening(server)) as client:
        for _ in range(LARGE):
            assert client.ask(p.SUBMIT_JOB_BG, b"f", b"", bytes(LARGE_BYTES)).kind == p.JOB_CREATED
    assert peak_bytes(server.pid) < SMALL_MEMORY_BYTES
    server.send(signal.SIGKILL)
    server.ended()
    server = start()
    address = listening(server)
    with worker(address, f=lambda peer, handle, workload: peer.send(p.WORK_COMPLETE, handle, b"%d" % len(workload))):
        until(lambda: not sum(function.jobs for function in admin.status(address)), "all are done", 60)
    assert peak_bytes(server.pid) < SMALL_MEMORY_BYTES


def test_f14_a_server_that_stood_still_goes_on_as_if_nothing_had_been(scene: Scene) -> None:
    address = scene.start()
    client = Client(address, scene.history, "a", 300)
    with at_work(client, Worker(address, scene.history)):
        scene.server.send(signal.SIGSTOP)
        threading.Event().wait(PAUSE_S)
        scene.server.send(signal.SIGCONT)
        scene.settle(client)
    scene.history.check()
    assert scene.history.server == 1


def test_f18_a_long_queue_is_there_at_once_and_takes_no_memory(scene: Scene) -> None:
    scene.fill(QUEUED)
    address = scene.start()
    with Peer(address) as first:
        first.send(p.CAN_DO, b"f")
        assigned = first.ask(p.GRAB_JOB)
        assert assigned.kind == p.JOB_ASSIGN
        assert cpu_s(scene.server.pid) < START_S
        assert bytes(assigned.args[0]) == b"H:old-0"
    assert scene.jobs() == QUEUED
    assert resident_bytes(scene.server.pid) < MEMORY_BYTES
