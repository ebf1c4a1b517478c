"""`fleet gearman` as a whole process: doing nothing, and with one tiny job; beside Debian's, and beside bare Python."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.command import milliseconds
from benchmarks.measure import FLEET, in_turn, program, ratio, row

ROUNDS = 25
OURS = (str(Path(sys.executable).with_name("fleet")), "gearman")
JOB = ("-f", "tiny", "x")


def main() -> None:
    with program(*FLEET, "server", "--port", "0", until="listening") as (_, lines):
        host, _, port = lines[-1].split()[-1].rpartition(":")
        where = ("-h", host, "-p", port)
        with program("gearman", *where, "-w", "-f", "tiny", "cat"):
            milliseconds("gearman", *where, *JOB)  # returns when the worker is there
            measures = {
                "fleet gearman -H": (*OURS, "-H"),
                "fleet gearman, one tiny job": (*OURS, *where, *JOB),
                "python -c pass": (sys.executable, "-c", "pass"),
                "Debian's gearman -H": ("gearman", "-H"),
                "Debian's gearman, one tiny job": ("gearman", *where, *JOB),
            }
            figures = in_turn(ROUNDS, *(partial(quiet, *argv) for argv in measures.values()))
    print(f"whole processes, {ROUNDS} rounds")
    for name, found in zip(measures, figures, strict=True):
        print(row(name, found, "ms"))
    ours, bare, theirs = figures[1], figures[2], figures[4]
    print(f"  one tiny job: {ratio(ours, bare):.1f} times bare Python, {ratio(ours, theirs):.0f} times Debian's")


def quiet(*argv: str) -> float:
    """Milliseconds of a command that prints."""
    return milliseconds("sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *argv)


if __name__ == "__main__":
    main()
