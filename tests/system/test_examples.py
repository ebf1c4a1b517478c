"""The programs of `examples/` that docs/talk.md and docs/howto.md show: the talk's, but for pictures, and uploads."""

from __future__ import annotations

import http.client
import re
import signal
import sqlite3
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.images import Picture
from fleet.protocol import packets
from fleet.settings import Address
from tests.conftest import SAMPLES, listening
from tests.peer import Peer, worker
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, ROOT, Program, until

pytestmark = pytest.mark.system

EXAMPLES = ROOT / "examples"
FOLDERS = ("logs", "queue", "web")
PAGES = ["/a", "/b", "/b", "/c", "/c", "/c"]

Example = Callable[..., Program]


@pytest.fixture
def example(spawn: Callable[..., Program]) -> Example:
    strict = "-X", "dev", "-W", "error::ResourceWarning"
    return lambda name, *words: spawn(sys.executable, *strict, str(EXAMPLES / name), *map(str, words))


def have_workers(server: Address, *functions: str) -> None:
    until(lambda: {f.name for f in admin.status(server) if f.workers} >= set(functions), "the workers are there")


def test_map_reduce_counts_over_the_parts_of_a_log(server: Address, example: Example, tmp_path: Path) -> None:
    for part in range(3):
        log = tmp_path / f"log{part}"
        lines = [f'127.0.0.1 - - [06/Jul/2009:18:22:57 -0700] "GET {page} HTTP/1.1" 200 1' for page in PAGES[part::3]]
        log.write_text("\n".join([*lines, "cut o"]))
        example("logs/count_worker.py", f"host{part}", log, server)
    have_workers(server, "merge", "hits.host0", "hits.host1", "hits.host2")
    client = example("logs/count_client.py", "GET", "host0,host1,host2", server)
    found = client.out.rest()
    assert client.ended() == 0, client.err.tail()
    assert [line.split() for line in found] == [["3", "/c"], ["2", "/b"], ["1", "/a"]]


def test_an_asynchronous_queue_counts_each_view_once(
    spawn: Callable[..., Program], example: Example, tmp_path: Path
) -> None:
    server, database = listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory")), tmp_path / "views.sqlite"
    client = example("queue/views_client.py", ",".join(PAGES), server)
    handles = client.out.rest()
    assert (client.ended(), len(set(handles))) == (0, len(PAGES)), client.err.tail()
    with sqlite3.connect(database) as ours:  # as if a worker had died when it had counted the first, which is /a
        ours.execute("CREATE TABLE counted (job TEXT PRIMARY KEY)")
        ours.execute("INSERT INTO counted VALUES (?)", (handles[0],))
    ours.close()
    example("queue/views_worker.py", database, server)
    until(lambda: admin.status(server)[0].jobs == 0, "the queue is empty")
    with sqlite3.connect(database) as ours:
        assert dict(ours.execute("SELECT page, views FROM views")) == {"/b": 2, "/c": 3}
    ours.close()


def test_a_page_is_sent_while_its_parts_are_made(server: Address, example: Example) -> None:
    seen = threading.Event()

    def news(peer: Peer, handle: bytes, workload: bytes) -> None:
        assert seen.wait(LIMIT_S)
        peer.send(packets.WORK_COMPLETE, handle, b"<p>News</p>\n")

    port = example("web/page.py", 0, server).out.line().rpartition(":")[2]
    with worker(server, news=news), urllib.request.urlopen(f"http://127.0.0.1:{port}/x", timeout=LIMIT_S) as answer:
        assert answer.readline() == b"<h1>Kittens!</h1>\n"
        seen.set()
        assert answer.readline() == b"<p>News</p>\n"
        assert answer.read() == b"<p>Nothing here has waited for the ad.</p>\n"  # nobody makes one: it is left out


def post(port: str, photo: bytes, filename: str = '; filename="photo.jpg"') -> tuple[int, str, bytes]:
    """Send a form with one field, as a browser does; the answer's status, type and body."""
    head = f'--limit\r\nContent-Disposition: form-data; name="photo"{filename}\r\n\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=LIMIT_S)
    try:
        connection.request("POST", "/avatar", head + photo + b"\r\n--limit--\r\n", headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def complaints(program: Program) -> list[str]:
    """What it said on stderr, but for asyncio's remarks on what took long, which a busy machine is to blame for."""
    return [line for line in program.err.rest() if not line.startswith("Executing <")]


def test_uploads_become_avatars_side_by_side(fleet_of_two: Address, example: Example, large_jpeg: bytes) -> None:
    """Small ones but for the first: the example waits ten seconds for each, and two workers make them all."""
    program = example("uploads/avatar.py", 0, fleet_of_two)
    port = program.out.line().rpartition(":")[2]
    uploads = [large_jpeg, *[(SAMPLES / "orientation-1.jpg").read_bytes()] * 15]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda upload: post(port, upload), uploads))
    for status, kind, body in answers:
        assert (status, kind) == (200, "image/webp"), body
        assert (Picture(body).width, Picture(body).height) == (64, 64)
    assert post(port, b"no picture " * 20)[0] == 422
    assert post(port, b"/etc/passwd", filename="") == (
        422,
        "text/plain; charset=utf-8",
        b"send a picture as the field photo",
    )
    assert program.stop() in (0, -signal.SIGTERM)
    assert complaints(program) == []


def test_uploads_meet_a_fleet_that_is_not_there_and_the_page_does_not_wait(
    example: Example, closed_port: ClosedPort
) -> None:
    program = example("uploads/avatar.py", 0, closed_port())
    status, _, body = post(program.out.line().rpartition(":")[2], b"anything")
    assert (status, b"connection refused" in body) == (503, True)
    assert program.stop() in (0, -signal.SIGTERM)
    assert complaints(program) == []


def shown_in(*names: str) -> set[str]:
    texts = [(ROOT / "docs" / name).read_text() for name in names]
    return {block for text in texts for block in re.findall(r"^```(?:python|sh)\n(.*?)^```$", text, re.M | re.S)}


def test_the_documentation_shows_every_example_as_it_is() -> None:
    assert shown_in("talk.md") == {path.read_text() for folder in FOLDERS for path in (EXAMPLES / folder).iterdir()}
    assert shown_in("howto.md") >= {path.read_text() for path in (EXAMPLES / "uploads").iterdir()}
