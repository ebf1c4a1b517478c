"""What Pillow makes of a picture: upright, in the right colours, transparent where it was, and nothing else in it."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any, cast

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from fleet.errors import BadImage
from fleet.images import Limits, Spec, colour, render, sniff
from fleet.images.engines import pillow
from tests.conftest import SAMPLES
from tests.images.builders import (
    FILES,
    chunk,
    exif,
    jpeg_segment,
    opened,
    png,
    profile_of,
    sample,
    saved,
    small,
    with_segments,
)

P3 = profile_of("kitten-p3.jpg")
SRGB = profile_of("large.jpg")
# Upright, the corners of the orientation pictures, clockwise from the upper left.
CORNERS = ((255, 0, 0), (0, 255, 0), (255, 255, 0), (0, 0, 255))


def made(data: bytes, **options: Any) -> Image.Image:
    return opened(render(data, Spec(**options)))


def near(found: object, wanted: tuple[int, ...] | int, by: int = 6) -> bool:
    one = found if isinstance(found, tuple) else (found,)
    other = wanted if isinstance(wanted, tuple) else (wanted,)
    return len(one) == len(other) and all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def corners(image: Image.Image, inset: int = 2) -> list[str]:
    """The nearest of the four colours, by name, clockwise from the upper left."""
    right, bottom = image.width - 1 - inset, image.height - 1 - inset
    names = dict(zip("RGYB", CORNERS, strict=True))
    found = []
    for at in ((inset, inset), (right, inset), (right, bottom), (inset, bottom)):
        pixel = cast(tuple[int, ...], image.convert("RGB").getpixel(at))
        found.append(min(names, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, names[name], strict=True))))
    return found


def unlike(one: Image.Image, other: Image.Image) -> float:
    """How much two pictures differ, on the mean of all pixels and channels, of 255."""
    assert one.size == other.size
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(means) / len(means)


# -- Which way up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("fit", ["inside", "cover", "contain", "fill", "outside"])
def test_a_turned_jpeg_comes_out_upright(number: int, fit: str) -> None:
    image = made(sample(f"orientation-{number}.jpg"), fit=fit, format="png")
    assert image.size == (200, 150)
    assert corners(image) == ["R", "G", "Y", "B"]


@pytest.mark.parametrize("number", range(1, 9))
def test_a_turned_picture_is_cut_where_it_is_upright(number: int) -> None:
    data = sample(f"orientation-{number}.jpg")
    whole = made(data, width=400, height=300, format="png")
    tall = made(data, width=100, height=300, fit="cover", format="png")
    assert unlike(tall, whole.crop((150, 0, 250, 300))) < 3
    wide = made(data, width=400, height=60, fit="cover", format="png")
    assert unlike(wide, whole.crop((0, 120, 400, 180))) < 3


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("format", ["png", "webp", "avif"])
def test_other_formats_are_turned_by_their_exif_too(number: int, format: str) -> None:
    stored = opened(sample(f"orientation-{number}.jpg")).resize((160, 120) if number < 5 else (120, 160))
    options: dict[str, Any] = {"speed": 10} if format == "avif" else {}
    image = made(saved(stored, format, exif=b"Exif\0\0" + exif(number), **options), width=80, height=80)
    assert image.size == (80, 60)
    assert corners(image) == ["R", "G", "Y", "B"]


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    whole = png(2, 1, 8, 0, zlib.compress(b"\0\x00\xff"))
    late = whole[:-12] + chunk(b"eXIf", exif(3)) + chunk(b"IEND")
    assert made(late).tobytes() == b"\xff\x00"


@pytest.mark.parametrize("number", [0, 9, 65535])
def test_an_orientation_that_is_none_is_ignored(number: int) -> None:
    data = saved(opened(sample("orientation-1.jpg")), "jpeg", exif=b"Exif\0\0" + exif(number))
    assert corners(made(data, format="png")) == ["R", "G", "Y", "B"]


def test_broken_exif_is_no_reason_to_refuse_a_picture() -> None:
    loop = b"II*\0" + struct.pack("<IHHHIIHHIII", 8, 2, 0x8769, 4, 1, 8, 0x0112, 3, 1, 1, 8)
    for broken in (b"", b"II*\0", b"XX", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + b"\1" * 60_000, loop):
        data = with_segments(small("jpeg"), jpeg_segment(0xE1, b"Exif\0\0" + broken))
        assert made(data).size == (64, 48)


# -- Colours --------------------------------------------------------------------------------------------------------


def kitten(width: int = 200, height: int = 150) -> Image.Image:
    return made(sample("kitten.png"), width=width, height=height)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("kitten-p3.jpg", 2.5),
        ("kitten-cmyk.jpg", 9),
        ("kitten.webp", 3),
        ("kitten.avif", 3),
        ("kitten.gif", 8),
        ("kitten-progressive.jpg", 2.5),
        ("large.jpg", 6),
    ],
)
def test_the_kitten_has_the_same_colours_in_every_format(name: str, by: float) -> None:
    assert unlike(made(sample(name), format="png"), kitten()) < by


@pytest.mark.parametrize("name", ["kitten-grey.jpg", "kitten-16bit.png"])
def test_a_grey_kitten_is_as_bright_and_stays_grey(name: str) -> None:
    image = made(sample(name), format="png")
    assert image.mode == "L"
    assert unlike(image, kitten().convert("L")) < 4


def test_display_p3_without_its_profile_would_be_dull() -> None:
    stored = opened(sample("kitten-p3.jpg"))
    dull = stored.resize((200, 150), Image.Resampling.LANCZOS)
    good = unlike(made(sample("kitten-p3.jpg"), format="png"), kitten())
    assert unlike(dull, kitten()) > 1.5 * good


MODES = {"jpeg": ["RGB"], "png": ["RGB", "RGBA", "P"], "webp": ["RGB", "RGBA", "P"], "avif": ["RGB", "RGBA"]}


@pytest.mark.parametrize(("format", "mode"), [(format, mode) for format, modes in MODES.items() for mode in modes])
def test_a_profile_counts_in_every_format_and_mode(format: str, mode: str) -> None:
    p3 = Image.new("RGB", (64, 64), (234, 51, 35)).convert(mode)  # sRGB's full red, in Display P3
    options: dict[str, dict[str, Any]] = {"webp": {"lossless": True}, "jpeg": {"subsampling": 0, "quality": 98}}
    image = made(saved(p3, format, icc_profile=P3, **options.get(format, {})), width=8, height=8, format="png")
    assert near(cast(tuple[int, ...], image.getpixel((4, 4)))[:3], (255, 0, 0), 8)


def test_a_pictures_alpha_outlives_its_profile() -> None:
    image = made(saved(Image.new("RGBA", (64, 64), (234, 51, 35, 128)), "png", icc_profile=P3), width=8, height=8)
    assert near(image.getpixel((4, 4)), (255, 0, 0, 128), 8)
    grey = saved(Image.new("LA", (64, 64), (100, 128)), "png", icc_profile=SRGB)
    assert near(made(grey, width=8, height=8).getpixel((4, 4)), (100, 128), 1)


@pytest.mark.parametrize(
    "profile",
    [
        b"garbage",
        P3[:200],
        P3[:130] + bytes(400),
        P3.replace(b"RGB ", b"CMYK"),
        P3.replace(b"RGB ", b"GRAY"),
        b"\0" * 4000,
    ],
    ids=range(6),
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_profile_that_is_broken_or_of_other_colours_is_dropped(profile: bytes, mode: str) -> None:
    plain = saved(Image.new(mode, (16, 16), "#406080" if mode != "L" else 96), "jpeg")
    with_profile = saved(Image.new(mode, (16, 16), "#406080" if mode != "L" else 96), "jpeg", icc_profile=profile)
    assert made(with_profile, format="png").tobytes() == made(plain, format="png").tobytes()


def test_an_oversized_profile_is_dropped_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageCms, "ImageCmsProfile", None)
    data = saved(Image.new("RGB", (16, 16), "#406080"), "jpeg", icc_profile=P3 + bytes(colour.PROFILE_BYTES))
    assert near(made(data, format="png").getpixel((4, 4)), (64, 96, 128))


def test_an_srgb_profile_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageCms, "profileToProfile", None)
    assert made(sample("large.jpg")).size == (200, 150)


@pytest.mark.parametrize("size", [(800, 600), (200, 150), (37, 29)])
def test_four_inks_are_no_negative_at_any_scale_of_the_decoder(size: tuple[int, int]) -> None:
    image = made(sample("kitten-cmyk.jpg"), width=size[0], height=size[1], format="png")
    assert image.mode == "RGB"
    assert unlike(image, kitten(*size).resize(image.size)) < 10


# -- Modes ----------------------------------------------------------------------------------------------------------


def deep(colour: int, *values: int) -> bytes:
    """A PNG of 16 bits, 8x8 pixels of one colour."""
    row = b"\0" + struct.pack(f">{len(values)}H", *values) * 8
    return png(8, 8, 16, colour, zlib.compress(row * 8))


@pytest.mark.parametrize("side", [8, 4])
@pytest.mark.parametrize("value", [0, 257, 32896, 65535])
def test_sixteen_bits_keep_their_brightness(side: int, value: int) -> None:
    high = value >> 8
    assert near(made(deep(0, value), width=side).getpixel((2, 2)), high, 1)
    assert near(made(deep(2, value, 0, 65535), width=side).getpixel((2, 2)), (high, 0, 255), 1)
    assert near(made(deep(6, value, 0, 65535, 65535), width=side).getpixel((2, 2)), (high, 0, 255, 255), 1)
    grey = made(deep(4, value, 65535), width=side).convert("LA")
    assert near(grey.getpixel((2, 2)), (high, 255), 1)


def test_a_transparent_grey_of_sixteen_bits_is_transparent() -> None:
    rows = (b"\0" + struct.pack(">8H", *[1000] * 4, *[1001] * 4)) * 8
    data = png(8, 8, 16, 0, zlib.compress(rows), chunk(b"tRNS", struct.pack(">H", 1000)))
    image = made(data)
    assert image.mode == "LA"
    assert near(image.getpixel((1, 1)), (4, 0), 1)
    assert near(image.getpixel((6, 1)), (4, 255), 1)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_transparent_colour_is_transparent(mode: str) -> None:
    black: Any = (0, 0, 0) if mode == "RGB" else 0
    image = Image.new(mode, (16, 16), black)
    image.paste(1 if mode == "1" else "#ffffff", (8, 0, 16, 16))
    found = made(saved(image, "png", transparency=black), width=8).convert("RGBA")
    assert cast(tuple[int, ...], found.getpixel((0, 4)))[3] == 0
    assert near(found.getpixel((7, 4)), (255, 255, 255, 255), 2)


def test_single_bits_become_greys_when_scaled() -> None:
    image = Image.new("1", (64, 64))
    image.putdata([(x + y) % 2 * 255 for y in range(64) for x in range(64)])
    small_one = made(saved(image, "png"), width=16)
    assert small_one.mode == "L"
    assert near(small_one.getpixel((8, 8)), 128, 4)


@pytest.mark.parametrize("format", ["png", "webp", "avif"])
@pytest.mark.parametrize("name", ["kitten-palette.png", "kitten-alpha.png"])
def test_transparency_is_kept_where_the_format_has_it(name: str, format: str) -> None:
    image = made(sample(name), format=format)
    assert image.mode == "RGBA"
    low, high = cast(tuple[int, int], image.getchannel("A").getextrema())
    assert (low, high) == (0, 255)


@pytest.mark.parametrize("name", ["kitten-palette.png", "kitten-alpha.png"])
def test_what_is_transparent_shows_the_background_in_a_jpeg(name: str) -> None:
    stored = opened(sample(name)).convert("RGBA")
    assert cast(tuple[int, ...], stored.getpixel((0, 0)))[3] == 0
    image = made(sample(name), format="jpeg", background="#00c000")
    assert near(image.getpixel((0, 0)), (0, 192, 0))


def test_a_transparent_edge_is_not_darkened_by_what_is_hidden() -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 31, 64))
    found = made(saved(image, "png"), width=16)
    edge = [cast(tuple[int, ...], found.getpixel((x, 8))) for x in range(16)]
    assert any(0 < alpha < 255 for *_, alpha in edge)
    assert all(red >= 250 and green + blue < 8 for red, green, blue, alpha in edge if alpha > 8)


@pytest.mark.parametrize("name", ["kitten-alpha.png", "kitten-palette.png", "kitten.png"])
@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_contain_lays_the_picture_on_its_background(name: str, format: str) -> None:
    image = made(sample(name), width=200, height=200, fit="contain", format=format, background="#00c000")
    assert (image.mode, image.size) == ("RGB", (200, 200))
    assert near(image.getpixel((100, 5)), (0, 192, 0), 9)
    assert near(image.getpixel((100, 195)), (0, 192, 0), 9)
    shows = near(image.getpixel((3, 30)), (0, 192, 0), 9)
    assert shows == (name != "kitten.png")


def test_contain_is_opaque_even_if_nothing_is_padded() -> None:
    assert made(sample("kitten-alpha.png"), fit="contain").mode == "RGB"
    assert made(small("png", (20, 10)), fit="contain").size == (200, 150)


def test_a_grey_picture_may_have_a_background_of_any_colour() -> None:
    image = made(sample("kitten-grey.jpg"), width=200, height=200, fit="contain", background="#ff0000", format="png")
    assert image.getpixel((100, 2)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["animated.gif", "animated.webp"])
def test_of_a_moving_picture_the_first_frame_is_taken(name: str) -> None:
    first = opened(sample(name)).convert("RGB")
    image = made(sample(name), width=320, height=240, format="png")
    assert unlike(image, first) < 1
    assert getattr(image, "n_frames", 1) == 1


def test_of_two_pictures_in_one_file_the_first_is_taken() -> None:
    one, two = Image.new("RGB", (64, 48), "#ff0000"), Image.new("RGB", (640, 480), "#0000ff")
    image = made(saved(one, "mpo", save_all=True, append_images=[two]), format="png")
    assert image.size == (64, 48)
    assert near(image.getpixel((5, 5)), (255, 0, 0))


# -- The rest -------------------------------------------------------------------------------------------------------


def test_a_quality_is_passed_on() -> None:
    for format in ("jpeg", "webp", "avif"):
        low, high = (render(sample("kitten.png"), Spec(format=format, quality=q)) for q in (10, 95))
        assert len(low) < len(high)


def test_short_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", short)
    with pytest.raises(BadImage, match="more memory") as caught:
        render(sample("kitten.png"))
    assert caught.value.reason == "resource"


def test_what_the_decoder_finds_too_large_is_too_large() -> None:
    data = small("png")
    header = sniff(data)._replace(width=1)
    with pytest.raises(BadImage) as caught, pillow.PILLOW.open(data, header, Limits(side_px=63)):
        pass
    assert caught.value.reason == "too-large"


def test_after_warming_up_there_is_nothing_left_to_load() -> None:
    code = """
