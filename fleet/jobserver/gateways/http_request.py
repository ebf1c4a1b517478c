"""What an HTTP request asks of the job server: its head, read and checked.

Rule 1: whatever two readers could take differently is refused, because one of them may be a proxy in front of us.
Rule 2: a web page must not be able to submit jobs through the browser of somebody who can reach this port, so what
says that another site sent it is refused, and so is, on this machine, a name that anybody could have made up for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

import h11

from fleet.errors import UsageError
from fleet.jobserver.job import HIGH, LOW, NORMAL
from fleet.settings import ServerLimits, span_s

JOBS: Final = b"jobs/"  # GET asks for the status of the job whose handle follows, or for its result
RESULT: Final = b"/result"
HEAD_BYTES: Final = 16 * 1024
SUBMITTING: Final = (b"GET", b"POST", b"PUT")
UNIQUE_OF_THE_BODY: Final = b"-"  # equal bodies are one job, as in gearmand
CLOSE: Final = (b"Connection", b"close")

_TARGET: Final = re.compile(rb"(?:[Hh][Tt][Tt][Pp][Ss]?://(?P<host>[^/?]*))?(?P<path>/[^?]*)?(?:\?.*)?")
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_.-]+)(:[0-9]{1,5})?")
_ADDRESS: Final = re.compile(rb"\[.*\]|[0-9.]+")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

Headers = dict[bytes, bytes]


class Refused(Exception):
    """A request that is answered with an error and has no effect."""

    def __init__(self, status: HTTPStatus, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Submit:
    """``METHOD /function``"""

    function: bytes
    unique: bytes
    priority: int
    background: bool
    terms: Mapping[str, int | str] = field(default_factory=dict)  # of a background job, as `fleet.submit` takes them


@dataclass(frozen=True, slots=True)
class Status:
    """``GET /jobs/HANDLE``"""

    handle: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """``GET /jobs/HANDLE/result``"""

    handle: bytes


Asked = Submit | Status | Fetch


def asked(request: h11.Request, limits: ServerLimits, local: bool) -> Asked:
    """What a request asks for. `local`: it comes from this machine.

    Raises:
        Refused: it cannot be met, whatever its body is.
    """
    headers = dict(request.headers)
    _check_version(request)
    _check_head(request)
    _check_body(request, headers, limits)
    host, path = _target(request.target)
    _check_host(host or headers.get(b"host", b""), local)
    _check_site(request, host or headers.get(b"host", b""))
    if path.startswith(JOBS) and request.method in (b"GET", b"HEAD"):
        handle = path[len(JOBS) :]
        is_fetch = handle.endswith(RESULT)
        return Fetch(unquote_to_bytes(handle[: -len(RESULT)])) if is_fetch else Status(unquote_to_bytes(handle))
    if not path:
        raise Refused(
            HTTPStatus.NOT_FOUND, "This is a job server. POST /FUNCTION submits a job, and answers its result."
        )
    if request.method not in SUBMITTING:
        allow = (b"Allow", b", ".join(SUBMITTING))
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "A job is submitted by GET, POST or PUT.", (allow,))
    return _submit(path, headers)


def body_bytes(headers: Headers) -> int | None:
    """How long the body is; None if that is known at its end only."""
    return None if b"transfer-encoding" in headers else int(headers.get(b"content-length", b"0"))


def _check_version(request: h11.Request) -> None:
    if request.http_version not in (b"1.0", b"1.1"):
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "This is an HTTP/1.1 server.", (CLOSE,))


def _check_head(request: h11.Request) -> None:
    """h11 looks at what has not arrived in one piece."""
    if len(request.target) + sum(len(name) + len(value) for name, value in request.headers) > HEAD_BYTES:
        text = f"A request's head has {HEAD_BYTES} bytes at most."
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text, (CLOSE,))


def _target(target: bytes) -> tuple[bytes | None, bytes]:
    """The host, if it stands there, and the path without its leading slashes, as it was written."""
    found = _TARGET.fullmatch(target)
    if found is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "The target is /FUNCTION.")
    return found["host"], (found["path"] or b"").lstrip(b"/")


def _check_host(host: bytes, local: bool) -> None:
    """A page of evil.example whose name was made to point here is of the same site as we are, to its browser."""
    if not host:
        return  # HTTP/1.0: no browser
    found = _HOST.fullmatch(host)
    if found is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "The Host header is a name or an address, and perhaps a port.")
    name = found[1].lower()
    if local and b"." in name and not _ADDRESS.fullmatch(name) and not name.endswith(b".localhost"):
        text = "On its own machine this server is localhost, an address, or a name without a dot."
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, text)


def _check_site(request: h11.Request, host: bytes) -> None:
    for name, value in request.headers:
        other = (name == b"origin" and value.partition(b"://")[2].lower() != host.lower()) or (
            name == b"sec-fetch-site" and value not in (b"none", b"same-origin")
        )
        if other:
            raise Refused(HTTPStatus.FORBIDDEN, "Pages of other sites may not submit jobs.")


def _check_body(request: h11.Request, headers: Headers, limits: ServerLimits) -> None:
    if b"transfer-encoding" in headers and (b"content-length" in headers or request.http_version < b"1.1"):
        text = "The body's end is told by Content-Length or, in HTTP/1.1, by chunks."
        raise Refused(HTTPStatus.BAD_REQUEST, text, (CLOSE,))
    size = body_bytes(headers)
    if size is not None and size > limits.packet_bytes:
        raise too_large(limits)


def too_large(limits: ServerLimits) -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {limits.packet_bytes} bytes at most.")


def _submit(path: bytes, headers: Headers) -> Submit:
    function = unquote_to_bytes(path)
    if _CONTROL.search(function):
        raise Refused(HTTPStatus.BAD_REQUEST, "A function's name has no control characters.")
    background = bool(_one_of(headers, b"X-Gearman-Background", {b"false": 0, b"true": 1}))
    return Submit(
        function,
        headers.get(b"x-gearman-unique", UNIQUE_OF_THE_BODY),
        _one_of(headers, b"X-Gearman-Priority", {b"normal": NORMAL, b"high": HIGH, b"low": LOW}),
        background,
        _terms(headers, function, background),
    )


def _terms(headers: Headers, function: bytes, background: bool) -> dict[str, int | str]:
    """What the headers say of when and how often; it travels as JSON, so the function's name must be text."""
    terms: dict[str, int | str] = {}
    for name, (kind, meaning) in TERMS.items():
        value = headers.get(f"x-gearman-{name}".encode())
        if value is None:
            continue
        header = f"X-Gearman-{name.capitalize()}"
        if not background:
            text = f"{header} is for background jobs; add X-Gearman-Background: true."
            raise Refused(HTTPStatus.BAD_REQUEST, text)
        try:
            function.decode()
            terms[name] = kind(value.decode("latin-1"))
        except UnicodeDecodeError:
            text = f"With {header}, the function's name is UTF-8."
            raise Refused(HTTPStatus.BAD_REQUEST, text) from None
        except (ValueError, UsageError):
            raise Refused(HTTPStatus.BAD_REQUEST, f"{header} is {meaning}.") from None
    return terms


def _from_one(text: str) -> int:
    """Digits, and not too many."""
    if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
        raise ValueError
    return int(text)


def _lasting(text: str) -> int:
    """A span of some length."""
    return _from_one(str(span_s(text)))


TERMS: Final[dict[str, tuple[Callable[[str], int | str], str]]] = {
    "at": (_from_one, "a number of seconds since 1970"),
    "delay": (span_s, "a span of time: 90, 5m, 2h or 7d"),
    "ttl": (_lasting, "a span of time, and not none: 90, 5m, 2h or 7d"),
    "attempts": (_from_one, "a number from 1"),
    "schedule": (str, "five fields"),
}


def _one_of(headers: Headers, name: bytes, values: dict[bytes, int]) -> int:
    """What the header's value stands for; without the header, the first."""
    value = headers.get(name.lower())
    if value is None:
        return next(iter(values.values()))
    if value.lower() not in values:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name.decode()} is one of: {b', '.join(values).decode()}.")
    return values[value.lower()]
