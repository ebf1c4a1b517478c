"""Thumbnails per second beside the talk's set-up: gearmand, two PHP workers with Imagick, and PHP clients."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.measure import SAMPLES, Goal, fleet, in_turn, program, ratio, row
from benchmarks.servers import gearmand

PHP: Final = Path(__file__).with_name("php")
SLOTS: Final = 2
CALLERS: Final = (1, 4)  # clients at a time: a page that waits for its thumbnail, and more than there are workers
ROUNDS: Final = 3
THEIR_PICTURES, OUR_PICTURES = 2, 40  # of each client in a round: some seconds for either side
AT_LEAST: Final = 30.0


def rate(port: str, callers: int, pictures: int) -> float:
    """Thumbnails per second for so many PHP clients at a time, each with so many pictures."""
    argv = ["php", str(PHP / "client.php"), port, str(SAMPLES / "large.jpg"), str(pictures)]
    began = time.perf_counter()
    clients = [subprocess.Popen(argv) for _ in range(callers)]
    assert [client.wait(300) for client in clients] == [0] * callers
    return callers * pictures / (time.perf_counter() - began)


def goals() -> Iterator[Goal]:
    with ExitStack() as stack:
        theirs = str(stack.enter_context(gearmand()).port)
        for _ in range(SLOTS):
            stack.enter_context(program("php", str(PHP / "worker.php"), theirs))
        ours = stack.enter_context(fleet(SLOTS)).rpartition(":")[2]
        for callers in CALLERS:
            measures = partial(rate, theirs, callers, THEIR_PICTURES), partial(rate, ours, callers, OUR_PICTURES)
            their_rates, our_rates = in_turn(ROUNDS, *measures)
            print(f"large.jpg to 200x150, {SLOTS} workers, {callers} PHP clients at a time")
            print(row("gearmand, PHP and Imagick, as in the talk", their_rates, "pictures/s"))
            print(row("the fleet", our_rates, "pictures/s"))
            what = f"pictures per second to the talk's, {callers} PHP clients"
            yield Goal(what, ratio(our_rates, their_rates), AT_LEAST, least=True)
