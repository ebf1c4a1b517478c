"""In which format a result is written: as was asked, or as suits the picture and the browser."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageChops

from fleet.images.colour import premultiplied
from fleet.images.sniff import CONTENT_TYPES
from fleet.images.spec import FORMATS, Spec

EVERYWHERE: Final = frozenset({"jpeg", "png", "gif"})  # what any browser shows, whether it says so or not
# In order of preference, for each kind of picture.
FOR_MOVING: Final = ("webp", "gif")
FOR_DRAWING: Final = ("webp", "png")
FOR_CLEAR_PHOTO: Final = ("avif", "webp", "png")
FOR_PHOTO: Final = ("avif", "webp", "jpeg")
FLAT: Final = 0.4  # of the pixels of a drawing are as their neighbour; of a photograph, hardly a twentieth


def chosen(spec: Spec, source_format: str, image: Image.Image, frames: int) -> str:
    """The format of the result. `image` is its first frame."""
    if spec.format == "auto":
        return _best(image, frames, accepted(spec.accept))
    if spec.format:
        return spec.format
    if source_format == "gif":
        return "gif" if frames > 1 else "png"  # a still one is better off without the 256 colours
    return source_format if source_format in FORMATS else "png" if has_alpha(image) else "jpeg"


def _best(image: Image.Image, frames: int, known: frozenset[str]) -> str:
    order: tuple[str, ...]
    if frames > 1:
        order = FOR_MOVING
    elif is_drawing(image):
        order = FOR_DRAWING
    else:
        order = FOR_CLEAR_PHOTO if has_alpha(image) else FOR_PHOTO
    return next(format for format in order if format in known)


def accepted(header: str | None) -> frozenset[str]:
    """The formats that an Accept header names, and those that need no naming; see RFC 9110, 12.5.1."""
    known = set(EVERYWHERE)
    for part in (header or "").lower().split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        for format, content_type in CONTENT_TYPES.items():
            if kind == content_type and not any(_is_zero(word) for word in parameters):
                known.add(format)
    return frozenset(known)


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.0", "0.00", "0.000")


def has_alpha(image: Image.Image) -> bool:
    """Whether anything is transparent."""
    return image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema()[0] != 255


def is_drawing(image: Image.Image) -> bool:
    """Whether it has flat areas, as print, logos and diagrams have: what JPEG smears and PNG is made for."""
    if image.width < 2:
        return True
    grey = premultiplied(image).getchannel("G") if image.mode in ("LA", "RGBA") else image.convert("L")
    left, right = grey.crop((0, 0, grey.width - 1, grey.height)), grey.crop((1, 0, grey.width, grey.height))
    same = ImageChops.difference(left, right).histogram()[0]
    return same >= FLAT * left.width * left.height
