"""Scaling and turning an image: by libvips where that is quicker, and then with the same pixels."""

from __future__ import annotations

import pytest
from PIL import Image, ImageOps

from fleet.images import scaling
from fleet.images.engines import router
from fleet.images.geometry import Box, Size, whole
from fleet.images.scaling import resized, turned
from tests.images.engines.engines import engine, kitten, unlike


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_by_exif_as_pillow_itself_would(orientation: int) -> None:
    image = kitten((40, 30))
    image.getexif()[0x0112] = orientation
    wanted = ImageOps.exif_transpose(image)
    assert turned(image, orientation).tobytes() == wanted.tobytes()
    assert turned(image, orientation).size == wanted.size


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    image = kitten((40, 30))
    assert turned(image, orientation) is image


def test_what_has_its_size_already_is_not_touched() -> None:
    image = kitten((40, 30))
    assert resized(image, Box(0, 0, 40, 30), Size(40, 30)) is image


@pytest.mark.parametrize("linear", [False, True])
def test_a_box_that_rounding_moved_beyond_the_edge_ends_there(linear: bool) -> None:
    assert resized(kitten((40, 30)), Box(20, 15, 40.0001, 30.0001), Size(10, 8), linear).size == (10, 8)


@pytest.mark.parametrize(
    ("mode", "value"),
    [
        ("L", 77),
        ("LA", (77, 255)),
        ("RGB", (77, 99, 111)),
        ("RGBA", (77, 99, 111, 255)),
        ("CMYK", (77, 99, 111, 5)),
        ("I;16", 0x8080),
    ],
)
def test_every_mode_that_engines_give_keeps_its_mode_and_its_value(mode: str, value: int | tuple[int, ...]) -> None:
    image = resized(Image.new(mode, (40, 30), value), Box(3, 2, 37.5, 29), Size(7, 5))
    assert (image.mode, image.size) == (mode, (7, 5))
    assert image.getpixel((3, 2)) == value


# -- By libvips -----------------------------------------------------------------------------------------------------


@pytest.fixture
def by_libvips(monkeypatch: pytest.MonkeyPatch) -> list[Size]:
    """The sizes of what was handed to libvips."""
    engine("vips")
    from fleet.images.engines import vips

    handed: list[Size] = []
    resampled = vips.resampled

    def noted(image: Image.Image, crop: Box, scaled: Size) -> Image.Image:
        handed.append(Size(*image.size))
        return resampled(image, crop, scaled)

    monkeypatch.setattr(vips, "resampled", noted)
    return handed


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("crop", [Box(0, 0, 1000, 750), Box(100, 50, 901, 651)])
@pytest.mark.parametrize("width", [400, 640, 799])
def test_libvips_makes_of_large_images_what_pillow_makes(
    mode: str, crop: Box, width: int, by_libvips: list[Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, scaled = kitten((1000, 750)).convert(mode), Size(width, width * 3 // 4)
    quick = resized(image, crop, scaled)
    assert by_libvips == [(1000, 750)]
    monkeypatch.setattr(router, "load", lambda name: "it is not here")
    slow = resized(image, crop, scaled)
    assert len(by_libvips) == 1
    assert (quick.mode, quick.size) == (slow.mode, slow.size)
    assert unlike(quick, slow) < 0.5


@pytest.mark.parametrize(
    ("mode", "size", "crop", "width"),
    [
        ("RGB", (800, 600), None, 400),  # little to save
        ("RGB", (1000, 750), Box(0.5, 0, 1000, 750), 400),  # cut within a pixel
        ("RGB", (1000, 750), None, 200),  # Pillow reduces first
        ("RGB", (1000, 750), None, 1200),  # larger
        ("RGBA", (1000, 750), None, 400),
        ("CMYK", (1000, 750), None, 400),
    ],
)
def test_what_is_not_for_libvips_is_pillows(
    mode: str, size: tuple[int, int], crop: Box | None, width: int, by_libvips: list[Size]
) -> None:
    made = resized(kitten(size).convert(mode), crop or whole(Size(*size)), Size(width, width * 3 // 4))
    assert made.mode == mode
    assert not by_libvips


def test_pixels_that_would_take_much_memory_to_copy_are_pillows(
    by_libvips: list[Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "FOR_LIBVIPS", range(1, 700_000))
    resized(kitten((1000, 750)), Box(0, 0, 1000, 750), Size(400, 300))
    assert not by_libvips
