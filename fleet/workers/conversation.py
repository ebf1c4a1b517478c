"""A worker's side of one connection to a job server: what to send, and what came, as values.

Rule 1: no I/O and no clock; bytes to send gather in `outbox`. Rule 2: an ERROR is told and never fatal: a server
answers a late result with one, and the next job is as good as any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from fleet.protocol import REQ, RES, Data, Decoder, Packet, encode, encode_head, packets
from fleet.protocol.decoder import Allocate
from fleet.workers.late import Answer


class Assigned(NamedTuple):
    """A job that is now this worker's."""

    handle: bytes
    function: bytes
    unique: bytes
    workload: Data
    reducer: bytes = b""  # the function that the client named for the parts


class Cancelled(NamedTuple):
    """Nobody wants the result of this job any more. Only a job server of ours says so, and only to workers of ours."""

    handle: bytes


class Refused(NamedTuple):
    """The server did not like something that was sent."""

    code: str
    text: str


class Told(Enum):
    NO_JOB = "there is nothing to do"
    NOOP = "there may be something to do: grab"
    OURS = "this job server is one of ours"
    NOT_OURS = "it is not"
    OTHER_GRAB = "the server does not know this grab: grab again, which is then done in its way"


Event = Assigned | Cancelled | Refused | Told
UNKNOWN_OPTION: Final = "UNKNOWN_OPTION"
PERLS_REFUSAL: Final = "server_error"  # what the Perl server answers to a type that it does not know


class Conversation:
    """One connection.

    Args:
        packet_bytes: what a server may send in one packet.
        allocate: where large workloads are received, see `Decoder`.
    """

    def __init__(self, packet_bytes: int, allocate: Allocate | None = None) -> None:
        self.outbox: list[Data] = []
        self.decoder = Decoder(RES, body_bytes=packet_bytes, allocate=allocate)
        self.ours = False  # the server has said that it is one of ours
        self._asks = False  # whether it is
        self._reducers = False  # jobs are to come with theirs
        # geard answers no other grab, and the Perl server does not know this one.
        self._grab = packets.GRAB_JOB_UNIQ

    def introduce(
        self, client_id: str, functions: Iterable[tuple[str, int]], *, pool: bool = False, reducers: bool = False
    ) -> None:
        """Say who this is and what it can do: names, and what a job may take in milliseconds, 0 for no limit.

        Args:
            pool: it understands Cancelled, as all workers of ours do; the server answers this with OURS, NOT_OURS, or
                not at all.
            reducers: it wants to know them: once the server has answered the above, jobs come with theirs.
        """
        self._asks, self._reducers = pool, reducers
        if pool:
            self._send(packets.OPTION_REQ, packets.POOL)
        if client_id:
            self._send(packets.SET_CLIENT_ID, client_id.encode())
        for name, timeout_ms in functions:
            if timeout_ms:
                self._send(packets.CAN_DO_TIMEOUT, name.encode(), b"%d" % timeout_ms)
            else:
                self._send(packets.CAN_DO, name.encode())

    def grab(self) -> None:
        """Ask for a job; the answer is Assigned, NO_JOB, or once OTHER_GRAB."""
        self._send(self._grab)

    def sleep(self) -> None:
        """Wait for a NOOP."""
        self._send(packets.PRE_SLEEP)

    def resume(self, handle: bytes) -> None:
        """Say that this worker is still at a job that it got on an earlier connection. Only for a server of ours.

        It answers Cancelled if somebody else has the job, or it has ended.
        """
        self.status(handle, 0, 0)

    def complete(self, handle: bytes, result: Data) -> None:
        self._send_data(packets.WORK_COMPLETE, handle, result)

    def end(self, answer: Answer) -> None:
        """How the job ended."""
        if answer.error is None:
            self.complete(answer.handle, answer.result)
        elif answer.error:
            self.exception(answer.handle, answer.error)
        else:
            self.fail(answer.handle)

    def fail(self, handle: bytes) -> None:
        self._send(packets.WORK_FAIL, handle)

    def exception(self, handle: bytes, text: str) -> None:
        """The job failed, and why. Final, but for the Perl server, where a WORK_FAIL has to follow."""
        self._send_data(packets.WORK_EXCEPTION, handle, text.encode("utf-8", "replace"))
        if self._grab == packets.GRAB_JOB:
            self.fail(handle)

    def data(self, handle: bytes, data: Data) -> None:
        self._send_data(packets.WORK_DATA, handle, data)

    def warning(self, handle: bytes, data: Data) -> None:
        self._send_data(packets.WORK_WARNING, handle, data)

    def status(self, handle: bytes, numerator: int, denominator: int) -> None:
        self._send(packets.WORK_STATUS, handle, b"%d" % numerator, b"%d" % denominator)

    def feed(self, data: Data) -> Iterator[Event]:
        """What the bytes that were received mean. Raises ProtocolError where the stream breaks."""
        return filter(None, map(self._event, self.decoder.feed(data)))

    def filled(self, count: int) -> Iterator[Event]:
        """As `feed`, for bytes that were received into the decoder's room."""
        return filter(None, map(self._event, self.decoder.filled(count)))

    def _send(self, kind: int, *args: bytes) -> None:
        self.outbox.append(encode(REQ, kind, *args))

    def _send_data(self, kind: int, handle: bytes, data: Data) -> None:
        self.outbox.append(encode_head(REQ, kind, handle, data_bytes=len(data)))
        if data:
            self.outbox.append(data)

    def _event(self, packet: Packet) -> Event | None:
        event = _event(packet)
        if event is Told.OURS:
            self.ours = True
            self._is_asked()
        if self._asks and isinstance(event, Refused) and event.code.upper() == UNKNOWN_OPTION:
            self._is_asked()
            return Told.NOT_OURS
        if isinstance(event, Refused) and event.code == PERLS_REFUSAL and self._grab != packets.GRAB_JOB:
            self._grab = packets.GRAB_JOB
            return Told.OTHER_GRAB
        return event

    def _is_asked(self) -> None:
        """It has answered what it was asked, and so knows as much as gearmand does, of reducers, too."""
        self._asks = False
        if self._reducers:
            self._grab = packets.GRAB_JOB_ALL


def _event(packet: Packet) -> Event | None:
    kind, args = packet
    if kind == packets.JOB_ASSIGN_UNIQ:
        handle, function, unique, workload = args
        return Assigned(bytes(handle), bytes(function), bytes(unique), workload)
    if kind == packets.JOB_ASSIGN_ALL:
        handle, function, unique, reducer, workload = args
        return Assigned(bytes(handle), bytes(function), bytes(unique), workload, bytes(reducer))
    if kind == packets.JOB_ASSIGN:
        handle, function, workload = args
        return Assigned(bytes(handle), bytes(function), b"", workload)
    if kind == packets.NO_JOB:
        return Told.NO_JOB
    if kind == packets.NOOP:
        return Told.NOOP
    if kind == packets.OPTION_RES:
        return Told.OURS  # no other option is asked for
    if kind == packets.WORK_FAIL:
        return Cancelled(bytes(args[0]))
    if kind == packets.ERROR:
        code, text = (bytes(arg).decode("utf-8", "replace") for arg in args)
        return Refused(code, text)
    return None
