"""The text commands: what gearadmin, monitoring scripts and a person with netcat ask.

Each command takes the asking connection and the words, and returns its whole answer, which leaves in one write. The
sentences are gearmand's to the letter, since scripts read them; `jobs` and `clients` are the Perl server's, `counters`
is ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from fleet.jobserver.job import HIGH, LOW, NORMAL, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.stores import Backlog
from fleet.jobserver.tally import BOUNDS_S
from fleet.jobserver.wire import Wire
from fleet.protocol import admin
from fleet.version import __version__

MAX_WORDS: Final = 5  # as in gearmand
# What other protocols begin with: browsers, ssh, mail and Redis clients that were sent to the wrong port.
_FOREIGN: Final = re.compile(rb"[A-Za-z]+ \S+ HTTP/\d|SSH-|(EHLO|HELO|PING)\b|\*\d", re.IGNORECASE)

Answer = bytes | Pending[bytes]
Command = Callable[[Wire, list[bytes], int], Answer]


def answer(asker: Wire, line: bytes, now: int) -> Answer:
    """The answer to one line of text."""
    words = admin.words(line)
    name = words[0].lower()
    command = COMMANDS.get(name)
    if command is None or len(words) > MAX_WORDS:
        return admin.unknown_command(words[0])
    if name in CHANGING and not asker.admin:
        return admin.err("PERMISSION_DENIED", f"{name.decode()} is taken from this machine only")
    try:
        return command(asker, words, now)
    except Refusal as refusal:
        return admin.err(refusal.code.decode(), refusal.text.decode())


def is_foreign(line: bytes) -> bool:
    """Whether this is the greeting of another protocol, of which nothing good will follow."""
    return _FOREIGN.match(line) is not None


# -- reading ----------------------------------------------------------------------------------------------------


def _version(asker: Wire, words: list[bytes], now: int) -> bytes:
    return admin.ok(__version__)


def _getpid(asker: Wire, words: list[bytes], now: int) -> bytes:
    return admin.ok(str(asker.hub.pid))


def _verbose(asker: Wire, words: list[bytes], now: int) -> bytes:
    return admin.ok(asker.hub.verbose)


def _status(asker: Wire, words: list[bytes], now: int) -> bytes:
    """name, all jobs, running jobs, workers"""
    functions = sorted(asker.broker.functions.items())
    return admin.table((admin.printable(name), f.jobs, f.running, len(f.workers)) for name, f in functions)


def _priority_status(asker: Wire, words: list[bytes], now: int) -> bytes:
    """name, queued at high, normal and low priority, workers; what waits for its time has normal priority"""
    rows = []
    for name, f in sorted(asker.broker.functions.items()):
        backlog = f.backlog or Backlog()
        high, normal, low = (len(queue) + stored for queue, stored in zip(f.queues, backlog.ready, strict=True))
        waiting = f.waiting + backlog.waiting
        rows.append((admin.printable(name), high, normal + waiting, low, len(f.workers)))
    return admin.table(rows)


def _counters(asker: Wire, words: list[bytes], now: int) -> bytes:
    """JSON: what became of each function's jobs, for how many seconds the oldest that could run has waited, and the
    dead letter"""
    found = {}
    for name, f in sorted(asker.broker.functions.items()):
        oldest_ns = f.oldest_ns(now)
        oldest_s = None if oldest_ns is None else round(oldest_ns / 1e9, 3)
        found[admin.printable(name).decode("utf-8", "replace")] = {"oldest_s": oldest_s, **f.tally.report()}
    return admin.ok(json.dumps({"bounds_s": BOUNDS_S, "dead_letter": _dead_letter(asker), "functions": found}))


def _dead_letter(asker: Wire) -> dict[str, int] | None:
    """What it has and may have; None: there is no store"""
    letter, limits = asker.broker.dead_letter, asker.broker.limits
    if letter is None:
        return None
    return {
        "jobs": letter.jobs,
        "bytes": letter.size,
        "jobs_most": limits.dead_jobs,
        "bytes_most": limits.dead_bytes,
    }


def _workers(asker: Wire, words: list[bytes], now: int) -> bytes:
    """descriptor, address, client id, a colon, functions: a line for every connection"""
    lines = []
    for peer in asker.broker.peers:
        functions = b"".join(b" " + admin.printable(function.name) for function in peer.functions)
        who, client_id = peer.label.encode(), admin.printable(peer.client_id)
        lines.append(b"%s %s :%s\n" % (who, client_id, functions))
    return b"".join(lines) + admin.END


def _show(asker: Wire, words: list[bytes], now: int) -> bytes:
    if len(words) < 2:
        return admin.unknown_command(words[0])
    what = [word.lower() for word in words[1:]]
    jobs = asker.broker.jobs.values()
    if what == [b"jobs"]:
        return admin.table(map(_job_row, jobs))
    if what == [b"unique", b"jobs"]:
        return admin.table((admin.printable(job.unique),) for job in jobs)
    return admin.err("UNKNOWN_SHOW_ARGUMENTS")


def _job_row(job: Job) -> tuple[bytes, int, int, int]:
    """handle, retries, whether nobody wants it, whether it is a background job"""
    return job.handle, job.retries, int(not (job.background or job.listeners)), int(job.background)


def _jobs(asker: Wire, words: list[bytes], now: int) -> bytes:
    """function, unique, the address of its worker, how many wait for it"""
    rows = ((*_job_words(job), len(job.listeners)) for job in asker.broker.jobs.values())
    return admin.table(rows)


def _clients(asker: Wire, words: list[bytes], now: int) -> bytes:
    """The address of every connection, and below it the jobs it waits for: function, unique, worker."""
    lines = []
    for peer in asker.broker.peers:
        lines.append(_address(peer))
        lines += [b"\t" + b"\t".join(_job_words(job)) for job in peer.listening]
    return b"".join(line + b"\n" for line in lines) + admin.END


def _job_words(job: Job) -> tuple[bytes, bytes, bytes]:
    names = admin.printable(job.function.name), admin.printable(job.unique)
    return (*names, _address(job.worker) if job.worker else b"-")


def _address(peer: Peer) -> bytes:
    return peer.label.partition(" ")[2].encode()


# -- changing ---------------------------------------------------------------------------------------------------


def _cancel(asker: Wire, words: list[bytes], now: int) -> Answer:
    if len(words) < 3:
        return admin.unknown_command(words[0])
    if words[1].lower() != b"job":
        return admin.err("UNKNOWN_ERROR")
    cancelled = asker.broker.cancel(words[2], now)
    return cancelled.map(_cancelled) if isinstance(cancelled, Pending) else _cancelled(cancelled)


def _cancelled(was_there: bool) -> bytes:
    return admin.OK if was_there else admin.err("UNKNOWN_JOB")


def _create(asker: Wire, words: list[bytes], now: int) -> bytes:
    if len(words) < 3 or words[1].lower() != b"function":
        return admin.incomplete(words[0])
    asker.broker.functions.named(words[2])
    return admin.OK


def _drop(asker: Wire, words: list[bytes], now: int) -> bytes:
    if len(words) < 3 or words[1].lower() != b"function":
        return admin.incomplete(words[0])
    try:
        dropped = asker.broker.functions.drop(words[2])
    except Refusal as busy:
        return b"ERR %s\r\n" % busy.text
    return admin.OK if dropped else b"ERR function not found\r\n"


def _maxqueue(asker: Wire, words: list[bytes], now: int) -> bytes:
    """``maxqueue F``: no limit; ``maxqueue F N``: one for all priorities; ``maxqueue F HIGH NORMAL LOW``"""
    if len(words) not in (2, 3, 5):
        return admin.incomplete(words[0])
    numbers = words[2:]
    if not all(number.removeprefix(b"-").isdigit() and len(number) <= 10 for number in numbers):
        return admin.err("INVALID_ARGUMENTS", "maxqueue takes numbers of jobs")
    most = [max(0, int(number)) for number in numbers] or [0]
    function = asker.broker.functions.named(words[1])
    function.max_jobs[HIGH], function.max_jobs[NORMAL], function.max_jobs[LOW] = most if len(most) == 3 else most * 3
    return admin.OK


COMMANDS: Final[dict[bytes, Command]] = {
    b"cancel": _cancel,
    b"clients": _clients,
    b"counters": _counters,
    b"create": _create,
    b"drop": _drop,
    b"getpid": _getpid,
    b"jobs": _jobs,
    b"maxqueue": _maxqueue,
    b"prioritystatus": _priority_status,
    b"show": _show,
    b"status": _status,
    b"verbose": _verbose,
    b"version": _version,
    b"workers": _workers,
}
CHANGING: Final = frozenset({b"cancel", b"create", b"drop", b"maxqueue"})
