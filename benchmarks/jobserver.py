"""Our job server, gearmand and a floor in C under the same loads: processor time per job, jobs per second, memory.

The figure to trust is the server's own processor time per job, all threads: whoever else uses the machine at the
same time changes jobs per second more. The floor (`c/floor.c`) is the least that a server in C can do; `c/load.c`
plays the clients and workers. Servers are started anew for each load and take turns within it; what is printed are
medians of the rounds, and medians of the rounds' own ratios. Ours takes part twice: as it is, and with the core that
`make compiled` made, if it did.

    python -m benchmarks.jobserver              all of it, in under eight minutes
    python -m benchmarks.jobserver --quick      one short round each: a look, not a result
    python -m benchmarks.jobserver --only 8+8   what begins so
"""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import cpu_seconds, in_turn, program, ratio
from benchmarks.servers import COMPILED, COMPILED_AT, FLOOR, GEARMAND, OURS, SERVERS, SPARING, Server, built

DESCRIPTORS = 8192  # for 2,001 connections on either side, and room


@dataclass(frozen=True)
class Load:
    """What clients and workers do, as options of `load`, and what our server may cost beside others."""

    name: str
    options: str
    at_most: tuple[tuple[str, float | None], ...]  # beside whom, how many times its processor time per job


LOADS: Final = (
    Load("1+1", "--clients 1 --workers 1", ((GEARMAND, None),)),
    Load("8+8", "--clients 8 --workers 8", ((GEARMAND, 0.60),)),
    Load("32+32", "--clients 32 --workers 32", ((GEARMAND, 1.00),)),
    Load("200+200", "--clients 200 --workers 200", ((GEARMAND, 1.00),)),
    Load("8+8, 32 in flight", "--clients 8 --workers 8 --depth 32", ((GEARMAND, 0.65),)),
    Load("1+8, 32 in flight, background", "--clients 1 --workers 8 --depth 32 --background", ((GEARMAND, 0.40),)),
    Load("the same, as fast as it is done", "--clients 1 --workers 8 --depth 32 --paced", ((GEARMAND, None),)),
    Load("1+500, idle workers", "--clients 1 --workers 500", ((GEARMAND, 0.02), (SPARING, 0.90))),
    Load("1+2,000, idle workers", "--clients 1 --workers 2000", ((GEARMAND, 0.02), (SPARING, 0.90))),
    Load("8+8, 1,000 functions each", "--clients 8 --workers 8 --functions 1000", ((GEARMAND, 0.70),)),
    Load("8+8, 16 KB", "--clients 8 --workers 8 --payload 16384", ((GEARMAND, 0.90),)),
    Load("4+4, 3 MB", "--clients 4 --workers 4 --payload 3000000", ((GEARMAND, 1.00),)),
)
FILL_NAME = "filling, 8 clients, 32 in flight"
FILL_OPTIONS = "--clients 8 --depth 32"  # background jobs of 64 bytes, each with a unique of 36
FILL_RATE_AT_LEAST = 8.0  # times gearmand's
FILL_MEMORY_AT_MOST = 0.60  # of gearmand's, for a queued job


class Effort(NamedTuple):
    """How long to look."""

    rounds: int
    seconds: float
    warm_up_s: float
    fill_rounds: int
    fill_jobs: int


FULL = Effort(rounds=5, seconds=1.2, warm_up_s=0.3, fill_rounds=3, fill_jobs=200_000)
QUICK = Effort(rounds=1, seconds=0.6, warm_up_s=0.2, fill_rounds=1, fill_jobs=50_000)


class Cost(NamedTuple):
    """What one round took of a server, for each job."""

    cpu_us: float
    per_second: float
    bytes: float


# -- measuring --------------------------------------------------------------------------------------------------------


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def cost(server: Server, options: Sequence[str]) -> Cost:
    """Play the load against a server: what lies between its `begin` and its `end` counts."""
    load = program(built("load"), "--port", str(server.port), *options, until="begin")
    with load as (process, _):
        cpu, memory = cpu_seconds(server.pid), resident_bytes(server.pid)
        assert process.stdout
        end = process.stdout.readline().split()
        cpu, memory = cpu_seconds(server.pid) - cpu, resident_bytes(server.pid) - memory
        if not end or process.wait(120):
            raise SystemExit("the load broke off")
    jobs, seconds = int(end[1]), float(end[2])
    return Cost(cpu / jobs * 1e6, jobs / seconds, memory / jobs)


