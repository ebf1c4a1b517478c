"""What an engine is: it opens a picture, and gives as much of it as is wanted. Everything after is shared.

Rule 1: an engine decodes, cuts, scales, turns upright and converts to sRGB, and nothing else; what it gives is small,
in 8 bits, and a Pillow image. Rule 2: the header was sniffed and checked before an engine meets the bytes. Rule 3: an
engine raises nothing but `BadImage` for what it was given to open: ``unsupported`` if it cannot, ``corrupt`` for bad
data, ``too-large`` if the picture is larger than its header said, ``resource`` when memory is short.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from fleet.images.geometry import Box, Size

if TYPE_CHECKING:
    from PIL import Image

    from fleet.images.limits import Limits
    from fleet.images.sniff import Buffer, Header


class Unusable(Exception):
    """An engine's library is here and must not be used; the text says why."""


# An engine's decoder may scale down by up to this much less than wanted, and resampling does the rest: nothing is to be
# seen of it, and it is most of the speed. (Pillow's own default for thumbnails is 2; a little less lets the half of a
# picture of 4,000 pixels be enough for 1,024.)
REDUCING_GAP: Final = 1.9


class Reduction(NamedTuple):
    """What is wanted of a source: `crop` cut out of the upright picture and scaled to `scaled`."""

    crop: Box
    scaled: Size
    frames: int = 1  # so many of them at most
    linear: bool = False  # average light, not the numbers that stand for it


class Frame(NamedTuple):
    """One picture of a moving one, or the only one: upright, sRGB, 8 bits; mode L, LA, RGB or RGBA."""

    image: Image.Image
    duration_ms: int = 0


@dataclass(slots=True)
class Loaded:
    """What an engine made of a source. `loops` is how often a moving one is shown; 0 is for ever."""

    frames: list[Frame]
    engine: str
    loops: int = 0
    exif: bytes = field(default=b"", repr=False)  # as it was found; only what is asked for is taken from it


class Source(Protocol):
    """An open picture. Its pixels are not decoded before `load`."""

    @property
    def size(self) -> Size:
        """Of the upright picture."""

    def load(self, reduction: Reduction) -> Loaded: ...


class Engine(Protocol):
    """One library."""

    name: str  # as results, settings and people call it
    library: str  # what does the work, and its version
    formats: frozenset[str]  # of sources, as `Header.format` has them

    def open(
        self, data: Buffer, header: Header, limits: Limits, *, lenient: bool = False
    ) -> AbstractContextManager[Source]:
        """Open a picture; `lenient`: of one that is broken, what can be decoded, as far as the library can do that."""

    def warm_up(self) -> None:
        """Load what the first picture of each format would load, for a process that is forked from this one."""
