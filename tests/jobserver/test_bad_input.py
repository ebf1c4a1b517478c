"""What peers should not send, and what they are told. The numbers in the names are those of the bad-input matrix."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.jobserver.broker import Broker
from fleet.jobserver.session import TURN_BYTES
from fleet.protocol import REQ, RES, SHAPES, encode
from fleet.protocol import packets as p
from tests.jobserver.queue import make_broker
from tests.jobserver.test_session import End

LIMIT = 1 << 20
SECOND = 1_000_000_000
HELLO = encode(REQ, p.ECHO_REQ, b"before")


@pytest.fixture
def broker() -> Broker:
    return make_broker(packet_bytes=LIMIT, functions_per_worker=50)


@pytest.fixture
def peer(broker: Broker) -> End:
    return End(broker)


def error_code(answers: list[tuple[Any, ...]]) -> bytes:
    """The code of the one answer, which is an ERROR."""
    ((kind, code, _),) = answers
    assert kind == p.ERROR
    return bytes(code)


def is_cut(peer: End, garbage: bytes) -> bool:
    """Whether `garbage`, after a good packet, is answered with one ERROR, and then nothing more is read."""
    peer.session.feed(HELLO + garbage + HELLO, 0)
    first, *rest = peer.read()
    assert first == (p.ECHO_RES, b"before")
    if not peer.session.closing:
        return False
    return error_code(rest) in (b"INVALID_PACKET", b"INVALID_COMMAND") and peer.send(p.ECHO_REQ, b"after") == []


def still_served(peer: End) -> bool:
    return not peer.session.closing and peer.send(p.ECHO_REQ, b"alive") == [(p.ECHO_RES, b"alive")]


# -- framing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("magic", [RES, b"\0REX", b"\0req", b"\0\0\0\0", b"\0\xff\xfe\xfd"])
def test_w01_a_wrong_magic_ends_the_connection(peer: End, magic: bytes) -> None:
    assert is_cut(peer, p.HEADER.pack(magic, p.ECHO_REQ, 0))


@pytest.mark.parametrize("kind", [0, 5, 43, 99, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_w02_a_type_that_does_not_exist_ends_the_connection(peer: End, kind: int) -> None:
    assert is_cut(peer, p.HEADER.pack(REQ, kind, 0))


@pytest.mark.parametrize("size", [LIMIT + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_w03_a_size_over_the_limit_is_refused_at_byte_12(peer: End, size: int) -> None:
    peer.session.feed(p.HEADER.pack(REQ, p.SUBMIT_JOB, size), 0)
    assert error_code(peer.read()) == b"INVALID_PACKET"
    assert peer.session.closing


def test_w03_w14_a_packet_of_just_the_limit_is_taken(broker: Broker, peer: End) -> None:
    workload = b"\0" * (LIMIT - len(b"f\0u\0"))
    ((kind, _),) = peer.send(p.SUBMIT_JOB, b"f", b"u", workload)
    assert kind == p.JOB_CREATED
    peer.send(p.CAN_DO, b"f")
    ((_, _, _, assigned),) = peer.send(p.GRAB_JOB)
    assert assigned == workload


@pytest.mark.parametrize(
    "body", [b"", b"f", b"f\0", b"f\0u"], ids=["nothing", "no separator", "an empty unique", "one separator"]
)
def test_w08_w09_too_few_arguments_end_the_connection_and_nothing_is_read_beyond(peer: End, body: bytes) -> None:
    assert is_cut(peer, p.HEADER.pack(REQ, p.SUBMIT_JOB, len(body)) + body)
    assert not peer.session.broker.jobs


def test_w10_surplus_arguments_are_data(broker: Broker, peer: End) -> None:
    peer.send(p.CAN_DO, b"f")
    peer.send(p.SUBMIT_JOB_BG, b"f", b"u", b"a\0b\0c")
    ((*_, workload),) = peer.send(p.GRAB_JOB)
    assert workload == b"a\0b\0c"
    peer.raw(p.HEADER.pack(REQ, p.PRE_SLEEP, 3) + b"abc")  # a body where none belongs is passed over
    assert still_served(peer)


@pytest.mark.parametrize(("kind", "shape"), [(k, s) for k, s in SHAPES.items() if s.senders == "J"])
def test_w21_who_says_what_only_servers_say_is_cut(peer: End, kind: int, shape: Any) -> None:
    assert is_cut(peer, encode(REQ, kind, *(b"x" for _ in shape.args)))


# -- names and numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), [(b"", b"INVALID_ARGUMENT"), (b"f" * 513, b"ARGUMENT_TOO_LARGE")])
@pytest.mark.parametrize("kind", [p.SUBMIT_JOB, p.SUBMIT_JOB_BG])
def test_w11_a_function_has_1_to_512_bytes(peer: End, name: bytes, code: bytes, kind: int) -> None:
    assert error_code(peer.send(kind, name, b"", b"")) == code
    assert error_code(peer.send(p.CAN_DO, name)) == code
    assert error_code(peer.send(p.CAN_DO, b"f" * 9000)) == b"ARGUMENT_TOO_LARGE"
    assert still_served(peer)


@pytest.mark.parametrize("name", [bytes(range(1, 256)), b"a\nb", b"\x1b[2J", b"\xff\xfe", "k\u00e4tzchen".encode()])
def test_w11_other_bytes_are_kept_on_the_wire_and_escaped_in_text(peer: End, name: bytes) -> None:
    peer.send(p.CAN_DO, name)
    ((_, handle),) = peer.send(p.SUBMIT_JOB_BG, name, name[:60], b"w")
    assert peer.send(p.GRAB_JOB_UNIQ) == [(p.JOB_ASSIGN_UNIQ, handle, name, name[:60], b"w")]
    for command in (b"status", b"workers", b"show unique jobs", b"jobs"):
        table = peer.raw(command + b"\n")
        assert table.endswith(b"\n.\n")
        assert not set(table) & {0x1B, 0x07, 0x0D}
        assert table.count(b"\n") == 2


@pytest.mark.parametrize("size", [0, 1, 63, 64])
def test_w12_a_unique_has_64_bytes_at_most(peer: End, size: int) -> None:
    ((kind, handle),) = peer.send(p.SUBMIT_JOB, b"f", b"u" * size, b"")
    assert kind == p.JOB_CREATED
    ((_, again),) = peer.send(p.SUBMIT_JOB, b"f", b"u" * size, b"")
    assert (again == handle) == (size > 0)


@pytest.mark.parametrize("size", [65, 200, 100_000])
def test_w12_a_longer_unique_is_refused(peer: End, size: int) -> None:
    assert error_code(peer.send(p.SUBMIT_JOB, b"f", b"u" * size, b"")) == b"ARGUMENT_TOO_LARGE"
    assert still_served(peer)


def test_w13_of_two_payloads_with_one_unique_the_first_counts(peer: End) -> None:
    first, second = (peer.send(p.SUBMIT_JOB, b"f", b"u", workload)[0] for workload in (b"one", b"two"))
    assert first == second
    peer.send(p.CAN_DO, b"f")
    assert peer.send(p.GRAB_JOB)[0][-1] == b"one"


def test_w15_registering_again_and_unregistering_what_was_not_are_no_errors(broker: Broker, peer: End) -> None:
    for kind in (p.CAN_DO, p.CAN_DO, p.CANT_DO, p.CANT_DO):
        assert peer.send(kind, b"f") == []
    assert peer.send(p.CANT_DO, b"never heard of") == []
    for number in range(50):
        assert peer.send(p.CAN_DO, b"f%d" % number) == []
    assert error_code(peer.send(p.CAN_DO, b"one too many")) == b"TOO_MANY_FUNCTIONS"
    assert still_served(peer)


def test_w15_a_job_runs_on_while_its_worker_unregisters(peer: End) -> None:
    peer.send(p.CAN_DO, b"f")
    ((_, handle),) = peer.send(p.SUBMIT_JOB, b"f", b"", b"")
    peer.send(p.GRAB_JOB)
    peer.send(p.RESET_ABILITIES)
    assert peer.send(p.WORK_COMPLETE, handle, b"r") == [(p.WORK_COMPLETE, handle, b"r")]


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"1500", 1.5), (b"3", 1), (b"0", 0), (b"-5", 0), (b"2147483648", 2147483.648)]
)
def test_w16_timeouts_are_milliseconds_and_at_least_a_second(peer: End, text: bytes, seconds: float) -> None:
    assert peer.send(p.CAN_DO_TIMEOUT, b"f", text) == []
    assert peer.session.broker.functions[b"f"].workers[peer.session] == seconds * SECOND


@pytest.mark.parametrize("text", [b"abc", b"1e9", b"", b"9" * 21, b"0x10", b"1.5"])
def test_w16_what_is_no_number_is_no_timeout(peer: End, text: bytes) -> None:
    assert error_code(peer.send(p.CAN_DO_TIMEOUT, b"f", text)) == b"INVALID_ARGUMENT"
    assert still_served(peer)


def test_w17_there_is_no_job_for_who_registered_nothing(peer: End) -> None:
    peer.send(p.SUBMIT_JOB_BG, b"f", b"", b"")
    assert peer.send(p.GRAB_JOB) == [(p.NO_JOB,)]
    assert peer.raw(encode(REQ, p.GRAB_JOB) * 1000) == encode(RES, p.NO_JOB) * 1000


@pytest.mark.parametrize("kind", [p.WORK_COMPLETE, p.WORK_DATA, p.WORK_WARNING, p.WORK_EXCEPTION, p.WORK_FAIL])
@pytest.mark.parametrize("handle", [b"H:none", b"", b"x" * 64, b"x" * 5000])
def test_w18_w20_results_for_unknown_jobs_are_refused(peer: End, kind: int, handle: bytes) -> None:
    args = (handle,) if kind == p.WORK_FAIL else (handle, b"data")
    assert error_code(peer.send(kind, *args)) == b"JOB_NOT_FOUND"
    assert still_served(peer)


@pytest.mark.parametrize("numbers", [(b"5", b"0"), (b"-1", b"10"), (b"0.5", b"1"), (b"1" * 20, b"2" * 20)])
def test_w19_progress_is_passed_on_as_it_was_said(peer: End, numbers: tuple[bytes, bytes]) -> None:
    peer.send(p.CAN_DO, b"f")
    ((_, handle),) = peer.send(p.SUBMIT_JOB, b"f", b"", b"")
    peer.send(p.GRAB_JOB)
    assert peer.send(p.WORK_STATUS, handle, *numbers) == [(p.WORK_STATUS, handle, *numbers)]
    assert peer.send(p.GET_STATUS, handle)[0][0] == p.STATUS_RES


@pytest.mark.parametrize("numbers", [(b"x", b"y"), (b"", b"1"), (b"1" * 21, b"1"), (b"1", b"\xff")])
def test_w19_progress_in_other_than_numbers_is_refused(peer: End, numbers: tuple[bytes, bytes]) -> None:
    peer.send(p.CAN_DO, b"f")
    ((_, handle),) = peer.send(p.SUBMIT_JOB, b"f", b"", b"")
    peer.send(p.GRAB_JOB)
    assert error_code(peer.send(p.WORK_STATUS, handle, *numbers)) == b"INVALID_ARGUMENT"
    assert still_served(peer)


@pytest.mark.parametrize("handle", [b"", b"H:none", b"x" * 64, b"x" * 200, b"\xff\x01"])
def test_w20_the_status_of_an_unknown_handle_is_answered_not_ignored(peer: End, handle: bytes) -> None:
    assert peer.send(p.GET_STATUS, handle) == [(p.STATUS_RES, handle, b"0", b"0", b"0", b"0")]
    unknown = (p.STATUS_RES_UNIQUE, handle, b"0", b"0", b"0", b"0", b"0")
    assert peer.send(p.GET_STATUS_UNIQUE, handle) == [unknown]


@pytest.mark.parametrize("epoch", [b"", b"abc", b"0", b"-1", b"1", b"1.5", b"-" + b"9" * 30])
def test_w23_a_time_that_is_past_or_none_is_now(peer: End, epoch: bytes) -> None:
    peer.send(p.CAN_DO, b"f")
    ((kind, handle),) = peer.send(p.SUBMIT_JOB_EPOCH, b"f", b"", epoch, b"w")
    assert kind == p.JOB_CREATED
    peer.session.broker.tick(0, 1e9)
    assert peer.send(p.GRAB_JOB) == [(p.JOB_ASSIGN, handle, b"f", b"w")]


@pytest.mark.parametrize("epoch", [b"9223372036854775808", b"9" * 20, b"9" * 400])
def test_w23_a_time_beyond_63_bits_is_refused(peer: End, epoch: bytes) -> None:
    assert error_code(peer.send(p.SUBMIT_JOB_EPOCH, b"f", b"", epoch, b"w")) == b"INVALID_ARGUMENT"
    assert still_served(peer)


@pytest.mark.parametrize(
    "times", [b"60 * * * *", b"0 0 31 2 *", b"0 0 1 13 *", b"x * * * *", b"\xff * * * *", b"* * * * 7"]
)
def test_w23_a_schedule_that_makes_no_sense_is_refused(peer: End, times: bytes) -> None:
    assert error_code(peer.send(p.SUBMIT_JOB_SCHED, b"f", b"", *times.split(b" "), b"w")) == b"INVALID_ARGUMENT"
    assert still_served(peer)


def test_w24_what_is_not_supported_is_said_and_the_connection_lives(peer: End) -> None:
    assert peer.send(p.ALL_YOURS) == []
    assert still_served(peer)


@pytest.mark.parametrize("option", [b"", b"frobnicate", b"sasl:PLAIN:garbage", b"x" * 1_000_000])
def test_w26_an_unknown_option_is_refused(peer: End, option: bytes) -> None:
    assert error_code(peer.send(p.OPTION_REQ, option)) == b"UNKNOWN_OPTION"
    assert still_served(peer)


# -- text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n"])
def test_w29_other_protocols_get_one_short_error(peer: End, greeting: bytes) -> None:
    answer = peer.raw(greeting)
    assert answer.startswith(b"ERR ")
    assert answer.count(b"\n") == 1
    assert peer.session.closing


@pytest.mark.parametrize("line", [b"x" * 1025, b"x" * 20_000, b"status" + b" " * 2000 + b"\n"])
@pytest.mark.parametrize("before", [b"", HELLO])
def test_w30_a_line_is_a_kilobyte_at_most_and_that_is_said_in_a_line(peer: End, before: bytes, line: bytes) -> None:
    answer = peer.raw(before + line)
    assert answer.endswith(b"ERR INVALID_PACKET a+text+line+is+longer+than+1024+bytes\r\n")
    assert peer.session.closing


def test_who_is_cut_within_a_line_is_told_in_a_line(broker: Broker) -> None:
    for begun, told in (
        (b"stat", b"ERR TOO_SLOW too+slow\r\n"),
        (HELLO[:5], encode(RES, p.ERROR, b"TOO_SLOW", b"too slow")),
    ):
        peer = End(broker)
        assert peer.raw(b"version\n" + begun)
        peer.session.cut(b"TOO_SLOW", b"too slow")
        assert peer.raw(b"") == told


def test_w30_a_burst_of_questions_is_answered_by_turns_and_in_its_order(peer: End) -> None:
    for number in range(30):
        peer.send(p.CAN_DO, b"a function of some length %d" % number)
    table = peer.raw(b"status\n")
    turns = [peer.raw((b"status\n" * 300 + HELLO) * 10 + b"vers")]
    assert peer.session.full
    while peer.session.behind:
        turns.append(peer.raw(b""))
    assert max(map(len, turns)) < TURN_BYTES + 2 * len(table)
    assert b"".join(turns) == (table * 300 + encode(RES, p.ECHO_RES, b"before")) * 10
    assert peer.session.midway
    assert [peer.session.full, peer.session.owed] == [False, False]
    assert peer.raw(b"ion\n").startswith(b"OK")


def test_w30_what_comes_while_a_burst_is_answered_comes_behind_it(peer: End) -> None:
    got = peer.raw(b"version\n" * 1000)
    got += peer.raw(HELLO)
    while peer.session.behind:
        got += peer.raw(b"")
    assert got == End(peer.broker).raw(b"version\n") * 1000 + encode(RES, p.ECHO_RES, b"before")


def test_w30_a_burst_that_breaks_off_in_nonsense_ends_there(peer: End) -> None:
    got = peer.raw(b"version\n" * 1000 + b"\0REX" + bytes(8) + b"version\n" * 1000)
    while peer.session.behind:
        got += peer.raw(b"")
    assert got.count(b"OK ") == 1000
    assert b"INVALID_PACKET" in got
    assert peer.session.closing


@pytest.mark.parametrize("line", [b"sta\0tus\n", b"\rstatus\r\n", b"\xff\xfe\n", b"\r\n", b"status;status\n"])
def test_w30_a_strange_line_is_an_unknown_command(peer: End, line: bytes) -> None:
    assert peer.raw(line).startswith(b"ERR UNKNOWN_COMMAND")
    assert still_served(peer)


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_w32_text_and_packets_may_alternate_however_they_are_cut(kinds: list[bool], data: st.DataObject) -> None:
    peer = End(make_broker())
    stream = b"".join(b"version\r\n" if text else HELLO for text in kinds)
    expected = b"".join(
        End(make_broker()).raw(b"version\n") if text else encode(RES, p.ECHO_RES, b"before") for text in kinds
    )
    got, at = b"", 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        got += peer.raw(stream[at : at + step])
        at += step
    assert got == expected


# -- anything ---------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=64), max_size=6), st.integers(0, 60))
def test_w40_arbitrary_bytes_never_raise_and_leave_the_broker_as_it_was(pieces: list[bytes], kind: int) -> None:
    broker = make_broker(packet_bytes=LIMIT)
    peer = End(broker)
    peer.session.feed(p.HEADER.pack(REQ, kind, 8), 0)
    for piece in pieces:
        peer.session.feed(piece, 0)
    peer.session.lost(0)
    assert not broker.peers
    assert all(not f.workers and not f.sleepers and not f.woken for f in broker.functions.values())
    assert all(job.background for job in broker.jobs.values())


def test_large_packets_of_many_peers_share_a_budget() -> None:
    broker = make_broker(receiving_bytes=3_000_000)
    hub = End(broker).session.hub
    peers = [End(broker) for _ in range(4)]
    for peer in peers:
        peer.session.hub = hub
        peer.session.feed(p.HEADER.pack(REQ, p.SUBMIT_JOB_BG, 1_000_000) + b"f\0\0", 0)
    assert [peer.session.closing for peer in peers] == [False, False, False, True]
    assert error_code(peers[3].read()) == b"INVALID_PACKET"
    peers[0].session.feed(bytes(1_000_000 - 3), 0)
    peers[1].session.lost(0)
    assert hub.receiving_bytes == 1_000_000
