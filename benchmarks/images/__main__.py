"""The parts, one after the other, and at the end what was wanted and what was found."""

from __future__ import annotations

import shutil
import sys

from benchmarks import isolation
from benchmarks.images import memory, processor, quality, sizes, talk
from benchmarks.images.sharp import NODE

PARTS = {part.__name__.rpartition(".")[2]: part for part in (memory, quality, processor, sizes, isolation, talk)}


def main() -> None:
    missing = [name for name in ("php", "node", "vipsthumbnail") if not shutil.which(name)]
    if missing or not (NODE / "node_modules").exists():
        raise SystemExit(f"{', '.join(missing) or 'sharp'} is not installed: `make bench-images` installs it")
    if unknown := set(sys.argv[1:]) - PARTS.keys():
        raise SystemExit(f"there is no part {min(unknown)}; there are {', '.join(PARTS)}")
    goals = [goal for name in sys.argv[1:] or PARTS for goal in PARTS[name].goals()]
    print(f"\n{sum(goal.met for goal in goals)} of {len(goals)} goals are met")
    for goal in goals:
        print(goal)


if __name__ == "__main__":
    main()
