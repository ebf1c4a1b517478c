"""HTTP/1.1 in front of the queue: a request submits a job and its response is the result. See docs/protocol.md.

Rule 1: h11 reads and writes HTTP; what a request asks for is read in `http_request`; here it is done. Rule 2: one
request at a time: what a client sends ahead is kept, little of it, until the one before is answered. Rule 3: a
response never says that a job went well before it did: what began and cannot be finished is cut off.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final, cast

import h11

from fleet.jobserver.gateways.http_request import (
    CLOSE,
    Asked,
    Fetch,
    Refused,
    Status,
    Submit,
    asked,
    body_bytes,
    too_large,
)
from fleet.jobserver.job import NONE_YET, Job
from fleet.jobserver.memory import unfilled
from fleet.jobserver.pending import Pending
from fleet.jobserver.question import PRIORITIES
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.wire import Hub, Wire
from fleet.protocol import SHAPES, Data, kept
from fleet.protocol.packets import WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_WARNING
from fleet.version import __version__

AHEAD_BYTES: Final = 64 * 1024  # of later requests that are kept while one is being answered
EVENTS_AT_ONCE: Final = 100  # in one turn: chunks of a body may have one byte each
RETRY_S: Final = 1  # to a client that was turned down because something was full

TEXT: Final = (b"Content-Type", b"text/plain; charset=utf-8")
JSON: Final = (b"Content-Type", b"application/json")
BYTES: Final = (b"Content-Type", b"application/octet-stream")
RETRY: Final = (b"Retry-After", b"%d" % RETRY_S)
ALWAYS: Final = (
    (b"Server", b"fleet/" + __version__.encode()),
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),  # a browser must not take a result for a page
)

CONTINUE: Final = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")

# What a refusal of the broker stands for; 400 for all others. What is 503 may pass.
STATUS: Final = {
    b"QUEUE_ERROR": HTTPStatus.SERVICE_UNAVAILABLE,
    b"TOO_MANY_FUNCTIONS": HTTPStatus.SERVICE_UNAVAILABLE,
    b"PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    kept.NOT_FOUND.encode(): HTTPStatus.NOT_FOUND,
    kept.GONE.encode(): HTTPStatus.GONE,
    kept.NO_STORE.encode(): HTTPStatus.NOT_IMPLEMENTED,
}
CUT_STATUS: Final = {b"TOO_SLOW": HTTPStatus.REQUEST_TIMEOUT}
# An exception of this kind says that what was sent is wrong: BadImage, BadSpec, or one of your own.
_BAD_INPUT: Final = re.compile(rb"Bad[A-Z]\w*:")


class Body:
    """A request's body as it arrives: into memory of its size, if that was announced, and never beyond a limit."""

    def __init__(self, hub: Hub, announced: int | None) -> None:
        self._hub = hub
        self._limits = hub.broker.limits
        self._counted = 0  # in hub.receiving_bytes
        self._at = 0
        self._count(announced or 0)
        self._data = unfilled(announced or 0)

    def add(self, data: Data) -> None:
        end = self._at + len(data)
        if end > len(self._data):  # it comes in chunks
            if end > self._limits.packet_bytes:
                raise too_large(self._limits)
            self._count(end)
            self._data += data
        else:
            self._data[self._at : end] = data
        self._at = end

    def whole(self) -> Data:
        self.drop()
        return self._data

    def drop(self) -> None:
        self._hub.receiving_bytes -= self._counted
        self._counted = 0

    def _count(self, size: int) -> None:
        self._hub.receiving_bytes += size - self._counted
        self._counted = size
        if self._hub.receiving_bytes > self._limits.receiving_bytes:
            self.drop()
            text = "Too much is on its way in already; try again later."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, text, (RETRY,))


