"""The arithmetic of boxes. What it says of turned pictures is checked against pixels that were turned."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fleet.images.geometry import (
    Anchor,
    Box,
    Plan,
    Size,
    anchor,
    best_start,
    part,
    plan,
    rotated,
    size_of,
    stored_box,
    stored_size,
    turn,
)
from fleet.images.spec import COMPASS, FITS

SIDE = st.integers(1, 20_000)
SIZES = st.builds(Size, SIDE, SIDE)
BOX_SIDE = st.integers(1, 8192)
FIT = st.sampled_from(["inside", "outside", "cover", "contain", "fill"])
# How a stored picture is turned upright, by EXIF's orientation.
TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LARGE, SMALL = Size(4000, 3000), Size(100, 50)


@pytest.mark.parametrize(
    ("source", "box", "fit", "enlarge", "scaled", "canvas"),
    [
        (LARGE, (200, 150), "inside", False, (200, 150), None),
        (LARGE, (200, 200), "inside", False, (200, 150), None),
        (LARGE, (100, 150), "inside", False, (100, 75), None),
        (LARGE, (200, 200), "outside", False, (267, 200), None),
        (LARGE, (200, 200), "cover", False, (200, 200), None),
        (LARGE, (200, 200), "contain", False, (200, 150), (200, 200)),
        (LARGE, (200, 200), "fill", False, (200, 200), None),
        (LARGE, (None, 150), "inside", False, (200, 150), None),
        (LARGE, (200, None), "inside", False, (200, 150), None),
        (LARGE, (200, None), "cover", False, (200, 150), None),
        (LARGE, (None, 150), "contain", False, (200, 150), None),
        (LARGE, (None, 150), "fill", False, (200, 150), None),
        (LARGE, (None, None), "inside", True, (4000, 3000), None),
        (SMALL, (200, 150), "inside", False, (100, 50), None),
        (SMALL, (200, 150), "outside", False, (100, 50), None),
        (SMALL, (200, 150), "cover", False, (67, 50), None),
        (SMALL, (200, 150), "contain", False, (100, 50), (200, 150)),
        (SMALL, (200, 150), "fill", False, (100, 50), None),
        (SMALL, (80, 150), "fill", False, (80, 50), None),
        (SMALL, (200, None), "inside", False, (100, 50), None),
        (SMALL, (200, 150), "inside", True, (200, 100), None),
        (SMALL, (200, 150), "outside", True, (300, 150), None),
        (SMALL, (200, 150), "cover", True, (200, 150), None),
        (SMALL, (200, 150), "contain", True, (200, 100), (200, 150)),
        (SMALL, (200, 150), "fill", True, (200, 150), None),
        (SMALL, (200, None), "inside", True, (200, 100), None),
        (Size(20_000, 1), (200, 150), "inside", False, (200, 1), None),
        (Size(1, 1), (8192, 8192), "inside", False, (1, 1), None),
    ],
)
def test_sizes(
    source: Size,
    box: tuple[int | None, int | None],
    fit: str,
    enlarge: bool,
    scaled: tuple[int, int],
    canvas: tuple[int, int] | None,
) -> None:
    made = plan(source, *box, fit, enlarge)
    assert (made.scaled, made.canvas) == (scaled, canvas or scaled)


def test_cover_cuts_the_same_off_both_sides() -> None:
    assert plan(LARGE, 200, 200, "cover").crop == Box(500, 0, 3500, 3000)
    assert plan(Size(3000, 4000), 200, 200, "cover").crop == Box(0, 500, 3000, 3500)


def test_what_is_padded_stands_in_the_middle() -> None:
    assert plan(LARGE, 200, 200, "contain").offset == (0, 25)
    assert plan(SMALL, 201, 51, "contain").offset == (50, 0)


def kept(source: Size, made: Plan) -> None:
    """The shape of what was cut out is that of what it is scaled to, but for the rounding of each side."""
    wide, high = made.crop.right - made.crop.left, made.crop.bottom - made.crop.top
    across, down = made.scaled.width / wide, made.scaled.height / high
    slack = 0.5001
    low = max((made.scaled.width - slack) / wide, (made.scaled.height - slack) / high)
    high_end = min((made.scaled.width + slack) / wide, (made.scaled.height + slack) / high)
    assert low <= high_end or 1 in made.scaled, (source, made, across, down)


@given(SIZES, BOX_SIDE, BOX_SIDE, FIT, st.booleans())
def test_a_plan_is_possible_and_within_its_box(source: Size, width: int, height: int, fit: str, enlarge: bool) -> None:
    made = plan(source, width, height, fit, enlarge)
    crop = made.crop
    assert 0 <= crop.left < crop.right <= source.width
    assert 0 <= crop.top < crop.bottom <= source.height
    assert min(made.scaled) >= 1
    assert made.scaled.width <= made.canvas.width
    assert made.scaled.height <= made.canvas.height
    if fit != "outside":
        assert made.canvas.width <= width
        assert made.canvas.height <= height
    if fit == "outside" and (enlarge or (width <= source.width and height <= source.height)):
        assert made.scaled.width == width or made.scaled.height == height
        assert made.scaled.width >= width
        assert made.scaled.height >= height
    if not enlarge:
        assert made.scaled.width <= source.width
        assert made.scaled.height <= source.height
    if fit != "fill":
        kept(source, made)


@given(SIZES, BOX_SIDE, st.booleans(), st.booleans(), FIT)
def test_a_free_side_follows_from_the_other(source: Size, side: int, wide: bool, enlarge: bool, fit: str) -> None:
    made = plan(source, side if wide else None, None if wide else side, fit, enlarge)
    given_, own = (made.scaled.width, source.width) if wide else (made.scaled.height, source.height)
    assert given_ == (side if enlarge else min(side, own))
    assert made.canvas == made.scaled
    assert made.crop == Box(0, 0, *source)
    kept(source, made)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_the_upright_picture_is_found_in_the_stored_one(orientation: int) -> None:
    stored = Image.new("I", (7, 4))
    stored.putdata(range(28))
    upright = stored.transpose(TURN[orientation]) if orientation > 1 else stored
    size = Size(*upright.size)
    assert stored_size(size, orientation) == stored.size
    for box in (Box(0, 0, 1, 1), Box(1, 0, 3, 2), Box(0, 1, 4, 4), Box(0, 0, *size)):
        found = stored_box(box, size, orientation)
        assert all(side == math.floor(side) for side in found)
        part = stored.crop(tuple(int(side) for side in found))  # type: ignore[arg-type]
        part = part.transpose(TURN[orientation]) if orientation > 1 else part
        assert part.tobytes() == upright.crop(tuple(int(side) for side in box)).tobytes()  # type: ignore[arg-type]


# -- Anchors, turns and parts -----------------------------------------------------------------------------------------

UNIT = st.floats(0, 1)


@given(st.builds(Size, SIDE, SIDE), SIDE, SIDE, UNIT, UNIT, st.booleans(), st.sampled_from(FITS))
def test_whatever_the_anchor_the_part_lies_within_and_has_the_same_size(
    source: Size, width: int, height: int, x: float, y: float, point: bool, fit: str
) -> None:
    found = plan(source, width, height, fit, anchor=Anchor(x, y, point))
    middle = plan(source, width, height, fit)
    assert (found.scaled, found.canvas) == (middle.scaled, middle.canvas)
    left, top, right, bottom = found.crop
    assert -1e-6 <= left < right <= source.width + 1e-6
    assert -1e-6 <= top < bottom <= source.height + 1e-6
    assert 0 <= found.offset[0] <= found.canvas.width - found.scaled.width
    assert 0 <= found.offset[1] <= found.canvas.height - found.scaled.height


@pytest.mark.parametrize("word", COMPASS)
def test_a_gravity_is_where_it_says(word: str) -> None:
    x, y, point = anchor(word)
    assert not point
    assert (x == 0, x == 1) == (word.endswith("west"), word.endswith("east"))
    assert (y == 0, y == 1) == (word.startswith("north"), word.startswith("south"))


@given(st.integers(-4, 4), st.booleans(), st.booleans())
def test_turning_and_mirroring_twice_is_nothing_or_a_half_turn(quarters: int, flip: bool, flop: bool) -> None:
    orientation = turn(90 * quarters, flip, flop)
    assert 1 <= orientation <= 8
    assert turn(90 * quarters + 360, flip, flop) == orientation
    assert turn(90 * quarters + 180, not flip, not flop) == orientation
    assert (orientation >= 5) == bool(quarters % 2)


@given(st.builds(Size, SIDE, SIDE), st.integers(-360, 360))
def test_a_rotated_picture_fits_into_its_box(size: Size, degrees: int) -> None:
    found = rotated(size, degrees)
    if degrees % 180 == 0:
        assert found == size
    elif degrees % 90 == 0:
        assert found == (size.height, size.width)
    else:
        assert found.width * found.height >= size.width * size.height - 1
        assert max(found) <= size.width + size.height + 1


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.data())
def test_the_best_start_is_the_best(weights: list[int], data: st.DataObject) -> None:
    length = data.draw(st.integers(1, len(weights)))
    sums = [sum(weights[start : start + length]) for start in range(len(weights) - length + 1)]
    assert sums[best_start(weights, length)] == max(sums)


@given(st.builds(Size, SIDE, SIDE), st.integers(0, 200), st.integers(0, 200), SIDE, SIDE)
def test_a_part_lies_within(size: Size, left: int, top: int, width: int, height: int) -> None:
    found = part(size, left, top, width, height)
    if found is None:
        assert left >= size.width or top >= size.height
    else:
        assert 0 <= found.left < found.right <= size.width
        assert 0 <= found.top < found.bottom <= size.height
        assert size_of(found) == (found.right - found.left, found.bottom - found.top)
