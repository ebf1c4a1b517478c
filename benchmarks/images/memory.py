"""The most memory of a runner, with its libraries and the picture's bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.measure import ROOT, SAMPLES, Goal
from fleet.images import Spec, pipeline, render
from fleet.workers.environment import for_runners


def peak(path: str, engine: str | None) -> float:
    """In MB, of a process forked for a picture from one that is warm, as the pool does it.

    To be called in a process of its own, so that nothing else was ever in its memory.
    """
    pipeline.warm_up()
    data = Path(path).read_bytes()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            render(data, Spec(200, 150, engine=engine), facts=False)
            code = 0
        finally:
            os._exit(code)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return usage.ru_maxrss * 1024 / 1e6


def goals() -> Iterator[Goal]:
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "50-megapixels.png"
        Image.open(SAMPLES / "kitten.png").resize((8160, 6120)).save(large, compress_level=1)
        for name, path, engine, most in (
            ("12-megapixel JPEG", SAMPLES / "large.jpg", None, 60),
            ("50-megapixel PNG by Pillow", large, "pillow", 450),
            ("50-megapixel PNG by libvips", large, "vips", 150),
        ):
            call = f"from benchmarks.images.memory import peak; print(peak({str(path)!r}, {engine!r}))"
            argv, where = [sys.executable, "-c", call], for_runners(os.environ)
            done = subprocess.run(argv, check=True, cwd=ROOT, env=where, stdout=subprocess.PIPE, text=True)
            yield Goal(f"memory of a runner, MB: {name}", float(done.stdout), most)
