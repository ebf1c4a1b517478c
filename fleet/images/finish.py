"""What is done to the few pixels that are left, in this order. Each step begins with "nothing to do"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from PIL import Image, ImageFilter

from fleet.images import watermark
from fleet.images.colour import flattened, premultiplied
from fleet.images.geometry import Plan
from fleet.images.spec import TRANSPARENT, Spec


class Work(NamedTuple):
    """What the steps go by."""

    spec: Spec
    plan: Plan
    mark: Image.Image | None = None  # the watermark, at its size


Step = Callable[[Image.Image, Work], Image.Image]


def blur(image: Image.Image, work: Work) -> Image.Image:
    if work.spec.blur is None:
        return image
    return _filtered(image, ImageFilter.GaussianBlur(work.spec.blur))


def sharpen(image: Image.Image, work: Work) -> Image.Image:
    """By an unsharp mask that leaves flat areas, and so their noise, as they are."""
    if work.spec.sharpen is None:
        return image
    return _filtered(image, ImageFilter.UnsharpMask(work.spec.sharpen, percent=100, threshold=2))


def _filtered(image: Image.Image, filter: ImageFilter.MultibandFilter) -> Image.Image:
    """Weighed by what is seen: hidden colours must not bleed into an edge."""
    if image.mode not in ("LA", "RGBA"):
        return image.filter(filter)
    seen = premultiplied(image).filter(filter).convert("RGBA")
    return seen.convert(image.mode)


def mark(image: Image.Image, work: Work) -> Image.Image:
    if work.mark is None:
        return image
    return watermark.lay(image, work.mark, work.spec.watermark_gravity, work.spec.watermark_opacity)


def contain(image: Image.Image, work: Work) -> Image.Image:
    """The picture on its background, which shows around it and through it."""
    if work.spec.fit != "contain":
        return image
    return _laid(image, work.plan.canvas, work.plan.offset, work.spec.background)


def pad(image: Image.Image, work: Work) -> Image.Image:
    if not work.spec.padding:
        return image
    by = work.spec.padding
    return _laid(image, (image.width + 2 * by, image.height + 2 * by), (by, by), work.spec.background)


def _laid(image: Image.Image, size: tuple[int, int], offset: tuple[int, int], background: str) -> Image.Image:
    if background == TRANSPARENT:
        canvas = Image.new("RGBA", size)
        canvas.paste(image.convert("RGBA"), offset)
        return canvas
    image = flattened(image, background)
    if image.size == size:
        return image
    canvas = Image.new("RGB", size, background)
    canvas.paste(image, offset)
    return canvas


STEPS: Final[tuple[Step, ...]] = (blur, sharpen, mark, contain, pad)


def finish(image: Image.Image, work: Work) -> Image.Image:
    """The picture as it is to be encoded."""
    for step in STEPS:
        image = step(image, work)
    return image
