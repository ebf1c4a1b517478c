"""What a request's head asks for, and which heads are refused."""

from __future__ import annotations

from http import HTTPStatus

import h11
import pytest

from fleet.jobserver.gateways.http_request import Fetch, Refused, Status, Submit, asked
from fleet.jobserver.job import HIGH, LOW, NORMAL
from fleet.settings import ServerLimits

LIMITS = ServerLimits(packet_bytes=1000)


def request(
    target: str = "/f",
    *headers: tuple[str, str],
    method: str = "POST",
    host: str = "localhost:8080",
    version: str = "1.1",
) -> h11.Request:
    named = [("Host", host)] if host else []
    return h11.Request(method=method, target=target, headers=[*named, *headers], http_version=version)


def refusal(asking: h11.Request, local: bool = True) -> HTTPStatus:
    with pytest.raises(Refused) as caught:
        asked(asking, LIMITS, local)
    assert str(caught.value).endswith(".")
    return caught.value.status


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_path_is_a_function_and_the_body_its_own_unique(method: str) -> None:
    assert asked(request("/reverse", method=method), LIMITS, True) == Submit(b"reverse", b"-", NORMAL, False)


@pytest.mark.parametrize(
    ("target", "function"),
    [
        ("/resize?width=3&x=/y", b"resize"),
        ("/a%20b%2Fc%3F", b"a b/c?"),
        ("/a/b/", b"a/b/"),
        ("//a", b"a"),
        ("/%2Fa", b"/a"),
        ("/%C3%A9", "é".encode()),
        ("/100%", b"100%"),
        ("http://localhost/f", b"f"),
        ("/jobs", b"jobs"),
        ("/jobs/x", b"jobs/x"),
    ],
)
def test_the_functions_name_is_decoded_and_has_no_query(target: str, function: bytes) -> None:
    found = asked(request(target), LIMITS, True)
    assert isinstance(found, Submit)
    assert found.function == function


def test_a_status_is_asked_for_by_get_and_head_below_jobs_only() -> None:
    assert asked(request("/jobs/H:a%3a1", method="GET"), LIMITS, True) == Status(b"H:a:1")
    assert asked(request("/jobs/H:a:1", method="HEAD"), LIMITS, True) == Status(b"H:a:1")
    assert asked(request("/jobs/H:a%3a1/result", method="GET"), LIMITS, True) == Fetch(b"H:a:1")
    assert asked(request("/jobs", method="GET"), LIMITS, True) == Submit(b"jobs", b"-", NORMAL, False)
    assert asked(request("/jobs%2Fx", method="GET"), LIMITS, True) == Submit(b"jobs/x", b"-", NORMAL, False)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("x-gearman-UNIQUE", "me"), Submit(b"f", b"me", NORMAL, False)),
        (("X-Gearman-Unique", ""), Submit(b"f", b"", NORMAL, False)),
        (("X-GEARMAN-background", "True"), Submit(b"f", b"-", NORMAL, True)),
        (("X-Gearman-Background", "false"), Submit(b"f", b"-", NORMAL, False)),
        (("X-Gearman-Priority", "HIGH"), Submit(b"f", b"-", HIGH, False)),
        (("X-Gearman-Priority", "low"), Submit(b"f", b"-", LOW, False)),
    ],
)
def test_headers_say_how_it_is_submitted(header: tuple[str, str], expected: Submit) -> None:
    assert asked(request("/f", header), LIMITS, True) == expected


