"""A short run of the fuzzing of pictures; `make fuzz` has the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.images.engines.router import ORDER
from tests.fuzz.mutants import FORMATS, mutant
from tests.fuzz.pictures import fuzz
from tests.images.engines.engines import engine
from tests.images.judge import Judge

MANY = 100  # of each format


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.close()


@pytest.mark.parametrize("format", FORMATS)
def test_m21_m22_m34_m43_m46_every_mutant_ends_with_a_verdict(judge: Judge, format: str) -> None:
    engine(ORDER[format][-1])
    counted, harm = fuzz(judge, format, MANY)
    assert [(number, verdict) for number, _, verdict in harm] == []
    assert counted.total() == MANY
    # So that it is no decoder's front door alone that is tried: some get through, and some break inside.
    assert counted["ok"] > MANY // 50
    assert counted["corrupt"] > MANY // 10


def test_a_mutant_is_always_the_same() -> None:
    for format in FORMATS:
        engine(ORDER[format][-1])
        assert mutant(format, 7) == mutant(format, 7)
        assert mutant(format, 7) != mutant(format, 8)
