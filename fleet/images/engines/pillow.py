"""The Pillow engine.

Rule 1: the header was checked before anything here runs. Rule 2: scale first, then do everything else on the few
pixels that are left: that is what makes a thumbnail cost no more than its decoding. Rule 3: what Pillow raises for a
bad picture leaves as `BadImage`, and nothing else does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, Final, cast

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from fleet.errors import BadImage
from fleet.images.geometry import Box, Plan, Size, plan, stored_box, stored_size
from fleet.images.limits import Limits, check, check_result
from fleet.images.metadata import is_srgb, orientation
from fleet.images.sniff import Buffer, Header
from fleet.images.spec import Spec

# imgproxy's defaults: the eye sees no difference to more, the bytes do.
QUALITY: Final = {"jpeg": 80, "webp": 79, "avif": 63}
# Speed 8 of AVIF takes a third of the time of 6 for 200x150, at some 5 % more bytes.
SAVE: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {},
    "png": {},
    "webp": {"method": 4},
    "avif": {"speed": 8, "max_threads": 1},
}
# A decoder may scale a JPEG down by up to this much less than wanted, and resampling does the rest: at 2 nothing is
# to be seen of it, and it is most of the speed. (Pillow's own default for thumbnails.)
REDUCING_GAP: Final = 2.0
PROFILE_BYTES: Final = 1024 * 1024  # a larger colour profile is dropped unread
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class JpegFile(JpegImagePlugin.JpegImageFile):
    """Without a look into its EXIF for a resolution that nobody wants: broken EXIF makes Pillow warn on stderr."""

    def _read_dpi_from_exif(self) -> None:
        pass


# Asked directly, without the search through all formats of Image.open: nothing else of Pillow meets the bytes.
DECODERS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "jpeg": JpegFile,  # of several pictures in one file (MPO), the first
    "png": PngImagePlugin.PngImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
}
SRGB: Final = ImageCms.createProfile("sRGB")


def make(data: Buffer, header: Header, spec: Spec, limits: Limits) -> bytes:
    """The encoded result.

    Raises:
        BadImage: ``corrupt`` for whatever the decoder makes of bad data, ``too-large`` if the decoder finds the
            picture larger than its header said or the result would be, ``resource`` when memory is short.
    """
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one picture, one processor: the pool has as many runners as it wants
    try:
        with DECODERS[header.format](cast(IO[bytes], Window(data))) as image:
            check(Header(header.format, *image.size), len(data), limits)  # the library's own opinion of its size
            work = Work(image, spec)
            check_result(work.plan.canvas, limits)
            for step in STEPS:
                step(work)
            return work.encoded(_format(spec, header))
    except BadImage:
        raise
    except Image.DecompressionBombError as error:
        raise BadImage("too-large", f"the picture is too large to be decoded ({_shape(header)})") from error
    except MemoryError as error:
        raise BadImage("resource", f"the picture needs more memory than it may have ({_shape(header)})") from error
    except Exception as error:  # a decoder fed with garbage raises what it likes
        raise BadImage("corrupt", _explained(error, header)) from error


class Work:
    """One picture on its way."""

    def __init__(self, image: Image.Image, spec: Spec) -> None:
        if isinstance(image, PngImagePlugin.PngImageFile):
            image.load()  # what it says of itself may stand behind the pixels
        self.image = image
        self.spec = spec
        self.orientation = orientation(image.info.get("exif") or b"")
        self.profile: bytes | None = image.info.get("icc_profile")
        upright = stored_size(Size(*image.size), self.orientation)  # the exchange of sides is its own inverse
        self.plan: Plan = plan(upright, spec.width, spec.height, spec.fit, spec.enlarge)
        self.crop: Box = stored_box(self.plan.crop, upright, self.orientation)
        self.scaled: Size = stored_size(self.plan.scaled, self.orientation)

    def encoded(self, format: str) -> bytes:
        image = self.image
        if format == "jpeg" and image.mode not in ("RGB", "L"):
            image = _flattened(image, self.spec.background)
        image.info = {}  # no metadata of the source reaches the result
        options = dict(SAVE[format])
        if format in QUALITY:
            options["quality"] = self.spec.quality or QUALITY[format]
        result = io.BytesIO()
        image.save(result, format, **options)
        return result.getvalue()


def decode_small(work: Work) -> None:
    """Have the JPEG decoder itself scale down, by a power of two, to no less than twice what is wanted."""
    image, crop = work.image, work.crop
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return
    wide, high = image.size
    scale = max(work.scaled.width / (crop.right - crop.left), work.scaled.height / (crop.bottom - crop.top))
    drafted = image.draft("", (int(wide * scale * REDUCING_GAP), int(high * scale * REDUCING_GAP)))
    if drafted:
        _, box = drafted
        across, down = box[2] / wide, box[3] / high
        work.crop = Box(crop.left * across, crop.top * down, crop.right * across, crop.bottom * down)


def plain_mode(work: Work) -> None:
    """To a mode that can be resampled: palettes and single bits cannot."""
    image = work.image
    if image.mode == "I;16":
        if "transparency" in image.info:
            work.image = _see_through(image, image.info["transparency"])
    elif image.has_transparency_data and image.mode not in ("RGBA", "LA"):
        work.image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "RGBA", "LA", "CMYK"):
        work.image = image.convert("L" if image.mode == "1" else "RGB")


def scale(work: Work) -> None:
    image = work.image
    whole = (0, 0, *image.size)
    if image.size == work.scaled and tuple(work.crop) == whole:
        image.load()
        return
    left, top, right, bottom = work.crop
    box = (left, top, min(right, image.width), min(bottom, image.height))  # rounding must not reach beyond the edge
    gap = None if image.mode == "I;16" else REDUCING_GAP  # Pillow cannot reduce 16 bits
    work.image = image.resize(work.scaled, Image.Resampling.LANCZOS, box=box, reducing_gap=gap)


def eight_bits(work: Work) -> None:
    if work.image.mode == "I;16":
        work.image = _eight_bits(work.image)


def turn_upright(work: Work) -> None:
    if work.orientation in UPRIGHT:
        work.image = work.image.transpose(UPRIGHT[work.orientation])


def to_srgb(work: Work) -> None:
    """Through the embedded profile if there is a sound one; a broken or oversized one is dropped.

    A transform takes 2.5 ms in a fresh process, and most profiles in use say sRGB: those are not gone through.
    """
    image = work.image
    if work.profile and len(work.profile) <= PROFILE_BYTES and not is_srgb(work.profile):
        image = _converted(image, work.profile) or image
    if image.mode == "CMYK":
        image = image.convert("RGB")
    work.image = image


def pad(work: Work) -> None:
    """`contain` lays the picture on its background, which shows around it and through it."""
    if work.spec.fit != "contain":
        return
    image, canvas = _flattened(work.image, work.spec.background), work.plan.canvas
    if canvas != image.size:
        padded = Image.new("RGB", canvas, work.spec.background)
        padded.paste(image, work.plan.offset)
        image = padded
    work.image = image


STEPS: Final[tuple[Callable[[Work], None], ...]] = (
    *(decode_small, plain_mode, scale, eight_bits),
    *(turn_upright, to_srgb, pad),
)


def warm_up() -> None:
    """Load every codec by using it once, so that a process forked from this one finds all of it in memory."""
    Image.preinit()
    picture = Image.new("RGB", (16, 16), "#808080")
    _converted(picture, ImageCms.ImageCmsProfile(SRGB).tobytes())
    turned = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # Pillow reads AVIF's in Python
    for format in DECODERS:
        source = io.BytesIO()
        picture.save(source, format, exif=turned, **SAVE.get(format, {}))
        make(source.getvalue(), Header(format, 16, 16), Spec(8, 8), Limits())


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


def _format(spec: Spec, header: Header) -> str:
    return spec.format or ("png" if header.format == "gif" else header.format)


def _flattened(image: Image.Image, background: str) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    flat = Image.new("RGBA", image.size, background)
    flat.alpha_composite(image.convert("RGBA"))
    return flat.convert("RGB")


def _see_through(image: Image.Image, grey: int) -> Image.Image:
    """A 16-bit picture of which one grey is transparent, in 8 bits and with an alpha channel."""
    alpha = image.convert("I").point([255 * (value != grey) for value in range(1 << 16)], "L")
    return Image.merge("LA", (_eight_bits(image), alpha))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion cuts what is over 255 off."""
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """In sRGB; None if the profile is broken, or is not one of such pictures."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "LA":
            grey, alpha = image.split()
            colours = ImageCms.profileToProfile(grey, source, SRGB, outputMode="RGB")
            return colours and Image.merge("RGBA", (*colours.split(), alpha))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _shape(header: Header) -> str:
    return f"{header.format.upper()}, {header.width}x{header.height} pixels"


def _explained(error: Exception, header: Header) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if "truncated" in text or isinstance(error, EOFError):
        return f"the {header.format.upper()}'s data ends before the picture does; send the whole file"
    return f"the {header.format.upper()} cannot be decoded: {text}"
