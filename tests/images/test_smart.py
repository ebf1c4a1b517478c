"""Where the detail is: what a smart crop keeps."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from fleet.images.geometry import Anchor
from fleet.images.smart import anchor
from tests.images.engines.engines import kitten


def stripes(size: tuple[int, int], box: tuple[int, int, int, int], mode: str = "RGB") -> Image.Image:
    """Grey, but for black and white stripes within a box."""
    image = Image.new("RGB", size, "#808080")
    draw = ImageDraw.Draw(image)
    for x in range(box[0], box[2], 6):
        draw.rectangle((x, box[1], x + 2, box[3]), "#ffffff")
        draw.rectangle((x + 3, box[1], x + 5, box[3]), "#000000")
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (300, 0), (150, 120), (0, 200), (300, 200)])
def test_the_middle_of_what_is_kept_is_where_the_edges_are(left: int, top: int, mode: str) -> None:
    found = anchor(stripes((400, 300), (left, top, left + 100, top + 100), mode), 0.25, 1 / 3)
    assert found.point
    assert abs(found.x - (left + 50) / 400) < 0.05
    assert abs(found.y - (top + 50) / 300) < 0.05


@pytest.mark.parametrize(
    "image", [Image.new("RGB", (90, 60), "#305f6a"), Image.new("L", (1, 1)), Image.new("L", (2, 2))]
)
def test_where_nothing_is_to_be_seen_the_middle_is_kept(image: Image.Image) -> None:
    found = anchor(image, 0.5, 0.5)
    assert abs(found.x - 0.5) <= 0.25
    assert abs(found.y - 0.5) <= 0.25


def test_hidden_detail_draws_nothing_to_it() -> None:
    image = stripes((400, 300), (0, 0, 100, 300), "RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 120, 300))
    hidden = stripes((400, 300), (0, 0, 100, 300))
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 120, 300))
    hidden.putalpha(alpha)
    shown = ImageDraw.Draw(hidden)
    for x in range(300, 400, 12):
        shown.rectangle((x, 100, x + 5, 200), (255, 255, 255, 255))
    assert anchor(hidden, 0.25, 1.0).x > 0.7


@pytest.mark.parametrize("size", [(400, 300), (1200, 900), (90, 67)])
def test_it_is_the_same_for_any_size_of_the_same_picture(size: tuple[int, int]) -> None:
    one, other = anchor(kitten((800, 600)), 0.5, 1.0), anchor(kitten(size), 0.5, 1.0)
    assert abs(one.x - other.x) < 0.06


def test_the_picture_itself_is_left_as_it_is() -> None:
    for mode in ("L", "RGB"):
        image = kitten((200, 150)).convert(mode)
        assert isinstance(anchor(image, 0.5, 0.5), Anchor)
        assert image.size == (200, 150)
