"""Gearman's binary packets: one table, one encoder, one decoder. Everything else reads the table.

A packet is a 12-byte header (magic, type, size of the body; big endian) and a body of NUL-separated arguments,
of which only the last may hold a NUL byte. Rule 1: no I/O here; bytes are fed in and values come out. Rule 2:
nothing but `ProtocolError` is raised for what a peer sent. Rule 3: a declared size is checked against the limit
as soon as the header is there, before any of the body is kept.

Source of the table: gearmand 2.0's PROTOCOL text and its libgearman-server command table, which has the unused
fourth field of reduce jobs that the text leaves out.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from fleet.errors import ProtocolError

TEXT: Final = 0  # a line of the text protocol; never a type on the wire
CAN_DO: Final = 1
CANT_DO: Final = 2
RESET_ABILITIES: Final = 3
PRE_SLEEP: Final = 4
NOOP: Final = 6
SUBMIT_JOB: Final = 7
JOB_CREATED: Final = 8
GRAB_JOB: Final = 9
NO_JOB: Final = 10
JOB_ASSIGN: Final = 11
WORK_STATUS: Final = 12
WORK_COMPLETE: Final = 13
WORK_FAIL: Final = 14
GET_STATUS: Final = 15
ECHO_REQ: Final = 16
ECHO_RES: Final = 17
SUBMIT_JOB_BG: Final = 18
ERROR: Final = 19
STATUS_RES: Final = 20
SUBMIT_JOB_HIGH: Final = 21
SET_CLIENT_ID: Final = 22
CAN_DO_TIMEOUT: Final = 23
ALL_YOURS: Final = 24
WORK_EXCEPTION: Final = 25
OPTION_REQ: Final = 26
OPTION_RES: Final = 27
WORK_DATA: Final = 28
WORK_WARNING: Final = 29
GRAB_JOB_UNIQ: Final = 30
JOB_ASSIGN_UNIQ: Final = 31
SUBMIT_JOB_HIGH_BG: Final = 32
SUBMIT_JOB_LOW: Final = 33
SUBMIT_JOB_LOW_BG: Final = 34
SUBMIT_JOB_SCHED: Final = 35
SUBMIT_JOB_EPOCH: Final = 36
SUBMIT_REDUCE_JOB: Final = 37
SUBMIT_REDUCE_JOB_BACKGROUND: Final = 38
GRAB_JOB_ALL: Final = 39
JOB_ASSIGN_ALL: Final = 40
GET_STATUS_UNIQUE: Final = 41
STATUS_RES_UNIQUE: Final = 42


class Shape(NamedTuple):
    """A packet type: its name, who sends it ("C" client, "W" worker, "J" job server), its arguments in order."""

    name: str
    senders: str
    args: tuple[str, ...]


_RESULT: Final = ("handle", "data")
_SUBMIT: Final = ("function", "unique", "workload")
_REDUCE: Final = ("function", "unique", "reducer", "unused", "workload")
_SCHED: Final = ("function", "unique", "minute", "hour", "mday", "month", "wday", "workload")

SHAPES: Final[dict[int, Shape]] = {
    CAN_DO: Shape("CAN_DO", "W", ("function",)),
    CANT_DO: Shape("CANT_DO", "W", ("function",)),
    RESET_ABILITIES: Shape("RESET_ABILITIES", "W", ()),
    PRE_SLEEP: Shape("PRE_SLEEP", "W", ()),
    NOOP: Shape("NOOP", "J", ()),
    SUBMIT_JOB: Shape("SUBMIT_JOB", "C", _SUBMIT),
    JOB_CREATED: Shape("JOB_CREATED", "J", ("handle",)),
    GRAB_JOB: Shape("GRAB_JOB", "W", ()),
    NO_JOB: Shape("NO_JOB", "J", ()),
    JOB_ASSIGN: Shape("JOB_ASSIGN", "J", ("handle", "function", "workload")),
    WORK_STATUS: Shape("WORK_STATUS", "WJ", ("handle", "numerator", "denominator")),
    WORK_COMPLETE: Shape("WORK_COMPLETE", "WJ", _RESULT),
    WORK_FAIL: Shape("WORK_FAIL", "WJ", ("handle",)),
    GET_STATUS: Shape("GET_STATUS", "C", ("handle",)),
    ECHO_REQ: Shape("ECHO_REQ", "CW", ("data",)),
    ECHO_RES: Shape("ECHO_RES", "J", ("data",)),
    SUBMIT_JOB_BG: Shape("SUBMIT_JOB_BG", "C", _SUBMIT),
    ERROR: Shape("ERROR", "J", ("code", "text")),
    STATUS_RES: Shape("STATUS_RES", "J", ("handle", "known", "running", "numerator", "denominator")),
    SUBMIT_JOB_HIGH: Shape("SUBMIT_JOB_HIGH", "C", _SUBMIT),
    SET_CLIENT_ID: Shape("SET_CLIENT_ID", "W", ("client_id",)),
    CAN_DO_TIMEOUT: Shape("CAN_DO_TIMEOUT", "W", ("function", "timeout_ms")),
    ALL_YOURS: Shape("ALL_YOURS", "W", ()),
    WORK_EXCEPTION: Shape("WORK_EXCEPTION", "WJ", _RESULT),
    OPTION_REQ: Shape("OPTION_REQ", "CW", ("option",)),
    OPTION_RES: Shape("OPTION_RES", "J", ("option",)),
    WORK_DATA: Shape("WORK_DATA", "WJ", _RESULT),
    WORK_WARNING: Shape("WORK_WARNING", "WJ", _RESULT),
    GRAB_JOB_UNIQ: Shape("GRAB_JOB_UNIQ", "W", ()),
    JOB_ASSIGN_UNIQ: Shape("JOB_ASSIGN_UNIQ", "J", ("handle", "function", "unique", "workload")),
    SUBMIT_JOB_HIGH_BG: Shape("SUBMIT_JOB_HIGH_BG", "C", _SUBMIT),
    SUBMIT_JOB_LOW: Shape("SUBMIT_JOB_LOW", "C", _SUBMIT),
    SUBMIT_JOB_LOW_BG: Shape("SUBMIT_JOB_LOW_BG", "C", _SUBMIT),
    SUBMIT_JOB_SCHED: Shape("SUBMIT_JOB_SCHED", "C", _SCHED),
    SUBMIT_JOB_EPOCH: Shape("SUBMIT_JOB_EPOCH", "C", ("function", "unique", "epoch", "workload")),
    SUBMIT_REDUCE_JOB: Shape("SUBMIT_REDUCE_JOB", "C", _REDUCE),
    SUBMIT_REDUCE_JOB_BACKGROUND: Shape("SUBMIT_REDUCE_JOB_BACKGROUND", "C", _REDUCE),
    GRAB_JOB_ALL: Shape("GRAB_JOB_ALL", "W", ()),
    JOB_ASSIGN_ALL: Shape("JOB_ASSIGN_ALL", "J", ("handle", "function", "unique", "reducer", "workload")),
    GET_STATUS_UNIQUE: Shape("GET_STATUS_UNIQUE", "C", ("unique",)),
    STATUS_RES_UNIQUE: Shape(
        "STATUS_RES_UNIQUE", "J", ("unique", "known", "running", "numerator", "denominator", "clients")
    ),
}

ARITY: Final[dict[int, int]] = {kind: len(shape.args) for kind, shape in SHAPES.items()}
NAMES: Final[dict[int, str]] = {kind: shape.name for kind, shape in SHAPES.items()}

# What OPTION_REQ may ask for.
EXCEPTIONS: Final = b"exceptions"  # WORK_EXCEPTION packets, for a client
POOL: Final = b"fleet.pool"  # ours: what servers and pools of ours say to one another, see docs/protocol.md

REQ: Final = b"\0REQ"  # to the job server
RES: Final = b"\0RES"  # from the job server
HEADER: Final = Struct(">4sII")
HEADER_BYTES: Final = HEADER.size

Data = bytes | bytearray | memoryview


# A packet that has arrived: its type, and as many arguments as the table says; a TEXT packet has its line as the only
# one. All but the last are `bytes`; that is a `memoryview` of the buffer it was received in if it is large. It is a
# plain tuple because there are millions of them: one with names takes four to seven times as long to make.
Packet = tuple[int, tuple[Data, ...]]


def encode(magic: bytes, kind: int, *args: Data) -> bytes:
    """One packet as bytes. `args` are the table's arguments; none but the last may hold a NUL byte.

    >>> encode(REQ, CAN_DO, b"resize")
    b'\\x00REQ\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x06resize'
    """
    body = b"\0".join(args)
    return HEADER.pack(magic, kind, len(body)) + body


def encode_head(magic: bytes, kind: int, *args: bytes, data_bytes: int) -> bytes:
    """A packet up to its last argument, of `data_bytes` bytes, which the caller sends right after it.

    So a large payload goes to the socket from where it lies, and is never joined with its header.
    """
    head = b"\0".join((*args, b"")) if args else b""
    return HEADER.pack(magic, kind, len(head) + data_bytes) + head


def split_body(kind: int, body: Data) -> tuple[Data, ...]:
    """The arguments of a body, as the table says.

    Raises:
        ProtocolError: there are fewer NUL separators than the type has arguments.
    """
    arity = ARITY[kind]
    if arity == 0:
        return ()  # a body on a type without arguments is read and ignored, as gearmand does
    if arity == 1:
        return (body,)
    args: tuple[Data, ...]
    args = tuple(body.split(b"\0", arity - 1)) if isinstance(body, bytes) else _split_large(memoryview(body), arity)
    if len(args) != arity:
        if len(args) == 1 and SHAPES[kind].args == _RESULT:
            return (*args, b"")  # so Perl's worker sends an empty result
        raise ProtocolError(f"{NAMES[kind]} came with {len(args)} arguments; it has {arity}")
    return args


# Where the arguments before a large packet's data are looked for: most are short, and 64 KiB are a copy by themselves.
ARGS_WINDOWS_BYTES: Final = (1024, 64 * 1024)


def _split_large(body: memoryview, arity: int) -> tuple[Data, ...]:
    """As `split_body`, without copying the data behind the arguments."""
    parts: list[bytes] = []
    for window in ARGS_WINDOWS_BYTES:
        parts = bytes(body[:window]).split(b"\0", arity - 1)
        if len(parts) == arity:
            return (*parts[:-1], body[sum(map(len, parts[:-1])) + arity - 1 :])
    return tuple(parts)
