"""How near a thumbnail is to what it should be: SSIM against the whole picture, decoded and scaled in linear light."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

SRGB = ImageCms.createProfile("sRGB")
LUMA = np.array([0.299, 0.587, 0.114])
WINDOW = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Array = Any


def plain(data: bytes) -> Image.Image:
    """Upright, sRGB, on white, 8 bits: by Pillow, and by nothing of ours."""
    image: Any = Image.open(io.BytesIO(data))
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode == "I;16":
        image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    if profile:
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        image = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB, outputMode=mode)
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def reference(data: bytes, size: tuple[int, int]) -> Array:
    """All of a picture, scaled by Lanczos in linear light."""
    values = np.asarray(plain(data), dtype=np.float32) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    channels = [Image.fromarray(light[..., n]).resize(size, Image.Resampling.LANCZOS) for n in range(3)]
    small = np.clip(np.stack([np.asarray(channel) for channel in channels], -1), 0, 1)
    return np.where(small <= 0.0031308, small * 12.92, 1.055 * small ** (1 / 2.4) - 0.055) * 255


def ssim(thumbnail: bytes, wanted: Array) -> float:
    """Of the luma, with the usual Gaussian window; 1.0 is the same."""
    one, other = np.asarray(plain(thumbnail), dtype=np.float64) @ LUMA, wanted @ LUMA
    mean_one, mean_other = _blurred(one), _blurred(other)
    spread_one = _blurred(one * one) - mean_one**2
    spread_other = _blurred(other * other) - mean_other**2
    common = _blurred(one * other) - mean_one * mean_other
    upper = (2 * mean_one * mean_other + C1) * (2 * common + C2)
    lower = (mean_one**2 + mean_other**2 + C1) * (spread_one + spread_other + C2)
    return float((upper / lower).mean())


def _blurred(values: Array) -> Array:
    for axis in (0, 1):
        values = np.apply_along_axis(lambda row: np.convolve(row, WINDOW, "valid"), axis, values)
    return values
