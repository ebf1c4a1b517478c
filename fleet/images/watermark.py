"""A picture laid over another. Its bytes come from the settings or from who calls the library, never from a client."""

from __future__ import annotations

from typing import Final

from PIL import Image

from fleet.images import geometry
from fleet.images.geometry import CENTER, Size

MARGIN: Final = 0.02  # of the shorter side, between the watermark and the picture's edge


def room(size: Size, share: float) -> Size:
    """How large a mark may be on a picture of that size."""
    return Size(max(1, round(size.width * share)), max(1, round(size.height * share)))


def lay(image: Image.Image, mark: Image.Image, gravity: str, opacity: float) -> Image.Image:
    """The mark on the picture, as large as it is."""
    mark = mark.convert("RGBA")
    if opacity < 1:
        mark.putalpha(mark.getchannel("A").point([round(value * opacity) for value in range(256)]))
    anchor = geometry.anchor(gravity)
    margin = round(MARGIN * min(image.size)) if anchor != CENTER else 0
    inner = Size(max(mark.width, image.width - 2 * margin), max(mark.height, image.height - 2 * margin))
    left, top = anchor.start(inner, *mark.size)
    laid = image.convert("RGBA")
    at = _within(left + margin, mark.width, image.width), _within(top + margin, mark.height, image.height)
    laid.alpha_composite(mark, at)
    return laid if image.mode in ("LA", "RGBA") else laid.convert("RGB")


def _within(start: float, length: int, whole: int) -> int:
    return max(0, min(round(start), whole - length))
