"""What it costs to lose nothing: durable submits beside gearmand's, beside memory, and beside the disk itself.

All files are on the disk that holds this checkout. What is compared takes turns in one run; what is printed are medians
of the rounds, and medians of the rounds' own ratios.

    python -m benchmarks.durability             all but the long queue, in about two minutes
    python -m benchmarks.durability --quick     one short round each: a look, not a result
    python -m benchmarks.durability --only p50  what begins so
    python -m benchmarks.durability --long N    a queue of N jobs of 1 KB instead, such as 1000000
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.jobserver import Wanted, cost, resident_bytes
from benchmarks.measure import in_turn, program, ratio
from benchmarks.servers import OURS, SERVERS, Server, built, gearmand_keeping, keeping, scratch
from fleet.protocol import REQ, encode, packets

SUBMITTERS: Final = ("--clients", "8", "--depth", "32")  # of jobs with a unique of 36 bytes each
FOREGROUND: Final = {"8+8": "--clients 8 --workers 8", "8+8, 32 in flight": "--clients 8 --workers 8 --depth 32"}
PAGE = bytes(4096)
SHORT_QUEUE = 20_000
BODY = ("--payload", "1024")  # of the jobs in long and short queues

BESIDE_GEARMAND = Wanted(">=", 10.0)
BESIDE_MEMORY = Wanted(">=", 0.35)
BESIDE_THE_DISK = Wanted("<=", 1.3)
BESIDE_NO_STORE = Wanted("<=", 1.03)
LONG_MB = Wanted("<=", 400.0)
LONG_START_S = Wanted("<=", 5.0)
BESIDE_A_SHORT_QUEUE = Wanted(">=", 0.8)

Start = Callable[[Path], AbstractContextManager[Server]]  # a server that may keep its files there


class Effort(NamedTuple):
    """How long to look."""

    rounds: int
    submits: int  # to our server; gearmand gets one in two hundred
    writes: int
    seconds: float


FULL = Effort(rounds=5, submits=30_000, writes=150, seconds=1.2)
QUICK = Effort(rounds=1, submits=10_000, writes=50, seconds=0.6)


def in_a_file(folder: Path) -> AbstractContextManager[Server]:
    return keeping(f"sqlite:{folder}/jobs")


def in_memory(_: Path) -> AbstractContextManager[Server]:
    return keeping("memory")


def at_gearmand(folder: Path) -> AbstractContextManager[Server]:
    return gearmand_keeping(folder / "queue")


def nowhere(_: Path) -> AbstractContextManager[Server]:
    return SERVERS[OURS]()


def line(name: str, unit: str, ours: Sequence[float], theirs: Sequence[float], wanted: Wanted) -> str:
    found = ratio(ours, theirs)
    figures = f"{statistics.median(ours):>10.1f} {statistics.median(theirs):>10.1f} {found:>8.2f}"
    return f"{name:<44} {unit:<7} {figures}  {wanted.verdict(found)}"


# -- submits ----------------------------------------------------------------------------------------------------------


def submits_per_second(start: Start, jobs: int, payload: int) -> float:
    """Into a new process with an empty store."""
    with scratch() as folder, start(folder) as server:
        return cost(server, [*SUBMITTERS, "--fill", str(jobs), "--payload", str(payload)]).per_second


def show_submits(effort: Effort, payload: int) -> None:
    ours, memory, gearmand = in_turn(
        effort.rounds,
        partial(submits_per_second, in_a_file, effort.submits, payload),
        partial(submits_per_second, in_memory, effort.submits, payload),
        partial(submits_per_second, at_gearmand, effort.submits // 200, payload),
    )
    print(line(f"submits, {payload} bytes, beside gearmand", "jobs/s", ours, gearmand, BESIDE_GEARMAND))
    print(line(f"submits, {payload} bytes, beside memory", "jobs/s", ours, memory, BESIDE_MEMORY), flush=True)


def median_us(act: Callable[[], object], times: int) -> float:
    """Of so many, one after the other."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


