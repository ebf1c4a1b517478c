"""One Gearman connection at the job server: packets and text lines in, broker calls, packets and text out.

Rule 1: a request is answered before the next one is read, because clients match answers to requests by order.
Rule 2: no I/O; bytes to send gather in `outbox`, and the session puts itself on the hub's `dirty` list. Rule 3: a bad
request gets an ERROR packet and the connection lives on; broken framing, and what only a server may say, ends it.
Rule 4: eight bytes of text may ask for a whole table, so who asks for many gets them by turns with all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

from fleet.errors import ProtocolError
from fleet.jobserver import text
from fleet.jobserver.handles import HANDLE_BYTES
from fleet.jobserver.job import HIGH, LOW, NORMAL, Job
from fleet.jobserver.memory import unfilled
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.schedule import Schedule
from fleet.jobserver.wire import Hub, Wire
from fleet.protocol import RES, SHAPES, TEXT, Data, Decoder, Packet, admin, encode, packets
from fleet.protocol.packets import HEADER, REQ

JOIN_BYTES: Final = 16 * 1024  # data longer than this is not joined with its header, but sent from where it lies
TURN_BYTES: Final = 64 * 1024  # of answers to text in one turn: a millisecond or two
LINE_BYTES: Final = 256  # what an answer counts for beside its own: asking for nothing takes time, too
EPOCH_MOST: Final = 2**63 - 1

_NUMBER: Final = re.compile(rb"-?[0-9.]{1,20}")  # some workers count in fractions

NO_JOB: Final = encode(RES, packets.NO_JOB)
NOOP: Final = encode(RES, packets.NOOP)
# The headers of JOB_CREATED, by the size of the handle.
CREATED: Final = [HEADER.pack(RES, packets.JOB_CREATED, size) for size in range(HANDLE_BYTES + 1)]

Args = tuple[Any, ...]  # a packet's: all are `bytes` but the last, which is `Data`
Handler = Callable[["Session", Args, int], None]
Assign = Callable[["Session", Job], None]


class _Over(Exception):
    """Nothing more is read from this connection."""


class _Turn(Exception):
    """It had its turn: what else has arrived is taken up after the others had theirs."""


class Session(Wire):
    """The server's end of one Gearman connection. The arguments are those of `Wire`."""

    __slots__ = ("assign", "decoder", "exceptions", "left", "pool", "receiving", "told")

    def __init__(self, hub: Hub, label: str = "-1 -", admin: bool = True) -> None:
        super().__init__(hub, label, admin)
        limits = hub.broker.limits
        self.decoder = Decoder(
            REQ, body_bytes=limits.packet_bytes, line_bytes=limits.line_bytes, allocate=self._allocate
        )
        self.receiving = 0  # bytes of the large packet that is on its way in
        self.exceptions = hub.exceptions  # this client gets WORK_EXCEPTION packets
        self.assign: Assign = _assign  # how it grabbed last, if that was not answered yet
        self.told = 0  # bytes of text that were answered in this turn
        self.left: Iterator[Packet] | None = None  # what has arrived and waits for its turn
        self.pool = False  # this worker is one of ours, and understands what no other does

    # -- what the shell calls ---------------------------------------------------------------------------------

    def feed(self, data: Data, now: int) -> None:
        if self.left is None:
            self._handle(self.decoder.feed(data), now)
            return
        left, self.left = self.left, None
        self._handle(chain(left, self.decoder.feed(bytes(data))), now)

    def room(self) -> memoryview | None:
        return self.decoder.room()

    def filled(self, count: int, now: int) -> None:
        self._handle(self.decoder.filled(count), now)

    @property
    def midway(self) -> bool:
        return self.decoder.midway

    @property
    def full(self) -> bool:
        return self.left is not None

    @property
    def behind(self) -> bool:
        return self.left is not None and not self._blanks

    @property
    def owed(self) -> bool:
        return super().owed or self.left is not None

    def cut(self, code: bytes, text: bytes) -> None:
        if self.decoder.textual:
            self.send_ready(admin.err(code.decode(), text.decode()))
        else:
            self.send(packets.ERROR, code, text)
        super().cut(code, text)

    def lost(self, now: int) -> None:
        self._received()
        super().lost(now)

    def _handle(self, arrived: Iterator[Packet], now: int) -> None:
        if self.closing:
            return
        try:
            for kind, args in arrived:
                if self.receiving:
                    self._received()
                if self.lingering:  # answers keep the order of the requests
                    self.broker.settle(self, now)
                try:
                    HANDLERS[kind](self, args, now)
                except Refusal as refusal:
                    self.send(packets.ERROR, refusal.code, refusal.text)
        except ProtocolError as error:
            self.cut(b"INVALID_PACKET", str(error).encode())
        except _Turn:
            self.left = arrived
        except _Over:
            self.closing = True

    def _allocate(self, size: int) -> bytearray:
        """Room for a large packet, unless all that is on its way in is too much already."""
        hub, limits = self.hub, self.broker.limits
        if hub.receiving_bytes + size > limits.receiving_bytes:
            raise ProtocolError(f"packets of {hub.receiving_bytes} bytes are on their way in already; try again later")
        self.receiving = size
        hub.receiving_bytes += size
        return unfilled(size)

    def _received(self) -> None:
        self.hub.receiving_bytes -= self.receiving
        self.receiving = 0

    # -- what it sends ----------------------------------------------------------------------------------------

    def send(self, kind: int, *args: bytes) -> None:
        self.send_body(kind, b"\0".join(args))

    def send_body(self, kind: int, body: bytes) -> None:
        """A packet whose arguments are joined already, or which has only one."""
        self.outbox.append(HEADER.pack(RES, kind, len(body)) + body)
        self.hub.dirty[self] = None

    def send_data(self, kind: int, before: bytes, data: Data) -> None:
        """A packet whose last argument may be large; `before` are the others, each with the NUL that ends it."""
        head = HEADER.pack(RES, kind, len(before) + len(data)) + before
        if len(data) <= JOIN_BYTES:
            self.outbox.append(head + data)
        else:
            self.outbox += head, data
        self.hub.dirty[self] = None

    def send_ready(self, packet: bytes) -> None:
        """A packet, or lines, as they are."""
        self.outbox.append(packet)
        self.hub.dirty[self] = None

    def created(self, job: Job) -> None:
        """The answer to a submit."""
        if job.pending:
            self.later(job.pending, self._settled)
        else:
            self.send_ready(CREATED[len(job.handle)] + job.handle)

    def _settled(self, handle: bytes | Refusal) -> None:
        if isinstance(handle, Refusal):
            self.guesses += handle.code == b"JOB_NOT_FOUND"
            self.send(packets.ERROR, handle.code, handle.text)
        else:
            self.send(packets.JOB_CREATED, handle)

    def granted(self, job: Job | None) -> None:
        if job:
            self.assign(self, job)
        else:
            self.send_ready(NO_JOB)

    def wake(self) -> None:
        self.send_ready(NOOP)

    def revoke(self, job: Job) -> None:
        if self.pool:
            self.send(packets.WORK_FAIL, job.handle)

    def progress(self, job: Job, numerator: bytes, denominator: bytes) -> None:
        self.send(packets.WORK_STATUS, job.handle, numerator, denominator)

    def news(self, kind: int, job: Job, data: Data) -> None:
        if kind == packets.WORK_EXCEPTION and not self.exceptions:
            kind = packets.WORK_FAIL
        if kind == packets.WORK_FAIL:
            self.send_body(kind, job.handle)  # no NUL behind the handle: libgearman waits for ever otherwise
        else:
            self.send_data(kind, job.handle + b"\0", data)


