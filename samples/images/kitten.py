"""The kitten: a pure function from a size and a pose to a picture with a transparent background.

Each part is painted twice: small and smooth, as a map of colours, and then as some ten thousands of hairs that take
their colours from that map, those furthest from the nose first."""

from __future__ import annotations

import math
from random import Random
from typing import Final, NamedTuple

from canvas import WIDTH, Canvas, Colour, Hair, Point, Shape, between, curve, mirror, oval, ribbon, rotate, scatter
from PIL import Image

GINGER: Final[Colour] = (238, 160, 84)
LIGHT: Final[Colour] = (255, 200, 132)
STRIPE: Final[Colour] = (186, 98, 38)
SHADE: Final[Colour] = (122, 62, 34)
CREAM: Final[Colour] = (255, 244, 228)
PINK: Final[Colour] = (240, 158, 150)
NOSE: Final[Colour] = (228, 116, 118)
DARK: Final[Colour] = (58, 30, 24)
IRIS: Final[Colour] = (74, 158, 190)
IRIS_LIGHT: Final[Colour] = (168, 226, 222)
IRIS_DARK: Final[Colour] = (22, 62, 100)
WHITE: Final[Colour] = (255, 255, 255)

NECK: Final[Point] = (400, 340)  # what the head turns about
MUZZLE: Final[Point] = (400, 292)  # where the fur of the face starts

# One half from top to bottom; the other is its mirror image.
HEAD_HALF: Final = [(400, 104), (464, 112), (524, 150), (560, 214), (574, 262), (562, 296), (504, 344), (400, 366)]
BODY_HALF: Final = [(400, 318), (468, 340), (506, 398), (534, 462), (542, 520), (516, 556), (400, 566)]

# What lies on the right.
EAR: Final = [(446, 128), (484, 74), (532, 34), (550, 30), (560, 46), (570, 118), (560, 206), (520, 190), (470, 150)]
EAR_IN: Final = [(474, 136), (500, 92), (538, 56), (546, 62), (552, 120), (544, 190), (512, 176)]
LEG: Final = [(448, 400), (464, 470), (462, 530), (470, 556), (438, 573), (408, 556), (412, 500), (406, 420)]


class Pose(NamedTuple):
    tilt: float = 6.0  # degrees, clockwise
    wink: float = 0.0  # 0 is open, 1 is closed; the eye on the right
    ear: float = 0.0  # degrees, outwards; the ear on the right
    tail: float = 0.0  # -1 to 1


STILL: Final = Pose()


def kitten(width_px: int, pose: Pose = STILL, hairs: float = 1.0) -> Image.Image:
    """The kitten on nothing, `width_px` by three quarters of it; `hairs` thins the coat of small pictures."""
    whole, head = Canvas(width_px), Canvas(width_px)
    tail(whole, pose.tail, hairs)
    body(whole, hairs)
    for side in (mirror, list):
        ear(head, side is mirror, pose.ear, hairs)
    face(head, hairs)
    eye(head, 336, 252, 0.0)
    eye(head, 464, 252, pose.wink)
    mouth(head)
    whiskers(head)
    s = whole.scale
    turned = head.image.rotate(-pose.tilt, Image.Resampling.BICUBIC, center=(NECK[0] * s, NECK[1] * s))
    whole.image.alpha_composite(turned)
    return whole.image


def radial(dots: Shape, root: Point, length: tuple[float, float], droop: float, rng: Random) -> list[Hair]:
    """Hairs that point away from the root, longer further off; the furthest come first."""
    found: list[tuple[float, Hair]] = []
    for x, y in dots:
        far = math.hypot(x - root[0], y - root[1])
        angle = math.atan2(y - root[1] + droop * far, x - root[0]) + rng.gauss(0, 0.16)
        size = between(length, min(1.0, far / 190)) * rng.uniform(0.7, 1.25)
        found.append((far + rng.uniform(-6, 6), Hair(x, y, angle, size)))
    return [hair for _, hair in sorted(found, key=lambda one: -one[0])]


