"""Colours: to sRGB through a profile, to 8 bits, to light and back, and without transparency."""

from __future__ import annotations

import pytest
from PIL import Image, ImageCms

from fleet.images.colour import (
    PROFILE_BYTES,
    eight_bits,
    flattened,
    light_from_srgb,
    premultiplied,
    profile_name,
    see_through,
    srgb_from_light,
    srgb_profile,
    to_srgb,
)
from tests.images.builders import profile_of

P3 = profile_of("kitten-p3.jpg")
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def test_a_wide_gamut_is_brought_into_srgb() -> None:
    red, green, blue = to_srgb(Image.new("RGB", (2, 2), (200, 100, 50)), P3).getpixel((0, 0))  # type: ignore[misc]
    assert red > 208  # the same red is further out in the smaller gamut
    assert (abs(green - 97) < 5, blue < 50) == (True, True)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_transparency_passes_a_profile_untouched(alpha: int) -> None:
    image = Image.new("RGBA", (2, 2), (200, 100, 50, alpha))
    made = to_srgb(image, P3)
    assert made.mode == "RGBA"
    assert made.getchannel("A").getextrema() == (alpha, alpha)


def test_a_profile_that_says_srgb_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageCms, "profileToProfile", lambda *arguments, **options: pytest.fail("it was"))
    image = Image.new("RGB", (2, 2), (200, 100, 50))
    assert to_srgb(image, srgb_profile()) is image


@pytest.mark.parametrize(
    "profile", [b"", b"no profile", P3[:200], P3 + bytes(PROFILE_BYTES), LAB], ids=["", "text", "cut", "huge", "other"]
)
def test_a_profile_that_is_broken_huge_or_of_other_pictures_changes_nothing(profile: bytes) -> None:
    image = Image.new("RGB", (2, 2), (200, 100, 50))
    assert to_srgb(image, profile).getpixel((0, 0)) == (200, 100, 50)


@pytest.mark.parametrize("profile", [None, P3], ids=["none", "of three colours"])
def test_four_inks_become_three_colours_whatever_profile_they_come_with(profile: bytes | None) -> None:
    for inks, colours in (
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ):
        made = to_srgb(Image.new("CMYK", (1, 1), inks), profile)
        assert (made.mode, made.getpixel((0, 0))) == ("RGB", colours)


def test_profiles_have_names() -> None:
    assert profile_name(srgb_profile()) == "sRGB"
    assert "P3" in profile_name(P3)
    assert profile_name(b"no profile") == "broken"


# -- Transparency ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_flattened_on_the_background_in_proportion(mode: str) -> None:
    value = (0, 0, 0, 128) if mode == "RGBA" else (0, 128)
    assert flattened(Image.new(mode, (1, 1), value), "#ff0000").getpixel((0, 0)) == (127, 0, 0)
    assert flattened(Image.new(mode, (1, 1), value), "transparent").getpixel((0, 0)) == (127, 127, 127)


def test_hidden_colours_are_gone_once_premultiplied() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (0, 255, 0, 0))
    assert premultiplied(image).tobytes() == bytes(8)


def test_the_grey_that_is_transparent_is_one_of_65536() -> None:
    image = Image.frombytes("I;16", (3, 1), b"\x00\x80\x01\x80\xff\xff")
    made = see_through(image, 0x8001)
    assert made.mode == "LA"
    assert made.getchannel("A").tobytes() == b"\xff\x00\xff"


# -- Bits and light -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sixteen", "eight"), [(0, 0), (128, 0), (129, 1), (0x8080, 128), (0xFFFF, 255)])
def test_sixteen_bits_are_rounded_to_eight(sixteen: int, eight: int) -> None:
    assert eight_bits(Image.new("I;16", (1, 1), sixteen)).getpixel((0, 0)) == eight


def test_light_and_back_is_the_same_number_for_all_of_them() -> None:
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    assert srgb_from_light(light_from_srgb(ramp)).tobytes() == ramp.tobytes()


def test_half_of_the_light_is_a_number_of_188() -> None:
    assert srgb_from_light(Image.new("F", (1, 1), 0.5)).getpixel((0, 0)) == 188


@pytest.mark.parametrize(("light", "number"), [(-0.2, 0), (1.3, 255)])
def test_what_resampling_overshoots_is_black_or_white(light: float, number: int) -> None:
    assert srgb_from_light(Image.new("F", (1, 1), light)).getpixel((0, 0)) == number