def show_latency(effort: Effort) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        server = stack.enter_context(in_a_file(folder))
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
        file = stack.enter_context(open(folder / "bare", "wb", buffering=0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def submit() -> None:
            sock.sendall(encode(REQ, packets.SUBMIT_JOB_BG, b"function-0", b"", PAGE[:64]))
            assert sock.recv(4096)[7] == packets.JOB_CREATED

        def append() -> None:
            file.write(PAGE)
            os.fsync(file.fileno())

        def overwrite() -> None:
            os.pwrite(file.fileno(), PAGE, 0)
            os.fsync(file.fileno())

        measures = [partial(median_us, act, effort.writes) for act in (submit, append, overwrite)]
        submits, appends, overwrites = in_turn(2 * effort.rounds, *measures)
    print(line("p50 of a submit, beside 4 KB appended", "us", submits, appends, BESIDE_THE_DISK))
    print(line("p50 of a submit, beside 4 KB overwritten", "us", submits, overwrites, BESIDE_THE_DISK), flush=True)


# -- foreground jobs --------------------------------------------------------------------------------------------------


def show_foreground(effort: Effort, name: str) -> None:
    words = [*FOREGROUND[name].split(), "--seconds", str(effort.seconds), "--warm-up", "0.3"]
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(effort.rounds):  # new processes each: where in memory things happen to lie is worth some percent
        with scratch() as folder, in_a_file(folder) as with_store, nowhere(folder) as without:
            found = in_turn(2, partial(cost, with_store, words), partial(cost, without, words))
        for figures, costs in zip((ours, bare), found, strict=True):
            figures += [each.cpu_us for each in costs]
    print(line(f"foreground, {name}, beside no store", "us CPU", ours, bare, BESIDE_NO_STORE), flush=True)


# -- a long queue -----------------------------------------------------------------------------------------------------


def jobs_per_second(server: Server, jobs: int) -> float:
    """Of eight workers that do so many."""
    return cost(server, ["--workers", "8", "--drain", str(jobs)]).per_second


def first_job_s(folder: Path) -> float:
    """From the start of a server's process until a worker has its first job."""
    began = time.monotonic()
    with in_a_file(folder) as server:
        worker = program(built("load"), "--port", str(server.port), "--workers", "1", "--drain", "1", until="begin")
        with worker:
            return time.monotonic() - began


def show_long(jobs: int) -> None:
    """Memory, restart and draining with so many jobs."""
    drained = min(SHORT_QUEUE, jobs // 4)
    with scratch() as folder:
        with in_a_file(folder) as server:
            filled = cost(server, [*SUBMITTERS, *BODY, "--fill", str(jobs)])
            print(f"{jobs} jobs of 1 KB: {filled.per_second:.0f} submits/s")
            show_one("memory of the server", "MB", resident_bytes(server.pid) / 1e6, LONG_MB)
        show_one("start to first job", "s", first_job_s(folder), LONG_START_S)
        with in_a_file(folder) as server:
            long, short = in_turn(3, partial(jobs_per_second, server, drained), partial(short_queue, drained))
            show_one("memory of the server that drains", "MB", resident_bytes(server.pid) / 1e6, LONG_MB)
    print(line(f"draining, beside a queue of {drained}", "jobs/s", long, short, BESIDE_A_SHORT_QUEUE), flush=True)


def short_queue(jobs: int) -> float:
    """Jobs per second of one that is drained wholly."""
    with scratch() as folder, in_a_file(folder) as server:
        cost(server, [*SUBMITTERS, *BODY, "--fill", str(jobs)])
        return jobs_per_second(server, jobs)


def show_one(name: str, unit: str, found: float, wanted: Wanted) -> None:
    print(f"{name:<44} {unit:<7} {found:>10.1f} {'':>10} {'':>8}  {wanted.verdict(found)}", flush=True)


MEASURES: Final[dict[str, Callable[[Effort], None]]] = {
    "submits, 64 bytes": partial(show_submits, payload=64),
    "submits, 4096 bytes": partial(show_submits, payload=4096),
    "p50 of a submit": show_latency,
    **{f"foreground, {name}": partial(show_foreground, name=name) for name in FOREGROUND},
}


def main(argv: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability")
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--only", default="", metavar="NAME", help="what begins so, such as p50 or foreground")
    parser.add_argument("--long", type=int, metavar="N", help="a queue of N jobs instead")
    options = parser.parse_args(argv)
    effort = QUICK if options.quick else FULL
    print(f"{'durability':<44} {'':<7} {'ours':>10} {'theirs':>10} {'ratio':>8}  wanted")
    if options.long:
        show_long(options.long)
        return
    for name, show in MEASURES.items():
        if name.startswith(options.only):
            show(effort)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
