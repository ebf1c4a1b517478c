"""Background jobs after their submit: what came of them, wherever they are. Loaded when `Client.job` is called.

Rule 1: a job is known to the server that took it, and to no other, so each of the client's servers is asked until one
knows it. Rule 2: "failed", "dead", "cancelled", "too late", "never was" and "not kept any more" are errors of their
own.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from fleet.client import waiting
from fleet.client.shell import AnyShell, Shell, TaskKind, as_sent
from fleet.client.waiting import OwnTask
from fleet.errors import (
    Deadline,
    FleetError,
    JobCancelled,
    JobDead,
    JobFailed,
    JobTooLate,
    NoServer,
    NoStore,
    NoSuchJob,
    ResultGone,
    ServerRefused,
    UsageError,
)
from fleet.protocol import Data, kept
from fleet.settings import Address

if TYPE_CHECKING:
    from fleet.client.images import Picture

State = Literal["waiting", "queued", "running", "completed", "failed", "dead", "cancelled", "expired"]
Change = Literal["cancel", "retry", "purge"]

# Which function changes jobs so, and how it is called when it is done.
CHANGES: Final = {"cancel": (kept.JOBS, "cancelled"), "retry": (kept.DEAD, "retried"), "purge": (kept.DEAD, "purged")}


@dataclass(frozen=True)
class JobInfo:
    """What a job server knows of a job. Times are seconds since 1970; 0 is never, or not known any more."""

    handle: str
    function: str
    unique: str
    state: State
    server: Address
    priority: Literal["high", "normal", "low"] = "normal"
    bytes: int = 0  # of the workload while it is kept, then of the result
    submitted: int = 0
    run_at: int = 0  # not before
    schedule: str = ""  # when it comes again: minute, hour, day, month, weekday; empty: it does not
    expires: int = 0  # not after
    ended: int = 0
    attempts: int = 0  # failures until it is given up; 0 is what its server says for all
    failures: int = 0
    deaths: int = 0  # workers that died with it
    progress: tuple[int, int] = (0, 0)
    errors: tuple[str, ...] = ()  # why the attempts failed, oldest first; in a list the newest alone

    @classmethod
    def of(cls, server: Address, told: dict[str, Any]) -> JobInfo:
        known = {field.name: told[field.name] for field in fields(cls) if field.name in told}
        known |= {name: tuple(known.get(name, ())) for name in ("progress", "errors")}
        return cls(**{**known, "server": server, "progress": known["progress"] or (0, 0)})

    def to_mapping(self) -> dict[str, Any]:
        """As it may stand in JSON."""
        return {**asdict(self), "server": str(self.server)}


class OwnJob:
    """One job, named by its handle, or by its function and unique; and who asks for it."""

    def __init__(self, client: AnyShell, handle: str | None, function: str | None, unique: str | None) -> None:
        if bool(handle) == bool(function or unique) or bool(function) != bool(unique):
            raise UsageError("a job is named by its handle, or else by its function and unique together")
        self.handle = handle
        self.server: Address | None = None  # once one was found that knows it
        self._client = client
        self._named = {"function": function, "unique": unique}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.handle or self._named}>"

    async def _end_of(self, failure: JobFailed) -> FleetError:
        """The error that says how a job ended that did not end well."""
        try:
            state = (await status(self)).state
        except FleetError:
            return failure  # that it failed is known, and more is not to be had
        if state == "cancelled":
            return JobCancelled(f"the job {self.handle} was cancelled")
        if state == "expired":
            return JobTooLate(f"the job {self.handle} was not done while it was wanted")
        return JobDead(str(failure)) if state == "dead" else failure

    async def _ask(self, function: str, question: bytes, deadline: float) -> OwnTask:
        """Ask the server that has the job, or one after the other until one says that it has."""
        troubles: list[FleetError] = []
        for server in self._servers():
            try:
                task = await asked(self._client, server, function, question, deadline)
            except (NoServer, ServerRefused, Deadline) as error:
                troubles.append(error)
            else:
                self.server = server
                if self.handle:
                    self._client._homes[_home(self.handle)] = server
                return task
        raise self._unknown(troubles)

    def _servers(self) -> Sequence[Address]:
        """Who is asked: the one that knows it, or all, first of them the one whose handles begin like this job's."""
        if self.server:
            return (self.server,)
        likely = self._client._homes.get(_home(self.handle or ""))
        return sorted(self._client.servers, key=lambda server: server != likely)

    def _unknown(self, troubles: list[FleetError]) -> FleetError:
        """None of the servers knows the job; what that means is what the most telling one of them said."""
        codes = {error.code for error in troubles if isinstance(error, ServerRefused)}
        if kept.GONE in codes:
            return ResultGone(f"the job {self.handle} has ended, and what came of it is not kept any more")
        others = [e for e in troubles if not (isinstance(e, ServerRefused) and e.code == kept.NOT_FOUND)]
        if others:
            return next((error for error in others if not isinstance(error, NoStore)), others[0])
        servers = ", ".join(map(str, self._client.servers))
        if self.handle:
            return NoSuchJob(f"there never was a job {self.handle} at {servers}")
        name, unique = self._named.values()
        return NoSuchJob(f"no job of {name} with the unique {unique} is known at {servers}, or not any more")


