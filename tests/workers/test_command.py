"""Programs as worker functions, with real programs and a job that notes what is sent."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.client import Client, admin
from fleet.errors import JobCancelled, JobFailed
from fleet.protocol import REQ, Decoder
from fleet.settings import Address
from fleet.workers import Worker
from fleet.workers.command import LOOK_S, Command, to_stdout
from fleet.workers.conversation import Assigned, Conversation
from fleet.workers.job import Job
from tests.processes import LIMIT_S, alive, until


class Noted:
    """A job whose packets stay here."""

    def __init__(self, workload: bytes = b"", is_over: Callable[[], bool] = lambda: False) -> None:
        self.conversation = Conversation(1 << 30)
        self.job = Job(Assigned(b"H:1", b"f", b"", workload), self.conversation, lambda: None, is_over)

    @property
    def data(self) -> list[bytes]:
        decoder = Decoder(REQ, body_bytes=1 << 30)
        return [bytes(args[1]) for _, args in decoder.feed(b"".join(self.conversation.outbox))]


def sh(script: str, **how: bool) -> Command:
    return Command(["sh", "-c", script], **how)


def test_the_workload_is_stdin_and_what_is_printed_the_result() -> None:
    noted = Noted(bytes(range(256)))
    assert Command(["cat"])(noted.job) == bytes(range(256))
    assert noted.data == []
    assert sh('read pattern; echo "<$pattern>"; cat')(Noted(b"one\ntwo\n").job) == b"<one>\ntwo\n"


def test_a_program_that_prints_more_than_a_pipe_holds_before_it_reads_does_not_hang() -> None:
    workload = b"w" * 3_000_000
    assert sh("head -c 3000000 /dev/zero; cat")(Noted(workload).job) == bytes(3_000_000) + workload


def test_a_program_that_does_not_read_is_no_trouble() -> None:
    assert sh("echo done")(Noted(b"w" * 3_000_000).job) == b"done\n"
    assert sh("exec <&-; echo done")(Noted(b"w" * 3_000_000).job) == b"done\n"


def test_lines_are_data_when_they_are_printed(tmp_path: Path) -> None:
    """The second line is printed when the first one was sent."""
    seen = tmp_path / "seen"
    noted = Noted()
    noted.job._flush = lambda: seen.touch() if len(noted.data) == 1 else None
    script = f"echo a; while [ ! -e {seen} ]; do sleep 0.01; done; echo; printf c"
    assert sh(script, lines=True)(noted.job) == b""
    assert noted.data == [b"a\n", b"\n", b"c"]


def test_only_a_newline_is_stripped() -> None:
    noted = Noted()
    sh("echo a; echo; printf c", lines=True, strip=True)(noted.job)
    assert noted.data == [b"a", b"", b"c"]


def test_a_failure_sends_what_was_printed_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    noted = Noted()
    with pytest.raises(JobFailed) as caught:
        sh("echo almost; exit 3")(noted.job)
    assert not caught.value.explained  # so that it becomes a WORK_FAIL, which every client understands
    assert noted.data == [b"almost\n"]
    with pytest.raises(JobFailed):
        sh("kill -9 $$")(Noted().job)
    assert [record.getMessage() for record in caplog.records] == ["sh ended with 3", "sh was killed with 9"]


def test_a_program_that_cannot_be_run_is_a_failure(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo no one may run this")
    for name, reason in (("absent", "no such file or directory"), ("script", "permission denied")):
        with pytest.raises(JobFailed):
            Command([str(tmp_path / name)])(Noted().job)
        assert caplog.records[-1].getMessage() == f"cannot run {tmp_path / name}: {reason}"
        assert caplog.records[-1].levelno == logging.ERROR


def test_endless_output_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(JobFailed):
        Command(["cat", "/dev/zero"])(Noted().job)
    assert "printed more than a packet holds" in caplog.records[-1].getMessage()


def written(note: Path) -> bool:
    """Whether the line is there that a shell writes into it; the file is there before."""
    return note.exists() and note.read_text().endswith("\n")


def test_no_program_outlives_an_interruption(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    noted = Noted()

    def interrupted() -> None:
        raise KeyboardInterrupt

    noted.job._flush = interrupted
    with pytest.raises(KeyboardInterrupt):
        sh(f"echo $$ > {note}; echo line; exec sleep 600", lines=True)(noted.job)
    until(lambda: not alive(int(note.read_text())), "the program is gone")


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    "script",
    ["exec sleep 600", "exec >&-; exec sleep 600", "while echo .; do sleep 0.01; done"],
    ids=["prints nothing", "has closed its output", "prints all the time"],
)
def test_a_program_is_killed_when_nobody_wants_its_job_any_more(tmp_path: Path, script: str, lines: bool) -> None:
    note = tmp_path / "pid"
    with pytest.raises(JobCancelled):
        sh(f"echo $$ > {note}; {script}", lines=lines)(Noted(is_over=lambda: written(note)).job)
    assert not alive(int(note.read_text()))


def test_what_a_program_has_started_is_killed_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    (tmp_path / "child").write_text(f"echo $$ > {note}; exec sleep 600")
    with pytest.raises(JobCancelled):
        sh(f"sh {tmp_path}/child | cat")(Noted(is_over=lambda: written(note)).job)
    until(lambda: not alive(int(note.read_text())), "the program's own child is gone")


def test_a_program_whose_job_is_wanted_may_take_its_time() -> None:
    looks: list[float] = []

    def is_over() -> bool:
        looks.append(time.monotonic())
        return False

    begun = time.monotonic()
    assert sh(f"sleep {LOOK_S * 2.5}; echo done")(Noted(is_over=is_over).job) == b"done\n"
    assert len(looks) >= 2
    assert all(at - begun >= LOOK_S * number for number, at in enumerate(looks, 1))


def test_a_cancelled_jobs_program_is_gone_and_the_worker_does_the_next(server: Address, tmp_path: Path) -> None:
    """All of it: a client, a job server, and a worker that runs programs."""
    note = tmp_path / "pid"
    with Client(str(server)) as client, Worker(str(server)) as worker:
        worker.register("slow", sh(f"echo $$ > {note}; exec sleep 600")).register("quick", sh("echo done"))
        thread = threading.Thread(target=worker.work)
        thread.start()
        try:
            task = client.submit("slow", b"")
            until(lambda: written(note), "the program runs")
            assert admin.ask(server, f"cancel job {task.handle}") == "OK"
            assert client.submit("quick", b"").result(timeout=LIMIT_S) == b"done\n"
            assert not alive(int(note.read_text()))
        finally:
            worker.stop()
            thread.join(LIMIT_S)


def test_a_collector_writes_all_even_into_a_slow_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr("fleet.workers.command.STDOUT", writer)
    workload = os.urandom(1_000_000)
    found = bytearray()

    def read() -> None:
        while len(found) < len(workload):
            found.extend(os.read(reader, 4096))

    thread = threading.Thread(target=read)
    thread.start()
    to_stdout(Noted(workload).job)
    thread.join(LIMIT_S)
    os.close(reader)
    os.close(writer)
    assert found == workload


def test_a_collector_whose_output_is_gone_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr("fleet.workers.command.STDOUT", writer)
    with pytest.raises(SystemExit, match="cannot write to stdout: broken pipe"):
        to_stdout(Noted(b"x").job)
    os.close(writer)
