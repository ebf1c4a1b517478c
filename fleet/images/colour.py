"""Colours of Pillow images: to sRGB, to 8 bits, without transparency. The engines and the steps after them use it."""

from __future__ import annotations

import io
from typing import Any, Final

from PIL import Image, ImageCms

from fleet.images.metadata import is_srgb

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


def srgb_profile() -> bytes:
    """The bytes of a profile that says sRGB."""
    data: bytes = ImageCms.ImageCmsProfile(SRGB).tobytes()
    return data


def flattened(image: Image.Image, background: str) -> Image.Image:
    """Without transparency: what was transparent shows the background."""
    if image.mode not in ("RGBA", "LA"):
        return image if image.mode == "RGB" else image.convert("RGB")
    flat = Image.new("RGBA", image.size, background)
    flat.alpha_composite(image.convert("RGBA"))
    return flat.convert("RGB")


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
