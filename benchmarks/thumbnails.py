"""Thumbnails per second through the whole stack, against two bare Python processes that only call Pillow."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.measure import SAMPLES, fleet, in_turn, ratio, row
from fleet import Client

SLOTS = 2
CLIENTS = 4  # callers at a time: enough that no slot waits for one
PICTURES = 120
ROUNDS = 5
AT_LEAST = 0.65


def bare(path: str, pictures: int) -> int:
    """What anyone would write: the bytes are in memory, Pillow makes the thumbnail; returns the bytes made."""
    from PIL import Image

    with open(path, "rb") as file:
        data = file.read()
    made = 0
    for _ in range(pictures):
        image = Image.open(io.BytesIO(data))
        image.thumbnail((200, 150))
        result = io.BytesIO()
        image.save(result, "JPEG")
        made += len(result.getvalue())
    return made


def main() -> None:
    path = str(SAMPLES / "large.jpg")
    with open(path, "rb") as file:
        data = file.read()
    context = get_context("forkserver")
    with ProcessPoolExecutor(SLOTS, context) as processes, fleet(SLOTS) as server, Client(server) as client:

        def bare_rate() -> float:
            began = time.perf_counter()
            list(processes.map(bare, [path] * SLOTS, [PICTURES // SLOTS] * SLOTS))
            return PICTURES / (time.perf_counter() - began)

        def fleet_rate() -> float:
            def call() -> None:
                for _ in range(PICTURES // CLIENTS):
                    client.resize(data, 200, 150).result(timeout=60)

            threads = [threading.Thread(target=call) for _ in range(CLIENTS)]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return PICTURES / (time.perf_counter() - began)

        in_turn(1, bare_rate, fleet_rate)  # to warm up
        theirs, ours = in_turn(ROUNDS, bare_rate, fleet_rate)
    print(f"large.jpg to 200x150, {SLOTS} slots, {CLIENTS} callers, {ROUNDS} rounds of {PICTURES}")
    print(row("two bare processes with Pillow", theirs, "pictures/s"))
    print(row("through the fleet", ours, "pictures/s"))
    print(f"  ratio {ratio(ours, theirs):.2f} (wanted: at least {AT_LEAST})")


if __name__ == "__main__":
    main()
