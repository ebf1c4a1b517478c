"""The programs in `examples/`: each gets on with those of every other language; docs/clients.md shows them."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.images import Picture
from fleet.settings import Address
from tests.conftest import SAMPLES, listening, need
from tests.interop.families import ENVIRONMENT, node, perl, php
from tests.interop.pairs import reversing
from tests.processes import FLEET, LIMIT_S, ROOT, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]

EXAMPLES = ROOT / "examples"
LANGUAGES: dict[str, Callable[[], str]] = {
    "python": lambda: sys.executable,
    "php": php,
    "perl": perl,
    "node": node,
    "shell": lambda: need("gearman") and need("sh"),
}
KITTEN = str(SAMPLES / "large.jpg")


@pytest.fixture
def example(spawn: Callable[..., Program]) -> Callable[..., Program]:
    """Start an example program, told where the job server is."""

    def start(language: str, name: str, server: Address, *arguments: str) -> Program:
        (path,) = (EXAMPLES / language).glob(f"{name}.*")
        where = [str(server)] if language == "python" else [server.host, str(server.port)]
        return spawn(LANGUAGES[language](), str(path), *arguments, *where, env=ENVIRONMENT)

    return start


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_client_is_greeted_by_the_worker_in(
    language: str, server: Address, example: Callable[..., Program], spawn: Callable[..., Program]
) -> None:
    example(language, "reverse_worker", server)
    until(lambda: reversing(server), "the worker registered")
    clients = [example(other, "reverse_client", server) for other in LANGUAGES]
    clients.append(spawn(*FLEET, "run", "-f", "reverse", "Hello World!", "--servers", str(server)))
    for client in clients:
        assert (client.ended(), client.out.tail()) == (0, "!dlroW olleH"), client.err.tail()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_thumbnail_is_made_for_the_client_in(
    language: str, fleet_of_two: Address, example: Callable[..., Program], tmp_path: Path
) -> None:
    client = example(language, "resize_client", fleet_of_two, KITTEN, str(tmp_path / "thumb.jpg"))
    assert client.ended() == 0, client.err.tail()
    assert_thumb(tmp_path / "thumb.jpg")


def test_a_thumbnail_is_made_by_the_talks_worker_in_php(
    server: Address, example: Callable[..., Program], tmp_path: Path
) -> None:
    example("php", "resize_worker", server)
    client = example("shell", "resize_client", server, KITTEN, str(tmp_path / "thumb.jpg"))
    assert client.ended() == 0, client.err.tail()
    assert_thumb(tmp_path / "thumb.jpg")


def test_both_clients_by_http(example: Callable[..., Program], spawn: Callable[..., Program], tmp_path: Path) -> None:
    need("curl")
    program = spawn(*FLEET, "server", "--port", "0", "--protocol", "http", "--http-port", "0")
    server = listening(program)
    http = program.out.until("http listening ").removeprefix("http listening ")
    example("python", "reverse_worker", server)
    example("php", "resize_worker", server)
    greeted = spawn("sh", str(EXAMPLES / "http" / "reverse_client.sh"), http)
    assert (greeted.ended(), greeted.out.tail()) == (0, "!dlroW olleH")
    thumbed = spawn("sh", str(EXAMPLES / "http" / "resize_client.sh"), KITTEN, str(tmp_path / "thumb.jpg"), http)
    assert thumbed.ended() == 0, thumbed.err.tail()
    assert_thumb(tmp_path / "thumb.jpg")


def test_a_job_for_later_by_http(spawn: Callable[..., Program]) -> None:
    need("curl")
    program = spawn(*FLEET, "server", "--port", "0", "--protocol", "http", "--http-port", "0", "--store", "memory")
    server = listening(program)
    http = program.out.until("http listening ").removeprefix("http listening ")
    later = spawn("sh", str(EXAMPLES / "http" / "later_client.sh"), "mail", "Hello World!", "2h", http)
    assert later.ended() == 0, later.err.tail()
    with Client(server) as client:
        job = client.job(later.out.tail()).status()
    assert (job.state, job.function, job.attempts, job.bytes) == ("waiting", "mail", 3, 12)
    assert abs(job.run_at - time.time() - 7200) < LIMIT_S
    refused = spawn("sh", str(EXAMPLES / "http" / "later_client.sh"), "mail", "Hello World!", "soon", http)
    assert refused.ended() != 0
    assert "X-Gearman-Delay is a span of time: 90, 5m, 2h or 7d." in refused.out.tail()


def assert_thumb(path: Path) -> None:
    thumb = Picture(path.read_bytes())
    assert (thumb.format, thumb.width, thumb.height) == ("jpeg", 200, 150)


def test_the_documentation_shows_every_example_as_it_is() -> None:
    text = (ROOT / "docs" / "clients.md").read_text()
    shown = set(re.findall(r"^```(?:python|php|perl|js|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    written = {path.read_text() for language in (*LANGUAGES, "http") for path in (EXAMPLES / language).iterdir()}
    assert shown == written
