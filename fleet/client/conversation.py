"""The client's side of one connection to a job server: what to send, and what the answers mean for the tasks.

Rule 1: no I/O and no clock; bytes go to `outbox` and come in through `feed`. Rule 2: JOB_CREATED, ERROR, STATUS_RES
and OPTION_RES answer requests in the order these were sent, so `_awaiting` is a queue and the order is everything.
Rule 3: a packet for a task that is not here is dropped; an answer to what was not asked is the server's mistake, and
the request it took the place of is still awaited when that is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, TypeVar

from fleet.client.task import Status, StatusRequest, TaskState, count
from fleet.errors import JobFailed, NoStore, ProtocolError, QueueFull, ServerRefused
from fleet.protocol import REQ, RES, Data, Decoder, Packet, encode, encode_head, kept, packets

SUBMITS = {
    ("high", False): packets.SUBMIT_JOB_HIGH,
    ("normal", False): packets.SUBMIT_JOB,
    ("low", False): packets.SUBMIT_JOB_LOW,
    ("high", True): packets.SUBMIT_JOB_HIGH_BG,
    ("normal", True): packets.SUBMIT_JOB_BG,
    ("low", True): packets.SUBMIT_JOB_LOW_BG,
}
REDUCES = {False: packets.SUBMIT_REDUCE_JOB, True: packets.SUBMIT_REDUCE_JOB_BACKGROUND}

Request = TypeVar("Request", TaskState, StatusRequest)


class _Option:
    """The request for exceptions. geard never answers it, so nothing may wait behind it."""


class Conversation:
    """One connection. `packet_bytes` limits what a server may send in one packet."""

    def __init__(self, packet_bytes: int) -> None:
        self.outbox: deque[Data] = deque()
        self.decoder = Decoder(RES, body_bytes=packet_bytes)
        self._awaiting: deque[TaskState | StatusRequest | _Option] = deque()
        # Several tasks have one handle when their submits coalesced; the server then sends each packet as often.
        self._tasks: dict[bytes, deque[TaskState]] = {}
        self.outbox.append(encode(REQ, packets.OPTION_REQ, b"exceptions"))
        self._awaiting.append(_Option())

    @property
    def idle(self) -> bool:
        """Nothing is owed by either side."""
        return not self.outbox and not self._tasks and not any(not isinstance(a, _Option) for a in self._awaiting)

    def tasks(self) -> list[TaskState]:
        """All tasks that were submitted here and have not ended, oldest first."""
        waiting = [request for request in self._awaiting if isinstance(request, TaskState)]
        return [task for tasks in self._tasks.values() for task in tasks] + waiting

    def status_requests(self) -> list[StatusRequest]:
        return [request for request in self._awaiting if isinstance(request, StatusRequest)]

    def submit(self, task: TaskState) -> None:
        names, terms = (task.function, task.unique), task.terms
        size = sum(map(len, task.workload))
        if terms.schedule:
            fields = terms.schedule.encode().split(b" ")
            head = encode_head(REQ, packets.SUBMIT_JOB_SCHED, *names, *fields, data_bytes=size)
        elif terms.at:
            head = encode_head(REQ, packets.SUBMIT_JOB_EPOCH, *names, b"%d" % terms.at, data_bytes=size)
        elif task.reducer:
            head = encode_head(REQ, REDUCES[task.background], *names, task.reducer, b"", data_bytes=size)
        else:
            head = encode_head(REQ, SUBMITS[task.priority, task.background], *names, data_bytes=size)
        self.outbox.append(head)
        self.outbox.extend(part for part in task.workload if part)
        self._awaiting.append(task)

    def ask_status(self, request: StatusRequest) -> None:
        self.outbox.append(encode(REQ, packets.GET_STATUS, request.handle))
        self._awaiting.append(request)

    def feed(self, data: Data) -> None:
        """Bytes that were received anywhere.

        Raises:
            ProtocolError: the server broke the protocol; this conversation is over.
        """
        self._handle(self.decoder.feed(data))

    def filled(self, count: int) -> None:
        """Bytes that were received into the decoder's room; raises as `feed` does."""
        self._handle(self.decoder.filled(count))

    def _handle(self, arrived: Iterator[Packet]) -> None:
        for kind, args in arrived:
            if kind == packets.JOB_CREATED:
                self._created(bytes(args[0]))
            elif kind in (packets.STATUS_RES, packets.ERROR, packets.OPTION_RES):
                self._answered(kind, args)
            elif kind in _WORK:
                self._work(kind, args)

    def _oldest(self) -> TaskState | StatusRequest | None:
        """The request that an answer is due for, past an option that was passed over in silence."""
        while self._awaiting:
            request = self._awaiting[0]
            if not isinstance(request, _Option):
                return request
            self._awaiting.popleft()
        return None

    def _due(self, kind: type[Request]) -> Request | None:
        """The oldest request, which must be one of this kind. Raises ProtocolError."""
        request = self._oldest()
        if request is None or isinstance(request, kind):
            return request
        raise ProtocolError("it answered what it was not asked")

    def _created(self, handle: bytes) -> None:
        if task := self._due(TaskState):
            self._awaiting.popleft()
            task.created(handle)
            if not task.background:
                self._tasks.setdefault(handle, deque()).append(task)

    def _answered(self, kind: int, args: tuple[Data, ...]) -> None:
        if kind == packets.OPTION_RES or (kind == packets.ERROR and args[0] == b"UNKNOWN_OPTION"):
            if self._awaiting and isinstance(self._awaiting[0], _Option):
                self._awaiting.popleft()
            return
        if kind == packets.STATUS_RES:
            if asked := self._due(StatusRequest):
                asked.answered(_status(args[1:]))
                self._awaiting.popleft()
        elif request := self._oldest():
            self._awaiting.popleft()
            request.failed(_refusal(*args))

    def _work(self, kind: int, args: tuple[Data, ...]) -> None:
        handle = bytes(args[0])
        tasks = self._tasks.get(handle)
        if not tasks:
            return
        task = tasks[0]
        if kind in (packets.WORK_COMPLETE, packets.WORK_FAIL, packets.WORK_EXCEPTION):
            tasks.popleft()
            if not tasks:
                del self._tasks[handle]
        else:
            tasks.rotate(-1)  # the next copy is for the next task
        _WORK[kind](task, args)


