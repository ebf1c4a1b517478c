"""From finished frames to bytes. Rule: nothing of the source's metadata gets into a result but what `exif` holds."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from PIL import Image

from fleet.errors import BadImage
from fleet.images.colour import flattened
from fleet.images.engines import Frame
from fleet.images.formats import has_alpha
from fleet.images.spec import MOVING, Spec

# The least that is nearer to the original than what sharp and vipsthumbnail make by default, and in no more bytes.
QUALITY: Final = {"jpeg": 79, "webp": 79, "avif": 53}
# By what the eye sees: 5 % fewer bytes for the same likeness. Without the second, colours get more than they need.
TUNED: Final = {"tune": "ssim", "enable-chroma-deltaq": "1"}
SAVE: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {"optimize": True},  # 4 % fewer bytes for 0.04 ms
    "png": {},
    "webp": {"method": 4},
    "avif": {"speed": 7, "max_threads": 1, "advanced": TUNED},  # half the time of 6, for 4 % more bytes
    "gif": {"optimize": False},
}
PROGRESSIVE_PX: Final = 400 * 300  # of a JPEG: above, it saves 3 to 8 % of the bytes and shows sooner; below, neither
COLOURS: Final = (256, 128, 64, 32, 16, 8, 4, 2)  # of a picture without a quality: what it may be reduced to
PALETTE_PX: Final = 120 * 120  # that a palette is made of: more take longer and change little
OPAQUE: Final = 128  # half-transparent pixels of a GIF are one or the other
DEFAULT_MS: Final = 100  # a frame's, where the source says none or 10 ms and less, as browsers show it
# How long a frame can be shown, and those that are alike together, for they are joined.
MOST_MS: Final = {"gif": 655_350, "webp": 16_777_215, "png": 65_535, "avif": 16_777_215}
MOST_LOOPS: Final = 65_535  # what all can say; an animated PNG can say more, which is as good as for ever


def encode(frames: Sequence[Frame], spec: Spec, format: str, loops: int = 0, exif: bytes = b"") -> bytes:
    """The bytes of the result: the highest quality that fits into `max_bytes`.

    Raises:
        BadImage: ``too-large`` if none does.
    """
    if format not in MOVING or not spec.animated:
        frames = frames[:1]
    images = [_ready(frame.image, spec, format) for frame in frames]
    options = {**SAVE[format], **_moving(frames, format, loops), **_once(images[0], spec, format, exif)}

    def saved(step: int) -> bytes:
        """At a quality, or reduced to so many colours."""
        if format in QUALITY:
            return _saved(images, format, {**options, "quality": step})
        return _saved([_few(image, step) for image in images], format, options)

    if format in QUALITY:
        return _fitting(saved, range(1, (spec.quality or QUALITY[format]) + 1), spec.max_bytes)
    if format == "gif":
        return _fitting(saved, sorted(COLOURS), spec.max_bytes)
    whole = _saved(images, format, options)
    if spec.max_bytes is None or len(whole) <= spec.max_bytes:
        return whole
    return _fitting(saved, sorted(COLOURS), spec.max_bytes)


def _fitting(saved: Callable[[int], bytes], steps: Sequence[int], most: int | None) -> bytes:
    """The result of the last step that is no larger than `most`, found in at most 8 tries: larger steps, more bytes."""
    best = saved(steps[-1])
    if most is None or len(best) <= most:
        return best
    found, low, high = None, 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        best = saved(steps[middle])
        if len(best) <= most:
            found, low = best, middle + 1
        else:
            high = middle
    if found is None:
        raise BadImage(
            "too-large",
            f"the result has {len(best):,} bytes at its worst; max_bytes is {most:,}. Ask for a smaller one",
        )
    return found


def _once(image: Image.Image, spec: Spec, format: str, exif: bytes) -> dict[str, Any]:
    """Options that come from the spec."""
    options: dict[str, Any] = {}
    if exif and format != "gif":
        options["exif"] = exif
    if format == "jpeg":
        large = image.width * image.height > PROGRESSIVE_PX
        options["progressive"] = large if spec.progressive is None else spec.progressive
    return options


def _moving(frames: Sequence[Frame], format: str, loops: int) -> dict[str, Any]:
    if len(frames) < 2:
        return {}
    loops = loops if loops <= MOST_LOOPS else 0
    options: dict[str, Any] = {"save_all": True, "duration": _durations(frames, MOST_MS[format]), "loop": loops}
    if format == "gif":
        if any(has_alpha(frame.image) for frame in frames):
            options["disposal"] = 2  # what a frame does not cover must not show the one before it
        if loops == 1:
            del options["loop"]  # once is what a GIF without a count does
    return options


def _durations(frames: Sequence[Frame], most: int) -> list[int]:
    durations = [frame.duration_ms if frame.duration_ms > 10 else DEFAULT_MS for frame in frames]
    if sum(durations) <= most:
        return durations
    alike = [False, *(one.image.tobytes() == other.image.tobytes() for one, other in pairwise(frames))]
    left = most
    for number, duration in enumerate(durations):
        left = left if alike[number] else most - DEFAULT_MS * len(frames)  # some for each that may follow
        durations[number] = max(DEFAULT_MS, min(duration, left))
        left -= durations[number]
    return durations


def _saved(images: Sequence[Image.Image], format: str, options: dict[str, Any]) -> bytes:
    first, *others = images
    result = io.BytesIO()
    first.save(result, format, **options, **({"append_images": others} if others else {}))
    return result.getvalue()


def _ready(image: Image.Image, spec: Spec, format: str) -> Image.Image:
    """In a mode that the format has, and with nothing in it but pixels."""
    if format == "jpeg" and image.mode not in ("RGB", "L"):
        image = flattened(image, spec.background)
    if format == "gif" and image.mode == "LA":
        image = image.convert("RGBA")
    image = image.copy() if image.info else image
    image.info = {}
    return image


def _few(image: Image.Image, colours: int) -> Image.Image:
    """With a palette; where something is transparent, one of its colours is."""
    if image.mode not in ("LA", "RGBA"):
        return _reduced(image, colours)
    clear = image.getchannel("A").point([255 * (value < OPAQUE) for value in range(256)])
    unused = max(1, colours - 1)
    few = _reduced(image, unused)
    few.putpalette([*(few.getpalette() or ())[: 3 * unused], 0, 0, 0])
    few.paste(unused, mask=clear)
    few.info["transparency"] = unused
    return few


def _reduced(image: Image.Image, colours: int) -> Image.Image:
    """Each colour is moved to the mean of what it stands for: a red ball must not have a yellow spot.

    For that a large picture's pixels are too many; some of them are looked at, unless its colours are few already.
    """
    image = image.convert("RGB")
    if image.getcolors(colours):
        return image.quantize(colours)
    some = image
    if image.width * image.height > PALETTE_PX:
        side = math.isqrt(PALETTE_PX)
        some = image.resize((min(image.width, side), min(image.height, side)), Image.Resampling.NEAREST)
    moving = some.width * some.height // 20  # so many pixels may still change their colour when it is good enough
    few = some.quantize(colours, Image.Quantize.MEDIANCUT, kmeans=moving)
    return few if some is image else image.quantize(palette=few, dither=Image.Dither.NONE)


def samples() -> list[bytes]:
    """A small picture in each format. To make them loads every encoder."""
    return [encode([Frame(Image.new("RGB", (16, 16), "#808080"))], Spec(), format) for format in SAVE]
