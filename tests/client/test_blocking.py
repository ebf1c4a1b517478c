"""The blocking client against real job servers."""

from __future__ import annotations

import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleet.client import Client, admin
from fleet.errors import Deadline, FleetError, JobFailed, NoServer, TooMuchUnread, UsageError
from fleet.protocol import REQ, RES, Decoder, encode, packets
from fleet.settings import MIB, Address, ServerLimits
from tests.conftest import listening, start_at
from tests.peer import Peer, chatty, explode, fail, reverse, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = pytest.mark.system

ASKING_S = 1.0  # a deadline that passes, and as long again in which the server is asked why


@pytest.fixture
def client(server: Address) -> Client:
    return Client([server], timeout=LIMIT_S)


def silent(peer: Peer, handle: bytes, workload: bytes) -> None:
    """A job that never ends by itself."""


def test_hello_world(server: Address) -> None:
    with worker(server, reverse=reverse), Client(str(server)) as client:
        assert client.run("reverse", "Hello World!") == b"!dlroW olleH"


def test_a_large_workload_there_and_back(server: Address, client: Client) -> None:
    payload = os.urandom(5_000_000)
    with worker(server, reverse=reverse), client:
        assert client.run("reverse", payload) == payload[::-1]


def test_many_tasks_at_once_end_as_they_should(server: Address, client: Client) -> None:
    with worker(server, reverse=reverse), client:
        tasks = [client.submit("reverse", b"%d" % n) for n in range(200)]
        assert [task.result() for task in reversed(tasks)] == [(b"%d" % n)[::-1] for n in reversed(range(200))]


def test_threads_share_a_client(server: Address, client: Client) -> None:
    def call(n: int) -> bool:
        text = b"%d " % n * 20_000
        return client.run("reverse", text) == text[::-1]

    with worker(server, reverse=reverse), client, ThreadPoolExecutor(16) as threads:
        assert all(threads.map(call, range(160)))


def test_the_exceptions_text_is_the_errors(server: Address, client: Client) -> None:
    with worker(server, explode=explode, fail=fail), client:
        with pytest.raises(JobFailed, match=r"^ValueError: no such thing$"):
            client.run("explode", "no such thing")
        with pytest.raises(JobFailed, match="without saying why"):
            client.run("fail")


def test_a_job_that_failed_before_submit_returned_fails_its_result() -> None:
    """The acknowledgement and the end may well come in one segment."""

    def answer() -> None:
        with listener.accept()[0] as sock:
            decoder = Decoder(REQ, body_bytes=1 << 20)
            while packets.SUBMIT_JOB not in [kind for kind, _ in decoder.feed(sock.recv(4096))]:
                pass
            sock.sendall(encode(RES, packets.JOB_CREATED, b"H:1") + encode(RES, packets.WORK_FAIL, b"H:1"))
            sock.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:
        answered = threads.submit(answer)
        with Client([Address(*listener.getsockname())], timeout=LIMIT_S) as client:
            task = client.submit("f")
            with pytest.raises(JobFailed):
                task.result()
        answered.result(LIMIT_S)


def test_streamed_data_status_and_warnings(server: Address, client: Client) -> None:
    with worker(server, chatty=chatty), client:
        task = client.submit("chatty")
        assert list(task.stream()) == [b"part 1\n", b"part 2\n", b"part 3\n", b"end"]
        assert (task.progress, task.warnings) == ((3, 3), [b"nearly done"])
        assert client.run("chatty") == b"part 1\npart 2\npart 3\nend"


def test_status_of_queued_running_and_ended_jobs(server: Address, client: Client) -> None:
    running, go = threading.Event(), threading.Event()

    def wait(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_STATUS, handle, b"3", b"7")
        running.set()
        assert go.wait(LIMIT_S)
        reverse(peer, handle, workload)

    with client:
        task = client.submit("wait", b"ab")
        assert task.status() == (True, False, 0, 0)
        with worker(server, wait=wait):
            assert running.wait(LIMIT_S)
            while not (status := task.status()).denominator:
                pass
            assert status == (True, True, 3, 7)
            go.set()
            assert task.result() == b"ba"
        assert not task.status().known


def test_a_background_task_has_a_handle_and_no_result(server: Address, client: Client) -> None:
    with client:
        task = client.submit("f", b"x", background=True, priority="low", unique="me")
        assert task.handle
        assert task.handle.startswith("H:")
        with pytest.raises(UsageError, match="background"):
            task.result()
        assert client.submit("f", b"x", background=True, unique="me").handle == task.handle


def test_every_wait_has_a_deadline(client: Client) -> None:
    with client:
        task = client.submit("nobody does this")
        with pytest.raises(Deadline, match="no answer from nobody does this"):
            task.result(timeout=0.05)
        with pytest.raises(Deadline):
            client.run("nobody does this", timeout=0.05)


