"""Arithmetic before pixels: from a source's size and a box to what to cut, scale and pad. Numbers in, numbers out.

All sizes are of the upright picture, in whole pixels, and at least 1 on each side.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, radians, sin
from typing import Final, NamedTuple


class Size(NamedTuple):
    width: int
    height: int


class Box(NamedTuple):
    """A part of a picture: the left, top, right and bottom edges."""

    left: float
    top: float
    right: float
    bottom: float


class Anchor(NamedTuple):
    """What is to stay in view, as parts of the sides: with `point`, the middle of the view if it can be; without, as
    much of what is left over is cut off (or left free) on one side as on the other in proportion to it."""

    x: float = 0.5
    y: float = 0.5
    point: bool = False

    def start(self, whole: Size, wide: float, high: float) -> tuple[float, float]:
        """Where a part of `wide` by `high` begins in the whole."""
        if not self.point:
            return (whole.width - wide) * self.x, (whole.height - high) * self.y
        return (
            min(max(0.0, whole.width * self.x - wide / 2), whole.width - wide),
            min(max(0.0, whole.height * self.y - high / 2), whole.height - high),
        )


CENTER: Final = Anchor()
_ACROSS: Final = {"west": 0.0, "east": 1.0}
_DOWN: Final = {"north": 0.0, "south": 1.0}


def anchor(gravity: str) -> Anchor:
    """The anchor of ``center`` or a point of the compass."""
    across = next((x for word, x in _ACROSS.items() if gravity.endswith(word)), 0.5)
    return Anchor(across, next((y for word, y in _DOWN.items() if gravity.startswith(word)), 0.5))


class Plan(NamedTuple):
    """Cut `crop` out of the source, scale it to `scaled`, and put that on `canvas`, `offset` from its left and top."""

    crop: Box
    scaled: Size
    canvas: Size
    offset: tuple[int, int] = (0, 0)


def plan(
    source: Size, width: int | None, height: int | None, fit: str, enlarge: bool = False, anchor: Anchor = CENTER
) -> Plan:
    """How to make `source` fit a box of `width` and `height` pixels, as `Spec` defines each `fit`.

    A side that is None follows from the other by the source's shape; with both None nothing changes.
    """
    if width is None and height is None:
        return Plan(whole(source), source, source)
    box = _full_box(source, width, height)
    if width is None or height is None:
        fit = "inside"  # with one side free, the shape decides the other: nothing to cut or to pad
        box = Size(width or _UNBOUNDED, height or _UNBOUNDED)
    return _PLANS[fit](source, box, enlarge, anchor)


_UNBOUNDED = 1 << 30


def _full_box(source: Size, width: int | None, height: int | None) -> Size:
    return Size(width or source.width, height or source.height)


def _inside(source: Size, box: Size, enlarge: bool, anchor: Anchor) -> Plan:
    scaled = _scaled(source, min(box.width / source.width, box.height / source.height), enlarge)
    scaled = Size(min(scaled.width, box.width), min(scaled.height, box.height))
    return Plan(whole(source), scaled, scaled)


def _outside(source: Size, box: Size, enlarge: bool, anchor: Anchor) -> Plan:
    scaled = _scaled(source, max(box.width / source.width, box.height / source.height), enlarge)
    return Plan(whole(source), scaled, scaled)


def _contain(source: Size, box: Size, enlarge: bool, anchor: Anchor) -> Plan:
    found = _inside(source, box, enlarge, anchor)
    left, top = (CENTER if anchor.point else anchor).start(box, *found.scaled)
    return found._replace(canvas=box, offset=(int(left), int(top)))


def _fill(source: Size, box: Size, enlarge: bool, anchor: Anchor) -> Plan:
    scaled = box if enlarge else Size(min(box.width, source.width), min(box.height, source.height))
    return Plan(whole(source), scaled, scaled)


def _cover(source: Size, box: Size, enlarge: bool, anchor: Anchor) -> Plan:
    scale = max(box.width / source.width, box.height / source.height)
    # The largest part of the source that has the box's shape.
    wide, high = min(source.width, box.width / scale), min(source.height, box.height / scale)
    left, top = anchor.start(source, wide, high)
    scaled = box if scale <= 1 or enlarge else Size(max(1, round(wide)), max(1, round(high)))
    return Plan(Box(left, top, left + wide, top + high), scaled, scaled)


_PLANS = {"inside": _inside, "outside": _outside, "contain": _contain, "fill": _fill, "cover": _cover}


def whole(source: Size) -> Box:
    return Box(0, 0, source.width, source.height)


def size_of(box: Box) -> Size:
    """In whole pixels."""
    return Size(max(1, round(box.right - box.left)), max(1, round(box.bottom - box.top)))


def part(source: Size, left: int, top: int, width: int, height: int) -> Box | None:
    """That part of a source, as far as there is one; None if it lies outside."""
    if left >= source.width or top >= source.height:
        return None
    return Box(left, top, min(left + width, source.width), min(top + height, source.height))


def moved(box: Box, left: float, top: float) -> Box:
    return Box(box.left + left, box.top + top, box.right + left, box.bottom + top)


def stretched(box: Box, source: Size, target: Size) -> Box:
    """Where a part of the source lies in the same picture of another size."""
    across, down = target.width / source.width, target.height / source.height
    return Box(box.left * across, box.top * down, box.right * across, box.bottom * down)


def shrunk(source: Size, scale: float) -> Size:
    """A source scaled, never up, and never below one pixel."""
    return _scaled(source, scale, enlarge=False)


def rotated(source: Size, degrees: float) -> Size:
    """The size of the box around a source that was turned by any angle."""
    across, down = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    exact = source.width * across + source.height * down, source.width * down + source.height * across
    wide, high = (max(1, ceil(side - 1e-6)) for side in exact)
    return Size(wide, high)


def best_start(weights: Sequence[float], length: int) -> int:
    """Where the `length` neighbours begin that weigh most together; of equals, the ones nearest the middle."""
    last = len(weights) - length
    weight = sum(weights[:length])
    found = [weight]
    for start in range(1, last + 1):
        weight += weights[start + length - 1] - weights[start - 1]
        found.append(weight)
    return max(range(last + 1), key=lambda start: (round(found[start], 6), -abs(start - last / 2)))


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


_TURNS: Final = {0: 1, 90: 6, 180: 3, 270: 8}
_MIRRORED: Final = {1: 2, 6: 5, 3: 4, 8: 7}


def turn(rotate: int, flip: bool, flop: bool) -> int:
    """The EXIF orientation that says: turn clockwise by a multiple of 90 degrees, then mirror."""
    orientation = _TURNS[(rotate + 180 * flip) % 360]
    return _MIRRORED[orientation] if flip != flop else orientation
