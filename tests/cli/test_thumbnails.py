"""`fleet thumbnails`: several sizes of many pictures, through a fleet and in its own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.images import Header, sniff
from fleet.settings import Address
from tests.cli.command import Done, complaint, fleet
from tests.conftest import SAMPLES, up
from tests.processes import FLEET, Program

pytestmark = pytest.mark.system

Thumbnails = Callable[..., Done]
SIZES = ("--size", "card=80x60", "--size", "icon=16x16")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with settings and four pictures."""
    (tmp_path / "fleet.toml").write_text('[presets.avatar]\nwidth = 32\nheight = 32\nfit = "cover"\nformat = "webp"\n')
    for name in ("orientation-1.jpg", "orientation-6.jpg", "kitten.gif", "kitten-palette.png"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    return tmp_path


@pytest.fixture(params=["remote", "local"])
def thumbnails(request: pytest.FixtureRequest, here: Path) -> Thumbnails:
    """The command, through a running fleet that has the settings, or by itself: it must make no difference."""
    if request.param == "local":
        return lambda *words: fleet("thumbnails", "--local", *words, "-d", "out", cwd=here)
    spawn: Callable[..., Program] = request.getfixturevalue("spawn")
    where: Address = up(spawn(*FLEET, "up", "--workers", "2", "--port", "0", cwd=here))
    return lambda *words: fleet("thumbnails", *words, "-d", "out", server=where, cwd=here)


def made(here: Path) -> dict[str, Header]:
    return {path.name: sniff(path.read_bytes()) for path in sorted((here / "out").iterdir())}


@pytest.mark.parametrize("command", [("resize", "-o", "out.png"), ("thumbnails", "-d", ".", "--size", "out=80x60")])
def test_a_watermark_is_a_file_of_this_machine(command: tuple[str, ...], here: Path) -> None:
    def marked(mark: str) -> Done:
        return fleet(*command, "--local", "kitten-palette.png", "--watermark", mark, cwd=here)

    assert (marked("orientation-1.jpg").returncode, len(list(here.glob("*out.png")))) == (0, 1)
    (here / "text.png").write_text("hello " * 50)
    for mark, text in {
        "nosuch.png": "there is no file nosuch.png, and no watermark of that name in the settings",
        "a" * 300: "and no watermark of that name in the settings",
        ".": "cannot read .: it is a directory",
        "text.png": "kitten-palette.png: the watermark cannot be used: this is text, not a picture",
    }.items():
        done = marked(mark)
        assert (done.returncode, text in complaint(done)) == (2, True), done.stderr


def test_all_sizes_of_all_that_a_pattern_fits(thumbnails: Thumbnails, here: Path) -> None:
    done = thumbnails("*.jpg", "kitten.gif", *SIZES, "--preset", "avatar", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert made(here) == {
        "kitten-avatar.webp": Header("webp", 32, 32),
        "kitten-card.png": Header("png", 80, 60),
        "kitten-icon.png": Header("png", 16, 12),
        "orientation-1-avatar.webp": Header("webp", 32, 32),
        "orientation-1-card.jpg": Header("jpeg", 80, 60),
        "orientation-1-icon.jpg": Header("jpeg", 16, 12),
        "orientation-6-avatar.webp": Header("webp", 32, 32),
        "orientation-6-card.jpg": Header("jpeg", 80, 60),
        "orientation-6-icon.jpg": Header("jpeg", 16, 12),
    }
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(each["source"], each["name"]) for each in facts} == {
        (source, name)
        for source in ("kitten.gif", "orientation-1.jpg", "orientation-6.jpg")
        for name in ("card", "icon", "avatar")
    }
    assert all(each["bytes"] == (here / each["target"]).stat().st_size for each in facts)


def test_it_goes_on_where_it_was_broken_off(thumbnails: Thumbnails, here: Path) -> None:
    (here / "out").mkdir()
    for name in ("orientation-1-card.jpg", "orientation-1-icon.png", "orientation-6-card.jpg"):
        (here / "out" / name).write_bytes(b"made before")
    assert thumbnails("*.jpg", *SIZES, "--skip-existing").returncode == 0
    assert (here / "out" / "orientation-1-card.jpg").read_bytes() == b"made before"
    assert sniff((here / "out" / "orientation-6-card.jpg").read_bytes()) == Header("jpeg", 80, 60)


def test_one_bad_picture_of_several_is_named_and_the_others_are_made(thumbnails: Thumbnails, here: Path) -> None:
    (here / "notes.jpg").write_text("no picture")
    done = thumbnails("notes.jpg", "orientation-1.jpg", *SIZES)
    assert done.returncode == 6
    assert complaint(done).startswith("fleet thumbnails: notes.jpg: this is text, not a picture")
    assert list(made(here)) == ["orientation-1-card.jpg", "orientation-1-icon.jpg"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "say which sizes are wanted"),
        (("--size", "80x60"), "write NAME=WxH or NAME=PRESET"),
        (("--size", "a=80x60", "--size", "a=9x9"), "each name once"),
        (("--size", "../x=80x60"), "write NAME=WxH"),
        (("--preset", "avatr"), "avatar"),
        (("--size", "a=0x0"), "width=0 makes no sense"),
        (("--size", "a=9x9", "--fit", "banana"), "fit=banana makes no sense"),
    ],
)
def test_sizes_that_make_no_sense(here: Path, words: tuple[str, ...], why: str) -> None:
    done = fleet("thumbnails", "--local", "kitten.gif", "-d", "out", *words, cwd=here)
    assert done.returncode == 2
    assert why in complaint(done)
