"""Shapes, a canvas to paint them on, and fur. Rule: everything is measured in units of a picture 800 wide and
600 high; only a canvas knows how many pixels a unit has. Nothing here draws a random number it was not given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH: Final = 800  # units
HEIGHT: Final = 600

Point = tuple[float, float]
Shape = list[Point]
Colour = tuple[int, int, int]


class Hair(NamedTuple):
    x: float
    y: float
    angle: float  # radians, where it points; 0 is right, pi/2 is down
    length: float


def oval(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Shape:
    """An ellipse, turned clockwise by `turn` degrees."""
    flat = [(rx * math.cos(a * math.tau / 72), ry * math.sin(a * math.tau / 72)) for a in range(72)]
    return rotate([(x + dx, y + dy) for dx, dy in flat], (x, y), turn)


def rotate(shape: Iterable[Point], about: Point, degrees: float) -> Shape:
    """The shape turned clockwise, as seen on a screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ox, oy = about
    return [(ox + (x - ox) * cos - (y - oy) * sin, oy + (x - ox) * sin + (y - oy) * cos) for x, y in shape]


def mirror(shape: Iterable[Point]) -> Shape:
    """The shape on the other side of the kitten."""
    return [(WIDTH - x, y) for x, y in shape]


def curve(points: Sequence[Point], closed: bool = True, steps: int = 12) -> Shape:
    """A smooth line (Catmull-Rom) through all the points."""
    ring = [points[-1], *points, points[0], points[1]] if closed else [points[0], *points, points[-1]]
    line: Shape = []
    for (x0, y0), (x1, y1), (x2, y2), (x3, y3) in zip(ring, ring[1:], ring[2:], ring[3:], strict=False):
        for step in range(steps):
            t = step / steps
            a, b, c, d = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
            line.append(((a * x0 + b * x1 + c * x2 + d * x3) / 2, (a * y0 + b * y1 + c * y2 + d * y3) / 2))
    return line if closed else [*line, points[-1]]


def ribbon(spine: Sequence[Point], widths: Sequence[float]) -> Shape:
    """A stroke along the smoothed spine; the widths are spread evenly over its length."""
    line = curve(spine, closed=False)
    left: Shape = []
    right: Shape = []
    for i, (x, y) in enumerate(line):
        (ax, ay), (bx, by) = line[max(0, i - 1)], line[min(len(line) - 1, i + 1)]
        size = math.hypot(bx - ax, by - ay) or 1.0
        half = between(widths, i / (len(line) - 1)) / 2
        nx, ny = -(by - ay) / size * half, (bx - ax) / size * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def between(values: Sequence[float], t: float) -> float:
    """The value at `t`, 0 to 1, of a polyline through the values."""
    place = t * (len(values) - 1)
    i = min(int(place), len(values) - 2)
    return values[i] + (values[i + 1] - values[i]) * (place - i)


