"""Sources made of sources: what each asks of the one below, and what it makes of the answer."""

from __future__ import annotations

import pytest
from PIL import Image

from fleet.images.engines import Frame, Loaded, Reduction
from fleet.images.geometry import Box, Size, size_of, whole
from fleet.images.scaling import resized
from fleet.images.views import Held, Part, Turned, border, hold, rotate, trim
from tests.images.engines.engines import kitten, unlike


class Noted:
    """A source that remembers what it was asked for."""

    def __init__(self, *images: Image.Image) -> None:
        self.size = Size(*images[0].size)
        self.asked: list[Reduction] = []
        self._images = images

    def load(self, reduction: Reduction) -> Loaded:
        self.asked.append(reduction)
        some = self._images[: reduction.frames]
        return Loaded(
            [Frame(resized(image, reduction.crop, reduction.scaled), 40) for image in some], "noted", 3, b"exif"
        )


def asked(size: Size, crop: Box | None = None, scaled: Size | None = None, frames: int = 1) -> Reduction:
    crop = crop or whole(size)
    return Reduction(crop, scaled or size_of(crop), frames)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_source_gives_the_part_that_is_there_when_it_is_turned(orientation: int) -> None:
    source = Noted(kitten((40, 30)))
    view = Turned(source, orientation)
    everything = view.load(asked(view.size)).frames[0].image
    part = view.load(asked(view.size, Box(3, 5, 20, 25))).frames[0].image
    assert everything.size == view.size == ((40, 30) if orientation < 5 else (30, 40))
    assert part.tobytes() == everything.crop((3, 5, 20, 25)).tobytes()
    assert size_of(source.asked[1].crop) == ((17, 20) if orientation < 5 else (20, 17))  # no more than that is decoded


def test_a_part_of_a_part_is_asked_for_as_one() -> None:
    source = Noted(kitten((40, 30)))
    view = Part(Part(source, Box(10, 5, 30, 25)), Box(2, 3, 12, 13))
    assert view.size == (10, 10)
    view.load(asked(view.size, Box(1, 1, 5, 5)))
    assert source.asked[0].crop == (13, 9, 17, 13)


def test_views_pass_on_what_a_moving_picture_says() -> None:
    source = Noted(kitten((40, 30)), kitten((40, 30)).rotate(90))
    view = Part(Turned(hold(source, Size(20, 15), 2), 6), Box(0, 0, 30, 40))
    loaded = view.load(asked(view.size, scaled=Size(15, 20), frames=2))
    assert [frame.duration_ms for frame in loaded.frames] == [40, 40]
    assert (loaded.engine, loaded.loops, loaded.exif) == ("noted", 3, b"exif")
    assert len(view.load(asked(view.size)).frames) == 1


# -- In memory ------------------------------------------------------------------------------------------------------


def test_what_is_held_is_loaded_once_and_answers_in_the_sources_pixels() -> None:
    source = Noted(kitten((400, 300)))
    held = hold(source, Size(200, 150))
    small = held.load(asked(held.size, Box(100, 60, 300, 260), Size(50, 50))).frames[0].image
    held.load(asked(held.size, scaled=Size(20, 15)))
    assert len(source.asked) == 1
    assert held.size == (400, 300)
    assert unlike(small, kitten((400, 300)).crop((100, 60, 300, 260)).resize((50, 50), Image.Resampling.LANCZOS)) < 2


@pytest.mark.parametrize("left", [0, 33, 101, 240])
def test_a_part_that_needs_no_scaling_is_not_blurred_by_half_a_pixel(left: int) -> None:
    image = kitten((200, 150))
    held = Held(Size(400, 300), Loaded([Frame(image)], "noted"))
    part = held.load(asked(held.size, Box(left, 20, left + 160, 140), Size(80, 60))).frames[0].image
    at = round(left / 2)
    assert part.tobytes() == image.crop((at, 10, at + 80, 70)).tobytes()


# -- By any angle, and without a border -----------------------------------------------------------------------------


def test_the_corners_of_a_rotation_are_the_background_or_clear() -> None:
    held = Held(Size(40, 40), Loaded([Frame(Image.new("RGB", (40, 40), "#ff0000"))], "noted"))
    for background, corner in (("#00ff00", (0, 255, 0, 255)), ("transparent", (0, 0, 0, 0))):
        view = rotate(held, 45, background)
        image = view.loaded.frames[0].image.convert("RGBA")
        assert view.size == (57, 57)
        assert image.getpixel((0, 0)) == corner
        assert image.getpixel((28, 28)) == (255, 0, 0, 255)


@pytest.mark.parametrize(("tolerance", "box"), [(0, (8, 8, 32, 22)), (9, (8, 8, 32, 22)), (10, (10, 10, 30, 20))])
def test_a_border_may_differ_from_its_corner_by_the_tolerance_and_no_more(
    tolerance: int, box: tuple[int, int, int, int]
) -> None:
    image = Image.new("RGB", (40, 30), (100, 100, 100))
    image.paste((100, 110, 100), (8, 8, 32, 22))  # a seam
    image.paste((200, 0, 0), (10, 10, 30, 20))
    assert border(image, tolerance) == box


def test_a_border_is_looked_for_in_what_is_seen() -> None:
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    image.paste((0, 255, 0, 0), (0, 0, 40, 15))  # hidden
    image.paste((0, 0, 255, 255), (5, 6, 7, 9))
    assert border(image, 0) == (5, 6, 7, 9)
    assert border(Image.new("L", (40, 30), 9), 0) == (0, 0, 40, 30)  # of one colour: nothing is border


def test_what_was_held_smaller_is_trimmed_where_its_border_is_in_the_source() -> None:
    image = Image.new("RGB", (40, 30), "#ffffff")
    image.paste("#305f6a", (10, 5, 30, 25))
    assert trim(Held(Size(80, 60), Loaded([Frame(image)], "noted")), 0).size == (40, 40)
