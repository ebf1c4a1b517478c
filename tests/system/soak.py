"""Good and hostile pictures at full load for as long as one likes: python -m tests.system.soak SECONDS

What must hold: the same picture has the same answer every time, to the byte; nothing is started again; pool, zygote and
job server hold no more memory and no more descriptors at the end than at the beginning.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from fleet import Client
from fleet.errors import BadImage, FleetError, JobFailed
from fleet.images import render
from fleet.settings import Address
from tests.conftest import SAMPLES, up
from tests.images.builders import bomb
from tests.processes import FLEET, Program, zygote_below
from tests.system.test_mixed_load import GOOD, bad_pictures, mutants
from tests.system.test_up import part

UP = ("up", "--workers", "4", "--port", "0")
CLIENTS = 8  # callers at a time: enough that no slot waits for one
CALL_S = 60.0
SEED = 20091013
SAMPLE_S = 0.5
KIB = 1024
REFUSED = ("unsupported", "too-large", "corrupt")
# What may be more at the end than at the beginning, and mean nothing: an allocator's moods.
MEMORY_KIB = {"server": 48 * KIB, "pool": 6 * KIB, "zygote": 1 * KIB}
DESCRIPTORS = 4


@dataclass
class Measured:
    """What a process holds, over time."""

    pid: int
    memory_kib: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Its own memory: what it shares with a file or with its children is theirs too."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        self.memory_kib.append(int(status["RssAnon"].split()[0]))
        self.descriptors.append(len(list(Path(f"/proc/{self.pid}/fd").iterdir())))


def grown(figures: list[int]) -> int:
    """How much more it is in the last fifth than in the second: the first is for warming up."""
    fifth = max(1, len(figures) // 5)
    return round(statistics.median(figures[-fifth:]) - statistics.median(figures[fifth : 2 * fifth] or figures))


class Soak:
    """Callers at a fleet. `wrong` gathers what should not have been."""

    def __init__(self, where: Address) -> None:
        self.where = where
        self.wrong: list[str] = []
        self.answers: Counter[str] = Counter()
        chance = random.Random(SEED)
        self._expected: dict[bytes, str] = {data: picture_of(data) for data in map(sample, GOOD)}
        self._bad = {data for data in (*bad_pictures(), bomb()) if not data.startswith(b"{")}
        self._choice = [*sorted(self._expected) * 2, *sorted(self._bad), *mutants(chance)]
        self._lock = threading.Lock()

    def call(self, number: int, until: float) -> None:
        chance = random.Random(SEED + number)
        with Client(self.where, timeout=CALL_S) as client:
            while time.monotonic() < until:
                data = chance.choice(self._choice)
                self._judge(data, answer(client, data))

    def _judge(self, data: bytes, said: str) -> None:
        with self._lock:
            self.answers[said.split()[0]] += 1
            expected = self._expected.setdefault(data, said)
            if said != expected or said.startswith("unclear") or (data in self._bad and said not in REFUSED):
                self.wrong.append(f"{data[:12]!r}... of {len(data)} bytes: {said}, before: {expected}")


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def picture_of(data: bytes) -> str:
    return f"picture {sha256(render(data, facts=False)).hexdigest()}"


def answer(client: Client, data: bytes) -> str:
    """In words that are the same each time."""
    try:
        return f"picture {sha256(client.resize(data).result()).hexdigest()}"
    except BadImage as error:
        return error.reason
    except JobFailed as error:
        return f"unclear: {error}"
    except FleetError as error:
        return f"unclear: {type(error).__name__}: {error}"


def soak(fleet: Program, seconds: float, say: Callable[[str], None]) -> list[str]:
    """Run it; returns what was wrong. `fleet` is a fleet that was just started."""
    run = Soak(up(fleet))
    first = parts(fleet)
    measured = {name: Measured(pid) for name, pid in first.items()}
    end = time.monotonic() + seconds
    callers = [threading.Thread(target=run.call, args=(number, end)) for number in range(CLIENTS)]
    for caller in callers:
        caller.start()
    while time.monotonic() < end and parts(fleet) == first:
        for process in measured.values():
            process.look()
        time.sleep(SAMPLE_S)
    for caller in callers:
        caller.join(CALL_S)
    calls = sum(run.answers.values())
    say(f"{calls} calls in {seconds:g} s, {calls / seconds:.1f} per second: {dict(run.answers.most_common())}")
    wrong = run.wrong + [f"{name} was started again" for name, pid in parts(fleet).items() if pid != first[name]]
    for name, process in measured.items():
        wrong += _verdict(name, process, say)
    return wrong


def parts(fleet: Program) -> dict[str, int]:
    """The processes that are to last, by their names."""
    pool = part(fleet, "worker")
    return {"server": part(fleet, "server"), "pool": pool, "zygote": zygote_below(pool)}


def _verdict(name: str, process: Measured, say: Callable[[str], None]) -> list[str]:
    more_kib, more_descriptors = grown(process.memory_kib), grown(process.descriptors)
    say(
        f"{name:<7} {statistics.median(process.memory_kib) / KIB:7.1f} MiB, {more_kib / KIB:+.1f} in the end; "
        f"at most {max(process.memory_kib) / KIB:.1f}; {max(process.descriptors)} descriptors at most"
    )
    wrong = []
    if more_kib > MEMORY_KIB[name]:
        wrong.append(f"{name} grew by {more_kib} KiB")
    if more_descriptors > DESCRIPTORS:
        wrong.append(f"{name} has {more_descriptors} descriptors more")
    return wrong


def main() -> None:
    fleet = Program(*FLEET, *UP)
    try:
        wrong = soak(fleet, float(sys.argv[1]), lambda text: print(text, flush=True))
        if code := fleet.stop():
            wrong.append(f"fleet ended with {code}")
    finally:
        fleet.clear()
    print(*(wrong[:20] or ["nothing went wrong"]), sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