def tail(canvas: Canvas, flick: float, hairs: float) -> None:
    """Curled to the left, rings and a pale tip."""
    rng, sway = Random("tail"), flick * 26
    spine = [(330, 540), (268, 546), (210, 520), (186, 462), (196 + sway * 0.6, 404), (176 + sway * 1.3, 352)]
    widths = [46, 50, 50, 48, 46, 40, 16]
    shape, colours = ribbon(spine, widths), Canvas(WIDTH, GINGER)
    line = curve(spine, closed=False)
    for t in (0.2, 0.34, 0.48, 0.62, 0.76):
        i = int(t * len(line))
        colours.fill(ribbon([line[i - 2], line[i], line[i + 3]], [70, 70, 70]), STRIPE, 3.0, 0.8)
    colours.fill(oval(*line[-1], 40, 30), CREAM, 6.0)
    colours.fill(ribbon([(x + 14, y + 12) for x, y in spine], [26, 26, 26]), SHADE, 9.0, 0.4)
    colours.fill(ribbon([(x - 15, y - 6) for x, y in spine], [14, 14, 10]), LIGHT, 6.0, 0.5)
    coat = []
    for n in range(int(9000 * hairs), 0, -1):
        t = n / (9000 * hairs)
        i = min(int(t * (len(line) - 1)), len(line) - 2)
        (x, y), (nx, ny), off = line[i], line[i + 1], rng.uniform(-1, 1)
        along, half = math.atan2(ny - y, nx - x), between(widths, t) / 2
        part = t * (len(line) - 1) - i
        x, y = x + (nx - x) * part - math.sin(along) * off * half, y + (ny - y) * part + math.cos(along) * off * half
        coat.append(Hair(x, y, along + off * 0.7 + rng.gauss(0, 0.15), rng.uniform(10, 18)))
    canvas.coat(shape, colours, coat, 1.2, rng)


def body(canvas: Canvas, hairs: float) -> None:
    """The chest and the haunches, then a leg on each side."""
    rng = Random("body")
    colours = Canvas(WIDTH, GINGER)
    for y in (404, 440, 476, 512):
        for side in (mirror, list):
            colours.fill(ribbon(side([(560, y + 6), (516, y), (476, y + 16)]), [14, 13, 2]), STRIPE, 3.0, 0.75)
    colours.fill(oval(400, 420, 62, 96), CREAM, 12.0)
    colours.fill(oval(400, 352, 150, 40), SHADE, 22.0, 0.55)
    colours.fill(oval(400, 530, 30, 60), SHADE, 12.0, 0.85)
    colours.fill(oval(545, 500, 60, 110), SHADE, 26.0, 0.5)
    colours.fill(oval(272, 450, 34, 90), LIGHT, 20.0, 0.6)
    colours.fill(oval(400, 575, 190, 26), SHADE, 16.0, 0.6)
    shape = curve([*BODY_HALF, *mirror(BODY_HALF[-2:0:-1])])
    canvas.coat(
        shape, colours, radial(scatter(shape, int(22000 * hairs), rng), (400, 250), (7, 17), 0.5, rng), 1.2, rng
    )
    for side in (mirror, list):
        foot = side(oval(512, 552, 46, 21, -6))
        paw(canvas, foot, hairs, rng)
        leg = side(curve(LEG))
        colours = Canvas(WIDTH, LIGHT if side is mirror else GINGER)
        for y in (430, 458, 486):
            colours.fill(ribbon(side([(474, y - 6), (446, y), (426, y - 4)]), [11, 9, 1]), STRIPE, 2.5, 0.7)
        colours.fill(oval(400, 400, 80, 84), CREAM, 16.0)
        colours.fill(oval(400, 500, 11, 80), SHADE, 7.0, 0.75)
        colours.fill(side(oval(438, 552, 50, 34)), CREAM, 9.0)
        colours.fill(oval(400, 368, 120, 26), SHADE, 16.0, 0.4)
        canvas.coat(leg, colours, radial(scatter(leg, int(6500 * hairs), rng), (400, 330), (6, 12), 2.0, rng), 1.1, rng)
        paw(canvas, side(oval(439, 553, 37, 22)), hairs, rng)


def paw(canvas: Canvas, shape: Shape, hairs: float, rng: Random) -> None:
    """A cream paw with three lines between its toes."""
    x, y = sum(x for x, _ in shape) / len(shape), sum(y for _, y in shape) / len(shape)
    colours = Canvas(WIDTH, CREAM)
    colours.fill(oval(x, y + 24, 60, 14), SHADE, 7.0, 0.5)
    colours.fill(oval(x + 40, y, 14, 40), SHADE, 9.0, 0.3)
    canvas.coat(shape, colours, radial(scatter(shape, int(3000 * hairs), rng), (x, y - 30), (5, 6), 0.0, rng), 1.0, rng)
    for dx in (-13, 1, 15):
        canvas.fill(ribbon([(x + dx, y - 1), (x + dx - 1, y + 9), (x + dx, y + 17)], [1, 3, 1.5]), SHADE, 0.8, 0.7)


