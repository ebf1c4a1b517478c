"""Where the kernel lacks a layer of the sandbox, the pool says so loudly, or does not start: as it was told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet import Client
from fleet.settings import Address
from tests.conftest import SAMPLES
from tests.processes import FLEET, LIMIT_S, Program

pytestmark = pytest.mark.system

OLD = (FLEET[0], "-m", "tests.workers.sandbox.old_kernel")


@pytest.fixture
def pool(spawn: Callable[..., Program], server: Address) -> Callable[..., Program]:
    return lambda word: spawn(*OLD, *FLEET, "worker", "-w", "1", "--servers", str(server), "--sandbox", word)


def test_m54_a_sandbox_that_is_required_and_missing_is_no_start(pool: Callable[..., Program]) -> None:
    program = pool("required")
    assert program.ended() == 2
    (line,) = program.err.rest()
    assert line.startswith("fleet worker: the sandbox is required and not whole: Landlock: function not implemented")


def test_m54_a_sandbox_in_part_is_told_and_works(pool: Callable[..., Program], server: Address) -> None:
    program = pool("preferred")
    assert program.out.until("ready 1 slots")
    assert "runners are sandboxed IN PART" in program.err.line()
    with Client(server, timeout=LIMIT_S) as client:
        assert client.resize(SAMPLES / "kitten.png").result().width == 200
    assert program.stop() == 0
