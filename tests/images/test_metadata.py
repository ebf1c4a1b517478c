"""Which way up, and whether the colours are sRGB's already; and nothing is raised, whatever the bytes."""

from __future__ import annotations

import io
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from fleet.images.metadata import is_srgb, orientation
from tests.images.builders import exif, opened, profile_of, sample

OURS = profile_of("large.jpg")
P3 = profile_of("kitten-p3.jpg")
LITTLE_CMS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_an_orientation_is_read_in_both_byte_orders(number: int, order: str) -> None:
    assert orientation(exif(number, order)) == number
    assert orientation(b"Exif\0\0" + exif(number, order)) == number


@pytest.mark.parametrize("number", range(1, 9))
def test_the_samples_say_what_their_names_say(number: int) -> None:
    assert orientation(opened(sample(f"orientation-{number}.jpg")).info["exif"]) == number


def test_it_is_found_behind_other_entries_and_as_a_long() -> None:
    other = struct.pack(">HHII", 0x010F, 2, 4, 0)
    data = b"MM\0*" + struct.pack(">IH", 8, 3) + other * 2 + struct.pack(">HHII", 0x0112, 4, 1, 6)
    assert orientation(data) == 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        exif(0),
        exif(9),
        exif(65535),
        exif(6)[:17],
        b"XX" + exif(6)[2:],
        b"II*\0" + struct.pack("<I", 0xFFFFFFFF),
        b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + bytes(12 * 70_000),
        b"II*\0" + struct.pack("<I", 0),
    ],
    ids=lambda data: f"{len(data)}-bytes",
)
def test_what_says_nothing_is_upright(data: bytes) -> None:
    assert orientation(data) == 1


@given(st.sampled_from([b"", b"II*\0", b"MM\0*", b"Exif\0\0MM\0*\0\0\0\x08"]), st.binary(max_size=100))
def test_garbage_has_some_orientation(start: bytes, rest: bytes) -> None:
    assert 1 <= orientation(start + rest) <= 8


def with_curve(curve: bytes, profile: bytes = OURS) -> bytes:
    """The profile with another curve for all three channels, appended."""
    made = bytearray(profile + curve)
    for entry in range(struct.unpack_from(">I", made, 128)[0]):
        at = 132 + 12 * entry
        if made[at + 1 : at + 4] == b"TRC":
            struct.pack_into(">II", made, at + 4, len(profile), len(curve))
    struct.pack_into(">I", made, 0, len(made))
    return bytes(made)


def table(size: int, power: float | None = None) -> bytes:
    def linear(value: float) -> float:
        if power:
            return float(value**power)
        return float(((value + 0.055) / 1.055) ** 2.4) if value > 0.04045 else value / 12.92

    values = [round(65535 * linear(n / (size - 1))) for n in range(size)]
    return b"curv" + struct.pack(f">II{size}H", 0, size, *values)


GAMMA = b"curv" + struct.pack(">IIHH", 0, 1, 0x0233, 0)
SRGB = {
    "ours": OURS,
    "lcms": LITTLE_CMS,
    "table": with_curve(table(1024)),
    "large table": with_curve(table(4096)),
}


@pytest.mark.parametrize("profile", SRGB.values(), ids=SRGB)
def test_srgb_is_known_and_its_transform_would_change_nothing(profile: bytes) -> None:
    assert is_srgb(profile)
    image = Image.frombytes("RGB", (128, 128), random.Random(1).randbytes(3 * 128 * 128))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    same = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    assert same is not None
    assert max(high for _, high in ImageChops.difference(image, same).getextrema()) <= 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "profile",
    [
        P3,
        with_curve(GAMMA),
        with_curve(table(1024, 2.2)),
        with_curve(table(1024), P3),
        OURS[:300],
        OURS.replace(b"rTRC", b"A2B0"),
        OURS.replace(b"bXYZ", b"bXYy"),
        OURS.replace(b"RGB ", b"CMYK"),
        OURS.replace(b"acsp", b"...."),
        b"",
        bytes(4000),
    ],
    ids=range(11),
)
def test_what_is_not_srgb_or_broken_is_not_taken_for_it(profile: bytes) -> None:
    assert not is_srgb(profile)


@given(st.integers(0, len(OURS)), st.binary(max_size=40))
def test_a_garbled_profile_raises_nothing(at: int, garbage: bytes) -> None:
    assert is_srgb(OURS[:at] + garbage + OURS[at + len(garbage) :]) in (True, False)
    assert is_srgb(OURS[:at]) in (True, False)
