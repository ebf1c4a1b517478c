"""The client for asyncio against real job servers. After each test no task and no socket is left."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop

from fleet import AsyncClient, Client
from fleet.client import admin, images, kept, waiting
from fleet.errors import (
    BadImage,
    Deadline,
    FleetError,
    JobFailed,
    NoServer,
    NoSuchJob,
    TooMuchUnread,
    UsageError,
)
from fleet.protocol import packets
from fleet.settings import MIB, Address
from tests.client.test_blocking import ASKING_S, client_goes_to
from tests.conftest import listening, start_at
from tests.peer import Peer, chatty, explode, reverse, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, open_files, until

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]

both_loops = pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])


def open_sockets() -> set[str]:
    found = set()
    for name in open_files():
        try:
            found.add(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            pass  # it was closed meanwhile
    return {target for target in found if target.startswith("socket:")}


def awaited(
    body: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
) -> None:
    """Run it in a loop of its own, and see that it leaves nothing behind."""

    async def tidy() -> None:
        await body
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = open_sockets()
    with asyncio.Runner(debug=True, loop_factory=loop) as runner:
        runner.run(tidy())
    assert open_sockets() == before


# -- the same for both --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Client, AsyncClient),
        (waiting.Task, waiting.AsyncTask),
        (images.PictureTask, images.AsyncPictureTask),
        (images.Thumbnails, images.AsyncThumbnails),
        (kept.KeptJob, kept.AsyncKeptJob),
    ],
    ids=lambda kind: kind.__name__,
)
def test_both_clients_have_the_same_names_and_the_same_arguments(one: type, other: type) -> None:
    def calls(kind: type) -> dict[str, list[inspect.Parameter]]:
        found = inspect.getmembers(kind, callable)
        return {
            name: [p.replace(annotation=p.empty) for p in list(inspect.signature(call).parameters.values())[1:]]
            for name, call in found
            if not name.startswith("_")
        }

    assert calls(one) == calls(other)


def test_both_clients_are_made_of_the_same_and_say_of_what() -> None:
    assert inspect.signature(Client) == inspect.signature(AsyncClient)
    assert list(inspect.signature(Client).parameters) == ["servers", "timeout", "unread_bytes", "limits"]


# -- jobs -----------------------------------------------------------------------------------------------------------


@pytest.mark.system
@both_loops
def test_hello_world(server: Address, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def body() -> None:
        async with AsyncClient(str(server)) as fleet:
            assert await fleet.run("reverse", "Hello World!") == b"!dlroW olleH"
            task = await fleet.submit("reverse", b"abc")
            assert [await task.result(), await task.result(timeout=1)] == [b"cba", b"cba"]
            assert await fleet.submit("reverse", b"cd").result(timeout=LIMIT_S) == b"dc"
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fleet.submit("reverse", str(n))) for n in range(3)]
            assert await asyncio.gather(*(task.result().result() for task in tasks)) == [b"0", b"1", b"2"]

    with worker(server, reverse=reverse):
        awaited(body(), loop)


@pytest.mark.system
@both_loops
def test_a_hundred_calls_at_once_share_one_connection(
    server: Address, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S) as fleet:
            before = open_sockets()
            data = [b"%d " % n * 20_000 for n in range(100)]
            calls = asyncio.gather(*(fleet.run("reverse", one) for one in data))
            await asyncio.sleep(0)
            assert len(open_sockets() - before) == 1
            assert await calls == [one[::-1] for one in data]

    with worker(server, reverse=reverse):
        awaited(body(), loop)


@pytest.mark.system
def test_what_a_worker_sends_is_gone_through_as_it_comes(server: Address) -> None:
    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S) as fleet:
            task = await fleet.submit("chatty")
            assert [part async for part in task] == [b"part 1\n", b"part 2\n", b"part 3\n", b"end"]
            assert (task.progress, task.warnings) == ((3, 3), [b"nearly done"])
            assert [part async for part in fleet.submit("chatty")][-1] == b"end"
            async for _ in fleet.submit("chatty").stream():
                break  # who has heard enough leaves

    with worker(server, chatty=chatty):
        awaited(body())


@pytest.mark.system
def test_the_errors_are_those_of_the_blocking_client(server: Address) -> None:
    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S, unread_bytes=MIB) as fleet:
            with pytest.raises(JobFailed, match=r"^ValueError: no such thing$"):
                await fleet.run("explode", "no such thing")
            with pytest.raises(UsageError, match="a workload is bytes or text"):
                await fleet.run("explode", {"user": 5})  # type: ignore[arg-type]
            with pytest.raises(UsageError, match="background"):
                await fleet.submit("explode", background=True).result()
            with pytest.raises(TooMuchUnread, match="1 MiB"):
                await fleet.run("flood")
            with pytest.raises(UsageError, match="a picture is bytes, a path, or a file"):
                await fleet.resize(io.StringIO("text"))  # type: ignore[arg-type]
            with pytest.raises(Deadline, match=r"no worker has registered 'nobody' there .functions there: explode, f"):
                await fleet.run("nobody", timeout=ASKING_S)

    def flood(peer: Peer, handle: bytes, workload: bytes) -> None:
        for _ in range(3):
            peer.send(packets.WORK_DATA, handle, bytes(MIB))
        peer.send(packets.WORK_COMPLETE, handle)

    with worker(server, explode=explode, flood=flood):
        awaited(body())


@pytest.mark.system
def test_who_reads_slowly_holds_up_the_worker_and_keeps_little(server: Address) -> None:
    def flood(peer: Peer, handle: bytes, workload: bytes) -> None:
        for _ in range(60):
            peer.send(packets.WORK_DATA, handle, bytes(MIB))
        peer.send(packets.WORK_COMPLETE, handle)

    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S, unread_bytes=16 * MIB) as fleet:
            task, read, most = await fleet.submit("flood"), 0, 0
            async for part in task:
                await asyncio.sleep(0.005)
                read, most = read + len(part), max(most, task.unread)
            assert (read, most < 12 * MIB) == (60 * MIB, True)

    with worker(server, flood=flood):
        awaited(body())


@pytest.mark.system
def test_status_is_asked_while_others_wait(server: Address) -> None:
    go = threading.Event()

    def wait(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_STATUS, handle, b"3", b"7")
        assert go.wait(LIMIT_S)
        reverse(peer, handle, workload)

    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S) as fleet:
            task = await fleet.submit("wait", b"ab")
            ended = asyncio.ensure_future(task.result())
            while (await task.status()).numerator != 3:
                pass
            go.set()
            assert await ended == b"ba"
            assert not (await task.status()).known

    with worker(server, wait=wait):
        awaited(body())


# -- cancelling, closing --------------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_wait_that_is_cancelled_leaves_the_job_and_the_connection(server: Address) -> None:
    go = threading.Event()

    def wait(peer: Peer, handle: bytes, workload: bytes) -> None:
        assert go.wait(LIMIT_S)
        reverse(peer, handle, workload)

    async def body() -> None:
        async with AsyncClient(server, timeout=LIMIT_S) as fleet:
            task = await fleet.submit("wait", b"ab")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(task.result(), 0.02)
            runs = [asyncio.ensure_future(fleet.run("reverse", b"%d" % n)) for n in range(50)]
            await asyncio.sleep(0)
            for run in runs[::2]:
                run.cancel()
            await asyncio.sleep(0.01)
            for run in runs[1::4]:
                run.cancel()
            go.set()
            ended = await asyncio.gather(*runs, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in ended[::2])
            assert {n: one for n, one in enumerate(ended) if n % 4 == 3} == {n: b"%d" % n for n in range(3, 10, 4)} | {
                n: (b"%d" % n)[::-1] for n in range(11, 50, 4)
            }
            assert await task.result() == b"ba"
            assert not fleet._waiters

    with worker(server, wait=wait, reverse=reverse):
        awaited(body())


@pytest.mark.system
def test_a_submit_that_is_cancelled_before_its_answer_puts_none_out_of_step(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    where = listening(program)

    async def body() -> None:
        async with AsyncClient(where, timeout=LIMIT_S) as fleet:
            assert await fleet.run("reverse", "ab") == b"ba"
            program.send(signal.SIGSTOP)
            submit = asyncio.ensure_future(fleet.submit("reverse", b"nobody's"))
            await asyncio.sleep(0.02)
            submit.cancel()
            with pytest.raises(Deadline, match="no answer from reverse"):
                await fleet.submit("reverse", b"late", timeout=0.05)
            program.send(signal.SIGCONT)
            assert await asyncio.gather(*(fleet.run("reverse", str(n)) for n in range(5))) == [
                b"0",
                b"1",
                b"2",
                b"3",
                b"4",
            ]

    with worker(where, reverse=reverse):
        awaited(body())


@pytest.mark.system
def test_closing_fails_what_is_waited_for_and_takes_queued_jobs_back(server: Address) -> None:
    async def body() -> None:
        fleet = AsyncClient(server, timeout=LIMIT_S)
        task = await fleet.submit("wanted until now")
        waits = [asyncio.ensure_future(task.result()) for _ in range(3)]
        await asyncio.sleep(0)
        await fleet.close()
        for wait in waits:
            with pytest.raises(FleetError, match="the client was closed before the task ended"):
                await wait
        with pytest.raises(UsageError, match="closed"):
            await fleet.submit("f")
        await fleet.close()

    awaited(body())
    until(lambda: admin.status(server)[0].jobs == 0, "its job is gone")


# -- job servers that fail ----------------------------------------------------------------------------------------


@pytest.mark.system
@both_loops
def test_a_task_whose_server_is_killed_is_served_by_another(
    spawn: Callable[..., Program], server: Address, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    doomed = spawn(*FLEET, "server", "--port", "0")
    first = listening(doomed)

    async def body() -> None:
        async with AsyncClient([first, server], timeout=LIMIT_S) as fleet:
            like = Client([first, server])
            keys = [str(n) for n in range(100) if client_goes_to(like, first, str(n))][:20]
            like.close()
            tasks = [await fleet.submit("f", key, unique=key) for key in keys]
            assert {task.server for task in tasks} == {first}
            doomed.process.kill()
            results = await asyncio.gather(*(task.result() for task in tasks))
            assert results == [key[::-1].encode() for key in keys]
            assert {task.server for task in tasks} == {server}
            assert await fleet.run("f", "ab", unique=keys[0]) == b"ba"

    with worker(server, f=reverse):
        awaited(body(), loop)


@pytest.mark.system
def test_a_task_waits_for_its_only_server_to_come_back(spawn: Callable[..., Program], closed_port: ClosedPort) -> None:
    where = closed_port()
    first = start_at(where, spawn)

    async def body() -> None:
        async with AsyncClient(where, timeout=LIMIT_S) as fleet:
            task = await fleet.submit("f", b"abc")
            first.process.kill()
            first.ended()
            with pytest.raises(Deadline, match=rf"its job server went away.* {where} .connection refused"):
                await task.result(timeout=ASKING_S)
            with pytest.raises(NoServer, match="connection refused"):
                await fleet.submit("g")
            start_at(where, spawn)
            with worker(where, f=reverse):
                assert await task.result() == b"cba"

    awaited(body())


@both_loops
def test_where_nobody_listens_is_an_error_at_once_that_says_so(
    loop: Callable[[], asyncio.AbstractEventLoop], closed_port: ClosedPort
) -> None:
    where = closed_port()

    async def body() -> None:
        async with AsyncClient([where, f"localhost:{where.port}", "no.such.host.invalid"]) as fleet:
            with pytest.raises(NoServer) as raised:
                await fleet.submit("f")
            assert f"{where} (connection refused)" in str(raised.value)
            assert f"localhost:{where.port} (connection refused)" in str(raised.value)
            assert "no.such.host.invalid:4730 (" in str(raised.value)

    awaited(body(), loop)


@pytest.mark.system
def test_a_server_is_found_by_its_name(server: Address) -> None:
    async def body() -> None:
        async with AsyncClient(f"localhost:{server.port}") as fleet:
            assert (await fleet.submit("f", background=True)).handle

    awaited(body())


def test_a_server_that_says_nothing_costs_the_deadline_and_no_more() -> None:
    async def body(where: Address) -> None:
        async with AsyncClient(where) as fleet:
            began = time.monotonic()
            waits = [fleet.submit("f", bytes(1_000_000), timeout=0.2) for _ in range(5)]
            ended = await asyncio.gather(*waits, return_exceptions=True)
            assert all(isinstance(one, Deadline) for one in ended)
            assert time.monotonic() - began < LIMIT_S

    with socket.create_server(("127.0.0.1", 0)) as mute:
        awaited(body(Address(*mute.getsockname())))


# -- where it is at home ------------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_client_begins_anew_where_its_loop_is_closed_and_refuses_where_it_is_not(server: Address) -> None:
    fleet = AsyncClient(server, timeout=LIMIT_S)  # outside of any loop, as a module does
    tasks = []

    async def first() -> None:
        assert await fleet.run("reverse", "ab") == b"ba"
        tasks.append(await fleet.submit("silent"))

    async def second() -> None:
        assert await fleet.run("reverse", "cd") == b"dc"
        with pytest.raises(UsageError, match="another event loop"):
            await tasks[0].result()
        with ThreadPoolExecutor(1) as thread, pytest.raises(UsageError, match="one event loop"):
            thread.submit(lambda: asyncio.run(fleet.run("reverse", "ef"))).result(LIMIT_S)
        assert await fleet.run("reverse", "gh") == b"hg"
        await fleet.close()

    with worker(server, reverse=reverse):
        before = open_sockets()
        asyncio.run(first())
        asyncio.run(second())
        assert open_sockets() == before


@pytest.mark.system
def test_a_forked_child_has_connections_of_its_own(server: Address) -> None:
    fleet = AsyncClient(server, timeout=LIMIT_S)

    async def call(text: str) -> bytes:
        return await fleet.run("reverse", text)

    with worker(server, reverse=reverse), asyncio.Runner() as runner:
        assert runner.run(call("ab")) == b"ba"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.alarm(round(LIMIT_S))
                with asyncio.Runner() as childs:
                    code = 0 if [childs.run(call(f"child {n}")) for n in range(3)][2] == b"2 dlihc" else 2
                    childs.run(fleet.close())
            finally:
                os._exit(code)
        for n in range(3):
            assert runner.run(call(f"{n}")) == b"%d" % n
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        runner.run(fleet.close())


# -- kept jobs and pictures ---------------------------------------------------------------------------------------


@pytest.mark.system
def test_kept_jobs_are_asked_for(spawn: Callable[..., Program]) -> None:
    where = listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory"))

    async def body() -> None:
        async with AsyncClient(where, timeout=LIMIT_S) as fleet:
            handle = (await fleet.submit("reverse", b"ab", background=True, ttl=600)).handle
            later = (await fleet.submit("later", background=True, delay=3600, priority="high")).handle
            assert await fleet.job(handle).result() == b"ba"
            assert (await fleet.job(handle).status()).state == "completed"
            assert [info.handle async for info in fleet.jobs()] == [later]
            assert await fleet.job(later).cancel()
            assert [info async for info in fleet.jobs()] == [info async for info in fleet.dead()] == []
            with pytest.raises(NoSuchJob, match="there never was a job"):
                await fleet.job("H:nowhere:1").result()

    with worker(where, reverse=reverse):
        awaited(body())


class Upload:
    """An upload as Starlette has it: its `read` is to be awaited."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


