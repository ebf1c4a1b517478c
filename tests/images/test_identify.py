"""What a picture is, and the verdict on it."""

from __future__ import annotations

from hashlib import sha256

import pytest

from fleet.images import Limits
from fleet.images.identify import identify
from tests.images.builders import FILES, opened, sample, small


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("decode", [False, True])
def test_every_sample_is_ok(name: str, decode: bool) -> None:
    data = sample(name)
    found = identify(data, decode=decode)
    assert (found.verdict, found.why) == ("ok", "")
    assert (found.width, found.height) == opened(data).size
    assert found.sha256 == sha256(data).hexdigest()
    assert bool(found.engine) == decode


def test_the_facts_beside_the_pixels() -> None:
    assert identify(sample("orientation-6.jpg")).orientation == 6
    assert identify(sample("kitten-p3.jpg")).profile == "Display P3"
    assert identify(sample("large.jpg")).profile == "sRGB"
    assert identify(sample("kitten.png")).profile is None
    assert identify(sample("animated.webp")).frames == 12


def test_broken_pixels_are_found_by_decoding_alone() -> None:
    data = sample("kitten.webp")[:60_000]
    assert identify(data).verdict == "ok"
    found = identify(data, decode=True)
    assert found.verdict == "corrupt"
    assert (found.format, found.width, found.height) == ("webp", 1200, 900)
    assert found.why


@pytest.mark.parametrize(
    ("data", "limits", "verdict", "format"),
    [
        (b"hello", Limits(), "unsupported", None),
        (b"", Limits(), "unsupported", None),
        (b"II*\0" + bytes(60), Limits(), "unsupported", "tiff"),
        (small("png"), Limits(pixels=100), "too-large", "png"),
        (small("png")[:20], Limits(), "corrupt", "png"),
    ],
)
def test_what_would_not_be_taken_says_why(data: bytes, limits: Limits, verdict: str, format: str | None) -> None:
    found = identify(data, limits)
    assert (found.verdict, found.format) == (verdict, format)
    assert found.why
