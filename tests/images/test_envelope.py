"""A picture on the wire: with a line of options before it, or without."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import BadSpec
from fleet.images import envelope, render
from fleet.images.spec import Spec
from tests.images.builders import GOOD, brief, sample
from tests.images.test_spec import SPECS


def unpacked(workload: bytes) -> tuple[Spec, bytes]:
    request = envelope.unpack(workload)
    assert not request.facts
    return Spec.from_mapping(request.options), bytes(request.data)


@pytest.mark.parametrize("name", GOOD.values())
def test_a_picture_alone_means_the_defaults(name: str) -> None:
    data = sample(name)
    assert envelope.prefix({}) == b""
    assert unpacked(data) == (Spec(), data)


@given(SPECS, st.binary())
def test_what_was_packed_comes_out(spec: Spec, data: bytes) -> None:
    # No picture begins with a brace, nor does this one.
    picture = b"\xff" + data
    assert unpacked(envelope.prefix(spec.to_mapping()) + picture) == (spec, picture)


def test_the_picture_is_not_copied() -> None:
    workload = bytearray(b'{"width":64}\npicture')
    rest = envelope.unpack(workload).data
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
        unpacked(workload)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 450


def test_facts_are_asked_for_beside_the_options_and_stand_before_the_result() -> None:
    request = envelope.unpack(envelope.prefix({"width": 64}, facts=True) + b"\xff")
    assert (request.options, request.facts) == ({"width": 64}, True)
    made = render(sample("kitten.gif"), Spec(40, 30))
    name, picture = envelope.picture_of(envelope.packed(made))
    assert (name, picture, picture.facts) == ("", made, made.facts)
    assert envelope.picture_of(envelope.packed(made, "avatar"))[0] == "avatar"
    assert envelope.picture_of(bytes(made)) == ("", made)


@pytest.mark.parametrize("result", [b"{}\n\xff", b"{\n", b'{"format":"jpeg"}\n\xff', b"{"])
def test_a_result_with_a_broken_line_is_told_from_a_picture(result: bytes) -> None:
    with pytest.raises(ValueError):
        envelope.picture_of(result)


def test_several_sizes_are_options_or_the_names_of_presets() -> None:
    line = envelope.prefix_many({"a": {"width": 10}, "b": "card"})
    presets = {"card": Spec(320, 240)}
    assert envelope.specs_of(envelope.unpack(line).options, presets) == {"a": Spec(10), "b": Spec(320, 240)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "with 1 to 50 of them"),
        ({"sizes": {}}, "with 1 to 50 of them"),
        ({"sizes": {"a": {}}, "width": 1}, "with 1 to 50 of them"),
        ({"sizes": {str(n): {} for n in range(51)}}, "with 1 to 50 of them"),
        ({"sizes": [1]}, "with 1 to 50 of them"),
        ({"sizes": {"../a": {}}}, "no name of a size"),
        ({"sizes": {"a": 5}}, "a: 5 is neither options nor the name of a preset"),
        ({"sizes": {"a": {"widht": 5}}}, "a: there is no option 'widht'"),
        ({"sizes": {"a": "crad"}}, "did you mean card?"),
    ],
    ids=range(9),
)
def test_sizes_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSpec, match=re.escape(words)):
        envelope.specs_of(options, {"card": Spec()})
