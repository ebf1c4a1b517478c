"""Programs as worker functions, with real programs and a job that notes what is sent."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from fleet.errors import JobFailed
from fleet.protocol import REQ, Decoder
from fleet.workers.command import Command, to_stdout
from fleet.workers.conversation import Assigned, Conversation
from fleet.workers.job import Job
from tests.processes import LIMIT_S, alive, until


class Noted:
    """A job whose packets stay here."""

    def __init__(self, workload: bytes = b"") -> None:
        self.conversation = Conversation(1 << 30)
        self.job = Job(Assigned(b"H:1", b"f", b"", workload), self.conversation, lambda: None)

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


def test_no_program_outlives_an_interruption(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    noted = Noted()

    def interrupted() -> None:
        raise KeyboardInterrupt

    noted.job._flush = interrupted
    with pytest.raises(KeyboardInterrupt):
        sh(f"echo $$ > {note}; echo line; exec sleep 600", lines=True)(noted.job)
    until(lambda: not alive(int(note.read_text())), "the program is gone")


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
