"""Fuzz the decoders of pictures: ``python -m tests.fuzz.pictures FORMAT MANY [FIRST]``.

Each mutant is rendered in a process that is locked in and limited as the pool's runners are, and must end with one of
the five verdicts, in time and within its memory. One that does not is left in .fuzz/, named for its number.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from fleet.images.engines import router
from fleet.settings import MIB
from tests.fuzz.mutants import mutants
from tests.images.judge import LIMITS, VERDICTS, Judge, Source, Verdict

FOUND: Final = Path(__file__).parents[2] / ".fuzz"
TOGETHER: Final = 50  # in one process: a crash is the last one's
DEADLINE_S: Final = 10.0  # of one: a mutant takes milliseconds, on a busy machine some more
MEMORY_BYTES: Final = LIMITS.memory_bytes + 128 * MIB  # with the libraries


class Harm(NamedTuple):
    """A mutant that did what none may do."""

    number: int
    source: Source
    verdict: Verdict


def fuzz(judge: Judge, format: str, many: int, first: int = 0) -> tuple[Counter[str], list[Harm]]:
    """How many ended with which verdict, and those that did harm."""
    counted: Counter[str] = Counter()
    harm: list[Harm] = []
    for number, source, verdict in _judged(judge, format, many, first):
        counted[verdict.word] += 1
        if not _harmless(verdict):
            harm.append(Harm(number, source, verdict))
    return counted, harm


def _judged(judge: Judge, format: str, many: int, first: int) -> Iterator[tuple[int, Source, Verdict]]:
    batch = 10 * TOGETHER
    for start in range(first, first + many, batch):
        sources = list(mutants(format, min(batch, first + many - start), start))
        yield from zip(
            range(start, start + batch), sources, judge.verdicts(sources, DEADLINE_S, TOGETHER), strict=False
        )


def _harmless(verdict: Verdict) -> bool:
    one_line = verdict.word == "ok" or len(verdict.text.splitlines()) == 1
    return verdict.word in VERDICTS and one_line and verdict.memory_bytes <= MEMORY_BYTES


def main() -> None:
    format, many, *first = sys.argv[1:]
    if isinstance(opener := router.load(router.ORDER[format][-1]), str):
        print(f"{format} is left out: {opener}")
        return
    judge, began = Judge(), time.monotonic()
    counted, harm = fuzz(judge, format, int(many), int(first[0]) if first else 0)
    judge.close()
    words = ", ".join(f"{count} {word}" for word, count in counted.most_common())
    print(f"{format}: {many} mutants in {time.monotonic() - began:.0f} s: {words}")
    FOUND.mkdir(exist_ok=True)
    for number, source, verdict in harm:
        (FOUND / f"{format}-{number}").write_bytes(source.data)
        print(
            f"{format} {number}: {verdict.word}: {verdict.text} {dict(source.options)}, {verdict.memory_bytes:,} bytes"
        )
    sys.exit(bool(harm))


if __name__ == "__main__":
    main()
