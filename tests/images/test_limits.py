"""What is over a limit is refused in words that say which."""

from __future__ import annotations

import pytest

from fleet.errors import BadImage
from fleet.images.geometry import Size
from fleet.images.limits import Limits, check, check_result
from fleet.images.sniff import Header
from fleet.images.spec import MAX_SIDE_PX

LIMITS = Limits(source_bytes=1000, pixels=1200, frames=3, side_px=60, result_side_px=50)
GOOD = Header("png", 40, 30, 3)


def test_at_its_limits_a_picture_passes() -> None:
    check(GOOD, 1000, LIMITS)
    check(GOOD._replace(width=60, height=20), 1, LIMITS)
    check(GOOD._replace(width=20, height=60), 1, LIMITS)


@pytest.mark.parametrize(
    ("header", "size", "words"),
    [
        (GOOD, 1001, "1,001 bytes; the limit is 1,000"),
        (GOOD._replace(width=61, height=1), 1, "61x1 pixels; the limit is 60 on a side"),
        (GOOD._replace(width=1, height=61), 1, "1x61 pixels; the limit is 60 on a side"),
        (GOOD._replace(height=31), 1, "40x31 pixels; the limit is 1,200 in all"),
        (GOOD._replace(frames=4), 1, "4 frames or more; the limit is 3"),
    ],
)
def test_one_over_a_limit_is_too_large(header: Header, size: int, words: str) -> None:
    with pytest.raises(BadImage, match=words) as caught:
        check(header, size, LIMITS)
    assert caught.value.reason == "too-large"
    assert "Send a smaller one" in str(caught.value)


@pytest.mark.parametrize("size", [Size(50, 24), Size(24, 50), Size(1, 1)])
def test_a_result_may_reach_the_limit(size: Size) -> None:
    check_result(size, LIMITS)


@pytest.mark.parametrize(("size", "words"), [(Size(51, 1), "50 on a side"), (Size(49, 49), "1,200 in all")])
def test_a_result_may_not_exceed_it(size: Size, words: str) -> None:
    with pytest.raises(BadImage, match=words) as caught:
        check_result(size, LIMITS)
    assert caught.value.reason == "too-large"


def test_a_limit_in_mebibytes_is_said_in_mebibytes() -> None:
    with pytest.raises(BadImage, match="33,554,433 bytes; the limit is 32 MiB"):
        check(GOOD, (32 << 20) + 1, Limits())


def test_the_largest_box_is_within_the_limits() -> None:
    check_result(Size(MAX_SIDE_PX, 1), Limits())
    assert Limits().result_side_px == MAX_SIDE_PX
