"""The programs of `examples/` that docs/talk.md shows: what the talk does with Gearman, beside pictures."""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.protocol import packets
from fleet.settings import Address
from tests.conftest import listening
from tests.peer import Peer, worker
from tests.processes import FLEET, LIMIT_S, ROOT, Program, until

pytestmark = pytest.mark.system

EXAMPLES = ROOT / "examples"
FOLDERS = ("logs", "queue", "web")
PAGES = ["/a", "/b", "/b", "/c", "/c", "/c"]

Example = Callable[..., Program]


@pytest.fixture
def example(spawn: Callable[..., Program]) -> Example:
    return lambda name, *words: spawn(sys.executable, str(EXAMPLES / name), *map(str, words))


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


def test_the_documentation_shows_every_example_as_it_is() -> None:
    text = (ROOT / "docs" / "talk.md").read_text()
    shown = set(re.findall(r"^```(?:python|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert shown == {path.read_text() for folder in FOLDERS for path in (EXAMPLES / folder).iterdir()}
