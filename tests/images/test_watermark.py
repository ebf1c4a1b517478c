"""A picture laid over another."""

from __future__ import annotations

import pytest
from PIL import Image, ImageChops

from fleet.images.geometry import Size
from fleet.images.watermark import MARGIN, lay, room

GRAVITIES = ("center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")


def laid_at(image: Image.Image, made: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(image.convert("RGB"), made.convert("RGB")).getbbox()


@pytest.mark.parametrize("gravity", GRAVITIES)
def test_a_mark_lies_in_its_corner_with_a_margin(gravity: str) -> None:
    image, mark = Image.new("RGB", (200, 100), "#000000"), Image.new("RGB", (40, 20), "#ff0000")
    made = lay(image, mark, gravity, 1.0)
    margin = round(MARGIN * 100)
    left = margin if "west" in gravity else 200 - 40 - margin if "east" in gravity else 80
    top = margin if "north" in gravity else 100 - 20 - margin if "south" in gravity else 40
    assert laid_at(image, made) == (left, top, left + 40, top + 20)


@pytest.mark.parametrize(("opacity", "red"), [(0.0, 0), (0.5, 128), (1.0, 255)])
def test_a_mark_is_as_clear_as_asked_and_where_it_is_clear_itself_more_so(opacity: float, red: int) -> None:
    image = Image.new("RGB", (40, 40), "#000000")
    mark = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    mark.paste((255, 0, 0, 0), (0, 0, 20, 40))
    made = lay(image, mark, "center", opacity)
    assert made.getpixel((10, 20)) == (0, 0, 0)
    assert abs(made.getpixel((30, 20))[0] - red) <= 1  # type: ignore[index]


@pytest.mark.parametrize(("mode", "result"), [("L", "RGB"), ("RGB", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA")])
def test_a_coloured_mark_on_grey_makes_it_coloured_and_transparency_stays(mode: str, result: str) -> None:
    made = lay(Image.new(mode, (40, 40)), Image.new("RGB", (10, 10), "#ff0000"), "southeast", 1.0)
    assert made.mode == result
    if result == "RGBA":
        assert made.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("gravity", GRAVITIES)
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (50, 50)])
def test_a_mark_as_large_as_the_picture_still_lies_on_it(gravity: str, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "#000000")
    made = lay(image, Image.new("RGB", size, "#ff0000"), gravity, 1.0)
    assert laid_at(image, made) == (0, 0, *size)


def test_neither_the_picture_nor_the_mark_is_changed() -> None:
    image, mark = Image.new("RGBA", (40, 40), "#000000"), Image.new("RGBA", (10, 10), "#ff0000")
    lay(image, mark, "center", 0.5)
    assert image.getpixel((20, 20)) == (0, 0, 0, 255)
    assert mark.getpixel((5, 5)) == (255, 0, 0, 255)


@pytest.mark.parametrize(("share", "wanted"), [(0.25, (50, 25)), (1.0, (200, 100)), (0.001, (1, 1))])
def test_room_is_a_share_of_the_sides_and_never_nothing(share: float, wanted: tuple[int, int]) -> None:
    assert room(Size(200, 100), share) == wanted
