"""The Pillow engine.

Rule 1: the header was checked before anything here runs. Rule 2: scale first, then do everything else on the few
pixels that are left: that is what makes a thumbnail cost no more than its decoding. Rule 3: what Pillow raises for a
bad picture leaves as `BadImage`, and nothing else does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, Final, cast

from PIL import AvifImagePlugin, GifImagePlugin, Image, ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from fleet.errors import BadImage
from fleet.images.geometry import Box, Plan, Size, plan, stored_box, stored_size
from fleet.images.limits import Limits, check
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
ORIENTATION: Final = 0x0112
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PLUGINS: Final = (JpegImagePlugin, PngImagePlugin, GifImagePlugin, WebPImagePlugin, AvifImagePlugin)
SRGB: Final = ImageCms.createProfile("sRGB")


def make(data: Buffer, header: Header, spec: Spec, limits: Limits) -> bytes:
    """The encoded result.

    Raises:
        BadImage: ``corrupt`` for whatever the decoder makes of bad data, ``resource`` when memory is short.
    """
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # one picture, one processor: the pool has as many runners as it wants
    try:
        with Image.open(cast(IO[bytes], Window(data)), formats=[header.format]) as image:
            work = Work(image, spec)
            check(Header(header.format, *image.size), len(data), limits)  # the library's own opinion of its size
            for step in STEPS:
                step(work)
            return work.encoded(_format(spec, header))
    except BadImage:
        raise
    except MemoryError as error:
        raise BadImage("resource", f"the picture needs more memory than it may have ({_shape(header)})") from error
    except Exception as error:  # a decoder fed with garbage raises what it likes
        raise BadImage("corrupt", _explained(error, header)) from error


class Work:
    """One picture on its way."""

    def __init__(self, image: Image.Image, spec: Spec) -> None:
        self.image = image
        self.spec = spec
        self.orientation = _orientation(image)
        self.profile: bytes | None = image.info.get("icc_profile")
        upright = stored_size(Size(*image.size), self.orientation)  # the exchange of sides is its own inverse
        self.plan: Plan = plan(upright, spec.width, spec.height, spec.fit, spec.enlarge)
        self.crop: Box = stored_box(self.plan.crop, upright, self.orientation)
        self.scaled: Size = stored_size(self.plan.scaled, self.orientation)

    def encoded(self, format: str) -> bytes:
        image = self.image
        if format == "jpeg" and image.mode not in ("RGB", "L"):
            image = _flattened(image, self.spec.background)
        image = image.copy()
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
    """To a mode that can be resampled: palettes, bits and 16-bit greys cannot."""
    image = work.image
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        work.image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
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
    work.image = image.resize(work.scaled, Image.Resampling.LANCZOS, box=box, reducing_gap=REDUCING_GAP)


def turn_upright(work: Work) -> None:
    if work.orientation in UPRIGHT:
        work.image = work.image.transpose(UPRIGHT[work.orientation])


def to_srgb(work: Work) -> None:
    """Through the embedded profile if there is a sound one; a broken or oversized one is dropped."""
    image = work.image
    if work.profile and len(work.profile) <= PROFILE_BYTES and image.mode != "LA":
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(work.profile))
            converted = ImageCms.profileToProfile(image, source, SRGB, outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted:
            work.image = image = converted
    if image.mode == "CMYK":
        work.image = image.convert("RGB")


def pad(work: Work) -> None:
    canvas = work.plan.canvas
    if canvas == work.plan.scaled:
        return
    mode = "RGBA" if work.image.mode in ("RGBA", "LA") else "RGB"
    padded = Image.new(mode, canvas, work.spec.background)
    padded.paste(work.image.convert(mode), work.plan.offset)
    work.image = padded


STEPS: Final[tuple[Callable[[Work], None], ...]] = (decode_small, plain_mode, scale, turn_upright, to_srgb, pad)


def warm_up() -> None:
    """Load every codec by using it once, so that a process forked from this one finds all of it in memory."""
    for plugin in PLUGINS:
        assert plugin
    Image.init()
    picture = Image.new("RGB", (16, 16), "#808080")
    profile = ImageCms.ImageCmsProfile(SRGB).tobytes()
    for format in ("jpeg", "png", "gif", "webp", "avif"):
        source = io.BytesIO()
        options = {"icc_profile": profile} if format == "jpeg" else SAVE.get(format, {})
        picture.save(source, format, **options)
        target = None if format == "gif" else format
        make(source.getvalue(), Header(format, 16, 16), Spec(8, 8, format=target), Limits())


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


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # broken EXIF is no reason to refuse a picture
        return 1
    return found if found in UPRIGHT else 1


def _format(spec: Spec, header: Header) -> str:
    return spec.format or ("png" if header.format == "gif" else header.format)


def _flattened(image: Image.Image, background: str) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    flat = Image.new("RGBA", image.size, background)
    flat.alpha_composite(image.convert("RGBA"))
    return flat.convert("RGB")


def _shape(header: Header) -> str:
    return f"{header.format.upper()}, {header.width}x{header.height} pixels"


def _explained(error: Exception, header: Header) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if "truncated" in text or isinstance(error, EOFError):
        return f"the {header.format.upper()}'s data ends before the picture does; send the whole file"
    return f"the {header.format.upper()} cannot be decoded: {text}"
