"""Fuzz one target: ``python -m tests.fuzz.run TARGET SECONDS``.

An input that broke the target is left in .fuzz/; add it to tests/fuzz/corpus/TARGET with the mending.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path(__file__).parents[2] / ".fuzz"


def main() -> None:
    name, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=["fleet"]):
        from tests.fuzz.targets import TARGETS
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as fresh:
        flags = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=5", "-print_final_stats=1", "-verbosity=0"]
        flags.append(f"-artifact_prefix={FOUND}/{name}-")
        atheris.Setup([sys.argv[0], *flags, fresh, str(CORPUS / name)], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