def ear(canvas: Canvas, left: bool, turn: float, hairs: float) -> None:
    """Ginger outside, pink inside, with a tuft of cream hair that grows from the inner edge."""
    rng = Random(f"ear {left}")
    turn = 0.0 if left else turn
    shape, hole = (curve(rotate(points, (510, 170), turn)) for points in (EAR, EAR_IN))
    if left:
        shape, hole = mirror(shape), mirror(hole)
    colours = Canvas(WIDTH, GINGER)
    colours.fill(hole, LIGHT, 10.0, 0.6)
    colours.fill(oval(600, 120, 46, 120), SHADE, 18.0, 0.35)
    root = (310, 250) if left else (490, 250)
    canvas.coat(shape, colours, radial(scatter(shape, int(5000 * hairs), rng), root, (6, 9), 0.0, rng), 1.1, rng)
    canvas.fill(hole, PINK, 2.5)
    canvas.fill([(x, y + 34) for x, y in hole], (200, 104, 104), 14.0, 0.75, hole)
    canvas.fill([(x + (12 if left else -12), y - 4) for x, y in hole], (255, 196, 184), 12.0, 0.35, hole)
    tuft = []
    for _ in range(int(520 * hairs) + 60):
        t = rng.random()
        reach = rng.uniform(34, 84) * (1 - 0.6 * t)
        x, y, aim = 470 + 62 * t, 140 + 40 * t, rng.gauss(-1.0 - 0.35 * t, 0.16)
        (x, y), (ax, ay) = rotate([(x, y), (x + math.cos(aim), y + math.sin(aim))], (510, 170), turn)
        aim = math.atan2(ay - y, ax - x)
        tuft.append(Hair(WIDTH - x, y, math.pi - aim, reach) if left else Hair(x, y, aim, reach))
    canvas.coat([(0, 0), (1, 0), (0, 1)], Canvas(WIDTH, CREAM), tuft, 1.3, rng)


def face(canvas: Canvas, hairs: float) -> None:
    """The head's colours (an M on the forehead, stripes on the cheeks, a cream muzzle) and its fur."""
    rng = Random("face")
    colours = Canvas(WIDTH, GINGER)
    colours.fill(oval(330, 190, 120, 90), LIGHT, 40.0, 0.75)
    colours.fill(oval(560, 270, 60, 110), SHADE, 34.0, 0.45)
    colours.fill(oval(400, 376, 150, 22), SHADE, 16.0, 0.55)
    colours.fill(ribbon([(400, 108), (400, 150), (400, 196)], [15, 13, 2]), STRIPE, 2.5, 0.9)
    for side in (mirror, list):
        for spine, widths in (
            ([(424, 112), (428, 150), (440, 180), (462, 196)], [13, 12, 9, 2]),
            ([(458, 118), (470, 146), (494, 172)], [13, 11, 2]),
            ([(582, 226), (548, 236), (516, 250)], [14, 11, 2]),
            ([(586, 262), (550, 268), (512, 280)], [14, 11, 2]),
            ([(576, 302), (544, 302), (510, 308)], [14, 10, 2]),
        ):
            colours.fill(ribbon(side(spine), widths), STRIPE, 2.5, 0.85)
        colours.fill(side(oval(464, 250, 52, 54)), CREAM, 9.0, 0.7)
        colours.fill(side(oval(428, 314, 44, 34)), CREAM, 9.0)
        colours.fill(side(oval(500, 336, 44, 16, -28)), CREAM, 10.0, 0.6)
        colours.fill(side(oval(506, 306, 26, 16)), (255, 150, 120), 10.0, 0.4)
    colours.fill(ribbon([(400, 300), (400, 250), (400, 204)], [34, 22, 4]), CREAM, 6.0, 0.85)
    colours.fill(oval(400, 346, 46, 20), CREAM, 8.0)
    shape = curve([*HEAD_HALF, *mirror(HEAD_HALF[-2:0:-1])])
    canvas.coat(shape, colours, radial(scatter(shape, int(34000 * hairs), rng), MUZZLE, (4, 17), 0.12, rng), 1.1, rng)


