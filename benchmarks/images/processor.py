"""Processor time of a thumbnail, beside sharp and vipsthumbnail, each on one thread and without a cache."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from benchmarks.images import sharp, vipsthumbnail
from benchmarks.measure import SAMPLES, Goal, in_turn, ratio, row
from fleet.images import Limits, Spec, render
from fleet.images.engines import router
from fleet.images.sniff import sniff

ROUNDS: Final = 5
TIMES: Final = 5  # pictures in a round
LIMITS: Final = Limits(source_bytes=1 << 30)


class Kind(NamedTuple):
    """How a source is made of the large picture, the result's format, and the most that it may cost of theirs."""

    format: str
    options: dict[str, object]
    result: str
    most: float


KINDS: Final = {
    "JPEG": Kind("jpeg", {"quality": 90}, "jpeg", 1.0),
    "progressive JPEG": Kind("jpeg", {"quality": 90, "progressive": True}, "jpeg", 1.1),
    "PNG": Kind("png", {}, "png", 1.1),
    "WebP": Kind("webp", {"quality": 80}, "webp", 1.1),
    "AVIF": Kind("avif", {"quality": 60, "speed": 8}, "avif", 1.1),
    "GIF": Kind("gif", {}, "png", 1.1),
}


def ours(data: bytes, format: str) -> float:
    """Milliseconds of processor time for a thumbnail, bytes in memory to bytes in memory: the median of some."""
    spent = []
    for _ in range(TIMES):
        began = time.process_time()
        render(data, Spec(200, 150, format=format), LIMITS, facts=False)
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


def goals() -> Iterator[Goal]:
    print("12 megapixels to 200x150, processor time for a picture on one core; ratios are ours to theirs")
    large = Image.open(SAMPLES / "large.jpg").convert("RGB")
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            path = Path(folder) / f"{name.replace(' ', '-')}.{vipsthumbnail.suffix(kind.format)}"
            (large.quantize(256) if kind.format == "gif" else large).save(path, **kind.options)  # type: ignore[arg-type]
            yield from compared(name, kind, path)


def compared(name: str, kind: Kind, path: Path) -> Iterator[Goal]:
    data = path.read_bytes()
    engine = router.engine_for(sniff(data)).name
    fleet, *theirs = in_turn(
        ROUNDS,
        partial(ours, data, kind.result),
        *(partial(peer.milliseconds, path, kind.result, TIMES) for peer in (sharp, vipsthumbnail)),
    )
    print(row(f"{name}: the fleet, by {engine}", fleet, "ms CPU"))
    for peer, figures in zip(("sharp", "vipsthumbnail"), theirs, strict=True):
        print(row(f"{name}: {peer}", figures, "ms CPU"))
        yield Goal(f"processor time to {peer}'s: {name}", ratio(fleet, figures), kind.most)
