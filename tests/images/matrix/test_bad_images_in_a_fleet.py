"""The bad pictures through a real fleet: each has its verdict there, too, and costs nobody else anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from fleet import Client
from fleet.errors import BadImage
from tests.conftest import SAMPLES, up
from tests.images.matrix import foreign, jpegs, moving, pngs, rare  # noqa: F401  (they have the rows)
from tests.images.matrix.rows import ROWS, Row
from tests.processes import FLEET, LIMIT_S, Program, descendants
from tests.system.test_up import part

pytestmark = pytest.mark.system

OF_EACH_ROW = 2
DEADLINE_S = 3.0


@pytest.fixture
def fleet(spawn: Callable[..., Program]) -> Program:
    return spawn(*FLEET, "up", "--workers", "2", "--port", "0", "--deadline", f"{DEADLINE_S}")


def test_the_pool_lives_through_all_rows_and_gives_their_verdicts(fleet: Program) -> None:
    where = up(fleet)
    pool = part(fleet, "worker")
    with Client(where, timeout=LIMIT_S) as client, ThreadPoolExecutor(4) as threads:

        def judged(row: Row) -> dict[str, str]:
            """The wrong ones."""
            wrong = {}
            for name, source in islice(row.sources().items(), OF_EACH_ROW):
                word = verdict(client, source.data, row)
                if word not in {"resource" if word == "hung" else word for word in row.verdicts}:
                    wrong[f"{row}: {name}"] = word
            return wrong

        rows = [row for row in ROWS if not row.formats]
        assert [wrong for wrong in threads.map(judged, rows) if wrong] == []
        assert client.resize(SAMPLES / "kitten.png").result().width == 200
    assert part(fleet, "worker") == pool
    assert fleet.stop() == 0
    said = "\n".join(fleet.err.rest())
    assert "Traceback" not in said
    assert "restarting" not in said


def verdict(client: Client, data: bytes, row: Row) -> str:
    options = {"width": None, "height": None, **row.options}
    try:
        client.resize(data, **options).result()
    except BadImage as error:
        return error.reason
    return "ok"


def test_m52_two_hundred_at_once_are_queued_and_made_two_at_a_time(fleet: Program) -> None:
    where = up(fleet)
    data, most = (SAMPLES / "orientation-1.jpg").read_bytes(), 0
    zygote = descendants(part(fleet, "worker"))[0]
    with Client(where, timeout=LIMIT_S) as client, ThreadPoolExecutor(1) as thread:
        tasks = [client.resize(data) for _ in range(200)]
        made = thread.submit(lambda: [task.result() for task in tasks])
        while not made.done():
            most = max(most, len(descendants(zygote)))
            time.sleep(0.01)
        assert [picture.width for picture in made.result()] == [200] * 200
    assert 1 <= most <= 2