@pytest.mark.system
def test_pictures_from_uploads_files_and_bytes(fleet_of_two: Address, large_jpeg: bytes, tmp_path: Any) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(large_jpeg)

    async def body() -> None:
        async with AsyncClient(fleet_of_two, timeout=LIMIT_S) as fleet:
            for source in (large_jpeg, Upload(large_jpeg), io.BytesIO(large_jpeg), path):
                thumb = await fleet.resize(source, 200, 150).result()  # type: ignore[arg-type]
                assert (thumb.width, thumb.height, thumb.format) == (200, 150, "jpeg")
            thumbs = await fleet.thumbnails(large_jpeg, {"avatar": {"width": 64}, "card": {"width": 320}})
            assert {name: thumb.width async for name, thumb in thumbs} == {"avatar": 64, "card": 320}
            assert set(await thumbs.result()) == {"avatar", "card"}
            assert [name async for name, _ in fleet.thumbnails(large_jpeg, {"small": {"width": 32}})] == ["small"]
            later = await fleet.resize_later(Upload(large_jpeg), 64)  # type: ignore[arg-type]
            assert (await fleet.job(later.handle).picture()).width == 64
            with pytest.raises(BadImage, match="text, not a picture"):
                await fleet.resize(b"hello " * 100).result()

    awaited(body())
