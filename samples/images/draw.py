"""Draws the sample pictures: `python samples/images/draw.py [DIR] [--only NAME ...]`.

The same Pillow draws the same bytes: every random number has a fixed seed and no date is today's."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final

import icc
from canvas import Canvas, Colour, Shape
from kitten import WHITE, Pose, kitten
from PIL import Image, ImageChops, ImageCms, ImageMath
from PIL.ExifTags import GPS, IFD, Base
from scene import photograph, scene

LARGE_PX: Final = 4000  # wide; 12 megapixels
MIDDLE_PX: Final = 1200
SMALL_PX: Final = 800
UPRIGHT_PX: Final = 640
ANIMATED_PX: Final = 320

GRAIN: Final = 5.0  # levels; with QUALITY_LARGE it makes large.jpg the 3.0 MB of the talk
QUALITY_LARGE: Final = 92
QUALITY: Final = 90

# What is seen in the corners of an upright picture, clockwise from the upper left.
CORNERS: Final[tuple[Colour, ...]] = ((220, 40, 40), (40, 170, 60), (240, 200, 40), (40, 80, 210))
LETTER: Final[Shape] = [(0, 0), (6, 0), (6, 2), (2, 2), (2, 4), (5, 4), (5, 6), (2, 6), (2, 11), (0, 11)]  # an F

# What must be done to an upright picture so that the tag's value sets it upright again.
STORED: Final[dict[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

# How long a frame is seen (ms; a GIF counts in tens) and how the kitten sits in it.
FRAMES: Final[tuple[tuple[int, Pose], ...]] = (
    (900, Pose()),
    (80, Pose(tail=0.5)),
    (120, Pose(tail=1.0, ear=6)),
    (80, Pose(tail=0.5, ear=12)),
    (80, Pose(ear=4)),
    (300, Pose(ear=10)),
    (60, Pose(tilt=7, wink=0.5, ear=3)),
    (550, Pose(tilt=9, wink=1.0)),
    (60, Pose(tilt=8, wink=0.5)),
    (120, Pose(tilt=7, tail=-0.5)),
    (160, Pose(tail=-1.0)),
    (80, Pose(tail=-0.5)),
)


@cache
def small(width_px: int) -> Image.Image:
    """The scene, drawn at twice its size and reduced."""
    return scene(width_px * 2).reduce(2)


@cache
def cut_out(width_px: int) -> Image.Image:
    """The kitten on nothing."""
    size = width_px, width_px * 3 // 4
    return kitten(width_px * 2).resize(size, Image.Resampling.LANCZOS)


@cache
def frames() -> tuple[Image.Image, ...]:
    return tuple(scene(ANIMATED_PX * 3, pose, hairs=0.6).reduce(3) for _, pose in FRAMES)


def large(path: Path) -> None:
    """What a camera would have sent, metadata and all."""
    picture = photograph(scene(LARGE_PX), GRAIN)
    picture.save(path, quality=QUALITY_LARGE, exif=camera(), icc_profile=icc.profile("sRGB", icc.SRGB), dpi=(72, 72))


def camera() -> Image.Exif:
    """A camera's tags. The position is in the Kattegat, the sea whose name means the cat's gate."""
    exif = Image.Exif()
    exif.update({Base.Make: "Fleet", Base.Model: "Kitten 12M", Base.Orientation: 1, Base.Software: "draw.py"})
    exif.update({Base.DateTime: "2012:05:17 16:20:00", Base.Artist: "The fleet authors"})
    exif.get_ifd(IFD.Exif).update(
        {
            Base.ExposureTime: 1 / 125,
            Base.FNumber: 2.8,
            Base.ISOSpeedRatings: 400,
            Base.DateTimeOriginal: "2012:05:17 16:20:00",
            Base.FocalLength: 50.0,
            Base.BodySerialNumber: "0047300001",
            Base.LensModel: "Whisker 50mm f/1.8",
        }
    )
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSVersionID: b"\2\3\0\0",
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (56.0, 43.0, 12.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (11.0, 30.0, 36.0),
            GPS.GPSAltitude: 3.0,
        }
    )
    return exif


def cmyk(path: Path) -> None:
    """As a printer wants it: the grey that three inks share is printed with the fourth."""
    inks = ImageChops.invert(small(SMALL_PX)).split()
    black = ImageChops.darker(ImageChops.darker(inks[0], inks[1]), inks[2])
    rest = [
        ImageMath.lambda_eval(lambda a: a["convert"]((a["ink"] - a["k"]) * 255 / (256 - a["k"]), "L"), ink=ink, k=black)
        for ink in inks
    ]
    Image.merge("CMYK", [*rest, black]).save(path, quality=QUALITY)


def sixteen(path: Path) -> None:
    """Grey in 16 bits, the lower eight of which mean something: it is reduced and mixed in floating point."""
    size = SMALL_PX, SMALL_PX * 3 // 4
    bands = [band.convert("F").resize(size, Image.Resampling.BOX) for band in scene(SMALL_PX * 2).split()]
    red, green, blue = (band.point(lambda v: v * 257 + 0) for band in bands)
    grey = ImageMath.lambda_eval(lambda a: a["r"] * 0.299 + a["g"] * 0.587 + a["b"] * 0.114, r=red, g=green, b=blue)
    grey.convert("I").convert("I;16").save(path, optimize=True)


def palette(path: Path) -> None:
    """255 colours, and one that is transparent."""
    picture = cut_out(SMALL_PX)
    few = picture.convert("RGB").quantize(255)
    few.putpalette([*(few.getpalette() or [])[: 255 * 3], 255, 255, 255])
    few.paste(255, mask=picture.getchannel("A").point([255] * 128 + [0] * 128))
    few.save(path, transparency=255, optimize=True)


def display_p3(path: Path) -> None:
    """The same colours to the eye, other numbers in the file."""
    ours, theirs = icc.profile("sRGB", icc.SRGB), icc.profile("Display P3", icc.DISPLAY_P3)
    picture = small(SMALL_PX).copy()
    ImageCms.profileToProfile(picture, io.BytesIO(ours), io.BytesIO(theirs), inPlace=True)
    picture.save(path, quality=QUALITY, icc_profile=theirs)


@cache
def upright() -> Image.Image:
    """The scene with a colour in each corner and an F, none of which look right when turned or mirrored."""
    page = Canvas(UPRIGHT_PX * 2)
    page.image.paste(scene(UPRIGHT_PX * 2))
    square: Shape = [(0, 0), (90, 0), (90, 90), (0, 90)]
    places = ((0, 0), (710, 0), (710, 510), (0, 510))
    for (left, top), colour in zip(places, CORNERS, strict=True):
        page.fill([(x + left, y + top) for x, y in square], colour)
    page.fill([(690 + 10 * x, 190 + 10 * y) for x, y in LETTER], WHITE)
    return page.image.convert("RGB").reduce(2)


def oriented(value: int, path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = value
    picture = upright()
    if value in STORED:
        picture = picture.transpose(STORED[value])
    picture.save(path, quality=80, exif=exif)


def animated_gif(path: Path) -> None:
    """One palette for all the frames, so that what does not move stays the same."""
    first = frames()[0].quantize(255)
    rest = [frame.quantize(palette=first, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames()]
    rest[0].save(path, save_all=True, append_images=rest[1:], duration=[ms for ms, _ in FRAMES], loop=0)


def animated_webp(path: Path) -> None:
    durations = [ms for ms, _ in FRAMES]
    frames()[0].save(path, save_all=True, append_images=frames()[1:], duration=durations, loop=0, quality=70, method=4)


FILES: Final[dict[str, Callable[[Path], None]]] = {
    "large.jpg": large,
    "kitten.png": lambda path: small(MIDDLE_PX).save(path, optimize=True),
    "kitten.webp": lambda path: small(MIDDLE_PX).save(path, quality=80, method=4),
    "kitten.avif": lambda path: small(MIDDLE_PX).save(path, quality=70, speed=6, max_threads=1),
    "kitten.gif": lambda path: small(SMALL_PX).quantize(256).save(path),
    "kitten-progressive.jpg": lambda path: small(MIDDLE_PX).save(path, quality=QUALITY, progressive=True),
    "kitten-cmyk.jpg": cmyk,
    "kitten-grey.jpg": lambda path: small(MIDDLE_PX).convert("L").save(path, quality=QUALITY),
    "kitten-p3.jpg": display_p3,
    "kitten-16bit.png": sixteen,
    "kitten-palette.png": palette,
    "kitten-alpha.png": lambda path: cut_out(SMALL_PX).save(path, optimize=True),
    **{f"orientation-{value}.jpg": partial(oriented, value) for value in range(1, 9)},
    "animated.gif": animated_gif,
    "animated.webp": animated_webp,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent, help="where to, default: here")
    parser.add_argument("--only", nargs="+", choices=FILES, metavar="NAME", help="these files, default: all")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name in asked.only or FILES:
        FILES[name](asked.folder / name)
        print(f"{(asked.folder / name).stat().st_size:>9,}  {name}")


if __name__ == "__main__":
    main()