def _submit(priority: int, background: bool) -> Handler:
    def handler(session: Session, args: Args, now: int) -> None:
        function, unique, workload = args
        job = session.broker.submit(session, function, unique, workload, now, priority=priority, background=background)
        session.created(job)

    return handler


def _submit_epoch(session: Session, args: Args, now: int) -> None:
    function, unique, epoch, workload = args
    digits = epoch.strip()
    epoch_s = int(digits[:20]) if digits.isdigit() else 0  # what is no number has come already, as in gearmand
    if epoch_s > EPOCH_MOST:
        raise Refusal(b"INVALID_ARGUMENT", b"SUBMIT_JOB_EPOCH takes seconds since 1970, in 63 bits")
    job = session.broker.submit(session, function, unique, workload, now, background=True, epoch_s=epoch_s)
    session.created(job)


def _submit_sched(session: Session, args: Args, now: int) -> None:
    function, unique, *fields, workload = args
    schedule = Schedule([field.decode("latin-1") for field in fields])
    job = session.broker.submit(session, function, unique, workload, now, background=True, schedule=schedule)
    session.created(job)


def _submit_reduce(background: bool) -> Handler:
    def handler(session: Session, args: Args, now: int) -> None:
        function, unique, reducer, _, workload = args
        job = session.broker.submit(session, function, unique, workload, now, background=background, reducer=reducer)
        session.created(job)

    return handler


