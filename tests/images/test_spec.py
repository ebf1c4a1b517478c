"""What is asked for makes sense, or is refused in one line that says what would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import BadSpec
from fleet.images.spec import FITS, FORMATS, MAX_SIDE_PX, Spec
from tests.images.builders import brief

SIDES = st.none() | st.integers(1, MAX_SIDE_PX)
SPECS = st.builds(
    Spec,
    width=SIDES,
    height=st.integers(1, MAX_SIDE_PX),
    fit=st.sampled_from(FITS),
    format=st.none() | st.sampled_from(FORMATS),
    quality=st.none() | st.integers(1, 100),
    background=st.integers(0, 0xFFFFFF).map("#{:06x}".format),
    enlarge=st.booleans(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def refused(**options: Any) -> str:
    with pytest.raises(BadSpec) as caught:
        Spec.from_mapping(options)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 450
    return text


@pytest.mark.parametrize("name", ["width", "height"])
@pytest.mark.parametrize(
    "value",
    [0, -1, 8193, 10**9, 10**5000, -(10**5000), 1e9, 200.0, float("nan"), float("inf"), True, "200", [200], {}],
    ids=brief,
)
def test_a_side_is_a_whole_number_within_limits(name: str, value: object) -> None:
    text = refused(**{name: value})
    assert text.startswith(f"{name}=")
    assert "a whole number from 1 to 8192" in text


@pytest.mark.parametrize("value", [0, 101, -1, 79.5, float("nan"), True, "80"])
def test_a_quality_is_a_whole_number_to_a_hundred(value: object) -> None:
    assert "quality=" in refused(quality=value)
    assert "from 1 to 100" in refused(quality=value)


@pytest.mark.parametrize("value", ["banana", "", None, 1, True, [], {}, "inside\nout", "x" * 10_000], ids=brief)
def test_a_fit_is_one_of_five_words(value: object) -> None:
    assert "it is one of inside, outside, cover, contain, fill" in refused(fit=value)


@pytest.mark.parametrize("value", ["bmp", "../x", "", 1, [], "JPEG", "png\r\nX: y"])
def test_a_format_is_one_that_can_be_written(value: object) -> None:
    assert "it is one of jpeg, png, webp, avif, gif, auto" in refused(format=value)


@pytest.mark.parametrize(
    "value", ["red", "#fff", "ffffff", "#gggggg", "#ffffff\n", "#ffffff00", "#" * 9999, 0, None], ids=brief
)
def test_a_background_is_six_digits(value: object) -> None:
    assert "#rrggbb" in refused(background=value)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0, "height": 0},
        {"width": -1},
        {"width": float("nan")},
        {"width": 10**9},
        {"width": 10**6, "height": 1},
        {"width": 20_000, "height": 20_000, "enlarge": True},
        {"quality": 101},
        {"blur": 1e9},
        {"blur": float("nan")},
        {"sharpen": float("inf")},
        {"padding": 10**9},
        {"rotate": float("nan")},
        {"crop": [0, 0, -1, -1]},
        {"crop": [0, 0, 2**63, 1]},
        {"trim": 10**9},
        {"max_bytes": -1},
        {"format": "../x"},
        {"filter": "lanczos9"},
    ],
    ids=brief,
)
def test_m50_senseless_options_are_refused_before_a_picture_is_looked_at(options: dict[str, Any]) -> None:
    text = refused(**options)
    assert len(text.splitlines()) == 1
    assert len(text) < 1000


@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_enlarge_is_true_or_false(value: object) -> None:
    assert "true nor false" in refused(enlarge=value)


@pytest.mark.parametrize("fit", ["cover", "contain", "fill"])
def test_what_fills_a_box_needs_one(fit: str) -> None:
    assert "needs a width or a height" in refused(fit=fit, width=None, height=None)
    assert Spec(None, None).width is None


@pytest.mark.parametrize(
    ("name", "guess"),
    [("widht", "width"), ("with", "width"), ("Format", "format"), ("colour", None), ("a\nb" * 999, None)],
    ids=brief,
)
def test_an_unknown_option_is_refused_with_those_there_are(name: str, guess: str | None) -> None:
    text = refused(**{name: 1})
    assert "there are width, height, fit, format, quality, background, enlarge, gravity" in text
    assert (f"did you mean {guess}?" in text) == bool(guess)


def test_a_misspelt_word_is_guessed() -> None:
    assert "did you mean contain?" in refused(fit="contian")


def test_jpg_is_jpeg() -> None:
    assert Spec(format="jpg") == Spec(format="jpeg")


def test_the_default_is_the_talks_thumbnail() -> None:
    assert (Spec().width, Spec().height, Spec().fit, Spec().enlarge) == (200, 150, "inside", False)
    assert Spec().to_mapping() == {}


def test_a_side_that_is_given_alone_leaves_the_other_free() -> None:
    assert Spec(1600) == Spec.from_mapping({"width": 1600}) == Spec(1600, None)
    assert Spec(height=90) == Spec(None, 90)
    assert Spec(200).to_mapping() == {"width": 200, "height": None}
    assert Spec(None, None).to_mapping() == {"width": None, "height": None}


@given(SPECS)
def test_a_spec_survives_the_way_through_json(spec: Spec) -> None:
    assert Spec.from_mapping(json.loads(json.dumps(spec.to_mapping()))) == spec


@given(st.dictionaries(st.sampled_from(["width", "height", "fit", "format", "quality", "background", "enlarge"]), JSON))
def test_whatever_json_says_is_a_spec_or_a_bad_one(options: dict[str, Any]) -> None:
    try:
        Spec.from_mapping(options)
    except BadSpec as error:
        text = str(error)
    else:
        text = "good"
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "size"),
    [("320x240", (320, 240)), ("320X240", (320, 240)), ("320x", (320, None)), ("x240", (None, 240)), ("0x0", (0, 0))],
)
def test_a_size_is_read_as_people_write_it(text: str, size: tuple[int | None, int | None]) -> None:
    assert Spec.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "320", "320*240", "-1x5", "1.5x2", "1x2x3", "٣x٣", "²x2", "ax", "1\nx2", "y" * 999], ids=brief
)
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadSpec, match="WIDTHxHEIGHT") as caught:
        Spec.parse_size(text)
    assert len(str(caught.value)) < 200
