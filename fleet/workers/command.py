"""A program as a worker function: the workload on its stdin, what it prints as the result.

Rule 1: the workload lies in a file in memory that is the program's stdin, so nobody waits for anybody: a program may
print as much as it likes before it reads, or not read at all. Rule 2: a program that cannot be run, or ends with
another code than 0, fails its job. Rule 3: no program outlives the wait for it, nor the wish for what it does, and
what it has started goes with it, unless that has left its process group.
"""

from __future__ import annotations

import io
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, Any, Final

from fleet.errors import JobCancelled, JobFailed
from fleet.settings import ServerLimits
from fleet.workers.job import Job

log = logging.getLogger("fleet.worker")

STDOUT: Final = 1
OUTPUT_BYTES: Final = ServerLimits.packet_bytes - 1024  # as a packet's body, beside the handle
LOOK_S: Final = 0.5  # between two looks at whether the job was cancelled


class Command:
    """Runs `argv` for each job.

    Args:
        lines: send each line as data when it is printed, instead of all of them as the result.
        strip: without its newline.
    """

    def __init__(self, argv: Sequence[str], *, lines: bool = False, strip: bool = False) -> None:
        self.argv = list(argv)
        self.lines = lines
        self.strip = strip

    def __repr__(self) -> str:
        return f"<Command {self.argv[0]}>"

    def __call__(self, job: Job) -> bytes:
        with _file_of(job.workload) as stdin:
            try:
                process = subprocess.Popen(self.argv, stdin=stdin, stdout=subprocess.PIPE, process_group=0)
            except OSError as error:
                log.error("cannot run %s: %s", self.argv[0], (error.strerror or str(error)).lower())
                raise JobFailed from error
        assert process.stdout
        wish = _Wish(job)
        try:
            with io.BufferedReader(_Output(process.stdout, wish)) as stdout:
                output = self._stream(stdout, job) if self.lines else self._collect(stdout)
            code = _code(process, wish)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()
        if code:
            if output:
                job.send_data(output)
            log.warning("%s %s with %s", self.argv[0], *(("was killed", -code) if code < 0 else ("ended", code)))
            raise JobFailed
        return output

    def _stream(self, stdout: IO[bytes], job: Job) -> bytes:
        """Send each line as it comes; what remains for the result is nothing."""
        while line := stdout.readline(OUTPUT_BYTES):
            job.send_data(line.removesuffix(b"\n") if self.strip else line)
        return b""

    def _collect(self, stdout: IO[bytes]) -> bytes:
        output = stdout.read(OUTPUT_BYTES + 1)
        if len(output) > OUTPUT_BYTES:
            log.error("%s printed more than a packet holds, %d bytes; it was killed", self.argv[0], OUTPUT_BYTES)
            raise JobFailed
        return output


class _Wish:
    """Somebody wants what the job brings."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._look_at = time.monotonic() + LOOK_S

    def check(self) -> None:
        """Raises JobCancelled. Cheap, for now and then it looks."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if self._job.cancelled:
                raise JobCancelled


class _Output(io.RawIOBase):
    """What a program prints, as long as it is wanted."""

    def __init__(self, stdout: IO[bytes], wish: _Wish) -> None:
        self._fd = stdout.fileno()
        self._wish = wish
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        self._wish.check()
        while not self._poller.poll(LOOK_S * 1000):
            self._wish.check()
        return os.readv(self._fd, [room])


def _code(process: subprocess.Popen[bytes], wish: _Wish) -> int:
    """How it ends. It may go on when it has closed its output."""
    while True:
        try:
            return process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            wish.check()


def to_stdout(job: Job) -> None:
    """The worker function that collects: each workload goes to this process's stdout.

    Raises:
        SystemExit: it cannot be written. The worker ends, and the job goes back to its job server.
    """
    rest = memoryview(job.workload)
    try:
        while rest:
            rest = rest[os.write(STDOUT, rest) :]
    except OSError as error:
        raise SystemExit(f"cannot write to stdout: {(error.strerror or str(error)).lower()}") from error


def _file_of(data: bytes) -> IO[bytes]:
    file = os.fdopen(os.memfd_create("workload"), "w+b")
    file.write(data)
    file.seek(0)
    return file
