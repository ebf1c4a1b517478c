"""The libvips engine: for what it decodes faster than Pillow, and in less memory.

Rule 1: what runs before a fork starts no thread: pixels are fetched strip by strip on the caller's own, and WebP, for
which libvips takes a thread all the same, is only opened then. Rule 2: of libvips' loaders only those named here can
run; nothing is cached and nothing is written. Rule 3: the source's bytes are not copied.
"""

from __future__ import annotations

import io
import logging
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("VIPS_WARNING", "0")  # set to anything, libvips does not write its warnings to stderr

import pyvips
from PIL import Image

from fleet.errors import BadImage
from fleet.images.colour import to_srgb
from fleet.images.engines import REDUCING_GAP, Frame, Loaded, Reduction
from fleet.images.engines.blame import blamed
from fleet.images.geometry import Box, Size, stored_box, stored_size
from fleet.images.limits import Limits, check
from fleet.images.metadata import orientation
from fleet.images.scaling import resized, turned
from fleet.images.sniff import Buffer, Header

logging.getLogger("pyvips").setLevel(logging.ERROR)

LOADERS: Final = {
    "jpeg": pyvips.Image.jpegload_source,
    "png": pyvips.Image.pngload_source,
    "webp": pyvips.Image.webpload_source,
    "gif": pyvips.Image.gifload_source,
    "svg": pyvips.Image.svgload_source,  # librsvg: what a file names outside itself is not read
}
CLASSES: Final = {
    "jpeg": "VipsForeignLoadJpegSource",
    "png": "VipsForeignLoadPngSource",
    "webp": "VipsForeignLoadWebpSource",
    "gif": "VipsForeignLoadNsgifSource",
    "svg": "VipsForeignLoadSvgSource",
}
# Of what is broken, libvips gives the rest of a PNG as whatever was in its memory, and no WebP at all.
LENIENT: Final = frozenset({"jpeg", "gif"})
TEXT: Final = re.compile(rb"<(\w+:)?text\b")
FONTS: Final = "/etc/fonts/fonts.conf"
MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
STRIP_ROWS: Final = 16
# From here on an edge that is moved to the nearest pixel of the source moves by an eighth of the result's, at most.
COARSE: Final = 4.0


