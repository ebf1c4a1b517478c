"""What people call of a client, written once, as coroutines: `Client` blocks in them, `AsyncClient` awaits them.

What they need of pictures, or of kept jobs, is loaded when they are called.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from fleet.client import waiting
from fleet.client.routing import CONTENT, content_key
from fleet.client.shell import AnyShell, JobKind, PictureKind, Shell, TaskKind, ThumbsKind
from fleet.client.task import Priority
from fleet.client.terms import AT_ONCE, Terms
from fleet.errors import ServerRefused, UsageError
from fleet.protocol import Data, payload

if TYPE_CHECKING:
    from datetime import datetime
    from types import EllipsisType

    from fleet.client.images import Size, Source
    from fleet.client.kept import JobInfo

Workload = Data | str
OF_LATER: Final = frozenset({"attempts", "ttl", "at", "delay"})  # and no options of a picture


async def submit(
    client: Shell[TaskKind, Any, Any, Any],
    function: str,
    workload: Workload = b"",
    *,
    unique: str | bytes | None = None,
    priority: Priority = "normal",
    background: bool = False,
    at: datetime | float | None = None,
    delay: float | None = None,
    ttl: float | None = None,
    attempts: int | None = None,
    schedule: str | None = None,
    reducer: str = "",
    timeout: float | None = None,
) -> TaskKind:
    """Hand a job to a job server and return once it has it.

    Args:
        function: what is to be done; 1 to 512 bytes in UTF-8, no NUL.
        workload: what it is to be done with; text is sent as UTF-8.
        unique: jobs of one function with equal uniques are one job while it lives. None: never; ``"content"``:
            those with equal workloads are, and a job server that caches the function's results answers the next
            of them at once. The digest is made here, so that it also says which of several servers has that
            result; the protocol's ``"-"`` has the server make it, and all such jobs of a function go to one.
        priority: ``high`` jobs go before ``normal`` before ``low`` ones, over all functions.
        background: nobody waits; the task has no result, but see `job`.
        at, delay: of a background job: it begins not before this moment (seconds since 1970), or so many seconds
            from now.
        ttl, attempts: of a background job, at a job server with a store: it expires if it has not begun after so
            many seconds, and is given up after so many failures.
        schedule: of a background job: it comes again and again, until it is cancelled: five fields as in cron's
            table, ``"minute hour mday month wday"``, in UTC; but weekdays are Gearman's, 0 is Monday.
        reducer: the function for the parts that a worker splits the job into, which it is told: `job.reducer`.
        timeout: seconds for a server to accept it.

    Raises:
        NoServer: none of the servers answered; the text says which were tried.
        QueueFull: try again later.
        NoStore: ttl or attempts are given, and the job server keeps no jobs.
        UsageError: the workload is neither bytes nor text, it or a name is too large, or the arguments make no
            sense together.
    """
    data = payload(workload, "a workload")
    unique = content_key(data) if unique == CONTENT else unique
    terms = Terms.of(time.time(), at, delay, ttl, attempts, schedule)
    if reducer and (terms != AT_ONCE or priority != "normal"):
        raise UsageError("the protocol has no word for a job with a reducer and a time or a priority of its own")
    if terms == AT_ONCE:
        kind = client._task_kind()
        return await client._submit(kind, function, (data,), unique, priority, background, timeout, reducer=reducer)
    if not background:
        raise UsageError("at, delay, ttl, attempts and schedule are for background jobs; add background=True")
    try:
        return await _submit_on(terms, client, function, data, unique, priority, timeout)
    except ServerRefused as refused:
        if terms.schedule and refused.code == "INVALID_ARGUMENT":
            raise UsageError(f"schedule {terms.schedule!r} makes no sense: {refused.reason}") from refused
        raise


async def _submit_on(
    terms: Terms,
    client: Shell[TaskKind, Any, Any, Any],
    function: str,
    data: Data,
    unique: str | bytes | None,
    priority: Priority,
    timeout: float | None,
) -> TaskKind:
    from fleet.client.kept import submit_on_terms

    if terms.fits_a_packet and priority == "normal":
        kind = client._task_kind()
        return await client._submit(kind, function, (data,), unique, priority, True, timeout, terms=terms)
    said = {name: value for name, value in asdict(terms).items() if value}
    return await submit_on_terms(client, {"function": function, "priority": priority, **said}, data, unique, timeout)


async def run(
    client: AnyShell, /, function: str, workload: Workload = b"", *, timeout: float | None = None, **how: Any
) -> bytes:
    """`submit` and wait for the result; `timeout` (seconds) is for both. Raises as both do."""
    deadline = client._deadline(timeout)
    task: waiting.OwnTask = await submit(client, function, workload, timeout=timeout, **how)
    try:
        return await waiting.result(task, max(0.0, deadline - time.monotonic()))
    finally:
        task.given_up = True


async def resize(
    client: Shell[Any, PictureKind, Any, Any],
    /,
    source: Source,
    width: int | EllipsisType | None = ...,
    height: int | EllipsisType | None = ...,
    *,
    preset: str | None = None,
    facts: bool = True,
    function: str = "resize",
    timeout: float | None = None,
    **options: Any,
) -> PictureKind:
    """Submit a picture to be made smaller; its `result` is a `Picture`, which is bytes that know what they are.

    Args:
        source: a picture's bytes, the path of a file, or an open binary file, which is read to its end.
        width, height: pixels; None, or to give only the other, leaves that side free. 200x150 if neither is given.
        options: the others of `fleet.images.Spec`: fit, format, quality, gravity, blur, max_bytes, ...
        preset: a name from the pool's settings, which then has all the options but `accept`.
        facts: whether the picture is to have its `facts`; without, and without options, the workload is the
            picture's bytes and nothing else, which any worker of that name understands.
        function: which function of the pool does it.
        timeout: seconds for a server to accept it.

    Raises:
        UsageError: the options make no sense (`BadSpec`), or the file cannot be read.
        BadImage: the picture is too large to send.
        NoServer, QueueFull: as `submit`.
    """
    if options.get("background") is True or options.keys() & OF_LATER:
        raise UsageError(
            "a picture that nobody waits for is made by resize_later, which takes attempts, ttl, at and delay"
        )
    options = {"width": width, "height": height, **options}
    function, workload = await _smaller(client, source, function, preset, facts, options)
    return await client._submit(client._picture_kind(), function, workload, timeout=timeout)


async def resize_later(
    client: Shell[TaskKind, Any, Any, Any],
    /,
    source: Source,
    width: int | EllipsisType | None = ...,
    height: int | EllipsisType | None = ...,
    *,
    preset: str | None = None,
    facts: bool = False,
    function: str = "resize",
    unique: str | bytes | None = None,
    priority: Priority = "normal",
    at: datetime | float | None = None,
    delay: float | None = None,
    ttl: float | None = None,
    attempts: int | None = None,
    timeout: float | None = None,
    **options: Any,
) -> TaskKind:
    """As `resize`, in the background: at a job server with a store the job outlives this process, and the server's.

    ``client.job(task.handle).picture()`` is the `Picture`, here or in another process, once it is made.

    Args:
        source, width, height, options, preset, function: as `resize`.
        facts: whether the picture is to have its `facts`; they stand before it in the result, which whoever asks for
            the bytes gets with them.
        unique, priority, at, delay, ttl, attempts, timeout: as `submit`.

    Raises: as `resize` and `submit`.
    """
    options = {"width": width, "height": height, **options}
    function, workload = await _smaller(client, source, function, preset, facts, options)
    return await submit(
        client,
        function,
        b"".join(workload),
        unique=unique,
        priority=priority,
        background=True,
        at=at,
        delay=delay,
        ttl=ttl,
        attempts=attempts,
        timeout=timeout,
    )


async def _smaller(
    client: AnyShell, source: Source, function: str, preset: str | None, facts: bool, options: dict[str, Any]
) -> tuple[str, tuple[Data, ...]]:
    """Which function makes a picture smaller, and of what workload. Raises as `resize`."""
    from fleet.client.images import packed, packed_for_preset

    source, most = await client._loaded(source), client.limits.packet_bytes
    if not preset:
        return function, packed(source, options, facts, most)
    given = {name: value for name, value in options.items() if value is not ...}
    return f"thumb.{preset}", packed_for_preset(source, given, facts, most)  # which the pool refuses


async def thumbnails(
    client: Shell[Any, Any, ThumbsKind, Any],
    source: Source,
    sizes: Mapping[str, Size],
    *,
    function: str = "thumbnails",
    timeout: float | None = None,
) -> ThumbsKind:
    """Submit one picture to be made into several, of one upload and one decoding.

    Args:
        source: as `resize`.
        sizes: for each name a `Spec`, its options in a mapping, or the name of one of the pool's presets.
        function: which function of the pool does it.
        timeout: seconds for a server to accept it.

    Raises: as `resize`.
    """
    from fleet.client.images import packed_for_many

    workload = packed_for_many(await client._loaded(source), sizes, client.limits.packet_bytes)
    task: waiting.OwnTask = await client._submit(client._task_kind(), function, workload, timeout=timeout)
    return client._thumbs_kind()(task, tuple(sizes), client.timeout_s)


def job(
    client: Shell[Any, Any, Any, JobKind],
    handle: str | None = None,
    *,
    function: str | None = None,
    unique: str | None = None,
) -> JobKind:
    """A job that was submitted before, by this process or another; named by its handle, or by the other two.

    Nothing is asked before its `result` or `status` is. Raises UsageError if it is not named.
    """
    return client._job_kind()(client, handle, function, unique)


async def jobs(client: AnyShell, *, function: str | None = None, older: int = 0) -> AsyncGenerator[JobInfo, None]:
    """The background jobs that have not ended, of all servers.

    Args:
        function: only those of this function.
        older: only those that were submitted so many seconds ago.

    Raises:
        NoServer, Deadline, NoStore: one of the servers does not answer, or keeps nothing.
    """
    from fleet.client.kept import each_listed

    for server in client.servers:
        async for info in each_listed(client, server, "jobs", function=function, older=older):
            yield info


async def dead(client: AnyShell, *, function: str | None = None, older: int = 0) -> AsyncGenerator[JobInfo, None]:
    """The jobs in the dead letter; as `jobs`, but `older` is since they died."""
    from fleet.client.kept import each_listed

    for server in client.servers:
        async for info in each_listed(client, server, "dead", function=function, older=older):
            yield info
