"""`fleet resize`: through a fleet and in its own process, one picture and many, good and bad."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fleet.images import Header, sniff
from fleet.settings import MIB, Address
from tests.cli.command import Done, complaint, fleet
from tests.conftest import SAMPLES

pytestmark = pytest.mark.system

Resize = Callable[..., Done]


@pytest.fixture(params=["remote", "local"])
def resize(request: pytest.FixtureRequest) -> Resize:
    """`fleet resize`, through a running fleet or by itself: it must make no difference."""
    if request.param == "local":
        return lambda *words, **how: fleet("resize", "--local", *words, **how)
    where: Address = request.getfixturevalue("fleet_of_two")
    return lambda *words, **how: fleet("resize", *words, server=where, **how)


def png(width: int, height: int) -> bytes:
    """A black one-bit PNG, however large, in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    row = b"\0" * (1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\1\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_kitten_becomes_a_thumbnail(resize: Resize, tmp_path: Path) -> None:
    thumb = tmp_path / "thumb.jpg"
    done = resize(SAMPLES / "large.jpg", "-o", thumb)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sniff(thumb.read_bytes()) == Header("jpeg", 200, 150)
    with Image.open(thumb) as made, Image.open(SAMPLES / "large.jpg") as large:
        large.draft("RGB", (800, 600))
        expected = large.resize((200, 150))
        pairs = zip(made.convert("L").tobytes(), expected.convert("L").tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / (200 * 150) < 4


def test_options(resize: Resize, tmp_path: Path) -> None:
    avatar = tmp_path / "avatar.webp"
    done = resize(SAMPLES / "kitten.png", "-o", avatar, "--size", "64x64", "--fit", "cover", "--quality", "50")
    assert done.returncode == 0
    assert sniff(avatar.read_bytes()) == Header("webp", 64, 64)


def test_the_output_has_the_very_name_it_was_given(tmp_path: Path) -> None:
    for name in ("thumb", "thumb.jpg.new"):
        made = fleet("resize", "--local", SAMPLES / "kitten.png", "-o", tmp_path / name, "--format", "jpeg")
        assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thumb", "thumb.jpg.new"]


def test_a_file_in_a_directory_is_named_for_what_it_is(tmp_path: Path) -> None:
    source = tmp_path / "kitten.jpg.png"
    source.symlink_to(SAMPLES / "kitten.png")
    assert fleet("resize", "--local", source, "-d", tmp_path / "thumbs", "--format", "webp").returncode == 0
    assert [path.name for path in (tmp_path / "thumbs").iterdir()] == ["kitten.jpg.webp"]


def test_a_device_or_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert fleet("resize", "--local", SAMPLES / "kitten.png", "-o", pipe, "--size", "8x8").returncode == 0
        assert sniff(os.read(reader, 65536)) == Header("png", 8, 6)
    finally:
        os.close(reader)
    assert list(tmp_path.iterdir()) == [pipe]


NAMES = ["|touch x", "msl:x", "a.jpg[0-9999]", "two\nlines", "-o", "@list", "x" * 200, "caf\udce9"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_m07_a_name_never_reaches_a_decoder(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.png").write_bytes((SAMPLES / "kitten.png").read_bytes())
    (tmp_path / f"{name}.txt").write_text("no picture")
    made = fleet("resize", "--local", "-d", "out", "--size", "8x8", "--", f"{name}.png", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, b"")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{name}.png"]
    bad = fleet("resize", "--local", "-d", "out", "--", f"{name}.txt", cwd=tmp_path)
    assert bad.returncode == 5
    assert "this is text, not a picture" in complaint(bad)
    assert len(list(tmp_path.iterdir())) == 3


def test_m07_names_that_cannot_be_are_a_clear_error() -> None:
    done = fleet("resize", "--local", "x" * 4096, "-d", "out")
    assert done.returncode == 2
    assert "file name too long" in complaint(done)


def test_m03_a_png_that_is_called_a_jpeg_is_decoded_as_what_it_is(resize: Resize, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes((SAMPLES / "kitten.png").read_bytes())
    done = resize(tmp_path / "photo.jpg", "-o", tmp_path / "thumb.webp", "--json")
    assert json.loads(done.stdout)["source_format"] == "png"


def test_stdin_and_stdout(resize: Resize) -> None:
    done = resize("-", "-o", "-", "--size", "x30", "--format", "png", stdin=(SAMPLES / "kitten.gif").read_bytes())
    assert sniff(done.stdout) == Header("png", 40, 30)


def test_many_files_into_a_directory(resize: Resize, tmp_path: Path) -> None:
    sources = [SAMPLES / f"orientation-{n}.jpg" for n in range(1, 9)] + [SAMPLES / "kitten.webp"]
    done = resize(*sources, "-d", tmp_path / "thumbs", "--size", "40x40")
    assert (done.returncode, done.stderr) == (0, b"")
    made = sorted((tmp_path / "thumbs").iterdir())
    assert [path.name for path in made] == ["kitten.webp", *(f"orientation-{n}.jpg" for n in range(1, 9))]
    assert {sniff(path.read_bytes())[1:3] for path in made} == {(40, 30)}


def test_one_bad_file_of_several_is_named_and_the_others_are_made(resize: Resize, tmp_path: Path) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("not a picture")
    good = [SAMPLES / "kitten.gif", SAMPLES / "orientation-3.jpg"]
    done = resize(good[0], bad, good[1], "-d", tmp_path / "thumbs", "--format", "jpeg")
    assert done.returncode == 6
    assert complaint(done).startswith(f"fleet resize: {bad}: this is text, not a picture")
    assert sorted(path.name for path in (tmp_path / "thumbs").iterdir()) == ["kitten.jpg", "orientation-3.jpg"]


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"Dear diary, today I was resized.\n", "this is text, not a picture"),
    "cut.jpg": ((SAMPLES / "large.jpg").read_bytes()[:1_000_000], "the JPEG's data ends before the picture does"),
    "bomb.png": (png(30_000, 29_000), "the picture has 30000x29000 pixels; the limit is 20000 on a side"),
    "heavy.jpg": ((SAMPLES / "kitten-grey.jpg").read_bytes() + bytes(33 * MIB), "the limit is 32 MiB"),
    "huge.jpg": ((SAMPLES / "kitten-grey.jpg").read_bytes() + bytes(65 * MIB), "MiB"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(resize: Resize, tmp_path: Path, name: str) -> None:
    data, why = BAD_FILES[name]
    source, thumb = tmp_path / name, tmp_path / "out" / "thumb.jpg"
    thumb.parent.mkdir()
    source.write_bytes(data)
    done = resize(source, "-o", thumb)
    assert done.returncode == 5
    assert complaint(done).startswith(f"fleet resize: {source}: ")
    assert why in complaint(done)
    assert list(thumb.parent.iterdir()) == []
    assert resize(SAMPLES / "kitten.png", "-o", thumb).returncode == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--size", "0x0"], "width=0 makes no sense; it is a whole number from 1 to 8192"),
        (["--size", "100"], "'100' is no size; write WIDTHxHEIGHT"),
        (["--size", "-5x5"], "is no size"),
        (["--size", "99999x5"], "width=99999 makes no sense"),
        (["--fit", "banana"], "fit=banana makes no sense; it is one of inside, outside, cover, contain, fill"),
        (["--fit", "covr"], "did you mean cover?"),
        (["--format", "bmp"], "format=bmp makes no sense"),
        (["--quality", "101"], "quality=101 makes no sense; it is a whole number from 1 to 100"),
        (["--background", "red"], "background='red' is no colour"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, words: list[str], why: str) -> None:
    thumb = tmp_path / "thumb.jpg"
    done = fleet("resize", "--local", str(SAMPLES / "kitten.png"), "-o", thumb, *words)
    assert done.returncode == 2
    assert why in complaint(done)
    assert not thumb.exists()


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    missing = fleet("resize", "--local", tmp_path / "missing.jpg", "-o", tmp_path / "thumb.jpg")
    assert (missing.returncode, complaint(missing)) == (
        2,
        f"fleet resize: cannot read {tmp_path}/missing.jpg: no such file or directory",
    )
    nowhere = fleet("resize", "--local", SAMPLES / "kitten.png", "-o", tmp_path / "no" / "thumb.jpg")
    assert nowhere.returncode == 2
    assert complaint(nowhere).endswith(f"/no/thumb.jpg: there is no directory {tmp_path}/no; make it first")


def test_m25_a_part_of_a_picture_is_said_to_be_one(resize: Resize, tmp_path: Path) -> None:
    half, thumb = tmp_path / "half.jpg", tmp_path / "thumb.jpg"
    data = (SAMPLES / "kitten-p3.jpg").read_bytes()
    half.write_bytes(data[: len(data) // 2])
    strict = resize(half, "-o", thumb)
    assert (strict.returncode, thumb.exists()) == (5, False)
    done = resize(half, "-o", thumb, "--lenient", "--json")
    assert (done.returncode, json.loads(done.stdout)["complete"]) == (0, False)
    assert complaint(done) == f"fleet resize: {half}: it is broken, and {thumb} is what could be decoded of it"
    assert sniff(thumb.read_bytes()) == Header("jpeg", 200, 150)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "say where the result goes"),
        (["-o", "a.jpg", "-d", "b"], "say where the result goes"),
        (["-o", "thumb.tiff"], "no format is written as .tiff"),
        (["-o", "tests"], "tests is a directory; use -d tests, or name a file in it"),
        (["-o", "tests/none/"], "tests/none/ is a directory; use -d tests/none/, or name a file in it"),
        (["-o", ""], "--output has no value; leave it out"),
    ],
)
def test_where_the_result_goes_must_be_clear(words: list[str], why: str) -> None:
    done = fleet("resize", "--local", SAMPLES / "kitten.png", *words)
    assert done.returncode == 2
    assert why in complaint(done)


def test_two_results_of_one_name_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = fleet("resize", "--local", SAMPLES / "kitten.png", SAMPLES / "kitten.gif", "-d", tmp_path)
    assert done.returncode == 2
    assert "would both become kitten" in complaint(done)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_result_survives_a_failure(tmp_path: Path) -> None:
    thumb = tmp_path / "thumb.jpg"
    thumb.write_bytes(b"precious")
    assert fleet("resize", "--local", "-", "-o", thumb, stdin=b"text").returncode == 5
    assert thumb.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == [thumb]


def test_the_result_is_a_clean_picture(resize: Resize) -> None:
    done = resize(SAMPLES / "large.jpg", "-o", "-")
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert "exif" not in image.info
        assert "icc_profile" not in image.info


def test_a_preset_that_nobody_knows_is_told_at_once_and_not_at_the_deadline(fleet_of_two: Address) -> None:
    done = fleet("resize", SAMPLES / "kitten.png", "-o", "-", "--preset", "nosuch", server=fleet_of_two)
    assert done.returncode == 2
    assert complaint(done) == "fleet: there is no preset 'nosuch' there; there are: none"