async def result(job: OwnJob, timeout: float | None = None) -> bytes:
    """What the job's worker returned; waits for it, `timeout` seconds at most.

    Raises:
        JobFailed: the job failed, and the text says why.
        JobDead: so it did at every attempt; it is in the dead letter.
        JobCancelled, JobTooLate: it never ran to its end.
        ResultGone: it has ended, and what came of it is not kept any more.
        NoSuchJob: there never was such a job.
        Deadline: it has not ended in time. Ask again.
        NoServer: a server did not answer, and none of the others knows the job.
        NoStore: none of the servers keeps jobs.
    """
    deadline = job._client._deadline(timeout)
    if job.handle is None:
        await status(job, timeout)
    assert job.handle is not None
    task = await job._ask(kept.RESULT, job.handle.encode("utf-8", "surrogateescape"), deadline)
    try:
        return await waiting.result(task, _left(deadline))
    except Deadline:
        raise Deadline(f"the job {job.handle} has not ended in time; ask again, or see `fleet jobs show`") from None
    except JobFailed as failure:
        raise await job._end_of(failure) from None


async def picture(job: OwnJob, timeout: float | None = None) -> Picture:
    """What the job's worker returned, which is a picture; waits for it, `timeout` seconds at most.

    Raises:
        BadImage: the source could not be processed; `reason` says of which kind the trouble is.
        JobFailed, ...: as `result`.
    """
    from fleet.client import images

    try:
        return images.opened(await result(job, timeout))[1]
    except JobFailed as failure:
        raise images.understood(failure) from None


async def status(job: OwnJob, timeout: float | None = None) -> JobInfo:
    """What is known of the job now. Raises as `result` does, but for how the job ended."""
    named = {"handle": job.handle} if job.handle else job._named
    deadline = job._client._deadline(timeout)
    task = await job._ask(kept.JOBS, json.dumps({"do": "show", **named}).encode(), deadline)
    assert job.server is not None
    info = JobInfo.of(job.server, json.loads(await waiting.result(task, _left(deadline))))
    job.handle = info.handle
    return info


async def cancel(job: OwnJob, timeout: float | None = None) -> bool:
    """End the job unless it has ended; returns whether it had not. Raises as `status` does."""
    info = await status(job, timeout)
    return await changing(job._client, info.server, "cancel", [info.handle], timeout) > 0


async def workload(job: OwnJob, timeout: float | None = None) -> bytes:
    """What a job in the dead letter was given. Raises as `status` does, and ServerRefused if it is not there."""
    deadline = job._client._deadline(timeout)
    server = (await status(job, timeout)).server
    request = json.dumps({"do": "workload", "handle": job.handle}).encode()
    task = await asked(job._client, server, kept.DEAD, request, deadline)
    return await waiting.result(task, _left(deadline))


class KeptJob(OwnJob):
    """One job, named by its handle, or by its function and unique. Made by `Client.job`."""

    result = waiting.blocking(result)
    picture = waiting.blocking(picture)
    status = waiting.blocking(status)
    cancel = waiting.blocking(cancel)
    workload = waiting.blocking(workload)


