"""From bytes to a picture: the size asked for, and a refusal before the decoder wherever the header tells."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import BadImage
from fleet.images import Limits, Picture, Spec, render
from fleet.images.engines import pillow
from fleet.images.geometry import Size, plan
from fleet.images.spec import FITS
from tests.images.builders import FORMATS, bomb, opened, png, sample, small


def refused(data: bytes, spec: Spec | None = None, limits: Limits | None = None) -> BadImage:
    with pytest.raises(BadImage) as caught:
        render(data, spec, limits)
    return caught.value


def test_importing_pictures_loads_no_image_library() -> None:
    code = "import sys, fleet.images; sys.exit(any(name.split('.')[0] in ('PIL', 'wand') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_talks_picture_becomes_its_thumbnail(large_jpeg: bytes) -> None:
    thumbnail = render(large_jpeg)
    assert isinstance(thumbnail, Picture)
    assert (thumbnail.format, thumbnail.width, thumbnail.height) == ("jpeg", 200, 150)
    assert len(thumbnail) < 15_000
    assert render(bytearray(large_jpeg)) == render(memoryview(large_jpeg)) == thumbnail


@pytest.mark.parametrize("target", ["jpeg", "png", "webp", "avif", None])
@pytest.mark.parametrize("source", FORMATS)
def test_every_format_becomes_every_other(source: str, target: str | None) -> None:
    result = render(small(source), Spec(32, None, format=target))
    assert result.format == target or (source if source != "gif" else "png")
    assert opened(result).size == (32, 24)


@pytest.mark.parametrize(
    ("fit", "enlarge", "size"),
    [
        ("inside", False, (64, 48)),
        ("outside", False, (64, 48)),
        ("cover", False, (48, 48)),
        ("contain", False, (100, 100)),
        ("fill", False, (64, 48)),
        ("inside", True, (100, 75)),
        ("outside", True, (133, 100)),
        ("cover", True, (100, 100)),
        ("contain", True, (100, 100)),
        ("fill", True, (100, 100)),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_enlarged_unless_asked(format: str, fit: str, enlarge: bool, size: tuple[int, int]) -> None:
    assert opened(render(small(format), Spec(100, 100, fit, enlarge=enlarge))).size == size


SIDES = st.none() | st.integers(1, 90)


@settings(max_examples=200)
@given(
    st.integers(1, 80),
    st.integers(1, 80),
    SIDES,
    st.integers(1, 90),
    st.sampled_from(FITS),
    st.booleans(),
    st.booleans(),
)
def test_a_picture_has_the_size_that_was_planned(
    wide: int, high: int, width: int | None, height: int, fit: str, enlarge: bool, jpeg: bool
) -> None:
    wanted = plan(Size(wide, high), width, height, fit, enlarge).canvas
    result = render(small("jpeg" if jpeg else "png", (wide, high)), Spec(width, height, fit, enlarge=enlarge))
    assert opened(result).size == wanted


@pytest.mark.parametrize("format", ["jpeg", "png"])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(5000, 1), (1, 5000)])
def test_a_line_is_a_picture_too(format: str, fit: str, size: tuple[int, int]) -> None:
    made = opened(render(small(format, size), Spec(7, 7, fit))).size
    assert made == (size if fit == "outside" else plan(Size(*size), 7, 7, fit).canvas)


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: Any) -> bytes:
        raise AssertionError("the decoder was reached")

    monkeypatch.setattr(pillow.Pillow, "open", reached)


@pytest.mark.usefixtures("no_decoder")
def test_a_bomb_is_refused_before_any_decoder() -> None:
    data = bomb()
    assert len(data) < 110_000
    assert refused(data).reason == "too-large"
    assert "30000x29000 pixels" in str(refused(data))


@pytest.mark.usefixtures("no_decoder")
@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a\xff\xff\xff\xff\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0\x3b".ljust(44, b"\0"),
        b"GIF89a\1\0\1\0\0\0\0" + b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0" * 100_000 + b";",
        b"GIF89a\1\0\1\0\0\0\0\x2c\xff\xff\xff\xff\xff\xff\xff\xff\0\2\2\x44\1\0;",
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\3\1\x22\0\2\x11\1\3\x11\1" + bytes(1000),
        b"RIFF\0\1\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + bytes(100),
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x14ispe\0\0\0\0\0\0\x42\x68\0\0\x42\x68" + bytes(64),
        png(0x7FFFFFFF, 0x7FFFFFFF),
        png(1, 1_000_000),
    ],
    ids=["gif", "frames", "extents", "jpeg", "webp", "avif", "png", "thin"],
)
def test_a_header_over_the_limits_is_enough_to_refuse(data: bytes) -> None:
    assert refused(data).reason == "too-large"


@pytest.mark.usefixtures("no_decoder")
def test_a_source_of_too_many_bytes_is_refused() -> None:
    data = small("jpeg")
    assert refused(data + bytes(33 << 20)).reason == "too-large"
    assert refused(data, limits=Limits(source_bytes=len(data) - 1)).reason == "too-large"


def test_just_under_the_limits_a_picture_is_made() -> None:
    data = small("png", (64, 48))
    at = Limits(source_bytes=len(data), pixels=64 * 48, frames=1, side_px=64, result_side_px=64)
    assert render(data, Spec(None, None), at).width == 64
    assert refused(small("png", (64, 49)), None, at).reason == "too-large"
    assert refused(sample("animated.gif"), None, Limits(frames=11)).reason == "too-large"


@pytest.mark.parametrize(
    "spec",
    [
        Spec(200, None, enlarge=True),
        Spec(200, 150, "outside", enlarge=True),
        Spec(8192, 8192, "fill", enlarge=True),
        Spec(8192, 8192, "contain"),
    ],
)
def test_a_result_over_the_limits_is_refused(spec: Spec) -> None:
    error = refused(small("png", (1, 5000)), spec)
    assert error.reason == "too-large"
    assert "the result would have" in str(error)


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"<!doctype html>", b"%PDF-1.4", b"PK\3\4", bytes(100)])
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    error = refused(data)
    assert error.reason == "unsupported"
    assert "send a JPEG, PNG, WebP, GIF or AVIF" in str(error)
