"""What a picture is, and whether it would be taken: the facts of its header and a verdict, without making anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from fleet.errors import BadImage
from fleet.images.geometry import Box, Size
from fleet.images.limits import Limits, check
from fleet.images.metadata import orientation
from fleet.images.sniff import Buffer, Header, format_of, sniff


@dataclass(frozen=True, slots=True)
class Identity:
    """Of one source. `verdict` is ``ok`` or a reason of `BadImage`, and `why` its text."""

    verdict: str
    bytes: int
    sha256: str
    why: str = ""
    format: str | None = None
    width: int | None = None  # as stored
    height: int | None = None
    frames: int | None = None
    orientation: int | None = None  # EXIF's; None where only decoding would tell
    profile: str | None = None  # the colour profile's own name
    engine: str | None = None  # that decoded it


def identify(data: Buffer, limits: Limits | None = None, *, decode: bool = False) -> Identity:
    """The facts and the verdict: by the header alone, or by decoding all of it."""
    limits = limits or Limits()
    found = Identity("ok", len(data), sha256(data).hexdigest(), format=format_of(data))
    try:
        header = sniff(data, limits.formats)
        found = replace(found, width=header.width, height=header.height, frames=header.frames)
        check(header, len(data), limits)
        found = replace(found, **_beside_the_pixels(data, header))
        return replace(found, engine=_decoded(data, header, limits)) if decode else found
    except BadImage as error:
        return replace(found, verdict=error.reason, why=str(error))
    except MemoryError:
        return replace(found, verdict="resource", why="the picture needs more memory than there is")


def _beside_the_pixels(data: Buffer, header: Header) -> dict[str, Any]:
    """What cannot be read is taken as not there: that something is broken is for `decode` to find."""
    from fleet.images.colour import profile_name
    from fleet.images.engines import pillow

    if header.format not in pillow.DECODERS:
        return {}
    try:
        exif, profile = pillow.metadata(data, header)
    except BadImage:
        return {}
    return {"orientation": orientation(exif), "profile": profile_name(profile) if profile else None}


def _decoded(data: Buffer, header: Header, limits: Limits) -> str:
    """Decode every frame; the engine that did."""
    from fleet.images.engines import Reduction
    from fleet.images.engines.router import engine_for

    check(header, len(data), limits, header.frames)
    with engine_for(header).open(data, header, limits) as source:
        whole = Reduction(Box(0, 0, *source.size), Size(1, 1), header.frames)
        return source.load(whole).engine
