"""What is wanted of a picture. A `Spec` is validated once, here, and means what it says from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from fleet.errors import BadSpec

FITS: Final = ("inside", "outside", "cover", "contain", "fill")
FORMATS: Final = ("jpeg", "png", "webp", "avif")
MAX_SIDE_PX: Final = 8192  # of a result; WebP ends at 16,383, and nobody looks at such a thumbnail
QUOTES: Final = "'\""
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Spec:
    """A picture's size and form. The words of `fit` are those of sharp and CSS:

    * ``inside``: as large as fits into the box, shape kept; the talk's thumbnail.
    * ``outside``: as small as covers the box, shape kept; one side is the box's, the other may be longer.
    * ``cover``: fills the box, shape kept, what hangs over is cut off, the same on both sides.
    * ``contain``: as ``inside``, then laid on a `background` of the box's size: it shows around what is not of the
      box's shape, and through what is transparent, so the result has no transparency.
    * ``fill``: exactly the box, shape not kept.

    Nothing is made larger unless `enlarge` says so. A source that is smaller than the box stays as it is with
    ``inside`` and ``outside``, is cut to the box's shape with ``cover``, is padded to the box with ``contain``, and
    with ``fill`` only the sides that are too long are made shorter.

    Args:
        width, height: the box, in pixels from 1 to 8192; None leaves that side free; both None keep the size.
        fit: see above.
        format: ``jpeg``, ``png``, ``webp`` or ``avif``; None is the source's own, or PNG for a GIF.
        quality: 1 to 100; None is the format's own, see `fleet.images.encode`. PNG has none.
        background: ``#rrggbb``, opaque; for ``contain``, and behind what is transparent where the format is JPEG.
        enlarge: make small pictures larger, too.

    Raises:
        BadSpec: the text names the option, what is wrong with it, and what it may be.
    """

    width: int | None = 200
    height: int | None = 150
    fit: str = "inside"
    format: str | None = None
    quality: int | None = None
    background: str = "#ffffff"
    enlarge: bool = False

    def __post_init__(self) -> None:
        _check_number("width", self.width, MAX_SIDE_PX)
        _check_number("height", self.height, MAX_SIDE_PX)
        _check_number("quality", self.quality, 100)
        _check_word("fit", self.fit, FITS)
        if self.format is not None:
            if self.format == "jpg":
                object.__setattr__(self, "format", "jpeg")
            _check_word("format", self.format, FORMATS)
        if not (isinstance(self.background, str) and _COLOUR.fullmatch(self.background)):
            raise BadSpec(f"background={_shown(self.background)} is no colour; write #rrggbb, such as #ffffff")
        if not isinstance(self.enlarge, bool):
            raise BadSpec(f"enlarge={_shown(self.enlarge)} is neither true nor false")
        if self.fit in ("cover", "contain", "fill") and self.width is None and self.height is None:
            raise BadSpec(f"fit={self.fit} needs a width or a height")

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Spec:
        """A spec from options by name, as they come from JSON.

        Raises:
            BadSpec: as for the class, or an option is unknown.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                hint = _did_you_mean(str(name)[:40], known)
                raise BadSpec(f"there is no option {_shown(name)}{hint}; there are {', '.join(known)}")
        return cls(**options)

    def to_mapping(self) -> dict[str, Any]:
        """The options that are not at their defaults."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

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
            raise BadSpec(f"{_shown(text)} is no size; write WIDTHxHEIGHT in pixels, such as 320x240, 320x or x240")
        return tuple(int(side[:9]) if side else None for side in (width, height))  # type: ignore[return-value]


def _check_number(name: str, value: object, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadSpec(f"{name}={_shown(value)} makes no sense; it is a whole number from 1 to {most}")


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        hint = _did_you_mean(str(value)[:40], list(words))
        raise BadSpec(f"{name}={_shown(value).strip(QUOTES)} makes no sense{hint}; it is one of {', '.join(words)}")


def _shown(value: object) -> str:
    """A value in an error's text: one short line, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write out thousands of digits
        return "(a number of hundreds of digits)" if value > 0 else "(a negative number of hundreds of digits)"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _did_you_mean(word: str, words: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, words, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