def _can_do(session: Session, args: Args, now: int) -> None:
    session.broker.can_do(session, bytes(args[0]), now)


def _can_do_timeout(session: Session, args: Args, now: int) -> None:
    timeout_ms = bytes(args[1]).strip()
    if not (timeout_ms.lstrip(b"-").isdigit() and len(timeout_ms) <= 20):
        raise Refusal(b"INVALID_ARGUMENT", b"CAN_DO_TIMEOUT takes whole milliseconds")
    ms = int(timeout_ms)
    # At least a second, as in gearmand: clients from before its version 1.1.19 mean seconds when they say 3.
    session.broker.can_do(session, bytes(args[0]), now, max(ms, 1000) * 1_000_000 if ms > 0 else 0)


def _cant_do(session: Session, args: Args, now: int) -> None:
    session.broker.cant_do(session, bytes(args[0]), now)


def _reset_abilities(session: Session, args: Args, now: int) -> None:
    session.broker.reset_abilities(session, now)


def _pre_sleep(session: Session, args: Args, now: int) -> None:
    session.broker.sleep(session, now)


def _grab(assign: Assign) -> Handler:
    def handler(session: Session, args: Args, now: int) -> None:
        if job := session.broker.grab(session, now):
            assign(session, job)
        elif session.broker.linger(session, now):
            session.assign = assign
        else:
            session.send_ready(NO_JOB)

    return handler


def _assign(session: Session, job: Job) -> None:
    session.send_data(packets.JOB_ASSIGN, b"\0".join((job.handle, job.function.name, b"")), job.workload)


def _assign_uniq(session: Session, job: Job) -> None:
    names = b"\0".join((job.handle, job.function.name, job.unique, b""))
    session.send_data(packets.JOB_ASSIGN_UNIQ, names, job.workload)


def _assign_all(session: Session, job: Job) -> None:
    """A job without a reducer goes out as JOB_ASSIGN_UNIQ: libgearman expects no other."""
    if job.reducer:
        names = b"\0".join((job.handle, job.function.name, job.unique, job.reducer, b""))
        session.send_data(packets.JOB_ASSIGN_ALL, names, job.workload)
    else:
        _assign_uniq(session, job)


def _work(kind: int, not_found: bytes) -> Handler:
    def handler(session: Session, args: Args, now: int) -> None:
        handle, data = args
        if not session.broker.work(session, kind, handle, data, now):
            _resume(session, kind, handle, data, now, not_found)

    return handler


def _work_fail(session: Session, args: Args, now: int) -> None:
    handle = bytes(args[0]).rstrip(b"\0")  # some workers end it with a NUL as they do in every other WORK packet
    if not session.broker.work(session, packets.WORK_FAIL, handle, b"", now):
        _resume(session, packets.WORK_FAIL, handle, b"", now, b"Job given in work result not found")


def _work_status(session: Session, args: Args, now: int) -> None:
    handle, numerator, denominator = map(bytes, args)
    if not (_NUMBER.fullmatch(numerator) and _NUMBER.fullmatch(denominator)):
        raise Refusal(b"INVALID_ARGUMENT", b"WORK_STATUS takes numbers of at most 20 digits")
    if not session.broker.progress(session, handle, numerator, denominator):
        _resume(session, packets.WORK_STATUS, handle, b"", now, b"Job given in work result not found")


def _resume(session: Session, kind: int, handle: bytes, data: Data, now: int, not_found: bytes) -> None:
    """A worker told something of a job that it does not have; a pool of ours may have had it before a restart."""
    if not session.pool:
        raise Refusal(b"JOB_NOT_FOUND", not_found)

    def answer(resumed: bool) -> None:
        if resumed and kind != packets.WORK_STATUS:
            session.broker.work(session, kind, handle, data, now)
        elif not resumed:
            session.guesses += 1
            session.send(packets.WORK_FAIL, handle)

    session.whenever(session.broker.resume(session, handle, now), answer)


def _status(job: Job | None) -> tuple[bytes, bytes, bytes, bytes]:
    if job is None:
        return b"0", b"0", b"0", b"0"
    numerator, denominator = job.progress
    return b"1", b"1" if job.worker else b"0", b"%d" % numerator, b"%d" % denominator


