"""Sources made of sources: turned, a part, held in memory, rotated, trimmed. Each is asked, and asks, like any other.

A view that needs no pixels (`Turned`, `Part`) only translates what is asked for, so an engine's decoder can still cut
and scale; one that does (`held`) loads its source once and gives from memory what is asked for after that.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageChops

from fleet.images.colour import flattened, premultiplied
from fleet.images.engines import Frame, Loaded, Reduction, Source
from fleet.images.geometry import Box, Size, moved, rotated, size_of, stored_box, stored_size, stretched, whole
from fleet.images.scaling import resized, turned
from fleet.images.spec import TRANSPARENT


class Turned:
    """A source turned by an EXIF orientation."""

    def __init__(self, source: Source, orientation: int) -> None:
        self.size = stored_size(source.size, orientation)  # the exchange of sides is its own inverse
        self._source = source
        self._orientation = orientation

    def load(self, reduction: Reduction) -> Loaded:
        loaded = self._source.load(self.asks(reduction))
        return changed(loaded, lambda image: turned(image, self._orientation))

    def asks(self, reduction: Reduction) -> Reduction:
        """What this asks of its source to give what is asked of it."""
        return reduction._replace(
            crop=stored_box(reduction.crop, self.size, self._orientation),
            scaled=stored_size(reduction.scaled, self._orientation),
        )


class Part:
    """A part of a source."""

    def __init__(self, source: Source, box: Box) -> None:
        self.size = size_of(box)
        self._source = source
        self._box = box

    def load(self, reduction: Reduction) -> Loaded:
        return self._source.load(self.asks(reduction))

    def asks(self, reduction: Reduction) -> Reduction:
        """What this asks of its source to give what is asked of it."""
        return reduction._replace(crop=moved(reduction.crop, self._box.left, self._box.top))


class Held:
    """A picture in memory, of the size that it would have if it had not been scaled."""

    def __init__(self, size: Size, loaded: Loaded) -> None:
        self.size = size
        self.loaded = loaded

    def load(self, reduction: Reduction) -> Loaded:
        frames = self.loaded.frames[: reduction.frames]
        held = Size(*frames[0].image.size)
        crop = stretched(reduction.crop, self.size, held)
        if size_of(crop) == reduction.scaled:  # nothing to scale: then nothing is to be blurred by half a pixel either
            left, top = min(round(crop.left), held.width - reduction.scaled.width), round(crop.top)
            top = min(top, held.height - reduction.scaled.height)
            crop = Box(left, top, left + reduction.scaled.width, top + reduction.scaled.height)
        some = Loaded(frames, self.loaded.engine, self.loaded.loops, self.loaded.exif)
        return changed(some, lambda image: resized(image, crop, reduction.scaled, reduction.linear))


def hold(source: Source, scaled: Size, frames: int = 1, linear: bool = False) -> Held:
    """All of a source, loaded at a size."""
    return Held(source.size, source.load(Reduction(whole(source.size), scaled, frames, linear)))


def rotate(held: Held, degrees: float, background: str) -> Held:
    """Turned clockwise by any angle; the corners that come about show the background."""

    def turn(image: Image.Image) -> Image.Image:
        clear = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
        around = clear.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
        return around if background == TRANSPARENT else flattened(around, background)

    return Held(rotated(held.size, degrees), changed(held.loaded, turn))


def border(image: Image.Image, tolerance: int) -> Box:
    """What is left without the border: what differs from the upper left pixel by no more than the tolerance."""
    seen = premultiplied(image) if image.mode in ("LA", "RGBA") else image  # hidden colours are no difference
    corner = seen.getpixel((0, 0))
    difference = ImageChops.difference(seen, Image.new(seen.mode, seen.size, corner))
    most, *others = difference.split()
    for other in others:
        most = ImageChops.lighter(most, other)
    found = most.point([255 * (value > tolerance) for value in range(256)]).getbbox()
    return Box(*(found or (0, 0, *image.size)))


def trim(held: Held, tolerance: int) -> Source:
    """Without the border that the first frame has; a picture of one colour is left as it is."""
    image = held.loaded.frames[0].image
    box = border(image, tolerance)
    return Part(held, stretched(box, Size(*image.size), held.size))


def changed(loaded: Loaded, change: Callable[[Image.Image], Image.Image]) -> Loaded:
    """The same, with each frame changed."""
    frames = [Frame(change(frame.image), frame.duration_ms) for frame in loaded.frames]
    return Loaded(frames, loaded.engine, loaded.loops, loaded.exif)
