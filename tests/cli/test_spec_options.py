"""The command's options are the fields of `Spec`, each once, and mean the same."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from fleet.cli.app import tree
from fleet.cli.spec_options import chosen
from fleet.errors import BadSpec
from fleet.images import Spec
from tests.cli.command import complaint, fleet
from tests.conftest import SAMPLES


@pytest.mark.parametrize("name", ["resize", "thumbnails"])
def test_every_option_of_a_spec_is_one_of_the_command(name: str) -> None:
    command = get_command(tree(None)).commands[name]  # type: ignore[attr-defined]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    wanted = {"--" + field.name.replace("_", "-") for field in fields(Spec)} - {"--width", "--height"}
    assert wanted <= flags


def test_texts_become_the_values_that_a_spec_checks() -> None:
    read = chosen({"focus": "0.3,1", "crop": "1,2,30,40", "blur": "1.5", "trim": "10", "flip": True, "quality": None})
    assert read == {"focus": [0.3, 1], "crop": [1, 2, 30, 40], "blur": 1.5, "trim": 10, "flip": True}
    assert Spec(**read).crop == (1, 2, 30, 40)
    with pytest.raises(BadSpec, match="focus x='a' makes no sense"):
        Spec(**chosen({"focus": "a,1"}))


@pytest.mark.system
def test_operations_presets_facts_and_patterns_on_a_command_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[presets.avatar]\nwidth = 64\nheight = 64\nfit = "cover"\nformat = "webp"\n')
    pattern = str(SAMPLES / "orientation-[67].jpg")
    words = ("resize", "--local", pattern, "-d", tmp_path / "a", "--json")
    done = fleet(*words, "--preset", "avatar", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["format"], line["width"], Path(line["target"]).name) for line in lines] == [
        ("webp", 64, "orientation-6.webp"),
        ("webp", 64, "orientation-7.webp"),
    ]
    assert fleet(*words, "--preset", "avatar", "--skip-existing", cwd=tmp_path).stdout == b""
    assert "there is no preset 'avatra' (did you mean avatar?)" in complaint(
        fleet(*words, "--preset", "avatra", cwd=tmp_path)
    )
    assert "leave out --blur" in complaint(fleet(*words, "--preset", "avatar", "--blur", "2", cwd=tmp_path))


@pytest.mark.system
def test_thumbnails_by_name(tmp_path: Path) -> None:
    words = ("thumbnails", "--local", SAMPLES / "kitten.png", "-d", tmp_path, "--format", "png")
    assert fleet(*words, "--size", "a=40x30", "--size", "b=x60").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kitten-a.png", "kitten-b.png"]
    assert "write NAME=WxH" in complaint(fleet(*words, "--size", "40x30"))