def _get_status(session: Session, args: Args, now: int) -> None:
    handle = bytes(args[0])

    def answer(job: Job | None) -> None:
        session.guesses += job is None
        session.send(packets.STATUS_RES, handle, *_status(job))

    session.whenever(session.broker.find(handle), answer)


def _get_status_unique(session: Session, args: Args, now: int) -> None:
    unique = bytes(args[0])

    def answer(job: Job | None) -> None:
        clients = b"%d" % len(job.listeners) if job else b"0"
        session.send(packets.STATUS_RES_UNIQUE, unique, *_status(job), clients)

    session.whenever(session.broker.find_unique(unique), answer)


def _echo(session: Session, args: Args, now: int) -> None:
    session.send_data(packets.ECHO_RES, b"", args[0])


def _set_client_id(session: Session, args: Args, now: int) -> None:
    session.client_id = bytes(args[0][: session.broker.limits.client_id_bytes])


def _option(session: Session, args: Args, now: int) -> None:
    option = bytes(args[0])
    if option.lower() == packets.EXCEPTIONS:
        session.exceptions = True
    elif option == packets.POOL:
        session.pool = True
    else:
        raise Refusal(b"UNKNOWN_OPTION", b"Server does not recognize given option")
    session.send(packets.OPTION_RES, option)


def _ignore(session: Session, args: Args, now: int) -> None:
    """ALL_YOURS asks for nothing."""


def _not_supported(session: Session, args: Args, now: int) -> None:
    raise Refusal(b"INVALID_COMMAND", b"Command not expected")


def _only_a_server_says(session: Session, args: Args, now: int) -> None:
    session.send(packets.ERROR, b"INVALID_COMMAND", b"Command not expected")
    raise _Over


def _text(session: Session, args: Args, now: int) -> None:
    line = bytes(args[0])

    def answer(lines: bytes) -> None:
        session.told += len(lines)
        session.send_ready(lines)

    session.told += LINE_BYTES
    session.whenever(text.answer(session, line, now), answer)
    if text.is_foreign(line):
        raise _Over
    if session.told > TURN_BYTES:
        session.told = 0
        raise _Turn


HANDLERS: dict[int, Handler] = {
    **{kind: _only_a_server_says if shape.senders == "J" else _not_supported for kind, shape in SHAPES.items()},
    TEXT: _text,
    packets.CAN_DO: _can_do,
    packets.CAN_DO_TIMEOUT: _can_do_timeout,
    packets.CANT_DO: _cant_do,
    packets.RESET_ABILITIES: _reset_abilities,
    packets.SET_CLIENT_ID: _set_client_id,
    packets.PRE_SLEEP: _pre_sleep,
    packets.GRAB_JOB: _grab(_assign),
    packets.GRAB_JOB_UNIQ: _grab(_assign_uniq),
    packets.GRAB_JOB_ALL: _grab(_assign_all),
    packets.ALL_YOURS: _ignore,
    packets.SUBMIT_JOB: _submit(NORMAL, background=False),
    packets.SUBMIT_JOB_BG: _submit(NORMAL, background=True),
    packets.SUBMIT_JOB_HIGH: _submit(HIGH, background=False),
    packets.SUBMIT_JOB_HIGH_BG: _submit(HIGH, background=True),
    packets.SUBMIT_JOB_LOW: _submit(LOW, background=False),
    packets.SUBMIT_JOB_LOW_BG: _submit(LOW, background=True),
    packets.SUBMIT_JOB_EPOCH: _submit_epoch,
    packets.SUBMIT_JOB_SCHED: _submit_sched,
    packets.SUBMIT_REDUCE_JOB: _submit_reduce(background=False),
    packets.SUBMIT_REDUCE_JOB_BACKGROUND: _submit_reduce(background=True),
    packets.WORK_STATUS: _work_status,
    packets.WORK_COMPLETE: _work(packets.WORK_COMPLETE, b"Job given in work result not found"),
    packets.WORK_FAIL: _work_fail,
    packets.WORK_DATA: _work(packets.WORK_DATA, b"Job does not exist on server"),
    packets.WORK_WARNING: _work(packets.WORK_WARNING, b"Job does not exist on server"),
    packets.WORK_EXCEPTION: _work(packets.WORK_EXCEPTION, b"An exception was received for a job that does not exist"),
    packets.GET_STATUS: _get_status,
    packets.GET_STATUS_UNIQUE: _get_status_unique,
    packets.ECHO_REQ: _echo,
    packets.OPTION_REQ: _option,
}
