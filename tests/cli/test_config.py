"""`fleet config show`, and that the settings reach the pool and the server."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.cli.keeping import policies
from fleet.errors import UsageError
from fleet.settings import Address, FunctionPolicy
from tests.cli.command import complaint, fleet
from tests.processes import FLEET, Program

SETTINGS = """
servers = "img1:4730"
[pool]
workers = 3
[presets.avatar]
width = 64
[functions.resize]
cache_s = 100
"""


def test_what_it_prints_are_settings_again_with_their_origins(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(SETTINGS)
    done = fleet("config", "show", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    found = tomllib.loads(done.stdout.decode())
    assert found["pool"]["workers"] == 3
    assert found["pool"]["deadline_s"] == 20.0
    assert found["presets"] == {"avatar": {"width": 64}}
    assert found["functions"]["resize"] == {"cache_s": 100}
    assert found["functions"]["*"]["attempts"] == 1
    origins = {line.split(" = ")[0]: line.rpartition("# ")[2] for line in done.stdout.decode().splitlines()}
    assert (origins["servers"], origins["pool.deadline_s"]) == ("fleet.toml", "default")
    (tmp_path / "again.toml").write_bytes(done.stdout)
    again = fleet("config", "show", cwd=tmp_path, settings=tmp_path / "again.toml")
    assert tomllib.loads(again.stdout.decode()) == found


def test_a_span_is_shown_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[functions.'*']\nkeep = '2h'\n[functions.resize]\ncache = '1h'\n")
    found = tomllib.loads(fleet("config", "show", cwd=tmp_path).stdout.decode())["functions"]
    assert (found["*"]["keep_s"], found["resize"]) == (7200, {"cache_s": 3600})


def test_it_says_the_same_in_json(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(SETTINGS)
    done = fleet("config", "show", "--json", cwd=tmp_path, server=Address(port=99))
    found = {each["key"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert found["servers"] == {"key": "servers", "value": "127.0.0.1:99", "origin": "FLEET_SERVERS"}
    assert found["pool.workers"] == {"key": "pool.workers", "value": 3, "origin": "fleet.toml"}


@pytest.mark.parametrize("words", [("config", "show"), ("up",), ("worker",), ("server", "--port", "0")])
def test_settings_that_make_no_sense_are_told_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "fleet.toml").write_text("[pool]\nworkers = 'many'\n")
    done = fleet(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert complaint(done) == ("fleet: fleet.toml: pool.workers: 'many' makes no sense; it is a whole number to 1024")


@pytest.mark.system
def test_a_fleet_is_as_the_settings_say(spawn: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(SETTINGS)
    program = spawn(*FLEET, "up", "--port", "0", cwd=tmp_path)
    program.out.until("listening ")
    assert program.out.line().split()[1:4] == ["ready", "3", "slots:"]
    assert program.out.seen[-1].endswith("thumb.avatar")
    assert program.stop() == 0


def test_a_functions_own_settings_count_before_the_flags_for_all() -> None:
    settings = {"*": {"attempts": 5, "keep_s": 10}, "mail": {"attempts": 9}, "resize": {"cache_s": 99}}
    found = policies(settings, ["thumbnail=7m"], attempts=2, keep_s=None)
    assert found == {
        "": FunctionPolicy(attempts=2, keep_s=10),
        "mail": FunctionPolicy(attempts=9, keep_s=10),
        "resize": FunctionPolicy(attempts=2, keep_s=99, cache_s=99),
        "thumbnail": FunctionPolicy(attempts=2, keep_s=420, cache_s=420),
    }


@pytest.mark.parametrize("word", ["resize", "=5", "resize=", "resize=-1", "resize=1.5"])
def test_a_cache_that_is_no_function_and_span_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="write FUNCTION=SPAN"):
        policies({}, [word])