class AsyncKeptJob(OwnJob):
    """One job, named by its handle, or by its function and unique, to await. Made by `AsyncClient.job`."""

    result = result
    picture = picture
    status = status
    cancel = cancel
    workload = workload


async def each_listed(
    client: AnyShell, /, server: Address, where: Literal["jobs", "dead"], timeout: float | None = None, **filters: Any
) -> AsyncGenerator[JobInfo, None]:
    """The jobs at one server, in their order, asked for page by page; `timeout` (seconds) is for each page.

    Args:
        filters: function, and older (seconds since its submit, or since it died).
    """
    after = 0
    while True:
        request = {"do": "list", "after": after, **{name: value for name, value in filters.items() if value}}
        answer = await _answer(client, server, f"fleet.{where}", request, timeout)
        for told in answer["jobs"]:
            yield JobInfo.of(server, told)
        after = answer["next"]
        if not after:
            return


async def changing(
    client: AnyShell, server: Address, what: Change, handles: Iterable[str], timeout: float | None = None
) -> int:
    """Cancel, retry or purge jobs at one server; returns how many there were. `timeout` is for each thousand."""
    function, counted = CHANGES[what]
    rest = iter(handles)
    changed = 0
    while some := list(islice(rest, kept.AT_ONCE_MOST)):
        changed += (await _answer(client, server, function, {"do": what, "handles": some}, timeout))[counted]
    return changed


async def backing_up(client: AnyShell, server: Address, timeout: float | None = None) -> tuple[str, int]:
    """Have one server copy its store; returns the copy's path on its machine, and its bytes. Raises as `asked`."""
    answer = await _answer(client, server, kept.JOBS, {"do": "backup"}, timeout)
    return answer["path"], answer["bytes"]


async def _answer(
    client: AnyShell, server: Address, function: str, request: dict[str, Any], timeout: float | None
) -> Any:
    deadline = client._deadline(timeout)
    task = await asked(client, server, function, json.dumps(request).encode(), deadline)
    return json.loads(await waiting.result(task, _left(deadline)))


# For whoever has a `Client`, as the commands have.
listed = waiting.blocking_each(each_listed)
change = waiting.blocking(changing)
back_up = waiting.blocking(backing_up)


async def asked(client: AnyShell, server: Address, function: str, question: bytes, deadline: float) -> OwnTask:
    """A question to one server, which has taken it.

    Raises:
        NoStore: that server keeps nothing, or is of another kind than ours.
        ServerRefused: see its code.
        NoServer, Deadline: it does not answer.
    """
    task = await client._submit(OwnTask, function, (question,), timeout=_left(deadline), server=server)
    _check(task, question.decode("utf-8", "surrogateescape") if function == kept.RESULT else f"{function}:")
    return task


async def submit_on_terms(
    client: Shell[TaskKind, Any, Any, Any],
    order: dict[str, Any],
    data: Data,
    unique: str | bytes | None,
    timeout: float | None,
) -> TaskKind:
    """Submit a background job of which more is to be said than a packet can hold. Raises as `Client.submit` does."""
    deadline, function = client._deadline(timeout), as_sent(order["function"])
    parts = (json.dumps(order).encode() + b"\n", data)
    task = await client._submit(OwnTask, kept.SUBMIT, parts, unique, timeout=timeout)
    _check(task, f"{kept.SUBMIT}:")
    handle = await waiting.result(task, _left(deadline))
    submitted = client._task_kind()(function, (), task.unique, order["priority"], True)
    submitted._client, submitted._home, submitted.server = task._client, task._home, task.server
    submitted.created(handle)
    return submitted


def _check(task: OwnTask, handle: str) -> None:
    """A question was taken as one, and not as a job. The handles of its answers begin with `handle`."""
    if not (task.handle and task.handle.startswith(handle)):
        task.given_up = True
        raise NoStore(kept.NO_STORE, f"{task.server} is a job server of another kind, which keeps no jobs")


def _home(handle: str) -> str:
    """What a handle says of its server, ``H:host``. Servers of one host may share it."""
    return handle.rpartition(":")[0]


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
