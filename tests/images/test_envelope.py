"""A picture on the wire: with a line of options before it, or without."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import BadSpec
from fleet.images import envelope
from fleet.images.spec import Spec
from tests.images.builders import GOOD, brief, sample
from tests.images.test_spec import SPECS


def unpacked(workload: bytes) -> tuple[Spec, bytes]:
    spec, rest = envelope.unpack(workload)
    return spec, bytes(rest)


@pytest.mark.parametrize("name", GOOD.values())
def test_a_picture_alone_means_the_defaults(name: str) -> None:
    data = sample(name)
    assert envelope.prefix(Spec()) == b""
    assert unpacked(data) == (Spec(), data)


@settings(deadline=None)
@given(SPECS, st.binary())
def test_what_was_packed_comes_out(spec: Spec, data: bytes) -> None:
    # No picture begins with a brace, nor does this one.
    picture = b"\xff" + data
    assert unpacked(envelope.prefix(spec) + picture) == (spec, picture)


def test_the_picture_is_not_copied() -> None:
    workload = bytearray(b'{"width":64}\npicture')
    _, rest = envelope.unpack(workload)
    workload[-7:] = b"PICTURE"
    assert bytes(rest) == b"PICTURE"


def test_the_line_may_be_written_by_hand() -> None:
    assert unpacked(b'{ "width" : 64 , "fit" : "cover" }\r\n\xff')[0] == Spec(64, fit="cover")
    assert unpacked(b"{}\n\xff") == (Spec(), b"\xff")


def test_nothing_is_a_picture_without_bytes() -> None:
    assert unpacked(b"") == (Spec(), b"")


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        (b"{", "not followed by a newline"),
        (b'{"width":64}\xff\xd8\xff', "not followed by a newline"),
        (b'{"x":"' + b"x" * (1 << 17) + b'"}\n', "not followed by a newline"),
        (b"{width:64}\n", "no JSON"),
        (b"{'width':64}\n", "no JSON"),
        (b'{"width":64}}\n', "no JSON"),
        (b'{"width":\n64}\n', "no JSON"),
        (b'{"\xff\xfe":1}\n', "no JSON"),
        (b"{\0\n\0", "no JSON"),
        (b'{"a":' + b"[" * 50_000 + b"\n", "no JSON"),
        (b'{"width":' + b"9" * 5000 + b"}\n", "no JSON"),
        (b'{"width":' + b"9" * 4000 + b"}\n", "from 1 to 8192"),
        (b'{"width":NaN}\n', "from 1 to 8192"),
        (b'{"width":1e999}\n', "from 1 to 8192"),
        (b'{"width":true}\n', "from 1 to 8192"),
        (b'{"fit":{"a":"b"}}\n', "one of inside"),
        (b'{"a\\nb":1}\n', "no option"),
        (b'{"self":1}\n', "no option"),
        (b'{"__class__":1}\n', "no option"),
    ],
    ids=brief,
)
def test_options_that_make_no_sense_are_refused_in_one_line(workload: bytes, words: str) -> None:
    with pytest.raises(BadSpec, match=words) as caught:
        envelope.unpack(workload)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 450