class Canvas:
    """An RGBA picture that is painted in units."""

    def __init__(self, width_px: int, ground: Colour | None = None) -> None:
        self.scale = width_px / WIDTH
        size = width_px, round(HEIGHT * self.scale)
        self.image = Image.new("RGBA", size, (*ground, 255) if ground else (0, 0, 0, 0))

    def fill(
        self, shape: Shape, colour: Colour, blur: float = 0.0, opacity: float = 1.0, clip: Shape | None = None
    ) -> None:
        """Paint the shape with soft (`blur`, in units) or smooth edges, only where `clip` is when there is one."""
        box = self._box(shape, 3 * blur)
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        mask = self._mask(shape, box, blur)
        if clip:
            mask = ImageChops.multiply(mask, self._mask(clip, box, 0.0))
        if opacity < 1.0:
            mask = mask.point([round(v * opacity) for v in range(256)])
        stamp = Image.new("RGBA", mask.size, colour)
        stamp.putalpha(mask)
        self.image.alpha_composite(stamp, (box[0], box[1]))

    def coat(self, shape: Shape, colours: Canvas, hairs: Iterable[Hair], width: float, rng: Random) -> None:
        """Cover the shape with the colours, then with hairs that take their colour from where they grow."""
        box = self._box(shape, 3.0)
        part = tuple(side * colours.scale / self.scale for side in box)
        size = box[2] - box[0], box[3] - box[1]
        ground = colours.image.resize(size, Image.Resampling.BICUBIC, (part[0], part[1], part[2], part[3]))
        ground.putalpha(self._mask(shape, box, 1.5))
        self.image.alpha_composite(ground, (box[0], box[1]))
        pen = ImageDraw.Draw(self.image)
        data, (across, down) = colours.image.tobytes(), colours.image.size
        for hair in hairs:
            x = min(max(int(hair.x * colours.scale), 0), across - 1)
            y = min(max(int(hair.y * colours.scale), 0), down - 1)
            at, light = 4 * (y * across + x), rng.uniform(0.86, 1.11)
            red, green, blue = (min(255, int(v * light)) for v in data[at : at + 3])
            pen.polygon(self._hair(hair, width * rng.uniform(0.7, 1.3), rng.uniform(-0.35, 0.35)), (red, green, blue))

    def _hair(self, hair: Hair, width: float, bend: float) -> list[Point]:
        """A thin bent blade, in pixels."""
        s, half, reach = self.scale, hair.length / 2, width / 2
        mx, my = hair.x + math.cos(hair.angle) * half, hair.y + math.sin(hair.angle) * half
        tx, ty = mx + math.cos(hair.angle + bend) * half, my + math.sin(hair.angle + bend) * half
        nx, ny = -math.sin(hair.angle) * reach, math.cos(hair.angle) * reach
        blade = [
            (hair.x + nx, hair.y + ny),
            (mx + nx, my + ny),
            (tx, ty),
            (mx - nx, my - ny),
            (hair.x - nx, hair.y - ny),
        ]
        return [(x * s, y * s) for x, y in blade]

    def _box(self, shape: Shape, margin: float) -> tuple[int, int, int, int]:
        xs, ys = [x for x, _ in shape], [y for _, y in shape]
        s, (wide, high) = self.scale, self.image.size
        left, top = max(0, math.floor((min(xs) - margin) * s) - 1), max(0, math.floor((min(ys) - margin) * s) - 1)
        right, low = math.ceil((max(xs) + margin) * s) + 1, math.ceil((max(ys) + margin) * s) + 1
        return left, top, min(wide, right), min(high, low)

    def _mask(self, shape: Shape, box: tuple[int, int, int, int], blur: float) -> Image.Image:
        finer = 1 if blur * self.scale > 2 else 3
        left, top, right, low = box
        mask = Image.new("L", ((right - left) * finer, (low - top) * finer))
        dots = [((x * self.scale - left) * finer, (y * self.scale - top) * finer) for x, y in shape]
        ImageDraw.Draw(mask).polygon(dots, 255)
        if finer > 1:
            mask = mask.reduce(finer)
        return mask.filter(ImageFilter.GaussianBlur(blur * self.scale)) if blur else mask


def inside(shape: Shape) -> tuple[bytes, int]:
    """One byte for each square unit of the picture, not 0 where the shape is; and the width of a row."""
    mask = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(mask).polygon(shape, 255)
    return mask.tobytes(), WIDTH


def scatter(shape: Shape, count: int, rng: Random) -> Shape:
    """About `count` random points within the shape (and the picture)."""
    mask, row = inside(shape)
    left, right = max(0.0, min(x for x, _ in shape)), min(WIDTH - 1.0, max(x for x, _ in shape))
    top, low = max(0.0, min(y for _, y in shape)), min(HEIGHT - 1.0, max(y for _, y in shape))
    share = sum(1 for v in mask if v) / max(1.0, (right - left) * (low - top))
    tries = int(count / max(share, 0.01))
    dots = ((rng.uniform(left, right), rng.uniform(top, low)) for _ in range(tries))
    return [(x, y) for x, y in dots if mask[int(y) * row + int(x)]]
