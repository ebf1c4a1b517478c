"""Our client and our worker at the job servers nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop.families import OURS
from tests.interop.matrix import row
from tests.interop.pairs import get_on
from tests.interop.servers import GEARD, GEARMAND, PERL_SERVER, Server
from tests.processes import Program

pytestmark = [pytest.mark.interop, pytest.mark.system]


@pytest.mark.parametrize(
    "server",
    [pytest.param(s, marks=row(s, "our client, our worker"), id=str(s)) for s in (GEARMAND, GEARD, PERL_SERVER)],
)
def test_our_client_sees_all_that_our_worker_does(server: Server, spawn: Callable[..., Program]) -> None:
    get_on(OURS, OURS, server.start(spawn), spawn, without=server.lacks)