def _status(args: tuple[Data, ...]) -> Status:
    numbers = [count(bytes(arg) or b"0") for arg in args]
    known, running, numerator, denominator = numbers
    if known is None or running is None or numerator is None or denominator is None:
        raise ProtocolError("a STATUS_RES has numbers that are none")
    return Status(bool(known), bool(running), numerator, denominator)


_REFUSALS: Final[dict[str, type[ServerRefused]]] = {"QUEUE_ERROR": QueueFull, kept.NO_STORE: NoStore}


def _refusal(code: Data, text: Data) -> ServerRefused:
    code_text, reason = bytes(code).decode("utf-8", "replace"), bytes(text).decode("utf-8", "replace")
    return _REFUSALS.get(code_text, ServerRefused)(code_text, reason)


def _exception(task: TaskState, args: tuple[Data, ...]) -> None:
    text = _thawed(bytes(args[1])).decode("utf-8", "replace").strip()
    task.failed(JobFailed(text or "the worker function raised an exception without a text"))


def _thawed(data: bytes) -> bytes:
    """The text of an exception. Perl's workers freeze theirs with Storable: a version, a type, a length, the text."""
    if data[:1] == _STORABLE:
        return data[_FROZEN_HEAD_BYTES.get(data[2:3], 0) :]
    return data


_STORABLE: Final = b"\x05"  # the first byte of its network order, and of no text
_FROZEN_HEAD_BYTES: Final = {b"\x0a": 4, b"\x17": 4, b"\x01": 7, b"\x18": 7}  # short and long, as bytes and as UTF-8


_WORK = {
    packets.WORK_DATA: lambda task, args: task.data_arrived(bytes(args[1])),
    packets.WORK_WARNING: lambda task, args: task.warned(bytes(args[1])),
    packets.WORK_STATUS: lambda task, args: task.progressed(bytes(args[1]), bytes(args[2])),
    packets.WORK_COMPLETE: lambda task, args: task.completed(bytes(args[1])),
    packets.WORK_FAIL: lambda task, args: task.failed(JobFailed()),
    packets.WORK_EXCEPTION: _exception,
}
