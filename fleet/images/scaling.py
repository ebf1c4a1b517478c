"""A part of a Pillow image, scaled and turned. The engines and the views use it.

Where libvips is installed, it resamples large images, whatever has decoded them: it takes a quarter of Pillow's time.
"""

from __future__ import annotations

from typing import Any, Final

from PIL import Image, ImageMath

from fleet.images.colour import eight_bits, light_from_srgb, srgb_from_light
from fleet.images.engines import REDUCING_GAP, router
from fleet.images.geometry import Box, Size

# So many pixels are worth handing to libvips: with fewer there is little to save, and more are not copied for it.
FOR_LIBVIPS: Final = range(500_000, 16_000_000)
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Upright, by its EXIF orientation."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def resized(image: Image.Image, crop: Box, scaled: Size, linear: bool = False) -> Image.Image:
    """`crop` of an image that can be resampled, at the size `scaled`; `linear`: by the light, not by the numbers."""
    if image.size == scaled and tuple(crop) == (0, 0, *image.size):
        image.load()
        return image
    left, top, right, bottom = crop
    box = (left, top, min(right, image.width), min(bottom, image.height))  # rounding must not reach beyond the edge
    if linear and image.mode != "CMYK":
        return _resized_in_light(eight_bits(image), box, scaled)
    if _is_for_libvips(image, box, scaled):
        from fleet.images.engines import vips

        return vips.resampled(image, Box(*box), scaled)
    gap = None if image.mode == "I;16" else REDUCING_GAP  # Pillow cannot reduce 16 bits
    return image.resize(scaled, Image.Resampling.LANCZOS, box=box, reducing_gap=gap)


def _is_for_libvips(image: Image.Image, box: tuple[float, float, float, float], scaled: Size) -> bool:
    """It cuts at whole pixels only, and enlarges by another kernel; what is to be much smaller, Pillow first reduces by
    a whole number, and then is as quick."""
    left, top, right, bottom = box
    smaller = (right - left) / scaled.width, (bottom - top) / scaled.height
    return (
        image.mode in ("L", "RGB")
        and image.width * image.height in FOR_LIBVIPS
        and min(smaller) >= 1
        and max(smaller) < 2 * REDUCING_GAP
        and all(edge == int(edge) for edge in box)
        and not isinstance(router.load("vips"), str)
    )


def _resized_in_light(image: Image.Image, box: tuple[float, float, float, float], scaled: Size) -> Image.Image:
    """One channel after the other, because each takes four bytes a pixel for as long as that lasts."""
    channels = list(image.split())
    alpha = channels.pop() if image.mode in ("LA", "RGBA") else None
    if alpha is None:
        return Image.merge(image.mode, [srgb_from_light(_lanczos(light_from_srgb(c), box, scaled)) for c in channels])
    # What is transparent counts as little as it is seen.
    share = alpha.point([value / 255 for value in range(256)], "F")
    small = _lanczos(share, box, scaled)
    done = []
    for channel in channels:
        weighed = _computed(lambda of: of["light"] * of["share"], light=light_from_srgb(channel), share=share)
        mean = _lanczos(weighed, box, scaled)
        done.append(srgb_from_light(_computed(lambda of: of["mean"] / (of["small"] + 1e-6), mean=mean, small=small)))
    rounded: Any = small.point(lambda value: value * 255 + 0.5)
    return Image.merge(image.mode, [*done, rounded.convert("L")])


def _lanczos(channel: Image.Image, box: tuple[float, float, float, float], scaled: Size) -> Image.Image:
    return channel.resize(scaled, Image.Resampling.LANCZOS, box=box, reducing_gap=REDUCING_GAP)


def _computed(formula: Any, **images: Image.Image) -> Image.Image:
    found: Image.Image = ImageMath.lambda_eval(formula, **images)
    return found
