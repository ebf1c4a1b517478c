"""Every library's client and worker at our job server: with each other, and with ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.settings import Address
from tests.interop.families import OURS, THEIRS, Family
from tests.interop.matrix import row
from tests.interop.pairs import get_on
from tests.processes import Program

pytestmark = [pytest.mark.interop, pytest.mark.system]

PAIRS = [
    pytest.param(client, worker, marks=row(family, direction), id=f"{client}-{worker}")
    for family in THEIRS
    for client, worker, direction in (
        (family, OURS, "its client, our worker"),
        (OURS, family, "our client, its worker"),
        (family, family, "its client, its worker"),
    )
]


@pytest.mark.parametrize(("client", "worker"), PAIRS)
def test_a_client_sees_all_that_a_worker_does(
    client: Family, worker: Family, server: Address, spawn: Callable[..., Program]
) -> None:
    get_on(client, worker, server, spawn)
