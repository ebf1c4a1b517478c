"""Every row of the matrix of bad pictures: its verdict, in one clear line, in bounded time and memory.

Each file is judged in a process of its own, locked in and limited as the pool's runners are; that the pool itself lives
through all of them is in `test_bad_images_in_a_fleet`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import BadImage
from fleet.images import sniff
from tests.images.judge import Judge
from tests.images.matrix import foreign, jpegs, moving, pngs, rare  # noqa: F401  (they have the rows)
from tests.images.matrix.rows import ROWS, SEED, Row

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.close()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_file_of_the_row_has_its_verdict(judge: Judge, row: Row) -> None:
    sources = row.sources()
    assert sources
    found = dict(zip(sources, judge.verdicts(list(sources.values()), row.deadline_s, row.together), strict=True))
    assert {name: v for name, v in found.items() if v.word not in row.verdicts} == {}
    for name, verdict in found.items():
        if verdict.word == "ok" and row.check:
            row.check(verdict)
        elif verdict.word != "ok":
            assert row.says in verdict.text, name
            assert verdict.text, name
            assert len(verdict.text.splitlines()) == 1, name
        if verdict.word != "hung":
            assert verdict.cpu_s < row.cpu_s, (name, verdict.cpu_s)
        assert verdict.memory_bytes < row.memory_bytes, (name, verdict.memory_bytes)
    assert set().union(*(verdict.plugins for verdict in found.values())) <= PLUGINS


def test_m46_a_thousand_files_of_random_bytes_are_no_pictures() -> None:
    for seed in range(1000):
        data = random.Random(SEED + seed).randbytes(4096) * 256
        with pytest.raises(BadImage) as caught:
            sniff(data)
        assert caught.value.reason in ("unsupported", "corrupt"), seed


def test_every_row_of_the_matrix_is_tested_here_or_by_its_name_elsewhere() -> None:
    named = {row.id.lower() for row in ROWS}
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"def test_(\w+)", path.read_text()):
            named |= set(re.findall(r"(?:^|_)(m[0-9][0-9])(?=_)", name))
    assert {f"m{number:02}" for number in range(1, 59)} - named == set()


# Of Pillow's decoders none is loaded but those of the formats that are opened, and what those load themselves.
PLUGINS = {
    f"PIL.{name}ImagePlugin"
    for name in ("Avif", "Bmp", "Dib", "Gif", "Gribstub", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP")
}
