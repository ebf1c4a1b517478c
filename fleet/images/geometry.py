"""Arithmetic before pixels: from a source's size and a box to what to cut, scale and pad. Numbers in, numbers out.

All sizes are of the upright picture, in whole pixels, and at least 1 on each side.
"""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    width: int
    height: int


class Box(NamedTuple):
    """A part of a picture: the left, top, right and bottom edges."""

    left: float
    top: float
    right: float
    bottom: float


class Plan(NamedTuple):
    """Cut `crop` out of the source, scale it to `scaled`, and put that in the middle of `canvas`."""

    crop: Box
    scaled: Size
    canvas: Size

    @property
    def offset(self) -> tuple[int, int]:
        """Where the scaled picture stands on the canvas, from its left and top."""
        return (self.canvas.width - self.scaled.width) // 2, (self.canvas.height - self.scaled.height) // 2


def plan(source: Size, width: int | None, height: int | None, fit: str, enlarge: bool = False) -> Plan:
    """How to make `source` fit a box of `width` and `height` pixels, as `Spec` defines each `fit`.

    A side that is None follows from the other by the source's shape; with both None nothing changes.
    """
    if width is None and height is None:
        return Plan(_whole(source), source, source)
    box = _full_box(source, width, height)
    if width is None or height is None:
        fit = "inside"  # with one side free, the shape decides the other: nothing to cut or to pad
        box = Size(width or _UNBOUNDED, height or _UNBOUNDED)
    return _PLANS[fit](source, box, enlarge)


_UNBOUNDED = 1 << 30


def _full_box(source: Size, width: int | None, height: int | None) -> Size:
    return Size(width or source.width, height or source.height)


def _inside(source: Size, box: Size, enlarge: bool) -> Plan:
    scaled = _scaled(source, min(box.width / source.width, box.height / source.height), enlarge)
    scaled = Size(min(scaled.width, box.width), min(scaled.height, box.height))
    return Plan(_whole(source), scaled, scaled)


def _outside(source: Size, box: Size, enlarge: bool) -> Plan:
    scaled = _scaled(source, max(box.width / source.width, box.height / source.height), enlarge)
    return Plan(_whole(source), scaled, scaled)


def _contain(source: Size, box: Size, enlarge: bool) -> Plan:
    return _inside(source, box, enlarge)._replace(canvas=box)


def _fill(source: Size, box: Size, enlarge: bool) -> Plan:
    scaled = box if enlarge else Size(min(box.width, source.width), min(box.height, source.height))
    return Plan(_whole(source), scaled, scaled)


def _cover(source: Size, box: Size, enlarge: bool) -> Plan:
    scale = max(box.width / source.width, box.height / source.height)
    # The largest part of the source that has the box's shape, from its middle.
    wide, high = min(source.width, box.width / scale), min(source.height, box.height / scale)
    left, top = (source.width - wide) / 2, (source.height - high) / 2
    scaled = box if scale <= 1 or enlarge else Size(max(1, round(wide)), max(1, round(high)))
    return Plan(Box(left, top, left + wide, top + high), scaled, scaled)


_PLANS = {"inside": _inside, "outside": _outside, "contain": _contain, "fill": _fill, "cover": _cover}


def _whole(source: Size) -> Box:
    return Box(0, 0, source.width, source.height)


def _scaled(source: Size, scale: float, enlarge: bool) -> Size:
    if scale >= 1 and not enlarge:
        return source
    return Size(max(1, round(source.width * scale)), max(1, round(source.height * scale)))


def stored_size(upright: Size, orientation: int) -> Size:
    """The size of a picture as it is stored; for EXIF orientations 5 to 8 the sides change places."""
    return Size(upright.height, upright.width) if orientation >= 5 else upright


def stored_box(box: Box, upright: Size, orientation: int) -> Box:
    """Where a part of the upright picture lies in the stored one. Orientations are EXIF's, 1 to 8."""
    wide, high = stored_size(upright, orientation)
    corners = [_stored_point(x, y, wide, high, orientation) for x, y in (box[:2], box[2:])]
    (left, right), (top, bottom) = (sorted(values) for values in zip(*corners, strict=True))
    return Box(left, top, right, bottom)


def _stored_point(x: float, y: float, wide: int, high: int, orientation: int) -> tuple[float, float]:
    if orientation >= 5:
        x, y = y, x
    if orientation in (2, 3, 7, 8):
        x = wide - x
    if orientation in (3, 4, 6, 7):
        y = high - y
    return x, y
