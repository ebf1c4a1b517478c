"""What a row of the matrix of bad input is: files, each of which must end with the row's verdict.

A row is a function that yields its files by name, marked with `@row`. Files are made here, by hand or of our own good
samples; whatever is drawn by lot is drawn with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleet.settings import MIB
from tests.images.judge import Source, Verdict

SEED: Final = 20_091_013

Files = Iterator[tuple[str, bytes]]
Check = Callable[[Verdict], None]

THUMBNAIL: Final = {"width": 32, "height": 24, "format": "png"}


@dataclass(frozen=True)
class Row:
    id: str  # M01 to M58
    verdicts: frozenset[str]
    files: Callable[[], Files]
    says: str  # is part of every refusal's text
    options: Mapping[str, Any]
    formats: frozenset[str]
    check: Check | None  # of every result
    cpu_s: float  # for each file
    memory_bytes: int
    deadline_s: float
    together: int

    def __str__(self) -> str:
        return f"{self.id.lower()}_{self.files.__name__}"

    def sources(self) -> dict[str, Source]:
        return {name: Source(data, self.options, self.formats) for name, data in self.files()}


ROWS: list[Row] = []


def row(
    id: str,
    verdicts: str,
    says: str = "",
    *,
    options: Mapping[str, Any] = THUMBNAIL,
    formats: tuple[str, ...] = (),
    check: Check | None = None,
    cpu_s: float = 1.0,
    memory_mib: int = 128,
    deadline_s: float = 20.0,
    together: int = 1,
) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    """Add these files to the matrix. `verdicts` are those that are right, with | between them."""

    def add(files: Callable[[], Files]) -> Callable[[], Files]:
        words, opened = frozenset(verdicts.split("|")), frozenset(formats)
        ROWS.append(Row(id, words, files, says, options, opened, check, cpu_s, memory_mib * MIB, deadline_s, together))
        return files

    return add