def ours() -> list[str]:
    return [OURS, COMPILED] if COMPILED_AT.exists() else [OURS]


def play(load: Load, effort: Effort) -> dict[str, list[Cost]]:
    """Each server's rounds of a load."""
    words = [*load.options.split(), "--seconds", str(effort.seconds), "--warm-up", str(effort.warm_up_s)]
    names = [*ours(), *(name for name, _ in load.at_most), FLOOR]
    with ExitStack() as stack:
        servers = [stack.enter_context(SERVERS[name]()) for name in names]
        measures = [partial(cost, server, words) for server in servers]
        return dict(zip(names, in_turn(effort.rounds, *measures), strict=True))


def fill(effort: Effort) -> dict[str, list[Cost]]:
    """Each server's rounds of being filled, each into a new process."""
    words = [*FILL_OPTIONS.split(), "--fill", str(effort.fill_jobs)]

    def filled(name: str) -> Cost:
        with SERVERS[name]() as server:
            return cost(server, words)

    names = [*ours(), GEARMAND, FLOOR]
    measures: list[Callable[[], Cost]] = [partial(filled, name) for name in names]
    return dict(zip(names, in_turn(effort.fill_rounds, *measures), strict=True))


# -- the table --------------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """A bound on the ratio of ours to theirs."""

    sign: str = ""
    bound: float = 0.0

    def verdict(self, *found: float) -> str:
        if not self.sign:
            return ""
        met = [ratio <= self.bound if self.sign == "<=" else ratio >= self.bound for ratio in found]
        return f"{self.sign} {self.bound:4.2f}  {', '.join('met' if each else 'MISSED' for each in met)}"


ANYTHING: Final = Wanted()


def line(name: str, unit: str, costs: dict[str, list[Cost]], beside: str, wanted: Wanted = ANYTHING) -> str:
    figures = {who: [getattr(c, UNITS[unit]) for c in found] for who, found in costs.items()}
    medians = [statistics.median(figures[who]) for who in (*ours(), beside, FLOOR)]
    ratios = [ratio(figures[who], figures[beside]) for who in ours()]
    label = f"{name} (-w 1)" if beside == SPARING else name
    columns = [f"{label:<34} {unit:<9}", *(f"{m:>9.1f}" for m in medians), *(f"{r:>8.3f}" for r in ratios)]
    return " ".join(columns) + "  " + wanted.verdict(*ratios)


UNITS: Final = {"us CPU": "cpu_us", "jobs/s": "per_second", "bytes": "bytes"}


def show(load: Load, effort: Effort) -> None:
    costs = play(load, effort)
    for beside, bound in load.at_most:
        print(line(load.name, "us CPU", costs, beside, Wanted("<=", bound) if bound else ANYTHING))
        print(line("", "jobs/s", costs, beside), flush=True)


def show_fill(effort: Effort) -> None:
    costs = fill(effort)
    print(line(FILL_NAME, "us CPU", costs, GEARMAND))
    print(line("", "jobs/s", costs, GEARMAND, Wanted(">=", FILL_RATE_AT_LEAST)))
    print(line("", "bytes", costs, GEARMAND, Wanted("<=", FILL_MEMORY_AT_MOST)), flush=True)


def main(argv: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobserver")
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--only", default="", metavar="NAME", help="what begins so, such as 8+8 or filling")
    options = parser.parse_args(argv)
    effort = QUICK if options.quick else FULL
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most), most))  # the servers inherit it
    print(f"job servers, 64-byte payloads unless said otherwise, {effort.rounds} rounds of {effort.seconds:g} s")
    compiled = len(ours()) - 1
    names = ["ours", *["compiled"] * compiled, "gearmand", "floor"]
    print(f"{'per job':<44}", *(f"{n:>9}" for n in names), *[f"{'ratio':>8}"] * (1 + compiled), " wanted")
    for load in LOADS:
        if load.name.startswith(options.only):
            show(load, effort)
    if FILL_NAME.startswith(options.only):
        show_fill(effort)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
