"""Every operation does to the pixels what it says, whatever the source's format and way up."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any, cast

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from fleet.errors import BadImage, BadSpec
from fleet.images import Limits, Picture, Spec, render, render_many, sniff
from fleet.images.engines import Loaded, Reduction, pillow
from tests.conftest import SAMPLES
from tests.images.builders import opened, sample, saved, small
from tests.images.engines.test_pillow import corners, made, near, unlike

HALVES = ("#ff0000", "#0000ff")


def halves(size: tuple[int, int] = (80, 40), format: str = "png") -> bytes:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, HALVES[0])
    image.paste(HALVES[1], (size[0] // 2, 0, *size))
    return saved(image, format)


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    return cast(tuple[int, ...], image.convert("RGBA").getpixel((x, y)))


# -- What is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize(
    ("gravity", "box"),
    [("north", (0, 0, 400, 60)), ("south", (0, 240, 400, 300)), ("center", (0, 120, 400, 180))],
)
def test_gravity_says_which_part_is_kept_of_the_upright_picture(
    number: int, gravity: str, box: tuple[int, int, int, int]
) -> None:
    data = sample(f"orientation-{number}.jpg")
    whole = made(data, width=400, height=300, format="png")
    part = made(data, width=400, height=60, fit="cover", gravity=gravity, format="png")
    assert unlike(part, whole.crop(box)) < 3


@pytest.mark.parametrize(("gravity", "seen"), [("west", 0), ("northwest", 0), ("east", 1), ("southeast", 1)])
def test_gravity_is_for_both_sides(gravity: str, seen: int) -> None:
    image = made(halves(), width=20, height=20, fit="cover", gravity=gravity)
    assert all(near(image.getpixel((x, 10)), ((255, 0, 0), (0, 0, 255))[seen], 16) for x in range(20))


def test_gravity_says_where_contain_puts_the_picture() -> None:
    image = made(halves((40, 40)), width=80, height=40, fit="contain", gravity="east", background="#00ff00")
    assert [colour(image, x, 5)[:3] for x in (0, 39, 41, 79)] == [(0, 255, 0)] * 2 + [(255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize(("x", "left"), [(0.0, 0), (0.5, 30), (0.75, 50), (1.0, 60)])
def test_a_focus_is_in_the_middle_of_what_is_kept_if_it_can_be(x: float, left: int) -> None:
    ramp = Image.linear_gradient("L").rotate(90).resize((80, 20))
    image = made(saved(ramp, "png"), width=20, height=20, fit="cover", focus=(x, 0.5))
    assert unlike(image, ramp.crop((left, 0, left + 20, 20))) < 3


@pytest.mark.parametrize("left", [0, 90, 200])
def test_a_smart_crop_keeps_what_has_detail(left: int) -> None:
    image = Image.new("RGB", (300, 100), "#808080")
    for x in range(left, left + 100, 4):
        image.paste("#ffffff", (x, 10, x + 2, 90))
    kept = made(saved(image, "png"), width=50, height=50, fit="cover", gravity="smart")
    wanted = image.crop((left, 0, left + 100, 100)).resize((50, 50), Image.Resampling.LANCZOS)
    assert ImageStat.Stat(kept).stddev[0] > 0.95 * ImageStat.Stat(wanted).stddev[0]
    assert abs(ImageStat.Stat(kept).mean[0] - ImageStat.Stat(wanted).mean[0]) < 3


@pytest.mark.parametrize("number", range(1, 9))
def test_a_crop_is_of_the_upright_picture(number: int) -> None:
    data = sample(f"orientation-{number}.jpg")
    whole = made(data, width=None, height=None, format="png")
    part = made(data, width=None, height=None, crop=(500, 0, 140, 120), format="png")
    assert part.size == (140, 120)
    assert unlike(part, whole.crop((500, 0, 640, 120))) < 2


def test_a_crop_ends_where_the_picture_does_and_must_begin_within_it() -> None:
    assert made(halves(), width=None, height=None, crop=(60, 30, 999, 999)).size == (20, 10)
    with pytest.raises(BadSpec, match="crop=80,0,1,1 lies outside the picture, which has 80x40 pixels"):
        render(halves(), Spec(crop=(80, 0, 1, 1)))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_trim_takes_off_the_border_and_no_more(mode: str) -> None:
    image = Image.new(mode, (100, 60), "#ffffff")
    image.paste(cast(Any, {"L": 30, "LA": (30, 255)}.get(mode, "#305f6a")), (20, 10, 70, 50))
    assert made(saved(image, "png"), width=None, height=None, trim=10).size == (50, 40)


def test_trim_is_by_what_is_seen_and_leaves_a_single_colour_alone() -> None:
    clear = Image.new("RGBA", (100, 60), (255, 0, 0, 0))
    clear.paste((0, 255, 0, 0), (0, 0, 100, 30))
    clear.paste((0, 0, 255, 255), (40, 20, 60, 50))
    assert made(saved(clear, "png"), width=None, height=None, trim=0).size == (20, 30)
    assert made(small("png"), width=None, height=None, trim=10).size == (64, 48)


# -- Which way up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 6, 7])
@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"rotate": 90}, "BRGY"),
        ({"rotate": 180}, "YBRG"),
        ({"rotate": -90}, "GYBR"),
        ({"rotate": 360}, "RGYB"),
        ({"flip": True}, "BYGR"),
        ({"flop": True}, "GRBY"),
        ({"flip": True, "flop": True}, "YBRG"),
        ({"rotate": 90, "flop": True}, "RBYG"),
    ],
)
def test_turned_then_mirrored(number: int, options: dict[str, Any], seen: str) -> None:
    image = made(sample(f"orientation-{number}.jpg"), width=120, height=120, format="png", **options)
    assert image.size == ((90, 120) if options.get("rotate", 0) % 180 else (120, 90))
    assert "".join(corners(image)) == seen


def test_a_box_is_of_the_turned_picture() -> None:
    image = made(halves(), width=20, height=20, fit="cover", rotate=90, gravity="north")
    assert all(near(image.getpixel((5, y)), (255, 0, 0)) for y in range(15))


@pytest.mark.parametrize("degrees", [15, 45, -30, 135])
def test_any_angle_turns_clockwise_on_the_background(degrees: int) -> None:
    image = made(halves((80, 80)), width=None, height=None, rotate=degrees, background="#00ff00")
    wanted = opened(halves((80, 80))).rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="#00ff00")
    assert abs(image.width - wanted.width) <= 2
    assert unlike(image, wanted.resize(image.size)) < 4
    assert near(colour(image, 1, 1), (0, 255, 0, 255), 10)
    clear = made(halves((80, 80)), rotate=degrees, background="transparent")
    assert colour(clear, 1, 1)[3] == 0


# -- The look -------------------------------------------------------------------------------------------------------


def test_blur_is_gaussian_and_sharpen_steepens_edges() -> None:
    plain = opened(halves())
    soft = made(halves(), width=None, height=None, blur=3)
    assert unlike(soft, plain.filter(ImageFilter.GaussianBlur(3))) < 1
    edge = Image.new("L", (40, 20), 100)
    edge.paste(150, (20, 0, 40, 20))
    image = made(saved(edge, "png"), width=None, height=None, sharpen=1)
    assert cast(int, image.getpixel((19, 10))) < 95
    assert cast(int, image.getpixel((20, 10))) > 155
    assert (image.getpixel((2, 10)), image.getpixel((38, 10))) == (100, 150)


def test_blur_does_not_bring_hidden_colours_out() -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (10, 10, 30, 30))
    soft = made(saved(image, "png"), width=None, height=None, blur=2)
    seen = [colour(soft, x, 20) for x in range(40)]
    assert all(red > 240 and green < 15 for red, green, _, alpha in seen if alpha > 20)


@pytest.mark.parametrize(
    ("gravity", "at"), [("southeast", (93, 93)), ("northwest", (7, 7)), ("center", (50, 50)), ("north", (50, 7))]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_watermark_is_where_and_as_large_and_as_clear_as_asked(gravity: str, at: tuple[int, int], mode: str) -> None:
    mark = {"logo": small("png", (40, 40), "#ff0000")}
    spec = Spec(100, 100, watermark="logo", watermark_gravity=gravity, watermark_size=0.1, watermark_opacity=0.5)
    image = opened(render(saved(Image.new(mode, (100, 100), "#000000"), "png"), spec, watermarks=mark))
    assert near(colour(image, *at)[:3], (128, 0, 0), 2)
    red = image.convert("RGBA").getchannel("R").point([255 * (value > 60) for value in range(256)]).getbbox()
    assert red
    assert (red[2] - red[0], red[3] - red[1]) == (10, 10)


@pytest.mark.parametrize("mark", [b"hello " * 50, small("png", (40, 40), "#ff0000")[:60], b""])
def test_a_watermark_that_is_none_is_not_the_pictures_fault(mark: bytes) -> None:
    with pytest.raises(BadSpec, match=r"^the watermark cannot be used: "):
        render(halves(), Spec(100, 100, watermark="logo"), watermarks={"logo": mark})


def test_padding_is_around_the_box() -> None:
    image = made(halves(), width=40, height=20, padding=5, background="#00ff00")
    assert image.size == (50, 30)
    assert colour(image, 2, 2) == (0, 255, 0, 255)
    assert colour(image, 5, 5) == (255, 0, 0, 255)
    with pytest.raises(BadImage, match="the result would have"):
        render(halves(), Spec(40, 20, padding=5), Limits(result_side_px=49))


def test_a_background_may_be_transparent_where_the_format_has_it() -> None:
    options: dict[str, Any] = {"width": 80, "height": 80, "fit": "contain", "background": "transparent"}
    assert colour(made(halves(), **options), 40, 5)[3] == 0
    assert colour(made(halves(), **options, format="jpeg"), 40, 5) == (255, 255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_linear_light_keeps_how_bright_fine_detail_is(mode: str) -> None:
    dots = Image.new("L", (64, 64))
    dots.putdata([(x + y) % 2 * 255 for y in range(64) for x in range(64)])
    data = saved(dots.convert(mode), "png")
    assert near(colour(made(data, width=16, height=16, linear=True), 8, 8), (188, 188, 188, 255), 3)
    assert near(colour(made(data, width=16, height=16), 8, 8), (128, 128, 128, 255), 4)


def test_linear_light_weighs_by_what_is_seen() -> None:
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 31, 64))
    found = made(saved(image, "png"), width=16, linear=True)
    edge = [colour(found, x, 8) for x in range(16)]
    assert any(0 < alpha < 255 for *_, alpha in edge)
    assert all(red >= 250 and green < 8 for red, green, _, alpha in edge if alpha > 8)


def test_linear_light_of_a_photograph_differs_little() -> None:
    assert unlike(made(sample("large.jpg"), linear=True, format="png"), made(sample("large.jpg"), format="png")) < 5


# -- The form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_max_bytes_gives_the_highest_quality_that_fits(format: str) -> None:
    sizes = [len(render(sample("kitten.png"), Spec(format=format, quality=q), facts=False)) for q in (20, 40, 60)]
    result = render(sample("kitten.png"), Spec(format=format, max_bytes=sizes[1]))
    assert sizes[0] < len(result) <= sizes[1]


@pytest.mark.parametrize("format", ["png", "gif"])
def test_max_bytes_of_a_format_without_quality_takes_colours_away(format: str) -> None:
    full = render(sample("kitten.png"), Spec(format=format))
    result = render(sample("kitten.png"), Spec(format=format, max_bytes=len(full) // 2))
    assert len(result) <= len(full) // 2
    assert unlike(opened(result), opened(full)) < 12


def test_max_bytes_that_nothing_fits_is_refused() -> None:
    with pytest.raises(BadImage, match="max_bytes is 100") as caught:
        render(sample("kitten.png"), Spec(max_bytes=100, format="jpeg"))
    assert caught.value.reason == "too-large"


CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("name", "accept", "format"),
    [
        ("large.jpg", None, "jpeg"),
        ("large.jpg", CHROME, "avif"),
        ("large.jpg", "image/webp", "webp"),
        ("large.jpg", "image/avif;q=0, image/webp;q=0.5", "webp"),
        ("large.jpg", "*/*", "jpeg"),
        ("kitten-alpha.png", "image/webp", "webp"),
        ("kitten-alpha.png", None, "png"),
        ("animated.gif", None, "gif"),
        ("animated.gif", "image/webp", "webp"),
        ("animated.webp", CHROME, "webp"),
    ],
)
def test_auto_is_by_content_and_by_what_the_browser_takes(name: str, accept: str | None, format: str) -> None:
    moving = name.startswith("animated")
    assert render(sample(name), Spec(format="auto", accept=accept, animated=moving)).format == format


def test_auto_makes_a_png_of_a_drawing() -> None:
    assert render(halves((400, 300)), Spec(format="auto")).format == "png"
    assert render(halves((400, 300), "jpeg"), Spec(format="auto", accept=CHROME)).format == "webp"


def test_a_large_jpeg_is_progressive_and_a_small_one_not_unless_asked() -> None:
    def progressive(**options: Any) -> bool:
        return bool(opened(render(sample("kitten.png"), Spec(format="jpeg", **options))).info.get("progressive"))

    assert progressive(width=800, height=600)
    assert not progressive()
    assert progressive(progressive=True)
    assert not progressive(width=800, height=600, progressive=False)


def test_copyright_is_kept_when_asked_and_nothing_else_is() -> None:
    exif = Image.Exif()
    exif[0x8298], exif[0x013B], exif[0x010F] = "(c) Anna", "Anna Kafka", "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    data = saved(Image.new("RGB", (64, 48)), "jpeg", exif=exif)
    for format in ("jpeg", "png", "webp", "avif"):
        kept = opened(render(data, Spec(format=format, keep_copyright=True))).getexif()
        assert dict(kept) == {0x8298: "(c) Anna", 0x013B: "Anna Kafka"}
        assert not dict(opened(render(data, Spec(format=format))).getexif())


# -- Moving pictures ------------------------------------------------------------------------------------------------


def frames_of(data: bytes) -> list[tuple[Image.Image, int]]:
    """Each frame as it is seen, with how long."""
    image = Image.open(io.BytesIO(data))
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        found.append((image.convert("RGBA"), round(float(image.info.get("duration", 0)))))
    return found


@pytest.mark.parametrize("target", ["gif", "webp", "png", "avif"])
@pytest.mark.parametrize("source", ["animated.gif", "animated.webp"])
def test_all_frames_come_when_asked_each_as_it_is_seen_and_as_long(source: str, target: str) -> None:
    result = render(sample(source), Spec(160, 120, format=target, animated=True))
    assert result.facts
    assert result.facts.frames == 12
    assert sniff(result).frames == 12
    before, after = frames_of(sample(source)), frames_of(result)
    assert [duration for _, duration in after] == [duration for _, duration in before]
    for (one, _), (other, _) in zip(before, after, strict=True):
        assert unlike(one.resize((160, 120), Image.Resampling.LANCZOS), other) < 8
    if target != "avif":
        assert Image.open(io.BytesIO(result)).info["loop"] == 0


@pytest.mark.parametrize("target", ["gif", "webp", "png"])
def test_what_leaves_a_clear_frame_is_gone_from_the_next(target: str) -> None:
    def frame(left: int) -> Image.Image:
        image = Image.new("RGBA", (40, 40))
        image.paste((255, 0, 0, 255), (left, 10, left + 10, 30))
        return image

    frames = [frame(0), frame(15), frame(30)]
    data = saved(frames[0], "png", save_all=True, append_images=frames[1:], duration=[100, 200, 300])
    after = frames_of(render(data, Spec(None, None, format=target, animated=True)))
    assert [duration for _, duration in after] == [100, 200, 300]
    for wanted, (found, _) in zip(frames, after, strict=True):
        difference = ImageChops.difference(wanted.getchannel("A"), found.getchannel("A"))
        assert ImageStat.Stat(difference).mean[0] < 4


def test_the_operations_are_for_every_frame() -> None:
    spec = Spec(60, 60, "cover", animated=True, rotate=180, gravity="smart", padding=2, blur=1, trim=0)
    result = render(sample("animated.gif"), spec)
    assert (result.format, result.width, result.frames) == ("gif", 64, 12)


def test_a_format_that_does_not_move_has_the_first_frame() -> None:
    result = render(sample("animated.gif"), Spec(format="jpeg", animated=True))
    assert result.facts
    assert result.facts.frames == 1


def test_all_frames_together_have_a_limit() -> None:
    limits = Limits(frames_pixels=320 * 240 * 11)
    with pytest.raises(BadImage, match="in 12 frames") as caught:
        render(sample("animated.gif"), Spec(animated=True), limits)
    assert caught.value.reason == "too-large"
    assert render(sample("animated.gif"), Spec(), limits).format == "png"


# -- Several of one -------------------------------------------------------------------------------------------------


def test_several_are_as_each_alone_and_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = pillow.PillowSource.load

    def counted(self: pillow.PillowSource, wanted: Reduction) -> Loaded:
        loads.append(wanted)
        return load(self, wanted)

    monkeypatch.setattr(pillow.PillowSource, "load", counted)
    specs = {
        "face": Spec(64, 64, "cover", focus=(0.4, 0.4), format="png"),
        "smart": Spec(90, 160, "cover", gravity="smart", format="png"),
        "turned": Spec(120, 120, rotate=90, crop=(100, 100, 2000, 3000), format="png"),
        "large": Spec(640, 480, format="png"),
    }
    together = dict(render_many(sample("large.jpg"), specs))
    assert len(loads) == 1
    assert next(iter(together)) == "large"
    for name, spec in specs.items():
        alone = render(sample("large.jpg"), spec)
        assert unlike(opened(together[name]), opened(alone)) < 3, name


def test_nothing_is_lost_of_a_small_source() -> None:
    specs = {"a": Spec(640, 480, format="png"), "b": Spec(None, None, format="png")}
    together = dict(render_many(sample("animated.gif"), specs))
    assert opened(together["b"]).tobytes() == opened(together["a"]).tobytes()


# -- Facts ----------------------------------------------------------------------------------------------------------


def test_facts_are_those_of_the_result_and_of_its_source() -> None:
    result = render(sample("orientation-6.jpg"), Spec(120, 120, format="webp"))
    facts = result.facts
    assert facts
    assert (facts.format, facts.width, facts.height, facts.bytes) == ("webp", 120, 90, len(result))
    assert (facts.source_format, facts.source_width, facts.source_height) == ("jpeg", 640, 480)
    assert (facts.sha256, facts.content_type) == (result.sha256, "image/webp")
    assert isinstance(result, Picture)
    assert render(small("png", colour="#305f6a")).facts.dominant_colour == "#305f6a"  # type: ignore[union-attr]


def test_a_sandbox_without_files_needs_nothing_more_once_it_is_warm() -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from contact_sheet import CASES, logo
mark = logo()
from fleet.errors import BadSpec
from fleet.images import Spec, pipeline, render
pipeline.warm_up()
import PIL
loaded = set(sys.modules)
for name in ("kitten-alpha.png", "kitten-cmyk.jpg", "animated.gif"):
    for options in CASES.values():
        render(Path(sys.argv[1], name).read_bytes(), Spec.from_mapping(options), watermarks={"logo": mark})
try:
    Spec(fit="cvoer")
except BadSpec:
    pass
assert set(sys.modules) == loaded, set(sys.modules) - loaded
"""
    words = [sys.executable, "-c", code, str(SAMPLES), str(SAMPLES)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
