"""Settings files: which one counts, and what is said of one that makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.config import Config, load, origins
from fleet.errors import UsageError
from fleet.images import Spec
from fleet.settings import Containment, FunctionPolicy, PoolLimits, ServerLimits
from tests.images.builders import small

AVATAR = '[presets.avatar]\nwidth = 64\nheight = 64\nfit = "cover"\nformat = "webp"\n'


def loaded(here: Path, **environ: str) -> Config:
    return load({"XDG_CONFIG_HOME": str(here / "xdg"), **environ}, here / "project", here / "etc.toml")


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path) == Config()


def test_a_preset_is_a_spec(tmp_path: Path) -> None:
    put(tmp_path / "project" / "fleet.toml", AVATAR)
    assert loaded(tmp_path).presets == {"avatar": Spec(64, 64, "cover", "webp")}


def test_the_project_counts_before_the_user_before_the_system(tmp_path: Path) -> None:
    put(
        tmp_path / "etc.toml",
        'servers = "etc"\n[presets.a]\nwidth = 1\n[presets.b]\nwidth = 1\n[presets.c]\nwidth = 1\n',
    )
    put(
        tmp_path / "xdg" / "fleet" / "config.toml", 'servers = "user"\n[presets.a]\nwidth = 2\n[presets.b]\nwidth = 2\n'
    )
    put(
        tmp_path / "project" / "pyproject.toml",
        '[tool.fleet]\nservers = ["one", "two:99"]\n[tool.fleet.presets.a]\nwidth = 3\n',
    )
    found = loaded(tmp_path)
    assert found.servers == "one,two:99"
    assert {name: spec.width for name, spec in found.presets.items()} == {"a": 3, "b": 2, "c": 1}
    put(tmp_path / "project" / "fleet.toml", 'servers = "toml"')
    assert loaded(tmp_path).servers == "toml"
    named = put(tmp_path / "named.toml", "[images]\nframes = 5\n")
    assert loaded(tmp_path, FLEET_CONFIG=str(named)).limits.frames == 5
    assert loaded(tmp_path, FLEET_CONFIG=str(named)).servers == "etc"


def test_a_preset_may_have_one_side_only(tmp_path: Path) -> None:
    put(tmp_path / "project" / "fleet.toml", "[presets.full]\nwidth = 1600\n")
    assert loaded(tmp_path).presets == {"full": Spec(1600, None)}


def test_a_watermark_is_relative_to_its_file(tmp_path: Path) -> None:
    put(tmp_path / "project" / "fleet.toml", '[watermarks]\nlogo = "logo.png"\n')
    (tmp_path / "project" / "logo.png").write_bytes(small("png"))
    assert loaded(tmp_path).marks() == {"logo": small("png")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("=", "is no TOML"),
        ("preset = 1", "no setting 'preset' (did you mean presets?)"),
        ("presets = 1", "presets is 1; it must be a table"),
        ("[presets]\navatar = 5", "presets.avatar is 5; it must be a table of options"),
        ("[presets.avatar]\nwidth = 0", "presets.avatar: width=0 makes no sense"),
        ("[presets.avatar]\nwidht = 5", "presets.avatar: there is no option 'widht' (did you mean width?)"),
        ('[presets."a b"]\nwidth = 5', "'a b' is no name"),
        ('[watermarks]\nlogo = "nowhere.png"', "watermarks.logo: there is no file"),
        ("[images]\nframe = 5", "there is no limit 'frame' (did you mean frames?)"),
        ("[images]\nframes = -1", "images.frames: -1 is no limit"),
        ("[images]\nformats = ['jpg']", "images.formats: ['jpg'] is no list of formats; there are jpeg"),
        ('servers = "a:b"', "servers: 'a:b' has no usable port"),
        ("servers = 5", "servers is 5; write"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    path = put(tmp_path / "project" / "fleet.toml", text)
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formats_that_are_not_opened_otherwise_are_named_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[images]\nformats = ['jpeg', 'tiff']\n")
    found = load({"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path, tmp_path / "none")
    assert found.limits.formats == {"jpeg", "tiff"}


def test_how_runners_are_contained_is_said_by_flags_and_else_by_the_settings(tmp_path: Path) -> None:
    put(tmp_path / "project" / "fleet.toml", '[pool]\nisolation = "slot"\nuser = "daemon"\n')
    found = loaded(tmp_path)
    assert found.containment() == Containment(isolation="slot", user="daemon")
    assert found.containment(isolation="job", sandbox="required", user=None) == Containment("required", "daemon", "job")
    with pytest.raises(UsageError, match="isolation none has no sandbox, and the sandbox is required"):
        found.containment(isolation="none", sandbox="required")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('isolation = "cell"', "isolation is 'cell'; it may be job, slot, none"),
        ("isolation = 1", "pool.isolation: 1 makes no sense; it is a word"),
        ('isolatoin = "job"', "there is no setting 'isolatoin' .did you mean isolation.?"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_with_the_file_and_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    put(tmp_path / "project" / "fleet.toml", f"[pool]\n{text}\n")
    with pytest.raises(UsageError, match=f"fleet.toml: pool.*{complaint}|fleet.toml: {complaint}"):
        loaded(tmp_path)


def test_the_pool_is_as_the_settings_say_and_flags_count_before_them(tmp_path: Path) -> None:
    put(tmp_path / "project" / "fleet.toml", "[pool]\nworkers = 3\ndeadline_s = 5\nmemory_bytes = 1000\n")
    found = loaded(tmp_path)
    assert found.pool["workers"] == 3
    assert found.pool_limits() == PoolLimits(deadline_s=5, memory_bytes=1000)
    assert found.pool_limits(deadline_s=2.5, memory_bytes=None) == PoolLimits(deadline_s=2.5, memory_bytes=1000)
    assert found.containment() == Containment()


def test_functions_have_policies_of_their_own(tmp_path: Path) -> None:
    mail = "[functions.mail]\nattempts = 7\nbackoff_s = 30\nbackoff_most_s = 3600\n"
    put(tmp_path / "etc.toml", f"[functions.resize]\nattempts = 9\n{mail}")
    put(tmp_path / "project" / "fleet.toml", "[functions.resize]\ncache = '1m'\nhopeless = ['No']\n")
    functions = loaded(tmp_path).functions
    assert FunctionPolicy(**functions["resize"]) == FunctionPolicy(cache_s=60, hopeless=("No",))
    put(tmp_path / "project" / "fleet.toml", "[functions.resize]\ncache = 90\n")
    assert FunctionPolicy(**loaded(tmp_path).functions["resize"]).cache_s == 90
    assert FunctionPolicy(**functions["mail"]) == FunctionPolicy(7, backoff_s=30, backoff_most_s=3600)


def test_a_store_has_limits_of_its_own(tmp_path: Path) -> None:
    put(tmp_path / "etc.toml", "[store]\ndead_jobs = 9\ndead_bytes = 1000\n")
    put(tmp_path / "project" / "fleet.toml", "[store]\ndead_jobs = 7\n")
    assert loaded(tmp_path).server_limits == ServerLimits(dead_jobs=7, dead_bytes=1000)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[store]\ndead_jobs = 0", "store.dead_jobs: 0 makes no sense; it is a whole number from 1"),
        ("[store]\ndead = 5", "store: there is no setting 'dead'"),
        ("[pool]\nworkers = 0", "pool.workers: 0 makes no sense; it is a whole number to 1024"),
        ("[pool]\nworker = 4", "pool: there is no setting 'worker' .did you mean workers..; there are workers, "),
        ("[pool]\ndeadline_s = 'long'", "pool.deadline_s: 'long' makes no sense; it is a number of seconds above 0"),
        ("[pool]\nmemory_bytes = 1.5", "pool.memory_bytes: 1.5 makes no sense; it is a whole number from 1"),
        ("[pool]\nenvironment = 'HOME'", "pool.environment: 'HOME' makes no sense; it is a list of words"),
        (
            "[functions.f]\nattempt = 2",
            "functions.f: there is no setting 'attempt' .did you mean attempts..; there are ",
        ),
        ("[functions.f]\nbackoff_s = 0", "functions.f.backoff_s: 0 makes no sense; it is a number of seconds above 0"),
        ("[functions.f]\ncache = 'soon'", "functions.f: 'soon' is no span of time; write 90, 5m, 2h or 7d"),
        ("[functions.f]\ncache = true", "functions.f: 'True' is no span of time"),
        ("[functions.f]\nattempts = true", "functions.f.attempts: True makes no sense; it is a whole number from 1"),
        ("[functions.f]\ncache_s = -1", "functions.f.cache_s: -1 makes no sense; it is a whole number from 0"),
        ("[functions]\nf = 3", "functions.f is 3; it must be a table"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_with_its_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    put(tmp_path / "project" / "fleet.toml", text)
    with pytest.raises(UsageError, match=f"fleet.toml: {complaint}"):
        loaded(tmp_path)


def test_where_each_setting_comes_from_is_known(tmp_path: Path) -> None:
    system = put(tmp_path / "etc.toml", "servers = 'a'\n[pool]\nworkers = 1\ngrace_s = 9\n")
    project = put(tmp_path / "project" / "fleet.toml", "[pool]\nworkers = 2\n[presets.a]\nwidth = 3\n")
    assert origins({"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path / "project", system) == {
        ("servers",): ("a", system),
        ("pool", "workers"): (2, project),
        ("pool", "grace_s"): (9, system),
        ("presets", "a"): ({"width": 3}, project),
    }
