"""Pictures through the client and a real fleet: one, several, presets, and what comes back when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import Client
from fleet.client.images import Thumbnails
from fleet.errors import BadImage, BadSpec, JobFailed, UsageError
from fleet.images import Header, Spec, sniff
from tests.conftest import SAMPLES, listening
from tests.processes import FLEET, LIMIT_S, Program

pytestmark = pytest.mark.system

PRESET = '[presets.avatar]\nwidth = 64\nheight = 64\nfit = "cover"\nformat = "webp"\n'


@pytest.fixture
def client(spawn: Callable[..., Program], tmp_path: Path) -> Iterator[Client]:
    """A client of a pool of two that has a preset, and of a job server that keeps jobs."""
    server = listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory"))
    (tmp_path / "fleet.toml").write_text(PRESET)
    where = {"FLEET_CONFIG": str(tmp_path / "fleet.toml")}
    pool = spawn(*FLEET, "worker", "--workers", "2", "--servers", str(server), env=where)
    assert "thumb.avatar" in pool.out.line()
    with Client(server, timeout=LIMIT_S) as client:
        yield client


def test_a_picture_comes_with_its_facts(client: Client) -> None:
    thumb = client.resize(SAMPLES / "orientation-6.jpg", gravity="north", fit="cover").result()
    assert thumb.facts
    assert thumb.facts.sha256 == thumb.sha256
    assert (thumb.facts.source_width, thumb.facts.source_height) == (640, 480)
    assert (thumb.facts.width, thumb.facts.bytes) == (thumb.width, len(thumb))
    assert client.resize(SAMPLES / "orientation-6.jpg", facts=False).result().facts is None


def test_a_preset_is_asked_for_by_name_and_by_any_client(client: Client) -> None:
    picture = (SAMPLES / "kitten.png").read_bytes()
    assert client.resize(picture, preset="avatar").result() == client.run("thumb.avatar", picture)
    assert sniff(client.run("thumb.avatar", picture)) == Header("webp", 64, 64)


def test_a_picture_that_is_made_later_is_fetched_as_a_picture_or_as_its_bytes(client: Client) -> None:
    task = client.resize_later(SAMPLES / "orientation-6.jpg", 40, fit="cover", format="webp", attempts=3)
    picture = client.job(task.handle).picture()
    assert (picture.format, picture.width, picture.facts) == ("webp", 40, None)
    assert client.job(task.handle).result() == picture
    task = client.resize_later(SAMPLES / "orientation-6.jpg", preset="avatar", facts=True)
    avatar = client.job(task.handle).picture()
    assert avatar.facts
    assert (avatar.facts.source_width, avatar.width) == (640, 64)


def test_a_picture_that_could_not_be_made_later_says_why_as_one_that_is_waited_for(client: Client) -> None:
    task = client.resize_later(b"no picture")
    with pytest.raises(BadImage, match="not a picture") as caught:
        client.job(task.handle).picture()
    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("how", [{"background": True}, {"attempts": 3}, {"ttl": 600}])
def test_what_is_for_later_is_told_where_it_belongs(client: Client, how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is made by resize_later"):
        client.resize(b"a picture", 64, **how)


def test_several_sizes_as_they_come_and_by_name(client: Client) -> None:
    sizes: dict[str, Any] = {"small": {"width": 40}, "full": Spec(400, 300), "face": "avatar"}
    batch = client.thumbnails(SAMPLES / "large.jpg", sizes)
    came = dict(batch)
    assert list(came) == ["full", "face", "small"]
    assert {name: picture.width for name, picture in came.items()} == {"full": 400, "face": 64, "small": 40}
    assert batch.result() == came == dict(batch)
    assert batch.progress == (3, 3)
    assert all(picture.facts and picture.facts.source_width == 4000 for picture in came.values())


def test_what_is_wrong_is_said_as_for_one(client: Client) -> None:
    def asked(source: bytes, **sizes: Any) -> Thumbnails:
        return client.thumbnails(source, sizes)

    with pytest.raises(BadImage) as caught:
        asked(b"text", a={}).result()
    assert caught.value.reason == "unsupported"
    with pytest.raises(BadSpec, match="did you mean avatar"):
        list(asked((SAMPLES / "kitten.gif").read_bytes(), a="avatr"))
    with pytest.raises(BadSpec, match="ask for 1 to 50"):
        asked(b"x")
    with pytest.raises(JobFailed):
        client.run("thumb.avatar", b'{"width":5}\nx')


def test_a_size_beside_a_preset_is_refused_and_not_passed_over(client: Client) -> None:
    with pytest.raises(BadSpec, match="takes no 'width'"):
        client.resize(SAMPLES / "kitten.gif", width=7, preset="avatar").result()


class Upload:
    """An upload as asynchronous web frameworks have it."""

    async def read(self) -> bytes:
        return b""


def test_an_upload_that_has_to_be_awaited_is_refused_with_what_to_do(client: Client) -> None:
    upload: Any = Upload()
    with pytest.raises(UsageError, match=r"await file\.read\(\)"):
        client.resize(upload)
