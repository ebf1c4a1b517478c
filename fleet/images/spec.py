"""What is wanted of a picture. A `Spec` is validated once, here, and means what it says from then on.

Its fields are the one list of options there is: the JSON schema, the command line's options, the settings' presets and
the table in the documentation are made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from fleet.errors import BadSpec
from fleet.images import options
from fleet.images.options import Flag, Number, Numbers, Text, Whole, Word, option

FITS: Final = ("inside", "outside", "cover", "contain", "fill")
FORMATS: Final = ("jpeg", "png", "webp", "avif", "gif")
MOVING: Final = ("gif", "webp", "png", "avif")  # formats that hold more than one frame
COMPASS: Final = ("center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
ENGINES: Final = ("pillow", "vips", "heif", "wand")
BRITISH: Final = (("centre", "center"),)
MAX_SIDE_PX: Final = 8192  # of a result; WebP ends at 16,383, and nobody looks at such a thumbnail
MAX_SOURCE_PX: Final = 100_000  # of a number that says where something is in a source
TRANSPARENT: Final = "transparent"
BOX: Final = {"width": 200, "height": 150}  # the talk's, where neither side is given
UNSAID: Final[Any] = ...  # stands for a side that was not given: what that means depends on the other

_SIDE = Whole(1, MAX_SIDE_PX)
_SHARE = Number(0, 1)
_PLACE = Whole(0, MAX_SOURCE_PX)
_EXTENT = Whole(1, MAX_SOURCE_PX)
_COLOUR = Text(
    rf"#[0-9a-fA-F]{{6}}|{TRANSPARENT}", f"no colour; write #rrggbb, such as #ffffff, or {TRANSPARENT}", "#RRGGBB"
)
_NAME = Text(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "no name; it is that of a watermark in the settings", "NAME")
_HEADER = Text(r"[ -~]{0,1000}", "no Accept header; it is up to 1000 printable characters", "HEADER")


@dataclass(frozen=True, slots=True)
class Spec:
    """A picture's size and form.

    The words of `fit` are those of sharp and CSS:

    * ``inside``: as large as fits into the box, shape kept; the talk's thumbnail.
    * ``outside``: as small as covers the box, shape kept; one side is the box's, the other may be longer.
    * ``cover``: fills the box, shape kept, what hangs over is cut off; `gravity` or `focus` say where.
    * ``contain``: as ``inside``, then laid on a `background` of the box's size: it shows around what is not of the
      box's shape, and through what is transparent.
    * ``fill``: exactly the box, shape not kept.

    Nothing is made larger unless `enlarge` says so. A source that is smaller than the box stays as it is with
    ``inside`` and ``outside``, is cut to the box's shape with ``cover``, is padded to the box with ``contain``, and
    with ``fill`` only the sides that are too long are made shorter.

    Whatever the order in which they are given, the options are applied in this one: turned upright; rotated, flipped;
    cropped; trimmed; fitted into the box; blurred, sharpened; the watermark; `contain`'s background; the padding.

    Raises:
        BadSpec: the text names the option, what is wrong with it, and what it may be.
    """

    width: int | None = option(
        UNSAID, _SIDE, "the box's width in pixels; none, or only a height given: it follows", "Size", none=True
    )
    height: int | None = option(
        UNSAID, _SIDE, "the box's height in pixels; none, or only a width given: it follows", "Size", none=True
    )
    fit: str = option("inside", Word(FITS), f"how the picture fits the box: {', '.join(FITS)}", "Size")
    format: str | None = option(
        None,
        Word((*FORMATS, "auto"), (("jpg", "jpeg"),)),
        f"the result's: {', '.join(FORMATS)} or auto, by content and `accept`; none: the source's (a still GIF: png)",
        "Form",
    )
    quality: int | None = option(
        None, Whole(1, 100), "1 to 100; none: jpeg 79, webp 79, avif 53; png, gif have none", "Form"
    )
    background: str = option(
        "#ffffff",
        _COLOUR,
        "a colour, #rrggbb, or transparent; behind what is transparent in a jpeg, and around: contain, padding, rotate",
        "Shape",
    )
    enlarge: bool = option(False, Flag(), "make small pictures larger, too", "Size")
    gravity: str = option(
        "center",
        Word((*COMPASS, "smart"), BRITISH),
        "what cover keeps, where contain puts it: center, north, northeast, ..., or smart: where most detail is",
        "Shape",
    )
    focus: tuple[float, float] | None = option(
        None,
        Numbers((("x", _SHARE), ("y", _SHARE))),
        "the point cover keeps in view, as parts of the sides, 0 to 1",
        "Shape",
    )
    crop: tuple[int, int, int, int] | None = option(
        None,
        Numbers((("left", _PLACE), ("top", _PLACE), ("width", _EXTENT), ("height", _EXTENT))),
        "use only this part of the upright source, in its pixels",
        "Shape",
    )
    trim: int | None = option(
        None,
        Whole(0, 254),
        "cut off a border of one colour, or one that differs by so much at most (10 is usual)",
        "Shape",
    )
    rotate: int = option(0, Whole(-360, 360), "degrees clockwise", "Shape")
    flip: bool = option(False, Flag(), "mirror top to bottom", "Shape")
    flop: bool = option(False, Flag(), "mirror left to right", "Shape")
    padding: int = option(0, Whole(0, 1000), "pixels of background on each side, around the box", "Shape")
    blur: float | None = option(None, Number(0.3, 100), "blur with this sigma, in the result's pixels", "Look")
    sharpen: float | None = option(None, Number(0.3, 10), "sharpen with this sigma, in the result's pixels", "Look")
    watermark: str | None = option(None, _NAME, "a picture to lay over the result, by its name in the settings", "Look")
    watermark_gravity: str = option("southeast", Word(COMPASS, BRITISH), "where the watermark is", "Look")
    watermark_size: float = option(0.25, Number(0.01, 1), "how much of the result's sides it may take, at most", "Look")
    watermark_opacity: float = option(1.0, _SHARE, "0: not to be seen; 1: as it is", "Look")
    linear: bool = option(False, Flag(), "scale in linear light: right for fine bright detail, and slower", "Look")
    max_bytes: int | None = option(
        None, Whole(100, 1 << 30), "the most bytes the result may have; the quality is the highest that fits", "Form"
    )
    accept: str | None = option(None, _HEADER, "the browser's Accept header, for format auto", "Form")
    progressive: bool | None = option(
        None, Flag(), "a jpeg that is shown coarse first; none: where it is larger than 400x300 or so", "Form"
    )
    animated: bool = option(False, Flag(), "keep all frames of a moving picture, where the format can", "Form")
    keep_copyright: bool = option(False, Flag(), "keep the EXIF fields Copyright and Artist", "Form")
    lenient: bool = option(
        False, Flag(), "of a picture that breaks off or is damaged, make do with what can be decoded", "Form"
    )
    engine: str | None = option(
        None,
        Word(ENGINES),
        f"which library opens the source: {', '.join(ENGINES)}; none: the fastest that is installed",
        "Form",
    )

    def __post_init__(self) -> None:
        unsaid = [side for side in BOX if getattr(self, side) is UNSAID]
        for side in unsaid:
            object.__setattr__(self, side, BOX[side] if len(unsaid) == len(BOX) else None)
        for name, found in OPTIONS.items():
            given = getattr(self, name)
            checked = found.check(name, given)
            if checked is not given:
                object.__setattr__(self, name, checked)
        if self.fit in ("cover", "contain", "fill") and self.width is None and self.height is None:
            raise BadSpec(f"fit={self.fit} needs a width or a height")
        if self.focus and self.gravity != "center":
            raise BadSpec(f"focus and gravity={self.gravity} say two things; give one of them")

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Spec:
        """A spec from options by name, as they come from JSON.

        Raises:
            BadSpec: as for the class, or an option is unknown.
        """
        refuse_unknown(options)
        return cls(**options)

    def to_mapping(self) -> dict[str, Any]:
        """The options that are not at their defaults; of the box both sides or neither, as one alone means another."""
        said = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}
        return {name: value for name, value in said.items() if name not in BOX} if BOX.items() <= said.items() else said

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """The JSON schema of the options."""
        return options.schema("Spec", cls)

    @staticmethod
    def parse_size(text: str) -> tuple[int | None, int | None]:
        """Width and height from ``320x240``, ``320x`` or ``x240``.

        Raises:
            BadSpec: it is none of these.
        """
        width, cross, height = text.lower().partition("x")
        if (
            not cross
            or not (width or height)
            or not all(side.isascii() and side.isdigit() for side in (width, height) if side)
        ):
            raise BadSpec(
                f"{options.shown(text)} is no size; write WIDTHxHEIGHT in pixels, such as 320x240, 320x or x240"
            )
        return tuple(int(side[:9]) if side else None for side in (width, height))  # type: ignore[return-value]


OPTIONS: Final = {f.name: options.option_of(f) for f in fields(Spec)}


def refuse_unknown(names: Mapping[str, Any]) -> None:
    """Raises BadSpec for the first that is the name of no option."""
    for name in names:
        if name not in OPTIONS:
            hint = options.did_you_mean(str(name)[:40], OPTIONS)
            raise BadSpec(f"there is no option {options.shown(name)}{hint}; there are {', '.join(OPTIONS)}")