class Http(Wire):
    """The server's end of one HTTP connection. The arguments are those of `Wire`."""

    __slots__ = ("_ahead", "_asked", "_behind", "_body", "_discarded", "_http", "_method", "_midway")

    def __init__(self, hub: Hub, label: str = "-1 -", admin: bool = True) -> None:
        super().__init__(hub, label, admin)
        self._http = h11.Connection(h11.SERVER)
        self._asked: Asked | Refused | None = None  # by the request that is being read
        self._method = b""
        self._body: Body | None = None
        self._midway = False
        self._ahead = 0  # bytes that arrived while a job is waited for
        self._behind = False
        self._discarded = 0  # bytes of a body that was answered before its end

    # -- what the shell calls ---------------------------------------------------------------------------------

    def feed(self, data: Data, now: int) -> None:
        if self.closing or self._http.their_state is h11.MUST_CLOSE:  # after its last request a client has no say
            return
        if data:
            self._http.receive_data(data)  # type: ignore[arg-type]  # it takes any buffer, and keeps none
        if self.listening:
            self._ahead += len(data)
        else:
            self._go_on(now)

    @property
    def midway(self) -> bool:
        return self._midway

    @property
    def owed(self) -> bool:
        answering = self._http.our_state is h11.SEND_RESPONSE and self._http.their_state is not h11.SEND_BODY
        return super().owed or self._behind or answering

    @property
    def full(self) -> bool:
        return self._behind or self._ahead > AHEAD_BYTES

    @property
    def behind(self) -> bool:
        return self._behind

    def probe(self) -> None:
        """By a second "100 Continue", which a client of HTTP/1.1 must let pass."""
        if self._http.our_state is h11.SEND_RESPONSE and self._http.their_http_version == b"1.1":
            self._send(CONTINUE)

    def cut(self, code: bytes, text: bytes) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            status = CUT_STATUS.get(code, HTTPStatus.SERVICE_UNAVAILABLE)
            self._refuse(Refused(status, text.decode("latin-1")))
        super().cut(code, text)

    def lost(self, now: int) -> None:
        self._drop_body()
        super().lost(now)

    # -- requests ---------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> None:
        """Take up what has arrived: one request, and only one, and not all of that if it comes in many pieces, so that
        others have their turn.
        """
        self._ahead, self._behind = 0, False
        left = EVENTS_AT_ONCE
        try:
            while left and not (self.closing or self.listening or self._behind):
                event = self._http.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    self._want_more()
                    break
                self._take(event, now)
                left -= 1
        except h11.RemoteProtocolError as error:
            self._refuse(Refused(HTTPStatus(error.error_status_hint), f"{error}."))
        self._behind = self._behind or not (left or self.closing or self.listening)
        self._midway = self._http.their_state is h11.SEND_BODY or (
            not self.listening and bool(self._http.trailing_data[0])
        )

    def _want_more(self) -> None:
        if self._http.their_state is not h11.SEND_BODY:
            return
        if isinstance(self._asked, Refused):
            self._refuse(self._asked)
        elif self._http.they_are_waiting_for_100_continue and self._asked:
            self._send(CONTINUE)

    def _take(self, event: object, now: int) -> None:
        try:
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._collect(cast(Any, event).data)  # a bytearray often, whatever the types say
            elif isinstance(event, h11.EndOfMessage):
                self._end(now)
        except Refused as refused:
            self._refuse(refused)

    def _begin(self, request: h11.Request) -> None:
        self._method = request.method
        try:
            self._asked = asked(request, self.broker.limits, self.local)
            self._body = Body(self.hub, body_bytes(dict(request.headers)))
        except Refused as refused:
            self._asked = refused  # until it is known whether a body follows

    def _collect(self, data: Data) -> None:
        if isinstance(self._asked, Refused):
            raise self._asked
        if self._body:
            self._body.add(data)
        else:
            self._discard(len(data))

    def _end(self, now: int) -> None:
        match self._asked:
            case Refused():
                raise self._asked
            case Submit():
                self._submit(self._asked, now)
            case Status():
                self._ask_status(self._asked.handle)
            case Fetch():
                self._fetch(self._asked.handle, now)
            case None:  # it was answered long ago
                self._close()

    def _submit(self, what: Submit, now: int) -> None:
        assert self._body
        workload, self._body = self._body.whole(), None
        if what.terms:
            self._submit_on_terms(what, workload, now)
            return
        try:
            job = self.broker.submit(
                self, what.function, what.unique, workload, now, priority=what.priority, background=what.background
            )
        except Refusal as refusal:
            raise _refused(refusal) from None
        if job.pending:
            job.pending.then(self._accepted if what.background else self._attached)
        elif what.background:
            self._accepted(job.handle)

    def _submit_on_terms(self, what: Submit, workload: Data, now: int) -> None:
        """More is said of the job than a packet holds: the server's own function takes it, and answers its handle."""
        order = {"function": what.function.decode(), "priority": PRIORITIES[what.priority], **what.terms}
        self._call(kept.SUBMIT, b"\n".join((json.dumps(order).encode(), workload)), now, what.unique)

    def _fetch(self, handle: bytes, now: int) -> None:
        """A job's result, as the server's own function tells it."""
        self._call(kept.RESULT, handle, now)

    def _call(self, function: str, workload: Data, now: int, unique: bytes = b"") -> None:
        """One of the server's own functions."""
        try:
            job = self.broker.submit(self, function.encode(), unique, workload, now)
        except Refusal as refusal:
            raise _refused(refusal) from None
        if job.pending:
            job.pending.then(self._attached)

    def _attached(self, handle: bytes | Refusal) -> None:
        """The job that is waited for is there, and will be heard of; or it is not, and why."""
        if isinstance(handle, Refusal) and not self.closing:
            self.guesses += handle.code == kept.NOT_FOUND.encode()
            self._refuse(_refused(handle))

    def _accepted(self, handle: bytes | Refusal) -> None:
        """The background job is kept; or it is not, and why."""
        if self.closing:
            return
        if isinstance(handle, Refusal):
            self._refuse(_refused(handle))
        else:
            where = (b"Location", b"/jobs/" + handle)
            self._answer(HTTPStatus.ACCEPTED, [*_names(handle, b"JOB_CREATED"), where])

    def _ask_status(self, handle: bytes) -> None:
        found = self.broker.find(handle)
        if isinstance(found, Pending):
            found.then(lambda job: self._tell_status(handle, job))
        else:
            self._tell_status(handle, found)

    def _tell_status(self, handle: bytes, job: Job | None) -> None:
        if self.closing:
            return
        self.guesses += job is None
        numerator, denominator = job.progress if job else NONE_YET
        status = {
            "handle": handle.decode("latin-1"),
            "known": job is not None,
            "running": bool(job and job.worker),
            "numerator": numerator,
            "denominator": denominator,
        }
        found = HTTPStatus.OK if job else HTTPStatus.NOT_FOUND
        self._answer(found, [JSON], json.dumps(status).encode() + b"\n")

    # -- responses --------------------------------------------------------------------------------------------

    def progress(self, job: Job, numerator: bytes, denominator: bytes) -> None:
        """Is asked for by GET /jobs/HANDLE."""

    def news(self, kind: int, job: Job, data: Data) -> None:
        if self.closing or kind == WORK_WARNING:
            return
        if kind == WORK_DATA:
            self._stream(job, data)
        elif self._http.our_state is h11.SEND_BODY:
            self._end_stream(data if kind == WORK_COMPLETE else None)
        elif isinstance(self._asked, Submit) and self._asked.terms:
            self._accepted(bytes(data))
        elif kind == WORK_COMPLETE:
            self._answer(HTTPStatus.OK, [*_names(job.handle, b"WORK_COMPLETE"), BYTES], data)
        else:
            self._answer(_failure(kind, data), [*_names(job.handle, SHAPES[kind].name.encode()), TEXT], data)

    def _stream(self, job: Job, data: Data) -> None:
        """A part of the result. Its head says so, because how the job ends is not known yet."""
        if self._http.our_state is h11.SEND_RESPONSE:
            self._head(HTTPStatus.OK, [*_names(job.handle, b"WORK_DATA"), BYTES])
        self._send(h11.Data(data))  # type: ignore[arg-type]  # any buffer

    def _end_stream(self, rest: Data | None) -> None:
        """The last part; or None: without its end the client knows that the transfer is broken."""
        if rest is None:
            self._close()
            return
        self._send(h11.Data(rest))  # type: ignore[arg-type]  # any buffer
        self._send(h11.EndOfMessage())
        self._next()

    def _refuse(self, refused: Refused) -> None:
        self._drop_body()
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # it was answered before
            self._close()
            return
        headers = [*refused.headers, TEXT]
        if self._http.their_state is not h11.DONE and CLOSE not in headers:
            headers.append(CLOSE)
        self._answer(refused.status, headers, refused.text.encode() + b"\n")

    def _answer(self, status: HTTPStatus, headers: list[tuple[bytes, bytes]], body: Data = b"") -> None:
        self._head(status, [*headers, (b"Content-Length", b"%d" % len(body))])
        if body and self._method != b"HEAD":
            self._send(h11.Data(body))  # type: ignore[arg-type]  # any buffer
        self._send(h11.EndOfMessage())
        self._next()

    def _head(self, status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> None:
        self._send(h11.Response(status_code=status, headers=[*ALWAYS, *headers], reason=status.phrase.encode()))

    def _send(self, event: h11.Event) -> None:
        self.outbox += self._http.send_with_data_passthrough(event) or ()
        self.hub.dirty[self] = None

    def _next(self) -> None:
        """The response is complete: take up the next request, or come to an end."""
        self._asked, self._method = None, b""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._behind = self._ahead > 0 or bool(self._http.trailing_data[0])
        elif self._http.their_state is not h11.SEND_BODY:
            self._close()
        # else its body is still on its way. Closing now would have the kernel throw our answer away, unread.

    def _close(self) -> None:
        self.closing = True
        self.hub.dirty[self] = None

    # -- bodies -----------------------------------------------------------------------------------------------

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self.broker.limits.packet_bytes:
            self._close()

    def _drop_body(self) -> None:
        if self._body:
            self._body.drop()
            self._body = None


def _names(handle: bytes, command: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"X-Gearman-Job-Handle", handle), (b"X-Gearman-Command", command)]


def _refused(refusal: Refusal) -> Refused:
    status = STATUS.get(refusal.code, HTTPStatus.BAD_REQUEST)
    passes = status is HTTPStatus.SERVICE_UNAVAILABLE
    return Refused(status, f"{refusal.text.decode()}.", (RETRY,) if passes else ())


def _failure(kind: int, text: Data) -> HTTPStatus:
    bad_input = kind == WORK_EXCEPTION and _BAD_INPUT.match(text)
    return HTTPStatus.UNPROCESSABLE_ENTITY if bad_input else HTTPStatus.BAD_GATEWAY
