"""The main job under fire: good, bad and hostile pictures at once, while runners and pools are killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet import Client
from fleet.errors import BadImage, FleetError, JobFailed
from tests.cli.test_resize import png
from tests.conftest import SAMPLES, up
from tests.processes import FLEET, Program, alive, descendants
from tests.system.test_up import part

pytestmark = [pytest.mark.system, pytest.mark.slow]

PICTURES = 500
CLIENTS = 8
SEED = 20091013
KILL_POOL_AT = (120, 300)  # calls
KILL_RUNNER_S = 0.5
CALL_S = 60.0
WHOLE_S = 240.0

GOOD = [
    *("large.jpg", "kitten.png", "kitten.webp", "kitten.avif", "kitten.gif", "kitten-cmyk.jpg", "kitten-16bit.png"),
    *("kitten-palette.png", "kitten-progressive.jpg", "orientation-6.jpg", "animated.gif", "animated.webp"),
]


def bad_pictures() -> list[bytes]:
    large = (SAMPLES / "large.jpg").read_bytes()
    return [
        b"",
        b"this is not a picture",
        large[:500_000],
        png(30_000, 29_000),
        b"GIF89a" + b"\xff" * 38,
        b"\x89PNG\r\n\x1a\n" + os.urandom(5000),
        b"\xff\xd8\xff" + random.Random(SEED).randbytes(100_000),
        b'{"width":0}\n' + large[:1000],
        b"{" * 100_000,
    ]


def mutants(chance: random.Random) -> list[bytes]:
    """Good pictures with a few bits turned: a decoder may like them or not."""
    made = []
    for name in GOOD[1:]:
        data = bytearray((SAMPLES / name).read_bytes())
        for _ in range(20):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        made.append(bytes(data))
    return made


class Killer:
    """Kills a runner twice a second, and the pool when so many calls have begun."""

    def __init__(self, fleet: Program) -> None:
        self.killed: Counter[str] = Counter()
        self.calls = itertools.count(1)
        self._fleet = fleet
        self._done = threading.Event()
        self._pool_next = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def call_begins(self) -> None:
        if next(self.calls) in KILL_POOL_AT:
            self._pool_next.set()

    def stop(self) -> Counter[str]:
        self._done.set()
        self._thread.join(CALL_S)
        return self.killed

    def _work(self) -> None:
        while not self._done.wait(KILL_RUNNER_S):
            pool = part(self._fleet, "worker")
            if self._pool_next.is_set():
                self._pool_next.clear()
                self._kill("pool", pool)
            elif runners := descendants(pool)[1:]:  # the first is the zygote
                self._kill("runner", runners[-1])

    def _kill(self, what: str, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
            self.killed[what] += 1
        except ProcessLookupError:
            pass  # it was quicker


def end_of_call(client: Client, data: bytes, good: set[bytes], bad: set[bytes]) -> str:
    """``picture``, ``clear error``, or what went wrong."""
    try:
        if data.startswith(b"{"):  # options of the sender's own
            client.run("resize", data)
            return "senseless options were taken"
        made = client.resize(data).result()
    except BadImage as error:
        blameless = data in good and error.reason != "resource"
        return f"a good picture was refused: {error}" if blameless else "clear error"
    except JobFailed as error:
        return "clear error" if str(error).startswith(("BadSpec: ", "BadImage: ")) else f"unclear: {error}"
    except FleetError as error:
        return f"{type(error).__name__}: {error}"
    if max(made.width - 200, made.height - 150) > 0:
        return f"a wrong size: {made}"
    return "a bad picture was made" if data in bad else "picture"


def test_every_call_ends_with_a_picture_or_a_clear_error(spawn: Callable[..., Program]) -> None:
    chance = random.Random(SEED)
    good, bad = {(SAMPLES / name).read_bytes() for name in GOOD}, set(bad_pictures())
    choice = [*sorted(good) * 3, *sorted(bad), *mutants(chance)]
    pictures = [chance.choice(choice) for _ in range(PICTURES)]
    fleet = spawn(*FLEET, "up", "--workers", "4", "--port", "0", "--deadline", "10")
    where = up(fleet)
    killer = Killer(fleet)
    clients = [Client(where, timeout=CALL_S) for _ in range(CLIENTS)]

    def call(number: int) -> str:
        killer.call_begins()
        return end_of_call(clients[number % CLIENTS], pictures[number], good, bad)

    began = time.monotonic()
    try:
        with ThreadPoolExecutor(CLIENTS) as threads:
            ends = Counter(threads.map(call, range(PICTURES)))
    finally:
        killed = killer.stop()
    assert time.monotonic() - began < WHOLE_S
    assert set(ends) == {"picture", "clear error"}, ends
    assert sum(ends.values()) == PICTURES
    assert killed["pool"] == len(KILL_POOL_AT)
    assert killed["runner"] >= 3

    assert clients[0].resize(SAMPLES / "large.jpg").result().width == 200
    for client in clients:
        client.close()
    below = descendants(fleet.pid)
    assert fleet.stop() == 0
    assert not any(map(alive, below))
