"""What the benchmarks share: programs that come and go, rounds of A and B in turn, and ratios of medians.

Rule: what is compared is measured in one run, alternately, so that a machine that slows down slows both.
"""

from __future__ import annotations

import os
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
def fleet(workers: int, *options: str) -> Iterator[str]:
    """A fleet with so many slots; its job server's address."""
    with fleet_process(workers, *options) as (_, server):
        yield server


@contextmanager
def fleet_process(workers: int, *options: str) -> Iterator[tuple[int, str]]:
    """The same, with the process number of its supervisor."""
    with program(*FLEET, "up", "--workers", str(workers), "--port", "0", *options, until="ready") as (process, lines):
        yield process.pid, lines[0].split()[-1]


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


def family_seconds(pid: int) -> float:
    """Processor time of a process and of all it started, those that are gone included; to ten milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # its own, and of its children that were reaped
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(family_seconds(int(child)) for child in children)


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
