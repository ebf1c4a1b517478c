"""The text commands: what gearadmin, monitoring scripts and a person with netcat ask.

Each command takes the broker and the words behind it, and returns its whole answer, which leaves in one write.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.jobserver.broker import Broker
from fleet.jobserver.job import Job
from fleet.protocol import admin
from fleet.version import __version__

MAX_WORDS = 5  # as in gearmand


def answer(broker: Broker, line: bytes) -> bytes:
    """The answer to one line of text."""
    words = admin.words(line)
    command = COMMANDS.get(words[0].lower())
    if command is None or len(words) > MAX_WORDS:
        return admin.unknown_command(words[0])
    return command(broker, words)


def _version(broker: Broker, words: list[bytes]) -> bytes:
    return admin.ok(__version__)


def _status(broker: Broker, words: list[bytes]) -> bytes:
    """name, all jobs, running jobs, workers"""
    return admin.table(
        (admin.printable(name), f.queued + f.running, f.running, len(f.workers))
        for name, f in sorted(broker.functions.items())
    )


def _priority_status(broker: Broker, words: list[bytes]) -> bytes:
    """name, queued at high, normal and low priority, workers"""
    return admin.table(
        (admin.printable(name), *map(len, f.queues), len(f.workers)) for name, f in sorted(broker.functions.items())
    )


def _workers(broker: Broker, words: list[bytes]) -> bytes:
    """descriptor, address, client id, a colon, functions: a line for every connection"""
    lines = []
    for peer in broker.peers:
        functions = b"".join(b" " + admin.printable(function.name) for function in peer.functions)
        who, client_id = peer.label.encode(), admin.printable(peer.client_id)
        lines.append(b"%s %s :%s\n" % (who, client_id, functions))
    return b"".join(lines) + admin.END


def _show(broker: Broker, words: list[bytes]) -> bytes:
    if len(words) < 2:
        return admin.unknown_command(words[0])
    what = [word.lower() for word in words[1:]]
    if what == [b"jobs"]:
        return admin.table(map(_job_row, broker.jobs.values()))
    if what == [b"unique", b"jobs"]:
        return admin.table((admin.printable(job.unique),) for job in broker.jobs.values())
    return admin.err("UNKNOWN_SHOW_ARGUMENTS")


def _job_row(job: Job) -> tuple[bytes, int, int, int]:
    """handle, retries, whether nobody wants it, whether it is a background job"""
    return job.handle, job.retries, int(not (job.background or job.listeners)), int(job.background)


def _cancel(broker: Broker, words: list[bytes]) -> bytes:
    if len(words) < 3:
        return admin.unknown_command(words[0])
    if words[1].lower() != b"job":
        return admin.err("UNKNOWN_ERROR")
    return admin.OK if broker.cancel(words[2]) else admin.err("UNKNOWN_JOB")


COMMANDS: dict[bytes, Callable[[Broker, list[bytes]], bytes]] = {
    b"version": _version,
    b"status": _status,
    b"prioritystatus": _priority_status,
    b"workers": _workers,
    b"show": _show,
    b"cancel": _cancel,
}