import sys
from pathlib import Path
from fleet.images import Spec, pipeline, render
pipeline.warm_up()
loaded = set(sys.modules)
for name in sys.argv[2:]:
    for format in (None, "jpeg", "png", "webp", "avif"):
        render(Path(sys.argv[1], name).read_bytes(), Spec(20, 20, "contain", format))
assert set(sys.modules) == loaded, set(sys.modules) - loaded
"""
    names = [name for name in FILES if name != "large.jpg"]
    done = subprocess.run([sys.executable, "-c", code, SAMPLES, *names], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_window_reads_like_a_file() -> None:
    data = bytes(range(100))
    file, window = io.BytesIO(data), pillow.Window(memoryview(data))
    for at, whence in ((0, 0), (-10, 2), (5, 1), (200, 0), (-3, 1), (50, 0)):
        assert file.seek(at, whence) == window.seek(at, whence) == window.tell()
        assert file.read(7) == window.read(7)
    file.seek(90)
    window.seek(90)
    assert file.read() == window.read()
    assert window.read(3) == window.read(None) == b""
    window.close()


def test_a_broken_tiff_is_told_in_the_error_and_nowhere_else(capfd: pytest.CaptureFixture[str]) -> None:
    image = Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 60)
    good = saved(image, "tiff", compression="tiff_lzw")
    limits = Limits(formats=frozenset({"tiff"}))
    for broken in (bytes(byte ^ 0x55 if 100 < at < 800 else byte for at, byte in enumerate(good)), good[:-40]):
        with pytest.raises(BadImage):
            render(broken, Spec(8, 8), limits)
    assert capfd.readouterr() == ("", "")
