"""`fleet identify` and `fleet doctor`, as processes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import complaint, fleet
from tests.conftest import SAMPLES
from tests.images.engines.engines import engine


def test_identify_prints_a_line_for_each_picture() -> None:
    done = fleet("identify", SAMPLES / "kitten-p3.jpg", SAMPLES / "animated.gif")
    assert done.returncode == 0
    first, second = done.stdout.decode().splitlines()
    assert "ok, jpeg, 800x600, 1 frame" in first
    assert "profile Display P3" in first
    assert "ok, gif, 320x240, 12 frames" in second


def test_identify_says_it_in_json_and_by_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("no picture")
    some = fleet("identify", "--json", "--decode", SAMPLES / "kitten.png", tmp_path / "note.jpg")
    good, bad = map(json.loads, some.stdout.splitlines())
    assert (good["verdict"], good["format"], good["frames"]) == ("ok", "png", 1)
    assert good["engine"] in ("pillow", "vips")
    assert (bad["verdict"], bad["format"]) == ("unsupported", None)
    assert some.returncode == 6
    assert fleet("identify", tmp_path / "note.jpg").returncode == 5
    assert fleet("identify", tmp_path / "nothing").returncode == 2


def test_identify_names_what_it_cannot_read_in_one_line() -> None:
    done = fleet("identify", "missing.jpg")
    assert (done.returncode, complaint(done)) == (
        2,
        "fleet identify: cannot read missing.jpg: no such file or directory",
    )


def test_identify_reads_stdin() -> None:
    assert b"-: ok, avif" in fleet("identify", "-", stdin=(SAMPLES / "kitten.avif").read_bytes()).stdout


def test_doctor_tells_what_works_and_why_the_rest_does_not() -> None:
    engine("wand")
    report = json.loads(fleet("doctor", "--json").stdout)
    formats = {part["name"]: part for part in report["formats"]}
    assert all(formats[name]["state"] == "works" for name in ("jpeg", "png", "webp", "gif", "avif"))
    assert all(formats[name]["state"] == "off" for name in ("psd", "tiff", "svg", "pdf"))
    assert "the settings" in formats["psd"]["detail"]
    assert {part["name"] for part in report["sandbox"]} == {"isolation", "files", "calls"}
    assert "Pillow" in fleet("doctor").stdout.decode()


def test_doctor_knows_what_the_settings_allow(tmp_path: Path) -> None:
    engine("wand")
    (tmp_path / "fleet.toml").write_text('[images]\nformats = ["jpeg", "psd"]\n')
    formats = {p["name"]: p["state"] for p in json.loads(fleet("doctor", "--json", cwd=tmp_path).stdout)["formats"]}
    assert (formats["psd"], formats["png"]) == ("works", "off")


def test_doctor_fails_where_something_is_broken(tmp_path: Path) -> None:
    """A format that is asked for and that no engine here opens: as if the extra were not installed."""
    (tmp_path / "fleet.toml").write_text('[images]\nformats = ["heic"]\n')
    (tmp_path / "pillow_heif.py").write_text("raise ModuleNotFoundError('pillow_heif')\n")
    done = fleet("doctor", "--json", cwd=tmp_path, path=tmp_path)
    assert done.returncode == 1
    heic = next(part for part in json.loads(done.stdout)["formats"] if part["name"] == "heic")
    assert heic["state"] == "broken"
    assert "gearfleet[heif]" in heic["detail"]
