"""The decoder: the same packets for every way of cutting a stream, and nothing but ProtocolError for garbage."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import ProtocolError
from fleet.protocol import ARITY, REQ, RES, TEXT, Data, Decoder, Packet, encode
from fleet.protocol.decoder import FIRST_ROOM_BYTES, LARGE_BYTES
from fleet.protocol.packets import CAN_DO, ECHO_REQ, GRAB_JOB, HEADER, SUBMIT_JOB

BODY_LIMIT = 8 * FIRST_ROOM_BYTES

_word = st.binary(max_size=40).map(lambda b: b.replace(b"\0", b"."))


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    kind = draw(st.sampled_from(sorted(ARITY)))
    args = [draw(_word) for _ in range(ARITY[kind])]
    if args:
        args[-1] = draw(st.one_of(st.binary(max_size=60), st.sampled_from([bytes(LARGE_BYTES * 3), b"\0x" * 40_000])))
    return kind, tuple(args)


_text = st.text("abcdef 0123456789", min_size=1, max_size=30).map(lambda s: (TEXT, (s.encode(),)))


def as_bytes(packet: Packet) -> bytes:
    kind, args = packet
    if kind == TEXT:
        return bytes(args[0]) + b"\r\n"
    return encode(REQ, kind, *map(bytes, args))


def decoder(line_bytes: int = 100) -> Decoder:
    return Decoder(REQ, body_bytes=BODY_LIMIT, line_bytes=line_bytes)


def receive(target: Decoder, data: Data) -> list[Packet]:
    """As a connection's shell does it: large bodies into the decoder's own room, the rest from a scratch buffer."""
    found: list[Packet] = []
    view = memoryview(data)
    while view:
        room = target.room()
        if room is None:
            found += target.feed(view[:5000])
            view = view[5000:]
        else:
            count = min(len(room), len(view))
            room[:count] = view[:count]
            found += target.filled(count)
            view = view[count:]
    return found


@settings(max_examples=150)
@given(
    st.lists(st.one_of(packets(), _text), max_size=8),
    st.lists(st.integers(0, 300_000), max_size=12),
    st.booleans(),
)
def test_every_way_of_cutting_a_stream_gives_the_same_packets(
    sent: list[Packet], cuts: list[int], in_place: bool
) -> None:
    stream = b"".join(map(as_bytes, sent))
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    target = decoder()
    found: list[Packet] = []
    for start, end in pairwise(edges):
        found += receive(target, stream[start:end]) if in_place else list(target.feed(stream[start:end]))
    assert found == sent


def test_one_byte_at_a_time() -> None:
    sent = [(SUBMIT_JOB, (b"f", b"u", b"a\0b")), (TEXT, (b"status",)), (GRAB_JOB, ())]
    target = decoder()
    assert [p for byte in b"".join(map(as_bytes, sent)) for p in target.feed(bytes((byte,)))] == sent


@settings(max_examples=300)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\0REQ", b"\0REQ\0\0\0\7", b"\0RES", b"\0REQ\0\0\0\7\0\0\0\4"]),
)
def test_arbitrary_bytes_raise_protocol_error_or_nothing(garbage: bytes, start: bytes) -> None:
    try:
        list(decoder().feed(start + garbage))
    except ProtocolError:
        pass


@pytest.mark.parametrize("kind", [0, 5, 43, 99, 2**32 - 1])
def test_a_type_that_does_not_exist_is_refused(kind: int) -> None:
    with pytest.raises(ProtocolError, match=f"type {kind} does not exist"):
        list(decoder().feed(HEADER.pack(REQ, kind, 0)))


@pytest.mark.parametrize("magic", [RES, b"\0REX", b"\0\0\0\0"])
def test_a_wrong_magic_is_refused(magic: bytes) -> None:
    with pytest.raises(ProtocolError, match="began with"):
        list(decoder().feed(HEADER.pack(magic, GRAB_JOB, 0)))


def test_good_packets_before_the_break_are_delivered() -> None:
    found = decoder().feed(encode(REQ, CAN_DO, b"f") + b"\0REX" + bytes(8))
    assert next(found) == (CAN_DO, (b"f",))
    with pytest.raises(ProtocolError):
        next(found)


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, 2**32 - 1])
def test_a_size_over_the_limit_is_refused_at_the_twelfth_byte(size: int) -> None:
    target = decoder()
    header = HEADER.pack(REQ, SUBMIT_JOB, size)
    assert list(target.feed(header[:11])) == []
    with pytest.raises(ProtocolError, match=f"the limit is {BODY_LIMIT}"):
        list(target.feed(header[11:]))
    assert target.room() is None


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    body = b"f\0u\0" + b"\0" * (BODY_LIMIT - 4)
    ((_, args),) = receive(decoder(), HEADER.pack(REQ, SUBMIT_JOB, BODY_LIMIT) + body)
    assert args[:2] == (b"f", b"u")
    assert len(args[2]) == BODY_LIMIT - 4


def test_memory_is_taken_for_what_arrives_not_for_what_is_announced() -> None:
    target = decoder()
    assert list(target.feed(HEADER.pack(REQ, SUBMIT_JOB, BODY_LIMIT) + b"f\0u\0")) == []
    room = target.room()
    assert room is not None
    assert len(room) < FIRST_ROOM_BYTES


def test_large_data_is_not_copied_out_of_the_buffer_it_was_received_in() -> None:
    arena = memoryview(bytearray(200_000))
    target = Decoder(RES, body_bytes=BODY_LIMIT, allocate=lambda size: arena[:size])
    stream = encode(RES, 31, b"H:x:1", b"resize", b"u", b"p" * 150_000)
    list(target.feed(stream[:100]))
    ((_, (*_, data)),) = receive(target, stream[100:])
    assert isinstance(data, memoryview)
    assert data.obj is arena.obj
    assert data == b"p" * 150_000


@pytest.mark.parametrize("body", [b"", b"f", b"f\0u"])
def test_too_few_arguments_are_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="SUBMIT_JOB came with"):
        list(decoder().feed(HEADER.pack(REQ, SUBMIT_JOB, len(body)) + body))


def test_too_few_arguments_in_a_large_body_are_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="SUBMIT_JOB came with"):
        receive(decoder(), HEADER.pack(REQ, SUBMIT_JOB, 100_000) + b"x" * 100_000)


def test_a_body_on_a_type_without_arguments_is_read_and_ignored() -> None:
    stream = HEADER.pack(REQ, GRAB_JOB, 3) + b"abc" + encode(REQ, ECHO_REQ, b"x")
    assert list(decoder().feed(stream)) == [(GRAB_JOB, ()), (ECHO_REQ, (b"x",))]


def test_a_line_over_the_limit_is_refused_even_before_it_ends() -> None:
    assert list(decoder().feed(b"x" * 100)) == []
    with pytest.raises(ProtocolError, match="longer than 100"):
        list(decoder().feed(b"x" * 101))


def test_text_is_refused_where_there_is_no_text_protocol() -> None:
    with pytest.raises(ProtocolError, match="began with"):
        list(decoder(line_bytes=0).feed(b"HTTP/1.1 200 OK\r\n"))
