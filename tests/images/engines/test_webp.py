"""WebP by the library that Pillow is linked with: the same pixels as in Pillow's own way, and sooner."""

from __future__ import annotations

import io

import pytest
from PIL import Image, WebPImagePlugin

from fleet.images import Spec, render
from fleet.images.engines import webp
from fleet.images.engines.webp import WebPFile
from tests.images.builders import opened, sample, saved, verdict
from tests.images.engines.engines import engine, kitten, unlike


def ring() -> Image.Image:
    """A red square on transparent green."""
    image = Image.new("RGBA", (400, 400), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (100, 100, 300, 300))
    return image


PICTURES = {
    "lossy": saved(kitten(), "webp", quality=80),
    "lossless": saved(kitten(), "webp", lossless=True),
    "transparent": saved(ring(), "webp", quality=90, exact=True),
    "moving": sample("animated.webp"),
    "one pixel": saved(Image.new("RGB", (1, 1), "#4080c0"), "webp"),
}


def test_the_library_is_asked_here() -> None:
    """Otherwise nothing below would be tested."""
    assert webp.library()


@pytest.mark.parametrize("kind", PICTURES)
def test_unscaled_the_pixels_are_those_of_pillows_own_way(kind: str) -> None:
    data = io.BytesIO(PICTURES[kind])
    ours, pillows = WebPFile(data), WebPImagePlugin.WebPImageFile(io.BytesIO(PICTURES[kind]))
    ours.load()
    assert (ours.mode, ours.size) == (pillows.mode, pillows.size)
    assert ours.tobytes() == pillows.tobytes()


@pytest.mark.parametrize(("wanted", "made"), [(100, 100), (99, 100), (70, 73), (401, 800), (900, 800)])
def test_the_decoder_scales_by_a_whole_number_and_never_below_what_is_wanted(wanted: int, made: int) -> None:
    image = WebPFile(io.BytesIO(PICTURES["lossless"]))
    image.draft("", (wanted, wanted * 3 // 4))
    image.load()
    assert image.width == made
    assert unlike(image, kitten().resize(image.size, Image.Resampling.BOX)) < 1


@pytest.mark.parametrize("kind", ["transparent", "moving"])
def test_what_is_transparent_or_moves_is_not_scaled_by_the_decoder(kind: str) -> None:
    assert WebPFile(io.BytesIO(PICTURES[kind])).draft("", (10, 10)) is None


@pytest.mark.parametrize("opener", ["pillow", "vips"])
def test_hidden_colours_do_not_come_out(opener: str) -> None:
    engine(opener)
    made = opened(render(PICTURES["transparent"], Spec(37, 37, format="png", engine=opener))).convert("RGBA")
    green = [made.getpixel((x, 18))[1] for x in range(37) if made.getpixel((x, 18))[3] > 20]  # type: ignore[index]
    assert green
    assert max(green) < 15


@pytest.mark.parametrize("kind", PICTURES)
def test_without_the_library_pillow_makes_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> Image.Image:
        return opened(render(PICTURES[kind], Spec(200, 150, format="png")))

    with_it = made()
    monkeypatch.setattr(webp, "library", lambda: None)
    assert unlike(with_it, made()) < 1.5


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("width", [40, 800])
def test_what_breaks_off_is_corrupt(share: float, width: int) -> None:
    data = PICTURES["lossy"]
    assert verdict(lambda: render(data[: int(len(data) * share)], Spec(width, width))) == "corrupt"
