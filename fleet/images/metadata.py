"""What a picture says of itself beside its pixels, as far as the result depends on it: which way up, in what colours.

Rule 1: nothing is raised, whatever the bytes; what cannot be read is taken as not there. Rule 2: one pass over a
bounded number of entries, and no offset is followed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import error as StructError
from struct import pack, unpack_from
from typing import Final, Literal, NamedTuple

ORIENTATION: Final = 0x0112
ARTIST: Final = 0x013B
COPYRIGHT: Final = 0x8298
ASCII: Final = 2
TEXT_BYTES: Final = 1000  # of a text that is kept; a longer one is no name
MAX_ENTRIES: Final = 1000  # of an EXIF directory or of a profile; a camera writes about 15


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1, which is upright, if there is none or it is none of these."""
    for entry in _entries(exif):
        if entry.tag == ORIENTATION:
            value = int.from_bytes(entry.value[: 4 if entry.kind == 4 else 2], entry.order)
            return value if 1 <= value <= 8 else 1
    return 1


def copyright(exif: bytes) -> bytes:
    """EXIF with nothing but the fields Copyright and Artist of this one; empty if it has neither."""
    kept = {}
    for entry in _entries(exif):
        if entry.tag in (ARTIST, COPYRIGHT) and entry.kind == ASCII and entry.length <= TEXT_BYTES:
            text = entry.value[: entry.length] if entry.length <= 4 else _text(exif, entry)
            if text.strip(b"\0 "):
                kept[entry.tag] = (text.rstrip(b"\0") + b"\0").ljust(5, b"\0")  # too long to stand in its entry
    if not kept:
        return b""
    at = 8 + 2 + 12 * len(kept) + 4
    directory, texts = pack("<H", len(kept)), b""
    for tag, text in sorted(kept.items()):
        directory += pack("<HHII", tag, ASCII, len(text), at + len(texts))
        texts += text
    return b"Exif\0\0II*\0" + pack("<I", 8) + directory + bytes(4) + texts


class _Entry(NamedTuple):
    """One of an EXIF directory: `length` values, in the four bytes of `value`, or where that says."""

    tag: int
    kind: int
    length: int
    value: bytes
    order: Literal["little", "big"]


def _entries(exif: bytes) -> Iterator[_Entry]:
    start = _start(exif)
    order: Literal["little", "big"] | None = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[start : start + 4])  # type: ignore[assignment]
    if order is None:
        return
    sign = "<" if order == "little" else ">"
    try:
        at = start + unpack_from(sign + "I", exif, start + 4)[0]
        for number in range(min(unpack_from(sign + "H", exif, at)[0], MAX_ENTRIES)):
            tag, kind, length, value = unpack_from(sign + "HHI4s", exif, at + 2 + 12 * number)
            yield _Entry(tag, kind, length, value, order)
    except StructError:
        pass


def _text(exif: bytes, entry: _Entry) -> bytes:
    at = _start(exif) + int.from_bytes(entry.value, entry.order)
    return exif[at : at + entry.length]


def _start(exif: bytes) -> int:
    return 6 if exif[:6] == b"Exif\0\0" else 0


# -- Is it sRGB already? --------------------------------------------------------------------------------------------

_PRIMARIES: Final = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
_PARAMETERS: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_NEAR: Final = 0.0006  # the sRGB profiles in use differ by less, and no other space comes near


def is_srgb(profile: bytes) -> bool:
    """Whether a colour profile says no more than sRGB: to convert from it would change no colour that can be seen.

    It is of a display, has sRGB's three primaries and its curve, and no table that would be used in their place.
    """
    if (profile[12:24], profile[36:40]) != (b"mntrRGB XYZ ", b"acsp"):
        return False
    try:
        tags = _tags(profile)
        return (
            not any(name[:3] in (b"A2B", b"D2B") for name in tags)
            and all(_near(_fixed(profile, tags[name] + 8, 3), wanted) for name, wanted in _PRIMARIES.items())
            and all(_is_srgb_curve(profile, at) for at in {tags[name] for name in (b"rTRC", b"gTRC", b"bTRC")})
        )
    except (StructError, KeyError):
        return False


def _tags(profile: bytes) -> dict[bytes, int]:
    count = min(unpack_from(">I", profile, 128)[0], MAX_ENTRIES)
    return dict(unpack_from(">4sI", profile, 132 + 12 * n) for n in range(count))


def _is_srgb_curve(profile: bytes, at: int) -> bool:
    kind = profile[at : at + 4]
    if kind == b"para":
        return bool(unpack_from(">H", profile, at + 8)[0] == 3) and _near(_fixed(profile, at + 12, 5), _PARAMETERS)
    size = unpack_from(">I", profile, at + 8)[0]
    if kind != b"curv" or not 256 <= size <= 65536:
        return False
    steps = range(0, size, max(1, size // 64))
    found = [unpack_from(">H", profile, at + 12 + 2 * step)[0] / 65535 for step in steps]
    return _near(found, [_linear(step / (size - 1)) for step in steps])


def _linear(value: float) -> float:
    power, slope, shift, foot, knee = _PARAMETERS
    return float((slope * value + shift) ** power) if value >= knee else foot * value


def _fixed(profile: bytes, at: int, count: int) -> list[float]:
    """Numbers of the kind s15Fixed16."""
    return [number / 65536 for number in unpack_from(f">{count}i", profile, at)]


def _near(found: list[float], wanted: tuple[float, ...] | list[float]) -> bool:
    return all(abs(one - other) < _NEAR for one, other in zip(found, wanted, strict=True))
