"""In which format a result is written."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from fleet.images import Spec
from fleet.images.formats import accepted, chosen, has_alpha, is_drawing
from tests.images.engines.engines import kitten

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PHOTO = kitten((80, 60))


def drawing() -> Image.Image:
    image = Image.new("RGB", (80, 60), "#ffffff")
    ImageDraw.Draw(image).rectangle((10, 10, 50, 40), "#305f6a", "#000000")
    return image


def clear(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    return image


@pytest.mark.parametrize(
    ("source", "frames", "image", "wanted"),
    [
        ("jpeg", 1, PHOTO, "jpeg"),
        ("avif", 1, PHOTO, "avif"),
        ("gif", 1, PHOTO, "png"),  # better off without the 256 colours
        ("gif", 2, PHOTO, "gif"),
        ("heic", 1, PHOTO, "jpeg"),  # is not written here
        ("psd", 1, clear(PHOTO), "png"),
    ],
)
def test_without_a_wish_it_is_the_sources_where_that_can_be(
    source: str, frames: int, image: Image.Image, wanted: str
) -> None:
    assert chosen(Spec(), source, image, frames) == wanted


def test_a_wish_is_granted_whatever_the_picture_is() -> None:
    assert chosen(Spec(format="jpeg"), "gif", clear(PHOTO), 12) == "jpeg"


@pytest.mark.parametrize(
    ("image", "frames", "accept", "wanted"),
    [
        (PHOTO, 1, CHROME, "avif"),
        (PHOTO, 1, "image/webp", "webp"),
        (PHOTO, 1, None, "jpeg"),
        (clear(PHOTO), 1, CHROME, "avif"),
        (clear(PHOTO), 1, None, "png"),
        (drawing(), 1, CHROME, "webp"),
        (drawing(), 1, None, "png"),
        (PHOTO, 2, CHROME, "webp"),
        (PHOTO, 2, None, "gif"),
    ],
)
def test_auto_is_by_content_and_by_what_the_browser_says(
    image: Image.Image, frames: int, accept: str | None, wanted: str
) -> None:
    assert chosen(Spec(format="auto", accept=accept), "jpeg", image, frames) == wanted


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (None, set()),
        ("", set()),
        ("*/*", set()),  # says nothing of what is new
        (CHROME, {"avif", "webp"}),
        ("IMAGE/WebP ; q=0.5", {"webp"}),
        ("image/webp;q=0, image/avif; q=0.000", set()),
        ("image/webp;q=0.001", {"webp"}),
        (",;=,image/webp;q", {"webp"}),
    ],
)
def test_an_accept_header_names_formats_and_forbids_some(header: str | None, named: set[str]) -> None:
    assert accepted(header) == {"jpeg", "png", "gif"} | named


def test_transparent_is_what_is_seen_through_somewhere() -> None:
    assert has_alpha(clear(PHOTO))
    assert not has_alpha(PHOTO)
    assert not has_alpha(PHOTO.convert("RGBA"))
    assert not has_alpha(Image.new("LA", (4, 4), (9, 255)))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_drawing_has_flat_areas_and_a_photograph_has_none(mode: str) -> None:
    assert is_drawing(drawing().convert(mode))
    assert not is_drawing(PHOTO.convert(mode))


def test_hidden_noise_makes_no_photograph() -> None:
    image = PHOTO.convert("RGBA")
    image.putalpha(0)
    assert is_drawing(image)
    assert is_drawing(Image.new("RGB", (1, 50)))
