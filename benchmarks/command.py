"""`fleet resize` as a whole process against a running fleet, beside a bare Python process with Pillow."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import FLEET, SAMPLES, fleet, in_turn, ratio, row

ROUNDS = 15
AT_MOST = 2.5

BARE = """
import sys
from PIL import Image
image = Image.open(sys.argv[1])
image.thumbnail((200, 150))
image.save(sys.argv[2], "JPEG")
"""


def milliseconds(*argv: str) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    large = str(SAMPLES / "large.jpg")
    with tempfile.TemporaryDirectory() as folder, fleet(2) as server:
        thumb = str(Path(folder) / "thumb.jpg")

        def ours() -> float:
            return milliseconds(*FLEET, "resize", large, "-o", thumb, "--servers", server)

        def bare() -> float:
            return milliseconds(sys.executable, "-c", BARE, large, thumb)

        in_turn(2, ours, bare)  # to warm up
        our_times, bare_times = in_turn(ROUNDS, ours, bare)
    print(f"large.jpg to 200x150 as a whole process, {ROUNDS} rounds")
    print(row("fleet resize", our_times, "ms"))
    print(row("python with Pillow", bare_times, "ms"))
    print(f"  ratio {ratio(our_times, bare_times):.2f} (wanted: at most {AT_MOST})")


if __name__ == "__main__":
    main()
