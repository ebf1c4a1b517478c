"""Every operation on what every engine opens: the same pixels as of the same picture in Pillow's hands."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, Final, NamedTuple

import pytest
from PIL import Image

from fleet.images import Spec, render
from tests.images.builders import opened, sample, saved
from tests.images.engines.engines import EVERYTHING, engine, heic, kitten, on_white, psd, unlike

OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "fit inside": {"fit": "inside"},
    "fit outside": {"fit": "outside"},
    "fit cover": {"fit": "cover", "width": 120, "height": 120},
    "fit contain": {"fit": "contain", "background": "#305f6a", "width": 150, "height": 150},
    "fit fill": {"fit": "fill", "width": 60, "height": 150},
    "width alone": {"width": 90, "height": None},
    "enlarge": {"enlarge": True, "width": 500, "height": None},
    "gravity": {"fit": "cover", "gravity": "southeast", "width": 60, "height": 120},
    "gravity smart": {"fit": "cover", "gravity": "smart", "width": 60, "height": 120},
    "focus": {"fit": "cover", "focus": (0.8, 0.5), "width": 60, "height": 120},
    "crop": {"crop": (31, 17, 257, 201)},
    "trim": {"trim": 40},
    "rotate a quarter": {"rotate": 90},
    "rotate a little": {"rotate": 15, "background": "#ffcc00"},
    "flip": {"flip": True},
    "flop": {"flop": True},
    "padding": {"padding": 9, "background": "#305f6a"},
    "blur": {"blur": 3},
    "sharpen": {"sharpen": 1.5},
    "watermark": {"watermark": "logo", "watermark_gravity": "north", "watermark_size": 0.3, "watermark_opacity": 0.6},
    "linear": {"linear": True},
}
# What a Spec says besides: of the bytes, not of the pixels.
OF_THE_BYTES: Final = {
    "format",
    "quality",
    "max_bytes",
    "accept",
    "progressive",
    "animated",
    "lenient",
    "keep_copyright",
    "engine",
}
MARKS: Final = {"logo": saved(Image.new("RGBA", (60, 30), (255, 0, 0, 200)), "png")}


class Case(NamedTuple):
    """A picture that an engine opens, and the same pixels in a file that Pillow opens."""

    engine: str
    data: bytes
    twin: bytes


def _clear() -> Image.Image:
    return Image.open(io.BytesIO(sample("kitten-alpha.png"))).convert("RGBA").resize((400, 300))


def _same(opener: str, data: bytes) -> Case:
    return Case(opener, data, data)


def _photoshop(image: Image.Image) -> Case:
    return Case("wand", psd(image), saved(image, "png"))


def _telephone(image: Image.Image) -> Case:
    import pillow_heif

    data = heic(image, quality=90)
    return Case("heif", data, saved(pillow_heif.open_heif(data).to_pillow(), "png"))


CASES: Final[dict[str, Callable[[], Case]]] = {
    "vips, png": lambda: _same("vips", saved(kitten((1000, 750)), "png")),
    "vips, transparent png": lambda: _same("vips", saved(_clear(), "png")),
    "vips, jpeg on its side": lambda: _same("vips", sample("orientation-6.jpg")),
    "vips, webp": lambda: _same("vips", saved(kitten((400, 300)), "webp", lossless=True)),
    "vips, gif": lambda: _same("vips", saved(kitten((400, 300)).quantize(256), "gif")),
    "wand, psd": lambda: _photoshop(kitten((400, 300))),
    "wand, transparent psd": lambda: _photoshop(_clear()),
    "heif, heic": lambda: _telephone(kitten((400, 300))),
}
case: Final = cache(lambda kind: CASES[kind]())


def test_every_option_that_changes_pixels_is_among_the_operations() -> None:
    tried = {name for options in OPERATIONS.values() for name in options}
    assert {field.name for field in fields(Spec)} == tried | OF_THE_BYTES


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", CASES)
def test_an_operation_makes_the_same_pixels_whoever_opened_the_picture(kind: str, operation: str) -> None:
    engine(kind.partition(",")[0])
    opener, data, twin = case(kind)

    def made(source: bytes, by: str) -> Image.Image:
        spec = Spec.from_mapping({"width": 200, "height": 150, **OPERATIONS[operation], "format": "png", "engine": by})
        picture = render(source, spec, EVERYTHING, watermarks=MARKS)
        assert picture.facts
        assert picture.facts.engine == by
        return opened(picture)

    ours, pillows = made(data, opener), made(twin, "pillow")
    assert unlike(ours, pillows) < 1.5
    assert unlike(on_white(_alpha(ours)), on_white(_alpha(pillows))) < 1.5


def _alpha(image: Image.Image) -> Image.Image:
    return image.convert("RGBA").getchannel("A").convert("RGB")
