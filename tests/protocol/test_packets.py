"""The packet table and the encoder."""

from __future__ import annotations

import pytest

from fleet.errors import ProtocolError
from fleet.protocol import ARITY, NAMES, REQ, RES, SHAPES, encode, encode_head, packets, split_body


def test_the_constants_and_the_table_agree() -> None:
    constants = {name: value for name, value in vars(packets).items() if name.isupper() and isinstance(value, int)}
    for kind, name in NAMES.items():
        assert constants[name] == kind


def test_the_table_has_every_type_of_the_protocol_but_the_unused_one() -> None:
    assert sorted(SHAPES) == [kind for kind in range(1, 43) if kind != 5]


def test_reduce_jobs_have_the_field_the_protocol_text_leaves_out() -> None:
    assert SHAPES[37].args == ("function", "unique", "reducer", "unused", "workload")


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_encode_and_split_are_inverse(kind: int) -> None:
    args = tuple(name.encode() for name in SHAPES[kind].args)
    packet = encode(RES, kind, *args)
    assert packet[:4] == RES
    assert int.from_bytes(packet[4:8], "big") == kind
    assert int.from_bytes(packet[8:12], "big") == len(packet) - 12
    assert split_body(kind, packet[12:]) == args


def test_a_head_and_its_data_make_the_packet() -> None:
    args = (b"H:a:1", b"resize", b"u", b"data")
    assert encode_head(REQ, 31, *args[:-1], data_bytes=4) + args[-1] == encode(REQ, 31, *args)


def test_only_the_last_argument_may_hold_a_nul_byte() -> None:
    assert split_body(7, b"f\0u\0a\0b\0") == (b"f", b"u", b"a\0b\0")
    with pytest.raises(ProtocolError):
        split_body(7, b"f\0u")
    assert ARITY[7] == 3


@pytest.mark.parametrize(
    "kind", [packets.WORK_COMPLETE, packets.WORK_DATA, packets.WORK_WARNING, packets.WORK_EXCEPTION]
)
def test_a_handle_alone_is_an_empty_result_as_perls_worker_sends_it(kind: int) -> None:
    assert split_body(kind, b"H:a:1") == (b"H:a:1", b"")
