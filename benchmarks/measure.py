"""What the benchmarks share: programs that come and go, rounds of A and B in turn, and ratios of medians.

Rule: what is compared is measured in one run, alternately, so that a machine that slows down slows both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples" / "images"
Figure = TypeVar("Figure")
FLEET = (sys.executable, "-m", "fleet")


@contextmanager
def program(*argv: str, until: str = "") -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running program, once it has printed a line that begins with `until`; and its lines so far."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE if until else None, text=True, cwd=ROOT)
    lines: list[str] = []
    try:
        if until:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith(until):
                    break
            else:
                raise SystemExit(f"{' '.join(argv)} ended before it was ready")
        yield process, lines
    finally:
        process.terminate()
        process.wait(60)
        if process.stdout:
            process.stdout.close()


@contextmanager
def fleet(workers: int) -> Iterator[str]:
    """A fleet with so many slots; its job server's address."""
    with program(*FLEET, "up", "--workers", str(workers), "--port", "0", until="ready") as (_, lines):
        yield lines[0].split()[-1]


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Goal(NamedTuple):
    """A figure that was measured, and what it should be at most, or at least."""

    what: str
    found: float
    wanted: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.found >= self.wanted if self.least else self.found <= self.wanted

    def __str__(self) -> str:
        bound = "at least" if self.least else "at most"
        return f"  {self.what:<68} {self.found:9.3f}  {bound:>8} {self.wanted:<9.3f}  {'met' if self.met else 'MISSED'}"


def in_turn(rounds: int, *measures: Callable[[], Figure]) -> list[list[Figure]]:
    """Each measure's figures, over so many rounds of one after the other."""
    figures: list[list[Figure]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, found in zip(measures, figures, strict=True):
            found.append(measure())
    return figures


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def row(name: str, figures: Sequence[float], unit: str) -> str:
    median = statistics.median(figures)
    return f"  {name:<46} {median:9.2f} {unit:<12} ({min(figures):.2f} to {max(figures):.2f})"
