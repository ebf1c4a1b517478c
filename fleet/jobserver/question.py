"""A question about kept jobs: what a submit of one of the server's own functions asks, and how jobs are told of.

Questions and answers are JSON. docs/durability.md says what may stand in them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from fleet.jobserver.job import NONE_YET, Function, Job, Peer
from fleet.jobserver.pending import Pending
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import Schedule
from fleet.jobserver.stores import End, Entry, Listed, Result
from fleet.jobserver.terms import Terms
from fleet.protocol import Data, kept
from fleet.protocol.packets import WORK_COMPLETE

REQUEST_BYTES: Final = 256 * 1024  # enough for all the handles that one may have
ORDER_BYTES: Final = 4096
NUMBER_MOST: Final = 2**60  # two of them and the time of day are still a number that a store can keep
PRIORITIES: Final = ("high", "normal", "low")

Json = dict[str, Any]


class Question:
    """One submit of a function that is answered here: what is asked, and where the answer goes."""

    def __init__(self, peer: Peer, name: bytes, number: bytes, request: Json) -> None:
        self.request = request
        self._peer = peer
        self.job = Job(b"%s:%s" % (name, number), Function(name), b"", b"", b"")
        self._pending = self.job.pending = Pending()

    def answer(self, value: Json | Data) -> None:
        self._pending.settle(self.job.handle)
        self._peer.news(WORK_COMPLETE, self.job, json.dumps(value).encode() if isinstance(value, dict) else value)

    def refuse(self, refusal: Refusal) -> None:
        self._pending.settle(refusal)

    # -- what may stand in it; each raises Refusal ----------------------------------------------------------------

    def text(self, name: str) -> bytes | None:
        value = self.request.get(name)
        if value is not None and not isinstance(value, str):
            raise senseless(f"{name} is text")
        return value.encode("utf-8", "replace") if value else None

    def number(self, name: str, usual: int) -> int:
        value = self.request.get(name, usual)
        if not isinstance(value, int) or not 0 <= value <= NUMBER_MOST:
            raise senseless(f"{name} is a whole number")
        return value

    def priority(self) -> int:
        value = self.request.get("priority", "normal")
        if value not in PRIORITIES:
            raise senseless(f"priority is one of {', '.join(PRIORITIES)}")
        return PRIORITIES.index(value)

    def terms(self, wall_s: int) -> tuple[Schedule | None, Terms]:
        """Those of a submit at `wall_s`."""
        run_at, delay_s, ttl_s = (self.number(name, 0) for name in ("at", "delay", "ttl"))
        if run_at and delay_s:
            raise senseless("at and delay both say when a job may begin; give one of them")
        schedule = Schedule.read(text.decode()) if (text := self.text("schedule")) else None
        if schedule and (run_at or delay_s or ttl_s):
            raise senseless("a schedule says when; at, delay and ttl are for a job that comes once")
        run_at = wall_s + delay_s if delay_s else run_at
        return schedule, Terms(run_at, max(run_at, wall_s) + ttl_s if ttl_s else 0, self.number("attempts", 0))

    def handles(self) -> tuple[bytes, ...]:
        value = self.request.get("handles")
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise senseless("handles is a list of handles")
        if len(value) > kept.AT_ONCE_MOST:
            raise senseless(f"handles has {kept.AT_ONCE_MOST} at most; ask again for the others")
        return tuple(each.encode("utf-8", "replace") for each in value)


def read_object(workload: bytes) -> Json:
    """Raises Refusal."""
    try:
        request = json.loads(workload) if len(workload) <= REQUEST_BYTES else None
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise senseless('the workload is a JSON object such as {"do": "list"}')
    return request


def read_order(workload: Data) -> tuple[Json, Data]:
    """What a submit in an envelope says of its job, in a line of JSON, and the job's own workload. Raises Refusal."""
    line, newline, _ = bytes(workload[:ORDER_BYTES]).partition(b"\n")
    if not newline:
        raise senseless(f"the workload begins with a line of JSON, of {ORDER_BYTES} bytes at most")
    return read_object(line), workload[len(line) + 1 :]


def senseless(text: str) -> Refusal:
    return Refusal(b"INVALID_ARGUMENT", text.encode())


def likeness(job: Job) -> Listed:
    """A job that only memory has, as if it were listed."""
    entry = Entry(job.handle, job.function.name, b"", unique=job.unique, priority=job.priority)
    return Listed(entry, len(job.workload), 0, 0)


def described(listed: Listed, job: Job | None, wall_s: int, *, whole: bool) -> Json:
    """A job that the store has, and memory too if it is `job`; `whole` with the errors of all its attempts."""
    entry = listed.entry
    return {
        "handle": text_of(entry.handle),
        "function": text_of(entry.function),
        "unique": text_of(entry.unique),
        "state": _state(listed, job, wall_s),
        "priority": PRIORITIES[entry.priority],
        "bytes": listed.size,
        "submitted": entry.submitted,
        "run_at": entry.run_at,
        "schedule": entry.schedule,
        "expires": entry.expires,
        "ended": listed.ended,
        "attempts": entry.max_attempts,
        "failures": entry.failures,
        "deaths": entry.deaths,
        "progress": list(job.progress if job else NONE_YET),
        "errors": list(entry.errors if whole else entry.errors[-1:]),
    }


def _state(listed: Listed, job: Job | None, wall_s: int) -> str:
    if listed.ended:
        return End.DEAD.value
    if job and job.worker:
        return "running"
    return "waiting" if listed.entry.run_at > wall_s else "queued"


def described_end(result: Result) -> Json:
    """A job of which only the end is kept."""
    completed = result.end is End.COMPLETED
    return {
        "handle": text_of(result.handle),
        "function": text_of(result.function),
        "unique": text_of(result.key),
        "state": result.end.value,
        "bytes": len(result.data) if completed else 0,
        "ended": result.ended,
        "errors": [] if completed or not result.data else [text_of(result.data)],
    }


def text_of(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
