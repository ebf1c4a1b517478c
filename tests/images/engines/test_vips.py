"""What holds for libvips alone: it opens what it is told to open, in little memory, and says what is wrong."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from fleet.images import Spec, render
from tests.images.builders import png, sample, small, verdict
from tests.images.engines.engines import engine

CUT = ("kitten.png", "kitten.webp", "kitten-progressive.jpg", "kitten.gif", "kitten-alpha.png", "large.jpg")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", CUT)
def test_m16_m25_what_breaks_off_is_corrupt(name: str, share: float) -> None:
    engine("vips")
    data = sample(name)
    assert verdict(lambda: render(data[: int(len(data) * share)], Spec(engine="vips"))) == "corrupt"


@pytest.mark.parametrize("name", CUT)
def test_a_header_without_pixels_is_corrupt(name: str) -> None:
    engine("vips")
    data = bytearray(sample(name))
    data[len(data) // 3 :] = bytes(len(data) - len(data) // 3)
    assert verdict(lambda: render(data, Spec(engine="vips"))) in ("corrupt", "good")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind: type) -> None:
    engine("vips")
    assert render(kind(small("png")), Spec(8, 8, engine="vips")).width == 8


def test_only_the_loaders_that_are_named_can_run() -> None:
    vips = engine("vips")
    import pyvips

    assert vips.formats == {"jpeg", "png", "webp", "gif", "svg"}
    calls: list[Callable[[], object]] = [
        lambda: pyvips.Image.new_from_file("/etc/passwd"),
        lambda: pyvips.Image.new_from_buffer(small("png"), ""),
        lambda: pyvips.Image.new_from_buffer(b"1 2 3\n4 5 6\n", ""),
        lambda: pyvips.Image.black(2, 2).write_to_buffer(".png"),
    ]
    for call in calls:
        with pytest.raises(pyvips.Error):
            call()


@pytest.mark.slow
def test_a_large_png_takes_little_memory() -> None:
    engine("vips")
    script = """
import resource, sys
from fleet.images import Spec, render
data = sys.stdin.buffer.read()
render(data[: int(sys.argv[1])], Spec(engine="vips"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
render(data[int(sys.argv[1]) :], Spec(engine="vips"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    few, many = small("png"), png(8000, 6200, 8, 2, zlib.compress(bytes((1 + 24000) * 6200), 1))
    done = subprocess.run(
        [sys.executable, "-c", script, str(len(few))], input=few + many, capture_output=True, check=True, timeout=60
    )
    assert int(done.stdout) < 100  # MiB; as pixels it has 142
