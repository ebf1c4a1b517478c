"""The Pillow engine.

Rule: scale first, then do everything else on the few pixels that are left: that is what makes a thumbnail cost no
more than its decoding.
"""

from __future__ import annotations

import ctypes
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, cast

import PIL
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from fleet.images.colour import eight_bits, see_through, srgb_profile, to_srgb
from fleet.images.engines import REDUCING_GAP, Frame, Loaded, Reduction, remains
from fleet.images.engines.blame import blamed
from fleet.images.engines.webp import WebPFile
from fleet.images.geometry import Box, Size, stored_box, stored_size
from fleet.images.limits import Limits, check
from fleet.images.metadata import orientation
from fleet.images.scaling import resized, turned
from fleet.images.sniff import Buffer, Header


class JpegFile(JpegImagePlugin.JpegImageFile):
    """Without a look into its EXIF for a resolution that nobody wants: broken EXIF makes Pillow warn on stderr."""

    def _read_dpi_from_exif(self) -> None:
        pass


class PngStream(PngImagePlugin.PngStream):
    """A colour profile that unpacks to more than any has is left out, and does not spoil the picture."""

    def chunk_iCCP(self, pos: int, length: int) -> bytes:
        try:
            return super().chunk_iCCP(pos, length)
        except ValueError:
            assert self.fp is not None
            self.fp.seek(pos)
            return bytes(self.fp.read(length))


PngImagePlugin.PngStream = PngStream  # type: ignore[misc]  # it is looked up there, and nowhere to be given


# What a broken TIFF makes Pillow and libtiff write to stderr is no news: it is in the error.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
with suppress(OSError, AttributeError):
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)  # type: ignore[attr-defined]

# Asked directly, without the search through all formats of Image.open: nothing else of Pillow meets the bytes.
DECODERS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "jpeg": JpegFile,  # of several pictures in one file (MPO), the first
    "png": PngImagePlugin.PngImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,  # of several pages, the first
}


class Pillow:
    """The engine that is always here."""

    name = "pillow"
    library = f"Pillow {PIL.__version__}"
    formats = frozenset(DECODERS)

    @contextmanager
    def open(self, data: Buffer, header: Header, limits: Limits, *, lenient: bool = False) -> Iterator[PillowSource]:
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one picture, one processor: the pool has as many runners as it wants
        with remains.allowed(lenient):
            with blamed(header, Image.DecompressionBombError):
                image = DECODERS[header.format](cast(IO[bytes], Window(data)))
            with image:
                check(Header(header.format, *image.size), len(data), limits)  # the library's own opinion of its size
                yield PillowSource(image, header)

    def warm_up(self) -> None:
        Image.preinit()
        picture = Image.new("RGB", (16, 16), "#808080")
        to_srgb(picture, b"\0" + srgb_profile()[1:])
        turned = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # Pillow reads AVIF's in Python
        for format in DECODERS:
            file = io.BytesIO()
            picture.save(file, format, exif=turned, **({"speed": 10, "max_threads": 1} if format == "avif" else {}))
            with self.open(file.getvalue(), Header(format, 16, 16), Limits()) as source:
                source.load(Reduction(Box(0, 0, 16, 16), Size(8, 8)))


PILLOW: Final = Pillow()


class PillowSource:
    """A picture that Pillow has opened and not yet decoded, or that another engine has decoded for it."""

    def __init__(self, image: Image.Image, header: Header, engine: str = "pillow") -> None:
        self._image = image
        self._header = header
        self._engine = engine
        if isinstance(image, PngImagePlugin.PngImageFile):
            with blamed(header, Image.DecompressionBombError):
                image.load()  # what it says of itself may stand behind the pixels
        self.orientation = orientation(image.info.get("exif") or b"")
        self.size = stored_size(Size(*image.size), self.orientation)  # the exchange of sides is its own inverse

    def load(self, reduction: Reduction) -> Loaded:
        info = self._image.info
        with blamed(self._header, Image.DecompressionBombError):
            frames = list(self._frames(reduction))
            return Loaded(frames, self._engine, _loops(self._header, info), info.get("exif") or b"")

    def _frames(self, reduction: Reduction) -> Iterator[Frame]:
        moving = reduction.frames > 1 and getattr(self._image, "n_frames", 1) > 1
        for number in range(min(reduction.frames, self._image.n_frames) if moving else 1):  # type: ignore[attr-defined]
            if moving:
                self._image.seek(number)
                self._image.load()
            small = self._small(self._image, reduction)
            if moving and small is self._image:
                small = small.copy()  # the next frame is decoded into the same pixels
            yield Frame(small, int(self._image.info.get("duration") or 0))

    def _small(self, image: Image.Image, reduction: Reduction) -> Image.Image:
        profile = image.info.get("icc_profile")
        crop = stored_box(reduction.crop, self.size, self.orientation)
        scaled = stored_size(reduction.scaled, self.orientation)
        if not reduction.linear:
            crop = decode_small(image, crop, scaled)
        image = eight_bits(resized(plain_mode(image), crop, scaled, reduction.linear))
        return to_srgb(turned(image, self.orientation), profile)


def _loops(header: Header, info: dict[Any, Any]) -> int:
    """How often a moving picture is shown; 0 is for ever. A GIF that does not say is shown once."""
    return int(info.get("loop", 1 if header.format == "gif" else 0))


def metadata(data: Buffer, header: Header) -> tuple[bytes, bytes]:
    """The EXIF and the colour profile of a picture of which no pixel is decoded."""
    with blamed(header), DECODERS[header.format](cast(IO[bytes], Window(data))) as image:
        return image.info.get("exif") or b"", image.info.get("icc_profile") or b""


def decode_small(image: Image.Image, crop: Box, scaled: Size) -> Box:
    """Have the decoder itself scale down as far as it can and the gap allows; where `crop` is then."""
    if not isinstance(image, JpegFile | WebPFile):
        return crop
    wide, high = image.size
    scale = REDUCING_GAP * max(scaled.width / (crop.right - crop.left), scaled.height / (crop.bottom - crop.top))
    drafted = image.draft("", (int(wide * scale), int(high * scale)))
    if not drafted:
        return crop
    _, box = drafted
    across, down = box[2] / wide, box[3] / high
    return Box(crop.left * across, crop.top * down, crop.right * across, crop.bottom * down)


def plain_mode(image: Image.Image) -> Image.Image:
    """In a mode that can be resampled: palettes and single bits cannot."""
    if image.mode in ("I", "I;16B"):  # a TIFF's; of 32 bits the values are taken for those of 16
        image = image.convert("I").convert("I;16")
    if image.mode == "I;16":
        return see_through(image, image.info["transparency"]) if "transparency" in image.info else image
    if image.has_transparency_data and image.mode not in ("RGBA", "LA"):
        return image.convert("RGBA")
    if image.mode not in ("RGB", "L", "RGBA", "LA", "CMYK"):
        return image.convert("L" if image.mode == "1" else "RGB")
    return image


class Window:
    """A buffer as a file to read: unlike BytesIO it copies only what is asked for."""

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data)
        self._at = 0

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._view) if size is None or size < 0 else min(self._at + size, len(self._view))
        found = bytes(self._view[self._at : end])
        self._at = max(self._at, end)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._view)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """The buffer is its owner's to close."""