def test_a_deadline_says_that_no_worker_has_registered_the_function(server: Address, client: Client) -> None:
    with client, worker(server, resize=silent, thumbnail=silent):
        for name, there in {"resise": r"did you mean resize\?", "f": "functions there: resize, thumbnail"}.items():
            said = rf"at {server} in [\d.]+ s; no worker has registered '{name}' there \({there}\)$"
            with pytest.raises(Deadline, match=said):
                client.run(name, timeout=ASKING_S)
        with pytest.raises(Deadline, match="it has 1 worker there for 1 job; give it longer"):
            client.run("resize", timeout=ASKING_S)
    with Client(server) as alone, pytest.raises(Deadline, match=r"registered 'f' there .nor any other function"):
        alone.run("f", timeout=ASKING_S)


def test_a_deadline_at_a_server_that_says_nothing_passes_all_the_same(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    with Client(listening(program)) as client:
        task = client.submit("f")
        program.send(signal.SIGSTOP)
        with pytest.raises(Deadline, match=r"in 0.3 s; give it longer, or see `fleet status`"):
            task.result(timeout=0.3)
        program.send(signal.SIGCONT)


def test_a_worker_that_sends_without_end_fails_its_task_and_no_other(server: Address) -> None:
    def endless(peer: Peer, handle: bytes, workload: bytes) -> None:
        for _ in range(40):
            peer.send(packets.WORK_WARNING if workload == b"warn" else packets.WORK_DATA, handle, bytes(1_000_000))
        peer.send(packets.WORK_COMPLETE, handle)

    with worker(server, endless=endless, reverse=reverse), Client(server, unread_bytes=8 * MIB) as client:
        for workload in (b"data", b"warn"):
            with pytest.raises(TooMuchUnread, match=r"than the 8 MiB .* Client\(unread_bytes=...\)"):
                client.run("endless", workload)
        assert sum(map(len, client.submit("endless", b"data").stream())) == 40_000_000
        assert client.run("reverse", "ab") == b"ba"


def test_no_server_is_an_error_at_once_that_says_where(client: Client, closed_port: ClosedPort) -> None:
    where = closed_port()
    with Client([where]) as nobody, pytest.raises(NoServer, match=rf"{where} \(connection refused\)"):
        nobody.submit("f")


def test_a_server_that_accepts_nothing_is_given_up_in_three_seconds() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        where = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(where)
        began = time.monotonic()
        with Client([Address(*where)]) as client, pytest.raises(NoServer, match="no connection in 3 s"):
            client.submit("f")
        assert time.monotonic() - began < LIMIT_S
        for filler in fillers:
            filler.close()


def test_one_dead_server_never_fails_a_call(server: Address, closed_port: ClosedPort) -> None:
    dead = closed_port()
    with worker(server, reverse=reverse), Client([dead, server], timeout=LIMIT_S) as client:
        for n in range(20):
            assert client.run("reverse", "abc", unique=f"key {n}") == b"cba"


def test_a_task_whose_server_dies_is_served_by_another(spawn: Callable[..., Program], server: Address) -> None:
    doomed = spawn(*FLEET, "server", "--port", "0")
    first = listening(doomed)
    with Client([first, server], timeout=LIMIT_S) as client, worker(server, f=reverse):
        key = next(str(n) for n in range(100) if client_goes_to(client, first, str(n)))
        task = client.submit("f", b"abc", unique=key)
        assert task.server == first
        doomed.process.kill()
        assert task.result() == b"cba"
        assert task.server == server


def client_goes_to(client: Client, address: Address, unique: str) -> bool:
    from fleet.client.routing import ranked

    return ranked(client.servers, unique.encode())[0] == address


def test_a_task_waits_for_its_only_server_to_come_back(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    where = closed_port()
    first = start_at(where, spawn)
    with Client([where], timeout=LIMIT_S) as client:
        task = client.submit("f", b"abc")
        first.process.kill()
        first.ended()
        start_at(where, spawn)
        with worker(where, f=reverse):
            assert task.result() == b"cba"


def test_a_server_that_died_while_the_client_was_idle_costs_nothing(
    spawn: Callable[..., Program], closed_port: ClosedPort
) -> None:
    where = closed_port()
    first = start_at(where, spawn)
    with Client([where], timeout=LIMIT_S) as client:
        client.submit("f", background=True)
        first.process.kill()
        first.ended()
        with pytest.raises(NoServer, match="connection refused"):
            client.submit("f", background=True)
        start_at(where, spawn)
        assert client.submit("f", background=True).handle


def test_a_stopped_server_only_costs_the_deadline(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    where = listening(program)
    program.send(signal.SIGSTOP)
    with Client([where]) as client, pytest.raises(Deadline):
        client.submit("f", timeout=0.2)
    program.send(signal.SIGCONT)


def test_a_forked_child_has_connections_of_its_own(server: Address, client: Client) -> None:
    with worker(server, reverse=reverse), client:
        assert client.run("reverse", "ab") == b"ba"
        mine = client.submit("silent")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                fine = all(client.run("reverse", f"child {n}") == b"%d dlihc" % n for n in range(5))
                with pytest.raises(UsageError, match="forked"):
                    mine.result(1)
                code = 0 if fine else 2
            finally:
                os._exit(code)
        for n in range(5):
            assert client.run("reverse", f"{n}") == b"%d" % n
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_deadline_that_comes_while_the_server_is_away_says_so(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    server = listening(program)
    with Client(server) as client:
        task = client.submit("f")
        program.stop()
        with pytest.raises(Deadline, match=rf"its job server went away.* {server} .connection refused"):
            task.result(timeout=ASKING_S)


def test_a_server_that_died_with_a_task_nobody_waits_for_fails_the_next_at_once(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    with Client([listening(program)], timeout=LIMIT_S) as client:
        task = client.submit("f")  # as of a page that was not shown in time
        program.stop()
        with pytest.raises(NoServer, match="connection refused"):
            client.submit("f")
        assert not task.done  # it would be begun anew


def test_closing_takes_back_foreground_jobs_that_are_queued_and_leaves_the_others(server: Address) -> None:
    with Client(server) as client:
        client.submit("wanted until now")
        client.submit("later", background=True)
    until(lambda: {f.name: f.jobs for f in admin.status(server)} == {"wanted until now": 0, "later": 1}, "one is gone")


def test_a_forked_child_closes_a_client_that_another_thread_had_locked(client: Client) -> None:
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with client._changed:
            held.set()
            forked.wait(LIMIT_S)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(hold)
        assert held.wait(LIMIT_S)
        pid = os.fork()
        if pid == 0:
            signal.alarm(round(LIMIT_S))
            client.close()
            os._exit(0)
        forked.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.close()


def test_closing_fails_what_has_not_ended(server: Address, client: Client) -> None:
    task = client.submit("f")
    client.close()
    with pytest.raises(FleetError, match="closed"):
        task.result(1)
    with pytest.raises(UsageError, match="closed"):
        client.submit("f")


def test_closing_tells_every_thread_that_waits(server: Address) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent_server = Address("127.0.0.1", mute.getsockname()[1])
        client = Client([server], timeout=LIMIT_S)
        tasks = [client.submit("f") for _ in range(3)]
        with ThreadPoolExecutor(4) as threads:
            waits = [threads.submit(task.result) for task in tasks]
            until(lambda: client._pumping, "a thread that waits")
            client.close()
            for wait in waits:
                assert str(wait.exception(LIMIT_S)) == "the client was closed before the task ended"
            asking = Client([silent_server], timeout=LIMIT_S)
            submit = threads.submit(asking.submit, "f")
            until(lambda: asking._pumping, "a thread that waits")
            asking.close()
            assert "closed" in str(submit.exception(LIMIT_S))


@pytest.mark.parametrize(
    ("function", "unique", "size"),
    [("", "u", 1), ("f" * 513, "u", 1), ("f\0", "u", 1), ("f", "u" * 65, 1), ("f", "u", 2000)],
)
def test_what_no_server_would_take_is_refused_before_it_is_sent(
    function: str, unique: str, size: int, closed_port: ClosedPort
) -> None:
    with Client([closed_port()], limits=ServerLimits(packet_bytes=2000)) as client, pytest.raises(UsageError):
        client.submit(function, bytes(size), unique=unique)


@pytest.mark.parametrize("how", [{"priority": "high"}, {"delay": 1}, {"schedule": "0 3 * * *"}, {"attempts": 2}])
def test_a_reducer_with_what_its_packet_cannot_say_is_refused(client: Client, how: dict[str, Any]) -> None:
    with client, pytest.raises(UsageError, match="reducer"):
        client.submit("f", reducer="r", background=True, **how)


@pytest.mark.parametrize("wrong", [{"user": 5}, None, io.BytesIO(b"x")])
def test_a_workload_that_is_no_bytes_is_refused_and_spoils_nothing_for_others(
    server: Address, client: Client, wrong: Any
) -> None:
    with worker(server, reverse=reverse), client:
        with pytest.raises(UsageError, match="a workload is bytes or text"):
            client.run("reverse", wrong)
        assert client.run("reverse", "ab") == b"ba"
