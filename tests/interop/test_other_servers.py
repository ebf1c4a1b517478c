"""Our client and our worker at the job servers nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet import Client, Worker
from tests.interop.families import OURS
from tests.interop.matrix import row
from tests.interop.pairs import get_on
from tests.interop.servers import GEARD, GEARMAND, PERL_SERVER, Server
from tests.processes import FLEET, LIMIT_S, Program

pytestmark = [pytest.mark.interop, pytest.mark.system]


@pytest.mark.parametrize(
    "server",
    [pytest.param(s, marks=row(s, "our client, our worker"), id=str(s)) for s in (GEARMAND, GEARD, PERL_SERVER)],
)
def test_our_client_sees_all_that_our_worker_does(server: Server, spawn: Callable[..., Program]) -> None:
    get_on(OURS, OURS, server.start(spawn), spawn, without=server.lacks)


def test_gearmand_hands_the_reducer_over_to_our_worker(spawn: Callable[..., Program]) -> None:
    with Client(GEARMAND.start(spawn), timeout=LIMIT_S) as client, Worker(client.servers) as worker:
        task = client.submit("f", reducer="count")
        worker.register("f", lambda job: job.reducer).work(max_jobs=1)
        assert task.result() == b"count"


@pytest.mark.parametrize("server", [GEARMAND, GEARD, PERL_SERVER], ids=str)
def test_what_our_pool_says_to_our_servers_does_not_disturb_another(
    server: Server, spawn: Callable[..., Program]
) -> None:
    address = server.start(spawn)
    pool = spawn(FLEET[0], "-m", "tests.workers.pool", str(address), "1")
    pool.out.until("ready ")
    with Client(address, timeout=LIMIT_S) as client:
        for _ in range(3):
            assert client.run("reverse", b"abc") == b"cba"
    assert pool.stop() == 0
    assert pool.err.rest() == []