def eye(canvas: Canvas, x: float, y: float, wink: float) -> None:
    """A big round eye with two highlights; it closes to a happy arc."""
    lean = 6 if x > 400 else -6
    if wink > 0.85:
        arc = [(x - 36, y + 14), (x - 18, y - 2), (x, y - 7), (x + 18, y - 2), (x + 36, y + 14)]
        canvas.fill(ribbon(arc, [2, 7, 9, 7, 2]), DARK, 0.6)
        return
    ball = oval(x, y, 39, 41, lean)
    upper, lower = y - 41 + 46 * wink, y + 41 - 36 * wink
    arch = [(px, py, ((px - x) / 9) ** 2 * wink) for px, py in ball]
    hole = [(px, min(max(py, upper + drop), lower + drop)) for px, py, drop in arch]
    rim = [(x + (px - x) * 1.09, y + (py - y) * 1.07 - 1) for px, py in hole]
    canvas.fill(rim, DARK, 1.0)
    canvas.fill(hole, IRIS_DARK, 0.0)
    canvas.fill(oval(x, y + 3, 34, 35), IRIS, 5.0, 1.0, hole)
    canvas.fill(oval(x, y + 20, 26, 18), IRIS_LIGHT, 7.0, 0.9, hole)
    for n in range(44):
        a = n * math.tau / 44
        spoke = [(x + math.cos(a) * r, y + 2 + math.sin(a) * r) for r in (22, 29, 36)]
        canvas.fill(ribbon(spoke, [1.5, 1, 0.5]), WHITE if n % 2 else IRIS_DARK, 0.5, 0.22, hole)
    canvas.fill(oval(x, y, 24, 27), (8, 10, 18), 1.2, 1.0, hole)
    canvas.fill(oval(x, y - 42, 48, 24), DARK, 7.0, 0.6, hole)
    canvas.fill(oval(x - 13, y - 15, 12, 13, -20), WHITE, 0.8, 1.0, hole)
    canvas.fill(oval(x + 14, y + 15, 6, 6), WHITE, 0.8, 0.9, hole)
    canvas.fill(oval(x, y + 27, 18, 5), WHITE, 3.5, 0.5, hole)


def mouth(canvas: Canvas) -> None:
    """The nose, the smile, the chin."""
    nose = curve([(382, 284), (400, 281), (418, 284), (415, 293), (400, 304), (385, 293)])
    canvas.fill([(x, y + 3) for x, y in nose], SHADE, 3.0, 0.5)
    canvas.fill(nose, NOSE, 0.8)
    canvas.fill(oval(400, 300, 14, 6), (168, 62, 72), 3.0, 0.6, nose)
    canvas.fill(oval(394, 287, 8, 3), (255, 214, 210), 1.6, 0.9, nose)
    canvas.fill(ribbon([(400, 302), (400, 308), (400, 314)], [3, 2.6, 3]), DARK, 0.5, 0.85)
    for side in (mirror, list):
        smile = side([(400, 313), (408, 322), (420, 324), (432, 316), (437, 309)])
        canvas.fill(ribbon(smile, [3.4, 3.4, 3, 2.4, 1]), DARK, 0.6, 0.85)
    tongue = curve([(391, 320), (400, 318), (409, 320), (408, 330), (400, 335), (392, 330)])
    canvas.fill(tongue, (236, 110, 122), 0.8)
    canvas.fill(ribbon([(400, 320), (400, 326), (400, 331)], [1, 1.6, 0.6]), (180, 60, 76), 0.6, 0.7)


def whiskers(canvas: Canvas) -> None:
    """Long and white on the cheeks, and short over the eyes."""
    rng = Random("whiskers")
    for side in (mirror, list):
        for row in range(4):
            x, y = 446 + 7 * (row % 2), 300 + 7 * row
            canvas.fill(side(oval(x - 6, y, 1.7, 1.5)), STRIPE, 0.4, 0.8)
            reach, drop = rng.uniform(160, 190), (row - 1.4) * 20 + rng.uniform(-5, 5)
            hair = side([(x, y), (x + reach * 0.5, y - 8 + drop * 0.4), (x + reach, y + drop + 10)])
            canvas.fill(ribbon(hair, [0.8, 2.3, 1.5, 0.4]), WHITE, 0.0, 0.92)
        for n in range(2):
            hair = side([(470 + 12 * n, 196), (486 + 16 * n, 156), (512 + 22 * n, 116 + 14 * n)])
            canvas.fill(ribbon(hair, [0.6, 1.7, 1.1, 0.3]), WHITE, 0.0, 0.8)