@pytest.mark.parametrize(
    ("header", "terms"),
    [
        (("X-Gearman-At", "1800000000"), {"at": 1_800_000_000}),
        (("X-Gearman-Delay", "5m"), {"delay": 300}),
        (("X-Gearman-TTL", "90"), {"ttl": 90}),
        (("X-Gearman-Attempts", "3"), {"attempts": 3}),
        (("X-Gearman-Schedule", "30 3 * * 0-4"), {"schedule": "30 3 * * 0-4"}),
    ],
)
def test_headers_say_when_and_how_often_a_background_job_is_done(
    header: tuple[str, str], terms: dict[str, int | str]
) -> None:
    found = asked(request("/f", ("X-Gearman-Background", "true"), header), LIMITS, True)
    assert found == Submit(b"f", b"-", NORMAL, True, terms)
    assert refusal(request("/f", header)) == 400
    assert refusal(request("/%FF", ("X-Gearman-Background", "true"), header)) == 400


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("At", "tomorrow", "X-Gearman-At is a number of seconds since 1970."),
        ("At", "-5", "X-Gearman-At is a number of seconds since 1970."),
        ("At", "9" * 13, "X-Gearman-At is a number of seconds since 1970."),
        ("Delay", "soon", "X-Gearman-Delay is a span of time: 90, 5m, 2h or 7d."),
        ("Ttl", "0", "X-Gearman-Ttl is a span of time, and not none: 90, 5m, 2h or 7d."),
        ("Ttl", "1.5", "X-Gearman-Ttl is a span of time, and not none: 90, 5m, 2h or 7d."),
        ("Attempts", "0", "X-Gearman-Attempts is a number from 1."),
        ("Attempts", "1e3", "X-Gearman-Attempts is a number from 1."),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_a_sentence(name: str, value: str, text: str) -> None:
    with pytest.raises(Refused, match=text) as caught:
        asked(request("/f", ("X-Gearman-Background", "true"), (f"X-Gearman-{name}", value)), LIMITS, True)
    assert caught.value.status == 400


@pytest.mark.parametrize("header", [("X-Gearman-Priority", "urgent"), ("X-Gearman-Background", "yes")])
def test_a_header_that_makes_no_sense_is_refused_not_ignored(header: tuple[str, str]) -> None:
    assert refusal(request("/f", header)) == 400


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "DELETE", "PATCH"])
def test_other_methods_submit_nothing_and_are_told_which_do(method: str) -> None:
    with pytest.raises(Refused) as caught:
        asked(request("/f", method=method), LIMITS, True)
    assert caught.value.status == 405
    assert caught.value.headers == ((b"Allow", b"GET, POST, PUT"),)


@pytest.mark.parametrize(
    ("target", "status"),
    [("/", 404), ("//", 404), ("/?x", 404), ("*", 400), ("f", 400), ("/a%00b", 400), ("/a%0Ab", 400)],
)
def test_targets_that_name_no_function(target: str, status: int) -> None:
    assert refusal(request(target)) == status


def test_only_http_1_is_spoken() -> None:
    assert refusal(request(version="2.0")) == 505


# -- pages of other sites -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://localhost:3000"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_site_may_not_submit(header: tuple[str, str], method: str) -> None:
    assert refusal(request("/f", header, method=method)) == 403
    assert refusal(request("/f", header, method=method), local=False) == 403


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "http://LOCALHOST:8080"),
        ("Origin", "https://localhost:8080"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Site", "same-origin"),
    ],
)
def test_a_page_of_this_very_host_may(header: tuple[str, str]) -> None:
    assert isinstance(asked(request("/f", header), LIMITS, True), Submit)


def test_a_name_that_was_made_to_point_here_is_refused_on_this_machine() -> None:
    rebound = request("/f", ("Origin", "http://evil.example:8080"), host="evil.example:8080")
    assert refusal(rebound) == 421
    assert refusal(request("http://evil.example/f")) == 421
    assert isinstance(asked(rebound, LIMITS, False), Submit)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "img1", "fleet.localhost", ""])
def test_names_and_addresses_that_nobody_else_could_have_made_up(host: str) -> None:
    version = "1.1" if host else "1.0"
    assert isinstance(asked(request(host=host, version=version), LIMITS, True), Submit)


@pytest.mark.parametrize("host", ["a b", "user@host", "a/b", "host:", "host:port", "[::1", "a,b", "a\tb"])
def test_a_host_of_another_shape_is_refused(host: str) -> None:
    assert refusal(request(host=host)) == 400


# -- bodies ---------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_by_its_announcement() -> None:
    assert isinstance(asked(request("/f", ("Content-Length", "1000")), LIMITS, True), Submit)
    assert refusal(request("/f", ("Content-Length", "1001"))) == 413
    assert refusal(request("/f", ("Content-Length", "99999999999999999999"))) == 413


def test_two_ways_to_tell_the_bodys_end_are_refused() -> None:
    chunked = ("Transfer-Encoding", "chunked")
    assert refusal(request("/f", chunked, ("Content-Length", "3"))) == 400
    assert refusal(request("/f", chunked, version="1.0")) == 400
