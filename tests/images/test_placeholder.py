"""A ThumbHash is the one that its inventor makes of the same pixels; a dominant colour is the most frequent."""

from __future__ import annotations

from base64 import b64encode

import pytest
from PIL import Image

from fleet.images.placeholder import dominant_colour, small, thumbhash, thumbhash_of
from tests.images.builders import opened, sample

# As thumbhash 0.1.1 of npm has them.
KNOWN = {
    "kitten-alpha.png": "KVqCDIBFSPSVa2m3ls322GyPcHmHaJiGBg==",
    "kitten.png": "pxgOJYhfmHeWh4Z6eVdoiAyYmUC6",
    "kitten-grey.jpg": "KAgOBYBfmIeXh4aJeWdoiAAAAAAA",
    "orientation-5.jpg": "5hgKHQaHhZ+HR3h2Z2hmZ6nKUKwO",
    "orientation-8.jpg": "5hgKHQaIim93R3d5aJhmaKY6oKwB",
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_thumbhash_is_the_known_one(name: str) -> None:
    image = opened(sample(name)).convert("RGBA")
    assert b64encode(thumbhash_of(small(image))).decode() == thumbhash(image) == KNOWN[name]


def test_what_cannot_be_seen_and_a_single_pixel_have_one_too() -> None:
    assert thumbhash(Image.new("RGBA", (1, 1), (10, 200, 30, 255))).startswith("VIoon14I")
    clear = Image.new("RGBA", (100, 37), (10, 200, 30, 0))
    assert thumbhash_of(clear)[:5] == bytes.fromhex("0008820280")
    assert dominant_colour(clear) == "#000000"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_dominant_colour_is_the_most_frequent_of_what_is_seen(mode: str) -> None:
    image = Image.new(mode, (100, 100), "#305f6a")
    image.paste("#ff0000", (0, 0, 100, 40))
    assert dominant_colour(image) == "#305f6a"
    if mode == "RGBA":
        image.paste((0, 0, 0, 0), (0, 30, 100, 100))
        assert dominant_colour(image) == "#ff0000"


def test_a_grey_picture_has_a_grey_one() -> None:
    assert dominant_colour(Image.new("LA", (10, 10), (100, 255))) == "#646464"
