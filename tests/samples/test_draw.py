"""The sample pictures are what their README says, and can be drawn again."""

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, ImageStat

FOLDER = Path(__file__).parents[2] / "samples" / "images"
MB = 1_000_000

# The corners of an upright picture: as fractions of its sides, and what is there.
CORNERS = {
    (0.04, 0.04): (220, 40, 40),
    (0.96, 0.04): (40, 170, 60),
    (0.96, 0.96): (240, 200, 40),
    (0.04, 0.96): (40, 80, 210),
}


class Claim(NamedTuple):
    name: str
    format: str
    mode: str
    size: tuple[int, int]
    frames: int


def claims() -> list[Claim]:
    """The rows of the README's table."""
    row = re.compile(r"^\| `([^`]+)` \| (\w+) \| ([\w;]+) \| (\d+)×(\d+) \| (\d+) \|", re.MULTILINE)
    found = row.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    return [Claim(name, kind, mode, (int(wide), int(high)), int(n)) for name, kind, mode, wide, high, n in found]


def draw(folder: Path, *names: str) -> None:
    subprocess.run([sys.executable, "-B", FOLDER / "draw.py", folder, "--only", *names], check=True, timeout=60)


def small(name: str) -> Image.Image:
    with Image.open(FOLDER / name) as picture:
        return picture.convert("RGB").resize((80, 60), Image.Resampling.BOX)


def distance(one: Image.Image, other: Image.Image) -> float:
    """Levels by which two pictures differ, on average."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def test_the_readme_lists_every_picture_and_no_other() -> None:
    pictures = {path.name for path in FOLDER.iterdir() if path.is_file() and path.suffix not in (".py", ".md")}
    assert {claim.name for claim in claims()} == pictures


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.name)
def test_a_picture_is_what_the_readme_says(claim: Claim) -> None:
    with Image.open(FOLDER / claim.name) as picture:
        assert (picture.format, picture.mode, picture.size) == (claim.format, claim.mode, claim.size)
        assert getattr(picture, "n_frames", 1) == claim.frames
        if picture.size != (4000, 3000):
            picture.load()


def test_the_pictures_fit_in_a_repository() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 12 * MB


def test_large_is_what_a_camera_sends() -> None:
    path = FOLDER / "large.jpg"
    assert 2.9 * MB < path.stat().st_size < 3.3 * MB
    with Image.open(path) as picture:
        exif = picture.getexif()
        assert picture.size == (4000, 3000)
        assert "progressive" not in picture.info
        assert exif[ExifTags.Base.Orientation] == 1
        assert exif[ExifTags.Base.Model] == "Kitten 12M"
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] == (56.0, 43.0, 12.0)
        assert profile_name(picture) == "sRGB"


def profile_name(picture: Image.Image) -> str:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    return ImageCms.getProfileDescription(profile).strip()


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_upright_once_applied(value: int) -> None:
    with Image.open(FOLDER / f"orientation-{value}.jpg") as stored:
        assert stored.getexif()[ExifTags.Base.Orientation] == value
        upright = ImageOps.exif_transpose(stored)
    assert upright.size == (640, 480)
    for (across, down), colour in CORNERS.items():
        seen = upright.getpixel((round(across * 640), round(down * 480)))
        assert isinstance(seen, tuple)
        assert all(abs(a - b) < 24 for a, b in zip(seen, colour, strict=True)), (value, across, down, seen)


def test_the_formats_show_the_same_kitten() -> None:
    plain = small("kitten.png")
    for name in ("large.jpg", "kitten.webp", "kitten.avif", "kitten.gif", "kitten-progressive.jpg", "kitten-cmyk.jpg"):
        assert distance(plain, small(name)) < 6, name
    assert distance(plain.convert("L"), small("kitten-grey.jpg").convert("L")) < 3


def test_display_p3_looks_the_same_only_through_its_profile() -> None:
    """Little CMS has an sRGB of its own, so this checks our profile too."""
    with Image.open(FOLDER / "kitten-p3.jpg") as picture:
        assert profile_name(picture) == "Display P3"
        profile = io.BytesIO(picture.info["icc_profile"])
        shown = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"))
    assert shown is not None
    plain, raw = small("kitten.png"), small("kitten-p3.jpg")
    assert distance(plain, shown.resize(plain.size, Image.Resampling.BOX)) < 2 < distance(plain, raw)


def test_sixteen_bits_are_sixteen() -> None:
    with Image.open(FOLDER / "kitten-16bit.png") as picture:
        data = picture.tobytes()
    assert len(set(zip(data[::2], data[1::2], strict=True))) > 10_000


@pytest.mark.parametrize("name", ["kitten-palette.png", "kitten-alpha.png"])
def test_the_background_is_cut_out(name: str) -> None:
    with Image.open(FOLDER / name) as picture:
        alpha = picture.convert("RGBA").getchannel("A")
    assert alpha.getpixel((5, 5)) == 0
    assert alpha.getpixel((400, 300)) == 255


def test_animations_loop_and_take_their_time() -> None:
    lengths: dict[str, list[int]] = {}
    for name in ("animated.gif", "animated.webp"):
        with Image.open(FOLDER / name) as picture:
            assert picture.info["loop"] == 0
            lengths[name] = []
            for frame in range(12):
                picture.seek(frame)
                picture.load()
                lengths[name].append(int(picture.info["duration"]))
    assert lengths["animated.gif"] == lengths["animated.webp"]
    assert 2000 < sum(lengths["animated.gif"]) < 4000


def test_the_same_pillow_draws_the_same_bytes(tmp_path: Path) -> None:
    names = ("orientation-6.jpg", "kitten-palette.png")
    for run in ("one", "two"):
        draw(tmp_path / run, *names)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
