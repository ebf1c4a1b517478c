"""All that fuzzing found, and all that it began with, again: quickly, in every run of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(CORPUS.glob("*/*"))


def test_every_target_has_a_corpus() -> None:
    assert {case.parent.name for case in CASES} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_breaks_nothing(name: str) -> None:
    for case in CASES:
        if case.parent.name == name:
            TARGETS[name](case.read_bytes())
    TARGETS[name](b"")
