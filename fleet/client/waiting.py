"""Tasks to wait for, in a thread or in an event loop: what waits is a coroutine, and is written once.

Rule 1: a coroutine of the SDK waits by its client's `_wait_for` and by nothing else. For an `AsyncClient` that suspends
it; for a `Client` it blocks, so that `finished` gets the result in one step. Rule 2: no asyncio here: the commands load
this, and have no use for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from fleet.client.task import Status, StatusRequest, TaskState
from fleet.errors import UsageError

if TYPE_CHECKING:
    from fleet.client.shell import AnyShell

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class HasResult(Protocol[R_co]):
    def result(self, timeout: float | None = None, /) -> Coroutine[Any, Any, R_co]: ...


class HasStream(Protocol[R_co]):
    def stream(self, timeout: float | None = None, /) -> AsyncGenerator[R_co, None]: ...


def finished(call: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that blocks where others are suspended."""
    try:
        call.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a call that should have blocked was suspended")


def blocking(call: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """The same call for whoever waits in a thread."""

    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return finished(call(self, *args, **kwargs))

    return _named_as(call, run)


def blocking_each(
    each: Callable[Concatenate[S, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[S, P], Iterator[T]]:
    """The same iteration for whoever waits in a thread."""

    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        found = each(self, *args, **kwargs)
        try:
            while True:
                yield finished(found.__anext__())
        except StopAsyncIteration:
            return
        finally:
            finished(found.aclose())

    return _named_as(each, run)


class Submitted(Coroutine[Any, Any, T_co]):
    """A submit to be awaited; or, as one has it of a blocking client, what it leads to: ``await submit().result()``."""

    def __init__(self, submit: Coroutine[Any, Any, T_co]) -> None:
        self._submit = submit

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._submit.__await__()

    def send(self, value: Any) -> Any:
        return self._submit.send(value)

    def throw(self, *error: Any) -> Any:
        return self._submit.throw(*error)

    def close(self) -> None:
        self._submit.close()

    async def result(self: Submitted[HasResult[R]], timeout: float | None = None) -> R:
        """That of the task, which `timeout` (seconds) is for."""
        return await (await self).result(timeout)

    async def stream(self: Submitted[HasStream[R]], timeout: float | None = None) -> AsyncGenerator[R, None]:
        """That of the task, which `timeout` (seconds) is for."""
        async for part in (await self).stream(timeout):
            yield part

    def __aiter__(self: Submitted[HasStream[R]]) -> AsyncIterator[R]:
        return self.stream()


def submitting(call: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], Submitted[T]]:
    """The same call for whoever awaits it, or what comes of it."""

    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Submitted[T]:
        return Submitted(call(self, *args, **kwargs))

    return _named_as(call, run)


def _named_as(call: Callable[..., Any], run: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    wraps(call)(run)
    return run


class OwnTask(TaskState):
    """A task that belongs to a client, and may be waited for where it was submitted."""

    _client: AnyShell
    _home: object  # where the client was


async def result(task: OwnTask, timeout: float | None = None) -> bytes:
    """What the worker returned: all its WORK_DATA that was not streamed, and its final data, in one.

    Args:
        timeout: seconds to wait at most; None for the client's own.

    Raises:
        JobFailed: the worker function failed; the text is its exception's.
        Deadline: nothing came in time. The job goes on; ask again if you like.
        NoServer: the job server went away, and none came back.
        TooMuchUnread: more came than is kept until somebody reads it.
        UsageError: it is a background task, which sends no result.
    """
    if task.background:
        raise UsageError("a background task sends no result; use status(), or submit it in the foreground")
    await task._client._wait_for(task, timeout, lambda: task.done)
    if task.error:
        raise task.error
    assert task.completed_with is not None
    return b"".join((*task.chunks, task.completed_with)) if task.chunks else task.completed_with


async def stream(task: OwnTask, timeout: float | None = None) -> AsyncGenerator[bytes, None]:
    """Each WORK_DATA as it arrives, and the final data last, if there is any. Raises as `result` does.

    `timeout` is for each wait, in seconds.
    """
    while (part := await next_part(task, timeout)) is not None:
        yield part


async def next_part(task: OwnTask, timeout: float | None) -> bytes | None:
    """The next of what `stream` gives; None when all was given."""
    await task._client._wait_for(task, timeout, lambda: task.done or bool(task.chunks))
    if task.chunks:
        return task.read()
    if task.error:
        raise task.error
    last, task.completed_with = task.completed_with, b""
    return last or None


async def status(task: OwnTask, timeout: float | None = None) -> Status:
    """Ask the job server where the job is. A job that ended, or never was, is not `known`."""
    if task.handle is None or task.server is None:
        raise UsageError("the task has no handle yet")
    request = StatusRequest(task.handle.encode("utf-8", "surrogateescape"))
    task._client._ask_status(task.server, request)
    await task._client._wait_for(task, timeout, lambda: request.done)
    if request.error:
        raise request.error
    assert request.status is not None
    return request.status


class Task(OwnTask):
    """A submitted job, to wait for. Made by `Client.submit`. To go through it is to `stream` it."""

    result = blocking(result)
    stream = blocking_each(stream)
    status = blocking(status)

    def __iter__(self) -> Iterator[bytes]:
        return self.stream()


class AsyncTask(OwnTask):
    """A submitted job, to await. Made by `AsyncClient.submit`. To go through it is to `stream` it.

    A wait that is cancelled leaves the job as it is; it can be waited for again.
    """

    result = result
    stream = stream
    status = status

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.stream()
