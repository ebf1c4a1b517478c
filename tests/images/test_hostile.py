"""Pictures of which a part is missing are refused, wherever they break off. What else may be wrong: see `matrix`."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from fleet.images import Spec, render
from tests.images.builders import FORMATS, saved, verdict

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
