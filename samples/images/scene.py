"""The room around the kitten: a window's light out of focus, a fluffy rug, a ball of yarn; and a camera's grain."""

from __future__ import annotations

import math
from random import Random
from typing import Final

from canvas import WIDTH, Canvas, Colour, Hair, Point, Shape, curve, oval, ribbon, scatter
from kitten import CREAM, STILL, WHITE, Pose, kitten
from PIL import Image, ImageChops, ImageFilter, ImageStat

WALL: Final[Colour] = (96, 158, 158)
DUSK: Final[Colour] = (34, 84, 98)
GLOW: Final[Colour] = (255, 236, 186)
RUG: Final[Colour] = (236, 222, 214)
RUG_SHADE: Final[Colour] = (116, 92, 112)
YARN: Final[Colour] = (214, 62, 98)
YARN_LIGHT: Final[Colour] = (250, 138, 152)
YARN_SHADE: Final[Colour] = (110, 20, 56)
LAMPS: Final[tuple[Colour, ...]] = ((255, 222, 150), (255, 190, 140), (255, 240, 206), (170, 226, 214), (255, 172, 168))

BALL: Final[Point] = (648, 498)
BALL_R: Final = 74.0


def scene(width_px: int, pose: Pose = STILL, hairs: float = 1.0) -> Image.Image:
    """The whole picture, RGB."""
    picture = Canvas(width_px)
    picture.image.paste(room().resize(picture.image.size, Image.Resampling.BICUBIC))
    rug(picture, hairs)
    picture.image.alpha_composite(kitten(width_px, pose, hairs))
    yarn(picture)
    return picture.image.convert("RGB")


def room() -> Image.Image:
    """The wall, the light from the upper left, and lamps far out of focus."""
    rng, wall = Random("room"), Canvas(WIDTH, WALL)
    wall.fill(oval(760, 380, 420, 420), DUSK, 130.0, 0.9)
    wall.fill(oval(60, 30, 330, 300), GLOW, 110.0, 0.75)
    for _ in range(46):
        x, y, r = rng.uniform(0, 800), rng.triangular(0, 440, 150), rng.uniform(10, 40)
        lamp = rng.choice(LAMPS)
        wall.fill(oval(x, y, r, r), lamp, 2.0, rng.uniform(0.10, 0.30))
        wall.fill(oval(x, y, r * 0.93, r * 0.93), lamp, 2.0, rng.uniform(0.04, 0.10))
    wall.fill(oval(400, 250, 250, 220), GLOW, 80.0, 0.22)
    return wall.image


def rug(canvas: Canvas, hairs: float) -> None:
    """Long cream pile, softer and paler towards the back, with the shadows of what sits on it."""
    shape = curve([(-80, 496), (100, 478), (400, 466), (700, 478), (880, 496), (900, 640), (400, 660), (-100, 640)])
    rng, colours = Random("rug"), Canvas(WIDTH, RUG)
    colours.fill(oval(150, 520, 240, 50), CREAM, 40.0, 0.9)
    colours.fill(oval(400, 470, 460, 16), RUG_SHADE, 14.0, 0.35)
    colours.fill(oval(400, 640, 520, 44), RUG_SHADE, 34.0, 0.6)
    colours.fill(oval(430, 562, 190, 26), RUG_SHADE, 12.0, 0.9)
    colours.fill(oval(278, 556, 80, 16), RUG_SHADE, 9.0, 0.7)
    colours.fill(oval(BALL[0] + 26, BALL[1] + 66, 88, 20), RUG_SHADE, 10.0, 0.95)
    dots = sorted(scatter(shape, int(16000 * hairs), rng), key=lambda dot: dot[1])
    pile = [Hair(x, y, rng.gauss(-math.pi / 2, 0.5), rng.uniform(0.6, 1.2) * (y - 440) / 8) for x, y in dots]
    canvas.coat(shape, colours, pile, 1.5, rng)


def yarn(canvas: Canvas) -> None:
    """A ball wound in five directions, and the end that has come loose."""
    rng, (x, y) = Random("yarn"), BALL
    bends = [(-20, 70), (-90, 78), (-150, 62), (-186, 80), (-240, 84), (-300, 76)]
    loose = [(x + dx, y + dy) for dx, dy in bends]
    canvas.fill(ribbon([(px + 2, py + 5) for px, py in loose], [7, 7]), RUG_SHADE, 2.5, 0.6)
    thread(canvas, loose, None)
    ball = oval(x, y, BALL_R, BALL_R)
    canvas.fill(ball, YARN_SHADE)
    for turn in (20.0, 100.0, 160.0, 55.0, 130.0):
        low = rng.uniform(-0.9, -0.5)
        for n in range(13):
            strand(canvas, low + n * 0.095, turn, ball)
    canvas.fill(oval(x + 34, y + 40, 70, 62), YARN_SHADE, 24.0, 0.6, ball)
    canvas.fill(oval(x - 30, y - 34, 26, 22), WHITE, 16.0, 0.4, ball)


def strand(canvas: Canvas, offset: float, turn: float, ball: Shape) -> None:
    """One thread over the ball, bent as a circle on a sphere is."""
    if abs(offset) > 0.97:
        return
    half, cos, sin = math.sqrt(1 - offset**2), math.cos(math.radians(turn)), math.sin(math.radians(turn))
    line = []
    for step in range(9):
        along = half * math.sin((step / 8 - 0.5) * math.pi)
        across = offset + 0.26 * (math.sqrt(max(0.0, half**2 - along**2)))
        line.append((BALL[0] + (along * cos - across * sin) * BALL_R, BALL[1] + (along * sin + across * cos) * BALL_R))
    thread(canvas, line, ball)


def thread(canvas: Canvas, line: Shape, clip: Shape | None) -> None:
    """Dark at its edges, with a light along its upper side."""
    canvas.fill(ribbon(line, [7.6, 7.6]), YARN_SHADE, 0.6, 0.7, clip)
    canvas.fill(ribbon(line, [6.0, 6.0]), YARN, 0.5, 1.0, clip)
    canvas.fill(ribbon([(x - 0.8, y - 1) for x, y in line], [2.2, 2.2]), YARN_LIGHT, 0.7, 0.75, clip)


def photograph(picture: Image.Image, grain: float) -> Image.Image:
    """The picture as a camera sees it: a lens a little soft, and noise of `grain` levels."""
    rng, soft = Random("grain"), picture.filter(ImageFilter.GaussianBlur(0.8))
    return Image.merge("RGB", [ImageChops.add(band, noise(band.size, grain, rng), 1.0, -128) for band in soft.split()])


def noise(size: tuple[int, int], grain: float, rng: Random) -> Image.Image:
    """Grey 128, give or take `grain`: even noise, made round by a small blur."""
    even = Image.frombytes("L", size, rng.randbytes(size[0] * size[1])).filter(ImageFilter.GaussianBlur(0.6))
    spread = ImageStat.Stat(even).stddev[0]
    return even.point([round(128 + (v - 127.5) * grain / spread) for v in range(256)])
