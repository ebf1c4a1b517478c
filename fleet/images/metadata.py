"""What a picture says of itself beside its pixels, as far as the result depends on it: which way up, in what colours.

Rule 1: nothing is raised, whatever the bytes; what cannot be read is taken as not there. Rule 2: one pass over a
bounded number of entries, and no offset is followed twice.
"""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from
from typing import Final

ORIENTATION: Final = 0x0112
MAX_ENTRIES: Final = 1000  # of an EXIF directory or of a profile; a camera writes about 15


def orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1, which is upright, if there is none or it is none of these."""
    start = 6 if exif[:6] == b"Exif\0\0" else 0
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[start : start + 4])
    if order is None:
        return 1
    try:
        at = start + unpack_from(order + "I", exif, start + 4)[0]
        for entry in range(min(unpack_from(order + "H", exif, at)[0], MAX_ENTRIES)):
            tag, kind = unpack_from(order + "HH", exif, at + 2 + 12 * entry)
            if tag == ORIENTATION:
                value: int = unpack_from(order + ("I" if kind == 4 else "H"), exif, at + 10 + 12 * entry)[0]
                return value if 1 <= value <= 8 else 1
    except StructError:
        pass
    return 1


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
