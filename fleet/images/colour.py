"""Colours of Pillow images: to sRGB, to 8 bits, without transparency. The engines and the steps after them use it."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Final

from PIL import Image, ImageCms

from fleet.images.metadata import is_srgb
from fleet.images.spec import TRANSPARENT

PROFILE_BYTES: Final = 1024 * 1024  # a larger colour profile is dropped unread
SRGB: Final = ImageCms.createProfile("sRGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Through the embedded profile if there is a sound one; a broken or oversized one is dropped.

    A transform takes 2.5 ms in a fresh process, and most profiles in use say sRGB: those are not gone through.
    """
    if profile and len(profile) <= PROFILE_BYTES and not is_srgb(profile):
        image = _converted(image, profile) or image
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return image


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


def profile_name(profile: bytes) -> str:
    """What a colour profile calls itself; ``sRGB`` for all that say no more than that."""
    if is_srgb(profile):
        return "sRGB"
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()[:100]
    except (ImageCms.PyCMSError, OSError, ValueError):
        return "broken"


def srgb_profile() -> bytes:
    """The bytes of a profile that says sRGB."""
    data: bytes = ImageCms.ImageCmsProfile(SRGB).tobytes()
    return data


def flattened(image: Image.Image, background: str) -> Image.Image:
    """Without transparency: what was transparent shows the background, or white if that is transparent, too."""
    if image.mode not in ("RGBA", "LA"):
        return image if image.mode == "RGB" else image.convert("RGB")
    flat = Image.new("RGBA", image.size, "#ffffff" if background == TRANSPARENT else background)
    flat.alpha_composite(image.convert("RGBA"))
    return flat.convert("RGB")


def premultiplied(image: Image.Image) -> Image.Image:
    """An image with transparency by what is seen of it: colours that are hidden are gone."""
    return image.convert("RGBA").convert("RGBa")


def see_through(image: Image.Image, grey: int) -> Image.Image:
    """A 16-bit picture of which one grey is transparent, in 8 bits and with an alpha channel."""
    alpha = image.convert("I").point([255 * (value != grey) for value in range(1 << 16)], "L")
    return Image.merge("LA", (eight_bits(image), alpha))


def eight_bits(image: Image.Image) -> Image.Image:
    """From 16 bits; Pillow's own conversion cuts what is over 255 off."""
    if image.mode != "I;16":
        return image
    scaled: Any = image.convert("I").point(lambda value: value * (1 / 257) + 0.5)
    return scaled.convert("L")  # type: ignore[no-any-return]


# -- Light ----------------------------------------------------------------------------------------------------------


def _light(value: float) -> float:
    return float(((value + 0.055) / 1.055) ** 2.4) if value > 0.04045 else value / 12.92


def _number(light: float) -> float:
    return float(1.055 * light ** (1 / 2.4) - 0.055) if light > 0.0031308 else light * 12.92


_LIGHT: Final = [_light(value / 255) for value in range(256)]
_STEPS: Final = 65535  # of light: enough for the darkest of the 256 numbers


def light_from_srgb(channel: Image.Image) -> Image.Image:
    """A channel of sRGB numbers as the light they stand for, 0 to 1, of mode F."""
    return channel.point(_LIGHT, "F")


@cache
def _numbers() -> list[int]:
    return [round(255 * _number(step / _STEPS)) for step in range(_STEPS + 1)]


def srgb_from_light(channel: Image.Image) -> Image.Image:
    """And back. What is darker than black or brighter than white is black or white."""
    steps: Any = channel.point(lambda value: value * _STEPS + 0.5)
    return steps.convert("I").point(_numbers(), "L")  # type: ignore[no-any-return]