class Vips:
    """The engine of the extra `gearfleet[vips]`."""

    name = "vips"
    library = "libvips " + ".".join(str(pyvips.version(part)) for part in range(3))
    formats = frozenset(LOADERS)

    def __init__(self) -> None:
        pyvips.cache_set_max(0)
        pyvips.block_untrusted_set(True)
        for operation in ("VipsForeignLoad", "VipsForeignSave"):
            pyvips.operation_block_set(operation, True)
        for loader in CLASSES.values():
            pyvips.operation_block_set(loader, False)

    @contextmanager
    def open(self, data: Buffer, header: Header, limits: Limits, *, lenient: bool = False) -> Iterator[VipsSource]:
        if header.format == "svg" and TEXT.search(bytes(data)) and not _has_fonts():
            raise BadImage("unsupported", "the SVG has text, for which there are no fonts here; save its text as paths")
        with blamed(header):
            source = VipsSource(data, header, lenient)
        check(Header(header.format, *source.stored), len(data), limits)  # the library's own opinion of its size
        yield source

    def warm_up(self) -> None:
        picture = Image.new("RGB", (64, 64), "#808080")
        for format in sorted(self.formats - {"svg"}):
            file = io.BytesIO()
            picture.save(file, format)
            self._warm_up(format, file.getvalue())
        self._warm_up("svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>')

    def _warm_up(self, format: str, data: bytes) -> None:
        with self.open(data, Header(format, 64, 64), Limits()) as source:
            if format != "webp":
                source.load(Reduction(Box(0, 0, 64, 64), Size(8, 8)))


VIPS: Final = Vips()


class VipsSource:
    """A picture that libvips has opened and not yet decoded."""

    def __init__(self, data: Buffer, header: Header, lenient: bool = False) -> None:
        self._data = data
        self._header = header
        self._fail_on = "none" if lenient and header.format in LENIENT else "truncated"
        image = self._loaded()
        self._exif: bytes = _field(image, "exif-data", b"")
        self._profile: bytes | None = _field(image, "icc-profile-data", None)
        self.stored = Size(image.width, image.height)
        # What is transparent in places is not scaled by WebP's decoder: it would bring hidden colours out.
        self._scalable = header.format == "svg" or (header.format == "webp" and not image.hasalpha())
        self.orientation = orientation(self._exif)
        self.size = stored_size(self.stored, self.orientation)

    def load(self, reduction: Reduction) -> Loaded:
        crop = stored_box(reduction.crop, self.size, self.orientation)
        scaled = stored_size(reduction.scaled, self.orientation)
        with blamed(self._header):
            if reduction.frames > 1:
                image = self._moving(reduction.frames)
            elif reduction.linear:
                image = self._loaded()
            else:
                image, crop = self._small(crop, scaled)
            pages = _pages(image)
            delays = _field(image, "delay", [0] * len(pages))
            images = [self._finished(page, crop, scaled, reduction.linear) for page in pages]
        frames = [Frame(*frame) for frame in zip(images, delays, strict=False)]
        return Loaded(frames, VIPS.name, loops=_field(image, "loop", 0), exif=self._exif)

    def _loaded(self, **options: Any) -> Any:
        """The picture anew, from its first byte, to be read from top to bottom."""
        source = pyvips.Source.new_from_memory(self._data)
        return LOADERS[self._header.format](source, access="sequential", fail_on=self._fail_on, **options)

    def _moving(self, frames: int) -> Any:
        """So many frames at most, one below the other."""
        image = self._loaded()
        count = min(frames, _field(image, "n-pages", 1))
        return self._loaded(n=count) if count > 1 else image

    def _small(self, crop: Box, scaled: Size) -> tuple[Any, Box]:
        """Have the decoder itself scale down as far as the gap allows; where `crop` is then."""
        scale = REDUCING_GAP * max(scaled.width / (crop.right - crop.left), scaled.height / (crop.bottom - crop.top))
        if self._header.format == "jpeg" and scale <= 0.5:
            image = self._loaded(shrink=next(by for by in (8, 4, 2) if by * scale <= 1))
        elif self._scalable and scale < 1:
            image = self._loaded(scale=scale)
        else:
            return self._loaded(), crop
        across, down = image.width / self.stored.width, image.height / self.stored.height
        return image, Box(crop.left * across, crop.top * down, crop.right * across, crop.bottom * down)

    def _finished(self, image: Any, crop: Box, scaled: Size, linear: bool) -> Image.Image:
        """Cut, scaled, upright and in sRGB.

        libvips cuts at whole pixels only, and enlarges by another kernel: where that would be seen, Pillow has the last
        word.
        """
        smaller = min((crop.right - crop.left) / scaled.width, (crop.bottom - crop.top) / scaled.height)
        alone = not linear and smaller >= 1 and (smaller >= COARSE or _around(crop) == _nearest(crop))
        left, top, right, bottom = _nearest(crop) if alone else _around(crop)
        image = image.extract_area(left, top, min(right, image.width) - left, min(bottom, image.height) - top)
        if alone:
            found = _pixels(_eight_bits(_resized(image, scaled)))
        else:
            rest = Box(crop.left - left, crop.top - top, crop.right - left, crop.bottom - top)
            found = resized(_pixels(_eight_bits(image)), rest, scaled, linear)
        return to_srgb(turned(found, self.orientation), self._profile)


def resampled(image: Image.Image, crop: Box, scaled: Size) -> Image.Image:
    """A part of an opaque Pillow image, cut at whole pixels, at that size."""
    left, top, right, bottom = (int(edge) for edge in crop)
    pixels = pyvips.Image.new_from_memory(image.tobytes(), *image.size, len(image.getbands()), "uchar")
    return _pixels(_resized(pixels.extract_area(left, top, right - left, bottom - top), scaled))


def _has_fonts() -> bool:
    """A sandbox has none, and they cannot be loaded before: Pango has a thread for that, which a fork would lose."""
    try:
        with open(FONTS, "rb"):
            return True
    except OSError:
        return False


def _field(image: Any, name: str, otherwise: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else otherwise


def _pages(image: Any) -> list[Any]:
    """The frames of a picture that has them one below the other."""
    high = _field(image, "page-height", image.height)
    if high == image.height:
        return [image]
    return [image.extract_area(0, top, image.width, high) for top in range(0, image.height, high)]


def _nearest(crop: Box) -> tuple[int, int, int, int]:
    """The whole pixels nearest to a box; at least one."""
    left, top, right, bottom = (round(edge) for edge in crop)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _around(crop: Box) -> tuple[int, int, int, int]:
    """The whole pixels that a box touches by more than a thousandth."""
    near = 0.001
    return int(crop.left + near), int(crop.top + near), math.ceil(crop.right - near), math.ceil(crop.bottom - near)


def _resized(image: Any, scaled: Size) -> Any:
    if (image.width, image.height) == scaled:
        return image
    kind = image.format
    if image.hasalpha():
        image = image.premultiply().cast(kind)  # in floats it would be scaled twice as slowly
    image = image.resize(scaled.width / image.width, vscale=scaled.height / image.height)
    if image.hasalpha():
        image = image.unpremultiply()
    return image if image.format == kind else image.rint().cast(kind)


def _eight_bits(image: Any) -> Any:
    return image if image.format == "uchar" else (image / 257).rint().cast("uchar")


def _pixels(image: Any) -> Image.Image:
    """A Pillow image of what libvips now computes, on this thread."""
    mode = "CMYK" if image.interpretation == "cmyk" else MODES[image.bands]
    row = image.width * image.bands
    pixels = bytearray(row * image.height)
    region = pyvips.Region.new(image)
    for top in range(0, image.height, STRIP_ROWS):
        rows = min(STRIP_ROWS, image.height - top)
        pixels[top * row : (top + rows) * row] = region.fetch(0, top, image.width, rows)
    return Image.frombuffer(mode, (image.width, image.height), pixels, "raw", mode, 0, 1)
