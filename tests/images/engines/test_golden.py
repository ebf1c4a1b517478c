"""Every engine makes the same of the same picture, whatever is asked; and that is what a careful hand would make."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms, ImageOps

from fleet.images import Limits, Spec, render, sniff
from fleet.images.engines import router
from fleet.images.sniff import FORMATS
from tests.images.builders import FILES, opened, sample
from tests.images.engines.engines import EVERYTHING, engine, heic, kitten, on_white, psd, tiff, unlike

SPECS = {
    "inside": Spec(200, 150, format="png"),
    "square": Spec(64, 64, fit="cover", format="png"),
    "strip": Spec(333, 111, fit="cover", format="png"),
    "corner": Spec(100, 100, fit="cover", gravity="northwest", format="png"),
    "bent": Spec(150, 150, fit="fill", format="png"),
    "part": Spec(100, 100, crop=(31, 17, 257, 201), format="png"),
    "linear": Spec(120, 90, linear=True, format="png"),
    "whole": Spec(None, None, format="png"),
}


# Each sample with each engine that opens its format.
BY_ENGINE = [(name, opener) for name in FILES for opener in router.ORDER[sniff(sample(name)).format]]


def by_hand(data: bytes, size: tuple[int, int]) -> Image.Image:
    """All of it decoded, turned, converted and scaled by nothing but Pillow, with none of our shortcuts."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    profile = image.info.get("icc_profile")
    if image.mode == "I;16":
        image = image.convert("I").point(lambda value: value / 257 + 0.5).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    if profile:
        srgb = ImageCms.createProfile("sRGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        image = (
            ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb, outputMode=mode)
            or image
        )
    return on_white(image).resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize(("name", "opener"), BY_ENGINE)
def test_every_engine_makes_what_a_careful_hand_would(name: str, opener: str) -> None:
    engine(opener)
    made = opened(render(sample(name), Spec(200, 150, format="png", engine=opener)))
    assert unlike(made, by_hand(sample(name), made.size)) < 1.5


@pytest.mark.parametrize("wanted", SPECS)
@pytest.mark.parametrize("name", [name for name, opener in BY_ENGINE if opener == "vips"])
def test_libvips_and_pillow_agree(name: str, wanted: str) -> None:
    engine("vips")
    spec = SPECS[wanted].to_mapping()
    pillow, vips = (
        opened(render(sample(name), Spec(**{"width": 200, "height": 150, **spec, "engine": e})))
        for e in ("pillow", "vips")
    )
    assert unlike(pillow, vips) < 1.5


@pytest.mark.parametrize("name", ["animated.gif", "animated.webp"])
def test_libvips_and_pillow_agree_on_what_moves(name: str) -> None:
    engine("vips")
    made = [
        Image.open(io.BytesIO(render(sample(name), Spec(160, 120, format="webp", animated=True, engine=e))))
        for e in ("pillow", "vips")
    ]
    pillow, vips = made
    assert pillow.n_frames == vips.n_frames == 12  # type: ignore[attr-defined]
    assert pillow.info["loop"] == vips.info["loop"] == 0
    for number in range(12):
        pillow.seek(number)
        vips.seek(number)
        assert unlike(pillow, vips) < 3  # most of it is what WebP loses
        assert pillow.info["duration"] == vips.info["duration"]


# -- What only one engine opens -------------------------------------------------------------------------------------

RARE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "psd, RGB": ("wand", lambda: psd(kitten())),
    "psd, four inks": ("wand", lambda: psd(kitten().convert("CMYK"))),
    "heic": ("heif", lambda: heic(kitten(), quality=90)),
    "tiff": ("pillow", lambda: tiff(kitten())),
    "tiff, LZW": ("pillow", lambda: tiff(kitten(), compression="tiff_lzw")),
    "tiff, JPEG": ("pillow", lambda: tiff(kitten(), compression="jpeg")),
    "tiff, four inks": ("pillow", lambda: tiff(kitten().convert("CMYK"))),
    "tiff, a palette": ("pillow", lambda: tiff(kitten().quantize(256))),
}


@pytest.mark.parametrize("kind", RARE)
def test_the_kitten_has_its_colours_in_rare_formats_too(kind: str) -> None:
    opener, make = RARE[kind]
    engine(opener)
    made = render(make(), Spec(200, 150, format="png"), EVERYTHING)
    assert made.facts is not None
    assert made.facts.engine == opener
    assert unlike(opened(made), kitten((200, 150))) < 4


def test_a_grey_photoshop_file_is_as_bright() -> None:
    engine("wand")
    made = opened(render(psd(kitten().convert("L")), Spec(200, 150, format="png"), EVERYTHING))
    assert unlike(made, kitten((200, 150)).convert("L")) < 1


def test_transparency_of_a_photoshop_file_is_kept() -> None:
    engine("wand")
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    image.paste((0, 128, 255, 255), (20, 0, 40, 30))
    made = opened(render(psd(image), Spec(20, 15, format="png"), EVERYTHING)).convert("RGBA")
    assert made.getpixel((3, 7))[3] == 0  # type: ignore[index]
    assert made.getpixel((16, 7)) == (0, 128, 255, 255)


def test_a_drawing_is_rendered_at_the_size_that_is_wanted() -> None:
    engine("vips")
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300">'
        b'<rect x="200" width="200" height="300" fill="#0080ff"/></svg>'
    )
    made = opened(render(svg, Spec(40, 30, format="png"), EVERYTHING)).convert("RGBA")
    assert made.size == (40, 30)
    assert made.getpixel((5, 15))[3] == 0  # type: ignore[index]
    assert made.getpixel((30, 15)) == (0, 128, 255, 255)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_m37_a_telephones_picture_is_upright(orientation: int) -> None:
    engine("heif")
    image = kitten((160, 120))
    turned = {
        1: image,
        3: image.rotate(180),
        6: image.transpose(Image.Transpose.ROTATE_90),
        8: image.transpose(Image.Transpose.ROTATE_270),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = heic(turned[orientation], quality=90, exif=exif.tobytes())
    assert unlike(opened(render(data, Spec(80, 60, format="png"))), image.resize((80, 60))) < 6


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "P", "1", "I;16", "I;16B", "I", "F"])
def test_m57_every_mode_of_a_tiff_comes_out_as_bright_as_it_was(mode: str) -> None:
    if mode == "I;16B":
        grey = Image.frombytes(mode, (40, 30), b"\x80\x80" * 1200)
    elif mode in ("I;16", "I", "F"):
        grey = Image.new(mode, (40, 30), 128.0 if mode == "F" else 0x8080)
    else:
        grey = Image.new("L", (40, 30), 255 if mode == "1" else 128).convert(mode)
    made = opened(render(tiff(grey), Spec(20, 15, format="png"), EVERYTHING))
    found = on_white(made).getpixel((10, 7))
    assert isinstance(found, tuple)
    assert abs(found[1] - (255 if mode == "1" else 128)) <= 2


@pytest.mark.parametrize("format", sorted(set(FORMATS) - Limits().formats))
def test_what_the_settings_do_not_allow_is_not_looked_into(format: str) -> None:
    from tests.images.builders import verdict

    data = {"tiff": b"II*\0", "psd": b"8BPS", "svg": b"<svg"}[format] + bytes(64)
    assert verdict(lambda: render(data)) == "unsupported"
