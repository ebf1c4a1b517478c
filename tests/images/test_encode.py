"""From finished frames to bytes: qualities, the highest that fits, modes that a format has, and nothing besides."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from fleet.errors import BadImage
from fleet.images import Spec, encode
from fleet.images.engines import Frame
from tests.images.builders import FORMATS, opened
from tests.images.engines.engines import kitten

KITTEN = kitten((160, 120))


def made(image: Image.Image, format: str, **options: Any) -> bytes:
    return encode.encode([Frame(image)], Spec(**options), format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_mode_that_the_steps_leave_can_be_written_in_every_format(mode: str, format: str) -> None:
    image = opened(made(KITTEN.convert(mode), format))
    assert image.size == KITTEN.size
    if mode in ("LA", "RGBA") and format != "jpeg":
        assert image.convert("RGBA").getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_more_quality_is_more_bytes_and_the_default_lies_between(format: str) -> None:
    low, usual, high = (
        len(made(KITTEN, format, **({"quality": quality} if quality else {}))) for quality in (20, None, 95)
    )
    assert low < usual < high
    assert len(made(KITTEN, format, quality=encode.QUALITY[format])) == usual


def test_what_an_image_says_of_itself_is_not_written() -> None:
    told = KITTEN.copy()
    told.info = {"exif": b"Exif\0\0II*\0", "icc_profile": b"profile", "comment": b"secret", "dpi": (300, 300)}
    for format in FORMATS:
        assert made(told, format) == made(KITTEN, format), format
    assert told.info["comment"] == b"secret"  # and it is left as it was


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_the_exif_that_is_given_is_written(format: str) -> None:
    exif = Image.Exif()
    exif[0x8298] = "Copyright Somebody"
    data = encode.encode([Frame(KITTEN)], Spec(), format, exif=exif.tobytes())
    assert opened(data).getexif()[0x8298] == "Copyright Somebody"


# -- Within max_bytes -----------------------------------------------------------------------------------------------


def counted(sizes: dict[int, int]) -> tuple[Callable[[int], bytes], list[int]]:
    tried: list[int] = []

    def saved(step: int) -> bytes:
        tried.append(step)
        return bytes(sizes[step])

    return saved, tried


@pytest.mark.parametrize("most", [1, 2, 37, 99, 100, 1000])
def test_the_best_step_that_fits_is_found_in_eight_tries(most: int) -> None:
    saved, tried = counted({step: step for step in range(1, 101)})
    assert len(encode._fitting(saved, range(1, 101), most)) == min(most, 100)
    assert len(tried) <= 8


def test_without_a_limit_only_the_best_is_tried() -> None:
    saved, tried = counted({step: step for step in range(1, 101)})
    assert len(encode._fitting(saved, range(1, 101), None)) == 100
    assert tried == [100]


def test_what_never_fits_is_refused_with_the_least_it_could_be() -> None:
    with pytest.raises(BadImage, match="max_bytes is 100") as caught:
        made(KITTEN, "jpeg", max_bytes=100)
    assert caught.value.reason == "too-large"
    least = len(made(KITTEN, "jpeg", quality=1))
    assert f"{least:,} bytes at its worst" in str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_png_that_must_be_small_has_a_palette_and_still_its_transparency(mode: str) -> None:
    image = KITTEN.convert(mode)
    if mode != "RGB":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    few = opened(made(image, "png", max_bytes=5000))
    assert few.mode == "P"
    if mode != "RGB":
        assert few.convert("RGBA").getchannel("A").getcolors() is not None
        alpha = few.convert("RGBA").getchannel("A")
        assert (alpha.getpixel((80, 5)), alpha.getpixel((80, 115))) == (0, 255)


@pytest.mark.parametrize(("size", "most"), [((120, 90), 11), ((800, 600), 12)])
def test_few_colours_are_the_means_of_those_that_they_stand_for(size: tuple[int, int], most: float) -> None:
    image = kitten(size)
    few = encode._few(image, 16)
    rms = ImageStat.Stat(ImageChops.difference(few.convert("RGB"), image)).rms
    assert sum(rms) / 3 < most


def test_a_large_drawing_of_few_colours_keeps_each_of_them_wherever_it_is() -> None:
    drawing = Image.new("RGB", (1200, 900), "#204060")
    drawing.putpixel((601, 303), (255, 0, 0))
    drawing.putpixel((77, 5), (255, 255, 0))
    few = encode._few(drawing, 8).convert("RGB")
    assert few.tobytes() == drawing.tobytes()


# -- What moves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("duration_ms", "written"), [(0, 100), (10, 100), (20, 20), (450, 450)])
def test_frames_that_give_no_time_have_that_of_browsers(duration_ms: int, written: int) -> None:
    frames = [Frame(Image.new("RGB", (8, 8), colour), duration_ms) for colour in ("#ff0000", "#0000ff")]
    data = encode.encode(frames, Spec(animated=True), "gif")
    assert Image.open(io.BytesIO(data)).info["duration"] == written


@pytest.mark.parametrize("loops", [0, 1, 5])
def test_a_moving_picture_is_shown_as_often_as_its_source(loops: int) -> None:
    frames = [Frame(Image.new("RGB", (8, 8), colour), 50) for colour in ("#ff0000", "#0000ff")]
    gif = Image.open(io.BytesIO(encode.encode(frames, Spec(animated=True), "gif", loops)))
    assert gif.info.get("loop") == (None if loops == 1 else loops)  # without a count, a GIF is shown once
    webp = Image.open(io.BytesIO(encode.encode(frames, Spec(animated=True), "webp", loops)))
    assert webp.info["loop"] == loops


def test_unless_asked_only_the_first_frame_is_written() -> None:
    frames = [Frame(Image.new("RGB", (8, 8), colour), 50) for colour in ("#ff0000", "#0000ff")]
    assert Image.open(io.BytesIO(encode.encode(frames, Spec(), "gif"))).n_frames == 1  # type: ignore[attr-defined]
