"""Processor time of a thumbnail through the whole stack, by how far jobs are kept apart, beside Pillow alone.

Of everybody: client, job server, pool, zygote, runners. It is what a busy machine has to spend, and what can be
measured on one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.measure import SAMPLES, Goal, family_seconds, fleet_process, in_turn, ratio, row
from benchmarks.thumbnails import bare
from fleet import Client
from fleet.settings import Containment

PICTURES = 40
ROUNDS = 5
AT_MOST_MS = 3.0  # for a process and a sandbox to each job


class Through:
    """A fleet with two slots."""

    def __init__(self, isolation: str, stack: ExitStack, data: bytes) -> None:
        self._pid, server = stack.enter_context(fleet_process(2, "--isolation", isolation))
        self._client = stack.enter_context(Client(server))
        self._data = data

    def __call__(self) -> float:
        """Milliseconds for each picture."""
        began = family_seconds(self._pid) + time.process_time()
        tasks = [self._client.submit("resize", self._data) for _ in range(PICTURES)]
        for task in tasks:
            task.result(timeout=60)
        return (family_seconds(self._pid) + time.process_time() - began) / PICTURES * 1e3


def goals() -> Iterator[Goal]:
    path = SAMPLES / "large.jpg"

    def alone() -> float:
        began = time.process_time()
        bare(str(path), PICTURES)
        return (time.process_time() - began) / PICTURES * 1e3

    with ExitStack() as stack:
        measures = [Through(word, stack, path.read_bytes()) for word in Containment.ISOLATION]
        in_turn(1, alone, *measures)  # to warm up
        bares, *throughs = in_turn(ROUNDS, alone, *measures)
    print(f"large.jpg to 200x150: processor time of all together, {ROUNDS} rounds of {PICTURES}")
    print(row("Pillow alone", bares, "ms"))
    for word, figures in zip(Containment.ISOLATION, throughs, strict=True):
        print(row(f"isolation {word}", figures, "ms"), f"x{ratio(figures, bares):.2f}")
    over = statistics.median(job - none for job, none in zip(throughs[0], throughs[-1], strict=True))
    yield Goal("a process and a sandbox for each job, over isolation none, ms", over, AT_MOST_MS)


def main() -> None:
    for goal in goals():
        print(goal)


if __name__ == "__main__":
    main()
