"""What is left of a broken picture: for whom it will do, and for nobody else in the process."""

from __future__ import annotations

import io
import threading

import pytest
from PIL import Image, ImageFile

from fleet.errors import BadImage
from fleet.images import Picture, Spec, render, render_many
from fleet.images.engines import remains
from tests.images.builders import sample
from tests.images.engines.engines import engine

HALF = {name: (data := sample(name))[: len(data) // 2] for name in ("kitten.png", "kitten-p3.jpg", "kitten.gif")}


def made(data: bytes, **options: object) -> Picture | str:
    try:
        return render(data, Spec.from_mapping({"width": 40, "format": "png", **options}))
    except BadImage as error:
        return error.reason


@pytest.mark.parametrize("name", HALF)
def test_m25_one_threads_leniency_is_not_anothers(name: str) -> None:
    found: list[Picture | str] = []
    with remains.allowed(True):
        other = threading.Thread(target=lambda: found.append(made(HALF[name])))
        other.start()
        other.join()
    assert found == ["corrupt"]
    assert isinstance(made(HALF[name], lenient=True), Picture)
    assert made(HALF[name]) == "corrupt"


@pytest.mark.parametrize("switch", [False, True])
def test_pillows_switch_holds_for_others_pictures_and_not_for_ours(
    switch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", remains._Switch(switch))
    with Image.open(io.BytesIO(HALF["kitten-p3.jpg"])) as image:
        if switch:
            image.load()
        else:
            with pytest.raises(OSError):
                image.load()
    assert made(HALF["kitten-p3.jpg"]) == "corrupt"


def test_m25_of_several_sizes_all_must_make_do() -> None:
    one, other = Spec(40, None, lenient=True), Spec(20, None, lenient=True)
    found = dict(render_many(HALF["kitten.png"], {"one": one, "other": other}))
    assert [picture.facts and picture.facts.complete for picture in found.values()] == [False, False]
    with pytest.raises(BadImage, match="the PNG cannot be decoded"):
        list(render_many(HALF["kitten.png"], {"one": one, "strict": Spec(20, None)}))


def test_m25_libvips_gives_no_pixels_that_were_never_decoded() -> None:
    """For the rest of a PNG it would give what was in its memory: parts of this picture, or of another."""
    engine("vips")
    assert made(HALF["kitten.png"], lenient=True, engine="vips") == "corrupt"
    for name in ("kitten-p3.jpg", "kitten.gif"):
        picture = made(HALF[name], lenient=True, engine="vips")
        assert isinstance(picture, Picture)
        assert picture.facts is not None
        assert (picture.facts.engine, picture.facts.complete) == ("vips", False)


def test_a_broken_picture_is_for_pillow_whatever_is_faster_for_a_good_one() -> None:
    engine("vips")
    whole, part = made(sample("kitten.png"), lenient=True), made(HALF["kitten.png"], lenient=True)
    assert isinstance(whole, Picture)
    assert isinstance(part, Picture)
    assert (whole.facts and whole.facts.engine, part.facts and part.facts.engine) == ("vips", "pillow")
