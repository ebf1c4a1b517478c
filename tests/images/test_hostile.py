"""Pictures that are broken, on purpose or not, are refused in words, and by no other error than `BadImage`."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from PIL import Image

from fleet.images import Spec, render
from tests.images.builders import FORMATS, PNG, bomb, chunk, opened, png, sample, saved, small, verdict

SEED = 20_240_229


def noise(format: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture in which every byte counts."""
    image = Image.frombytes("RGB", size, random.Random(SEED).randbytes(3 * size[0] * size[1]))
    return saved(image, format, **({"speed": 10} if format == "avif" else {}))


def judged(data: bytes) -> str:
    return verdict(lambda: render(data, Spec(32, 24, format="png")))


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_cut_off_anywhere_is_refused(format: str) -> None:
    data = noise(format)
    ends = {*range(64), *range(64, len(data) - 64, max(1, len(data) // 60))}
    # What ends a file after its last pixel is not missed.
    trailer = {"gif": 3, "png": 24, "jpeg": 3}.get(format, 1)
    verdicts = {end: judged(data[:end]) for end in sorted({*ends, len(data) - trailer})}
    wrong = {end: found for end, found in verdicts.items() if found not in ("corrupt", "unsupported")}
    assert not wrong
    assert {found for end, found in verdicts.items() if end >= 40} == {"corrupt"}
    assert judged(data) == "good"


@pytest.mark.parametrize("name", ["kitten-progressive.jpg", "kitten-cmyk.jpg", "kitten-alpha.png", "kitten.avif"])
@pytest.mark.parametrize("percent", [10, 50, 99])
def test_a_kitten_cut_off_is_refused_and_the_user_told_to_send_it_all(name: str, percent: int) -> None:
    data = sample(name)
    assert judged(data[: len(data) * percent // 100]) == "corrupt"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_raise_nothing_else(format: str, seed: int) -> None:
    whole, dice = noise(format), random.Random(SEED + seed)
    for _ in range(6):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 2, 10, 100))):
            # Half of them where the structure is.
            at = dice.randrange(min(len(data), dice.choice((200, len(data)))))
            data[at] ^= 1 << dice.randrange(8)
        assert judged(bytes(data)) in ("good", "corrupt", "unsupported", "too-large")


@pytest.mark.parametrize("format", FORMATS)
def test_garbage_in_the_middle_raises_nothing_else(format: str) -> None:
    whole, dice = noise(format), random.Random(SEED)
    for _ in range(20):
        at = dice.randrange(12, len(whole))
        data = whole[:at] + dice.randbytes(dice.randrange(200)) + whole[at + dice.randrange(200) :]
        assert judged(data) in ("good", "corrupt", "unsupported", "too-large")


def test_text_that_unpacks_to_no_end_is_not_unpacked() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20), 9))
    row = zlib.compress(bytes(2))
    assert judged(png(1, 1, 8, 0, row, text * 100)) == "corrupt"
    assert judged(png(1, 1, 8, 0, row, text * 100_000)[: 32 << 20]) == "too-large"
    assert judged(png(1, 1, 8, 0, row, *[chunk(b"tEXt", b"profile\0/etc/passwd")] * 100)) == "good"


def test_a_profile_that_unpacks_to_no_end_is_not_unpacked() -> None:
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(64 << 20), 9))
    assert judged(png(1, 1, 8, 0, zlib.compress(bytes(2)), profile)) in ("good", "corrupt")


def test_a_png_that_contradicts_itself_is_corrupt() -> None:
    good = png(8, 8, 8, 0, zlib.compress(bytes(72)))
    header, pixels, end = good[8:33], good[33:-12], good[-12:]
    for number, broken in enumerate(
        (
            PNG + header + end,
            PNG + header[:-1] + bytes([header[-1] ^ 1]) + pixels + end,
            png(8, 8, 8, 0, zlib.compress(bytes(40))),
            png(8, 8, 8, 0, b"garbage"),
            png(8, 8, 3, 0, zlib.compress(bytes(72))),
            png(8, 8, 8, 7, zlib.compress(bytes(72))),
        )
    ):
        assert judged(broken) == "corrupt", number


@pytest.mark.filterwarnings("ignore:Invalid APNG")
@pytest.mark.parametrize("frames", [0, 1, 2, 299])
def test_an_apng_that_lies_about_its_frames_is_its_first(frames: int) -> None:
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    assert judged(png(8, 8, 8, 0, zlib.compress(bytes(72)), control)) == "good"


def test_a_gif_with_broken_pixels_or_no_end_is_refused_or_its_first_frame() -> None:
    data = small("gif")
    assert judged(data[:-1]) == "good"
    for at in range(data.index(b"\x2c") + 10, len(data) - 1):
        assert judged(data[:at] + b"\xff" + data[at + 1 :]) in ("good", "corrupt")


def test_a_script_that_is_also_a_picture_leaves_only_the_picture() -> None:
    script = b"/*<?php system($_GET[0]); ?><script>alert(1)</script>*/"
    for format in ("jpeg", "png", "gif", "webp"):
        result = render(small(format) + script, Spec(format="png"))
        assert script not in result.data
        assert opened(result).size == (64, 48)


def test_a_bomb_is_too_large_whatever_is_asked() -> None:
    assert judged(bomb()) == "too-large"
    assert verdict(lambda: render(bomb(7072, 7072))) == "too-large"
    assert verdict(lambda: render(bomb(7071, 7071))) == "good"
