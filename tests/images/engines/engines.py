"""What the tests of the engines share: those that are here, and pictures only some of them open."""

from __future__ import annotations

import io
import os
import struct

import pytest
from PIL import Image, ImageChops, ImageStat

from fleet.images.engines import Engine, router
from fleet.images.limits import Limits
from fleet.images.sniff import FORMATS
from tests.images.builders import sample, saved

EVERYTHING = Limits(formats=frozenset(FORMATS))


def engine(name: str) -> Engine:
    """An engine; without it the test is skipped, and fails in CI."""
    found = router.load(name)
    if isinstance(found, str):
        reason = f"the engine {name} cannot be used here: {found}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def psd(image: Image.Image, channels: int | None = None, depth: int = 8, packed: bool = False) -> bytes:
    """A Photoshop file without layers; its rows may be packed. `channels` and `depth` are what its header lies."""
    modes = {"L": 1, "RGB": 3, "RGBA": 3, "CMYK": 4}
    planes = [plane.tobytes() for plane in image.split()]
    if image.mode == "CMYK":
        planes = [bytes(255 - value for value in plane) for plane in planes]  # Photoshop has no ink at 255
    head = struct.pack(
        ">4sH6xHIIHH",
        b"8BPS",
        1,
        len(planes) if channels is None else channels,
        image.height,
        image.width,
        depth,
        modes[image.mode],
    )
    layer = struct.pack(
        ">h16xH4s4sBBxxI12x", -1, 0, b"8BIM", b"norm", 255, 0, 12
    )  # less than none: the fourth is alpha
    layers = struct.pack(">II", len(layer) + 4, len(layer)) + layer if image.mode == "RGBA" else bytes(4)
    if not packed:
        return head + bytes(8) + layers + b"\0\0" + b"".join(planes)
    wide = image.width
    assert wide <= 128, "a packet holds no more"
    rows = [bytes([wide - 1]) + plane[at : at + wide] for plane in planes for at in range(0, len(plane), wide)]
    counts = struct.pack(f">{len(rows)}H", *map(len, rows))
    return head + bytes(8) + layers + b"\0\1" + counts + b"".join(rows)


def heic(image: Image.Image, **options: object) -> bytes:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, **options)
    return file.getvalue()


def kitten(size: tuple[int, int] = (800, 600)) -> Image.Image:
    """The plain kitten, in memory."""
    return Image.open(io.BytesIO(sample("kitten.png"))).convert("RGB").resize(size, Image.Resampling.LANCZOS)


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def unlike(one: Image.Image, other: Image.Image) -> float:
    """How much two pictures differ on white, on the mean of all pixels and channels, of 255."""
    assert one.size == other.size
    means = ImageStat.Stat(ImageChops.difference(on_white(one), on_white(other))).mean
    return sum(means) / len(means)


def tiff(image: Image.Image, **options: object) -> bytes:
    return saved(image, "tiff", **options)
