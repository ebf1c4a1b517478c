"""How near default thumbnails of all samples are to what they should be, and in how many bytes; GIFs become PNGs."""

from __future__ import annotations

import io
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from benchmarks.images import sharp, vipsthumbnail
from benchmarks.images.similarity import reference, ssim
from benchmarks.measure import SAMPLES, Goal
from fleet.images import Spec, render
from fleet.images.sniff import sniff

SUFFIXES: Final = (".jpg", ".png", ".webp", ".avif", ".gif")
OURS, *THEIRS = MAKERS = ("the fleet", "sharp", "vipsthumbnail")


class Thumbnail(NamedTuple):
    format: str
    near: float  # its likeness to the reference
    size: int  # in bytes


def goals() -> Iterator[Goal]:
    with tempfile.TemporaryDirectory() as folder:
        made = thumbnails(Path(folder))
    print(f"likeness (mean SSIM) of {len(made[OURS])} default thumbnails to a reference in linear light; mean bytes")
    for name, found in made.items():
        formats = sorted({thumbnail.format for thumbnail in found})
        text = "  ".join(f"{format} {_told([t for t in found if t.format == format])}" for format in formats)
        print(f"  {name:<15} {_told(found)}   of which {text}")
    near, size = _means(made[OURS])
    for name in THEIRS:
        their_near, their_size = _means(made[name])
        yield Goal(f"likeness (SSIM) of a thumbnail; {name}'s is wanted", near, their_near, least=True)
        yield Goal(f"bytes of a thumbnail; {name}'s are wanted", size, their_size)


def thumbnails(folder: Path) -> dict[str, list[Thumbnail]]:
    """Of all samples that all open, by who made them."""
    formats = {path: _wanted(path) for path in sorted(SAMPLES.iterdir()) if path.suffix in SUFFIXES}
    folders = folder / "sharp", folder / "vipsthumbnail"
    for each in folders:
        each.mkdir()
    sharp.make(folders[0], formats)
    made: dict[str, list[Thumbnail]] = {name: [] for name in MAKERS}
    for path, format in formats.items():
        data = path.read_bytes()
        vips = vipsthumbnail.make(folders[1], path, format)
        if vips is None:
            print(f"  {path.name} is left out: vipsthumbnail does not open it")
            continue
        ours = render(data, Spec(200, 150, format=format), facts=False)
        for found, thumbnail in zip(made.values(), (ours, (folders[0] / path.name).read_bytes(), vips), strict=True):
            target = reference(data, Image.open(io.BytesIO(thumbnail)).size)
            found.append(Thumbnail(format, ssim(thumbnail, target), len(thumbnail)))
    return made


def _wanted(path: Path) -> str:
    format = sniff(path.read_bytes()).format
    return "png" if format == "gif" else format


def _means(found: Sequence[Thumbnail]) -> tuple[float, float]:
    return statistics.mean(t.near for t in found), statistics.mean(t.size for t in found)


def _told(found: Sequence[Thumbnail]) -> str:
    near, size = _means(found)
    return f"{near:.4f} {size:6.0f}"
