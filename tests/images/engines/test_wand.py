"""ImageMagick under our policy: it opens Photoshop files, and nothing makes it start, fetch or read anything else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from fleet.errors import BadImage
from fleet.images import Limits, Spec, render
from tests.images.builders import chunk, png, verdict
from tests.images.engines.engines import EVERYTHING, engine, psd

MVG = "push graphic-context\nviewbox 0 0 64 48\n{}\npop graphic-context\n"
HOSTILE = {
    "mvg": MVG.format('fill \'url(https://example.com/x.png"|touch "{canary}")\''),
    "msl": '<?xml version="1.0"?><image><read filename="/etc/passwd"/><write filename="{canary}"/></image>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="msl:{canary}" width="9" height="9"/></svg>',
    "eps": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {canary}) (w) file closefile\nshowpage\n",
    "ps": "%!PS\n(%pipe%touch {canary}) (w) file closefile\nshowpage\n",
    "pdf": "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "text": "@/etc/passwd",
    "label": "@/etc/passwd",
    "png": "not even a PNG",
}
# Loads the engine, then has ImageMagick itself open what our own sniffer would never have let through.
ATTEMPT = """
import sys
from fleet.images.engines.wand import WAND
from wand.image import Image
format, data = sys.argv[1], sys.stdin.buffer.read()
for open_it in (lambda: Image(blob=data, format=format), lambda: Image(filename=format + ":" + sys.argv[2])):
    try:
        open_it()
    except Exception as error:
        print(error)
    else:
        sys.exit("it was opened")
"""


@pytest.mark.parametrize("format", HOSTILE)
def test_m05_m06_what_could_start_or_read_something_is_denied(format: str, tmp_path: Path) -> None:
    engine("wand")
    canary, programs = tmp_path / "canary", tmp_path / "bin"
    programs.mkdir()
    for name in ("gs", "curl", "rsvg-convert", "inkscape", "xdg-open"):
        program = programs / name
        program.write_text(f"#!/bin/sh\ntouch {canary}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    data = HOSTILE[format].replace("{canary}", str(canary)).encode()
    (tmp_path / "source").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT, format, str(tmp_path / "source")],
        input=data,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    refusals = done.stdout.decode().splitlines()
    assert len(refusals) == 2
    assert all("not allowed by the security policy" in line or "no decode delegate" in line for line in refusals), (
        refusals
    )
    assert not canary.exists()


@pytest.mark.parametrize("format", HOSTILE)
def test_m05_m06_the_sniffer_lets_none_of_it_reach_a_decoder(format: str) -> None:
    assert verdict(lambda: render(HOSTILE[format].encode())) == "unsupported"


@pytest.mark.parametrize("opener", ["pillow", "vips"])
def test_m08_a_file_named_in_a_picture_is_not_read(opener: str) -> None:
    engine(opener)
    text = chunk(b"tEXt", b"profile\0/etc/passwd")
    data = png(4, 3, 8, 0, zlib.compress(bytes(15)), text, chunk(b"tEXt", b"profile\0-"))
    made = render(data, Spec(format="png", engine=opener))
    assert not made.count(b"tEXt")
    assert not made.count(b"root:")
    assert not made.count(b"profile")


def test_m55_without_the_policy_in_force_there_is_no_engine(tmp_path: Path) -> None:
    engine("wand")
    script = "import fleet.images.engines.router as r; print(r.load('wand'))"
    # As if something had loaded ImageMagick before us, under the system's policy alone.
    done = subprocess.run(
        [sys.executable, "-c", f"from wand.image import Image; Image(blob=b'P5 1 1 255 0', format='pgm'); {script}"],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "MAGICK_CONFIGURE_PATH"},
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("ImageMagick's policy is not in force")
    assert "MVG" in done.stdout


def test_without_a_limit_of_time_that_would_end_an_old_pool() -> None:
    """ImageMagick counts from the start of the process, and exits: what it may take is the runner's to limit."""
    engine("wand")
    script = "import fleet.images.engines.router as r; print(r.load('wand'))"
    where = {**os.environ, "MAGICK_TIME_LIMIT": "60"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=where, check=True)
    assert "it ends the process after 60 seconds" in done.stdout


def test_a_photoshop_file_is_not_opened_unless_the_settings_say_so() -> None:
    data = psd(Image.new("RGB", (4, 3)))
    with pytest.raises(BadImage, match="a Photoshop file, which is not opened here"):
        render(data)


@pytest.mark.parametrize("cut", [30, 60, 2000])
def test_a_broken_photoshop_file_is_corrupt(cut: int) -> None:
    engine("wand")
    data = psd(Image.new("RGB", (40, 30), "#4080c0"))
    assert verdict(lambda: render(data[:cut], limits=EVERYTHING)) in ("corrupt", "good")


@pytest.mark.parametrize(("channels", "depth", "wanted"), [(57, 8, "corrupt"), (0, 8, "corrupt"), (3, 7, "corrupt")])
def test_a_header_that_lies_is_corrupt(channels: int, depth: int, wanted: str) -> None:
    data = psd(Image.new("RGB", (4, 3)), channels, depth)
    assert verdict(lambda: render(data, limits=EVERYTHING)) == wanted


def test_limits_hold_for_photoshop_files_too() -> None:
    engine("wand")
    data = psd(Image.new("RGB", (40, 30)))
    assert verdict(lambda: render(data, limits=Limits(formats=frozenset({"psd"}), pixels=1000))) == "too-large"


def test_its_clock_which_begins_in_the_zygote_stops_nobody() -> None:
    engine("wand")
    from wand.resource import limits

    assert limits["time"] > 10**9
