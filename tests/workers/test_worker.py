"""The worker SDK against real job servers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet import Client, Job, Worker
from fleet.client import admin
from fleet.client.blocking import Task
from fleet.errors import JobCancelled, JobFailed, UsageError
from fleet.protocol import packets
from fleet.settings import Address
from tests.conftest import listening, start_at
from tests.interop.servers import GEARMAND
from tests.peer import Peer
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, until
from tests.workers.test_adrift import Recorder

pytestmark = pytest.mark.system

TEXT = "in the beginning\nwas the word\nand the word was short"


@contextmanager
def working(worker: Worker) -> Iterator[Worker]:
    """The worker works in a thread until the block ends."""
    with worker:
        thread = threading.Thread(target=worker.work)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join(LIMIT_S)
            assert not thread.is_alive()


@pytest.fixture
def client(server: Address) -> Iterator[Client]:
    with Client(server, timeout=LIMIT_S) as made:
        yield made


def reverse(job: Job) -> bytes:
    return job.workload[::-1]


def test_hello_world(server: Address, client: Client) -> None:
    with working(Worker(str(server)).register("reverse", reverse)):
        assert client.run("reverse", "Hello World!") == b"!dlroW olleH"


@pytest.mark.parametrize(
    ("returned", "result"), [(b"b", b"b"), ("ß", "ß".encode()), (None, b""), (bytearray(b"x"), b"x")]
)
def test_what_a_function_may_return(server: Address, client: Client, returned: bytes, result: bytes) -> None:
    with working(Worker(server).register("f", lambda job: returned)):
        assert client.run("f") == result


def test_large_jobs(server: Address, client: Client) -> None:
    with working(Worker(server).register("reverse", reverse)):
        data = bytes(range(256)) * 20_000
        assert client.run("reverse", data) == data[::-1]


def test_a_job_is_split_and_its_parts_go_to_the_reducer_that_the_client_named(server: Address, client: Client) -> None:
    def split(job: Job) -> str:
        with Client(server, timeout=LIMIT_S) as fleet:
            parts = [fleet.submit(job.reducer, line) for line in job.workload.splitlines()]
            return str(sum(int(part.result()) for part in parts))

    def words(job: Job) -> str:
        assert not job.reducer
        return str(len(job.workload.split()))

    def letters(job: Job) -> str:
        return str(len(job.workload.replace(b" ", b"")))

    with (
        working(Worker(server).register("split", split)),
        working(Worker(server).register("words", words).register("letters", letters)),
    ):
        assert client.run("split", TEXT, reducer="words") == b"11"
        assert client.run("split", TEXT, reducer="letters") == b"42"


@pytest.mark.parametrize("store", ["none", "memory"])
def test_the_first_job_that_a_worker_grabs_has_its_reducer_too(spawn: Callable[..., Program], store: str) -> None:
    server, told = listening(spawn(*FLEET, "server", "--port", "0", "--store", store)), list[str]()
    with Client(server, timeout=LIMIT_S) as client:
        tasks = [client.submit("f", reducer="r"), client.submit("f", reducer="s", background=True), client.submit("f")]
        with working(Worker(server).register("f", lambda job: told.append(job.reducer))):
            tasks[2].result()
    assert told == ["r", "s", ""]


def test_what_a_job_knows_of_itself(server: Address, client: Client) -> None:
    def describe(job: Job) -> str:
        return f"{job.function} {job.unique!r} {job.handle}"

    with working(Worker(server).register("describe", describe)):
        task = client.submit("describe", unique="me")
        assert task.result().decode() == f"describe b'me' {task.handle}"


def test_data_status_and_warnings_arrive_while_the_job_runs(server: Address) -> None:
    go = threading.Event()

    def chatty(job: Job) -> str:
        job.send_status(1, 2)
        job.send_data(b"part")
        job.send_warning("hm")
        assert go.wait(LIMIT_S)
        return "end"

    with working(Worker(server).register("chatty", chatty)), Peer(server) as peer:
        (handle,) = peer.ask(packets.SUBMIT_JOB, b"chatty", b"", b"").args
        assert peer.read() == (packets.WORK_STATUS, (handle, b"1", b"2"))
        assert peer.read() == (packets.WORK_DATA, (handle, b"part"))
        assert peer.read() == (packets.WORK_WARNING, (handle, b"hm"))
        go.set()
        assert peer.read() == (packets.WORK_COMPLETE, (handle, b"end"))


def test_what_a_function_raises_is_the_clients_error(
    server: Address, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(job: Job) -> None:
        raise ValueError("no such thing")

    def give_up(job: Job) -> None:
        raise JobFailed

    worker = Worker(server).register("explode", explode).register("give up", give_up).register("reverse", reverse)
    with caplog.at_level(logging.ERROR, "fleet.worker"), working(worker):
        with pytest.raises(JobFailed, match=r"^ValueError: no such thing$"):
            client.run("explode")
        with pytest.raises(JobFailed, match="without saying why"):
            client.run("give up")
        assert client.run("reverse", b"ab") == b"ba"
    assert "Traceback" in caplog.text


def test_a_wrong_result_is_a_failure_too(server: Address, client: Client) -> None:
    with working(Worker(server).register("f", lambda job: 42)), pytest.raises(JobFailed, match="is bytes or text"):  # type: ignore[arg-type, return-value]
        client.run("f")


def test_it_registers_with_all_servers_and_a_dead_one_stops_nothing(
    server: Address, spawn: Callable[..., Program], closed_port: ClosedPort
) -> None:
    other = listening(spawn(*FLEET, "server", "--port", "0"))
    with working(Worker([closed_port(), server, other]).register("reverse", reverse)):
        for address in (server, other, server):
            with Client(address, timeout=LIMIT_S) as client:
                assert client.run("reverse", b"ab") == b"ba"


def test_it_comes_back_when_its_server_does(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    where = closed_port()
    first = start_at(where, spawn)
    with working(Worker(where).register("reverse", reverse)):
        until(lambda: bool(admin.status(where)), "it registered")
        first.process.kill()
        first.ended()
        start_at(where, spawn)
        with Client(where, timeout=LIMIT_S) as client:
            assert client.run("reverse", b"ab") == b"ba"


def test_work_ends_after_so_many_jobs(server: Address, client: Client) -> None:
    for text in ("a", "b", "c"):
        client.submit("f", text, background=True)
    done: list[bytes] = []
    with Worker(server).register("f", lambda job: done.append(job.workload)) as worker:
        assert worker.work(max_jobs=2) == 2
    assert done == [b"a", b"b"]
    assert [f.jobs for f in admin.status(server)] == [1]


def test_stop_lets_the_running_job_finish(server: Address, client: Client) -> None:
    running, go = threading.Event(), threading.Event()

    def wait(job: Job) -> str:
        running.set()
        assert go.wait(LIMIT_S)
        return "done"

    with working(Worker(server).register("wait", wait)) as worker:
        task = client.submit("wait")
        assert running.wait(LIMIT_S)
        worker.stop()
        go.set()
        assert task.result() == b"done"


def cancel(server: Address, task: Task) -> None:
    assert admin.ask(server, f"cancel job {task.handle}") == "OK"


def test_a_function_sees_that_its_job_was_cancelled_and_the_worker_goes_on(server: Address, client: Client) -> None:
    running, seen = threading.Event(), threading.Event()

    def patient(job: Job) -> str:
        assert not job.cancelled
        running.set()
        until(lambda: job.cancelled, "it is told")
        seen.set()
        return "too late"

    with working(Worker(server).register("patient", patient).register("reverse", reverse)):
        task = client.submit("patient")
        assert running.wait(LIMIT_S)
        cancel(server, task)
        assert seen.wait(LIMIT_S)
        with pytest.raises(JobFailed):
            task.result()
        assert client.run("reverse", b"ab") == b"ba"


def test_a_function_sees_that_its_time_is_over_and_the_job_another_workers(server: Address, client: Client) -> None:
    runs: list[bool] = []

    def slow(job: Job) -> str:
        runs.append(True)
        if len(runs) == 1:
            until(lambda: job.cancelled, "it is told")
        return f"at run {len(runs)}"

    with working(Worker(server).register("slow", slow, timeout=1)):
        assert client.run("slow") == b"at run 2"


@pytest.mark.parametrize("what", ["data", "status", "warning"])
def test_what_is_sent_for_a_cancelled_job_raises_and_that_is_no_failure(
    server: Address, client: Client, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    sends: dict[str, Callable[[Job], None]] = {
        "data": lambda job: job.send_data("x"),
        "status": lambda job: job.send_status(1, 2),
        "warning": lambda job: job.send_warning("x"),
    }
    broken_off = threading.Event()

    def busy(job: Job) -> None:
        try:
            until(lambda: bool(sends[what](job)), "it raises")  # it says nothing for so long
        except JobCancelled:
            broken_off.set()
            raise

    with caplog.at_level(logging.INFO, "fleet.worker"), working(Worker(server).register("busy", busy)):
        task = client.submit("busy")
        until(lambda: task.status().running, "it runs")
        cancel(server, task)
        assert broken_off.wait(LIMIT_S)
        until(lambda: f"job {task.handle} of busy was cancelled" in caplog.text, "the worker has noticed")
    assert "Traceback" not in caplog.text
    assert "refused" not in caplog.text


def test_a_job_is_over_whose_parts_went_with_its_server(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    running, seen = threading.Event(), threading.Event()

    def patient(job: Job) -> None:
        job.send_data("part")
        running.set()
        until(lambda: job.cancelled, "it is told")
        assert job.cancelled
        seen.set()

    where = listening(program)
    with working(Worker(where).register("patient", patient)), Client(where) as client:
        client.submit("patient", background=True)
        assert running.wait(LIMIT_S)
        program.process.kill()
        assert seen.wait(LIMIT_S)


def test_a_durable_job_whose_server_dies_meanwhile_is_not_done_again(
    spawn: Callable[..., Program], tmp_path: Path, closed_port: ClosedPort
) -> None:
    where, store = closed_port(), ("--store", f"sqlite:{tmp_path}/jobs")
    program = start_at(where, spawn, *store)
    running, go = threading.Event(), threading.Event()
    runs: list[str] = []

    def slow(job: Job) -> str:
        runs.append(job.handle)
        running.set()
        assert go.wait(LIMIT_S)
        assert not job.cancelled
        job.send_status(1, 1)  # which nobody hears
        return "done"

    with working(Worker(where).register("slow", slow)):
        with Client(where) as client:
            handle = client.submit("slow", background=True).handle
        assert running.wait(LIMIT_S)
        program.process.kill()
        program.ended()
        go.set()
        start_at(where, spawn, *store)
        with Client(where, timeout=LIMIT_S) as client:
            assert client.job(handle).result() == b"done"
            assert not list(client.jobs())
    assert runs == [handle]


@pytest.mark.parametrize("function", ["reverse", "explode", "give up"])
def test_a_result_that_may_not_have_arrived_is_sent_again_before_anything_is_asked_for(function: str) -> None:
    kind = {"reverse": packets.WORK_COMPLETE, "explode": packets.WORK_EXCEPTION, "give up": packets.WORK_FAIL}[function]

    def explode(job: Job) -> None:
        raise ValueError("no")

    def give_up(job: Job) -> None:
        raise JobFailed

    with Recorder() as recorder:
        worker = Worker(recorder.address).register("reverse", reverse).register("explode", explode)
        with working(worker.register("give up", give_up)):
            with recorder.accepted() as link:
                link.until(packets.PRE_SLEEP)
                link.send(packets.OPTION_RES, packets.POOL)
                link.send(packets.NOOP)
                link.until(packets.GRAB_JOB_ALL)
                link.send(packets.JOB_ASSIGN_UNIQ, b"H:1", function.encode(), b"", b"abc")
                (*_, sent) = link.until(kind)  # and now the server dies
            with recorder.accepted() as link:
                before = link.until(packets.OPTION_REQ)
                link.send(packets.OPTION_RES, packets.POOL)
                (*between, again) = link.until(kind)
                assert again == sent
                assert packets.GRAB_JOB_ALL not in {packet.kind for packet in (*before, *between)}
                link.until(packets.GRAB_JOB_ALL)
                link.send(packets.NO_JOB)
                link.until(packets.PRE_SLEEP)
            with recorder.accepted() as link:  # it is owed no more
                assert kind not in {packet.kind for packet in link.until(packets.PRE_SLEEP)}


def test_another_kind_of_server_in_its_place_hears_nothing_of_it() -> None:
    with Recorder() as recorder, working(Worker(recorder.address).register("reverse", reverse)):
        with recorder.accepted() as link:
            link.until(packets.PRE_SLEEP)
            link.send(packets.OPTION_RES, packets.POOL)
            link.send(packets.NOOP)
            link.until(packets.GRAB_JOB_ALL)
            link.send(packets.JOB_ASSIGN_UNIQ, b"H:1", b"reverse", b"", b"abc")
            link.until(packets.WORK_COMPLETE)
        with recorder.accepted() as link:
            link.until(packets.OPTION_REQ)
            link.send(packets.ERROR, b"UNKNOWN_OPTION", b"Server does not recognize given option")
            assert packets.WORK_COMPLETE not in {packet.kind for packet in link.until(packets.GRAB_JOB_ALL)}


def test_another_jobs_cancel_is_a_failure_like_any_other(server: Address, client: Client) -> None:
    def ask_for_another(job: Job) -> None:
        raise JobCancelled

    with working(Worker(server).register("f", ask_for_another)), pytest.raises(JobFailed, match="JobCancelled: "):
        client.run("f")


@pytest.mark.interop
def test_no_other_job_server_minds_the_question(
    spawn: Callable[..., Program], caplog: pytest.LogCaptureFixture
) -> None:
    gearmand = GEARMAND.start(spawn)

    def ask(job: Job) -> str:
        job.send_status(1, 2)
        return "cancelled" if job.cancelled else "wanted"

    worker = Worker(gearmand).register("ask", ask)
    with caplog.at_level(logging.WARNING, "fleet.worker"), working(worker), Client(gearmand) as client:
        assert client.run("ask", timeout=LIMIT_S) == b"wanted"
    assert not caplog.text


def test_its_name_and_timeout_are_known_to_the_server(server: Address) -> None:
    with working(Worker(server, client_id="my worker").register("f", reverse, timeout=2)):
        until(lambda: "my worker : f" in admin.ask(server, "workers"), "it is listed")


@pytest.mark.parametrize("name", ["", "f" * 513, "a\0b"])
def test_names_no_server_takes_are_refused(name: str) -> None:
    with Worker() as worker, pytest.raises(UsageError, match="function name"):
        worker.register(name, reverse)


def test_work_without_a_function_is_an_error() -> None:
    with Worker() as worker, pytest.raises(UsageError, match="register a function"):
        worker.work()
