"""Several sizes of one upload, against the largest alone and against a job for each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from benchmarks.measure import SAMPLES, Goal, fleet, in_turn, ratio, row
from fleet import Client
from fleet.images import Spec, render, render_many

ROUNDS: Final = 5
PICTURES: Final = 5  # in a round
# A page's thumbnails; and a set with one that is large, so that its decoding and encoding rule the rest.
SETS: Final = ((480, 320, 240, 160, 96), (1024, 640, 320, 160, 64))
MOST_OF_ONE, MOST_OF_FIVE = 1.35, 0.35

Call = Callable[[], object]


def goals() -> Iterator[Goal]:
    data = (SAMPLES / "large.jpg").read_bytes()
    for sides in SETS:
        specs = {str(side): Spec(side, side) for side in sides}
        print(f"large.jpg to {', '.join(specs)} px: processor time in this process")
        yield from compared(
            sides,
            "processor time",
            time.process_time,
            partial(lambda specs: dict(render_many(data, specs)), specs),
            partial(lambda specs: render(data, specs[max(specs, key=int)]), specs),
            partial(lambda specs: [render(data, spec) for spec in specs.values()], specs),
        )
    with fleet(1) as server, Client(server) as client:
        for sides in SETS:
            print(f"large.jpg to {', '.join(map(str, sides))} px through a fleet with one slot, one caller: wall clock")
            yield from compared(
                sides,
                "wall clock",
                time.perf_counter,
                partial(lambda sides: client.thumbnails(data, {str(s): Spec(s, s) for s in sides}).result(), sides),
                partial(lambda sides: client.resize(data, sides[0], sides[0]).result(), sides),
                partial(lambda sides: [client.resize(data, s, s).result() for s in sides], sides),
            )


def compared(
    sides: Sequence[int], unit: str, clock: Callable[[], float], many: Call, one: Call, each: Call
) -> Iterator[Goal]:
    measures = [partial(milliseconds, call, clock) for call in (many, one, each)]
    in_turn(1, *measures)  # to warm up
    together, alone, apart = in_turn(ROUNDS, *measures)
    for name, figures in (("five of one", together), ("the largest alone", alone), ("a job for each", apart)):
        print(row(name, figures, "ms"))
    yield Goal(f"five sizes from {sides[0]} px to the largest alone, {unit}", ratio(together, alone), MOST_OF_ONE)
    yield Goal(f"five sizes from {sides[0]} px to five jobs, {unit}", ratio(together, apart), MOST_OF_FIVE)


def milliseconds(call: Call, clock: Callable[[], float]) -> float:
    """The median of some calls."""
    spent = []
    for _ in range(PICTURES):
        began = clock()
        call()
        spent.append((clock() - began) * 1000)
    return statistics.median(spent)
