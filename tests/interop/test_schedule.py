"""SUBMIT_JOB_SCHED as the one library has it that sends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet import Client
from tests.conftest import listening
from tests.interop.families import ENVIRONMENT, PROGRAMS, node
from tests.processes import FLEET, LIMIT_S, Program

pytestmark = [pytest.mark.interop, pytest.mark.system]


def test_abraxas_submits_a_job_on_a_schedule(spawn: Callable[..., Program]) -> None:
    server = listening(spawn(*FLEET, "server", "--port", "0", "--store", "memory"))
    program = str(PROGRAMS / "scheduling_abraxas.js")
    handle = spawn(node(), program, server.host, str(server.port), env=ENVIRONMENT).out.line()
    with Client(server, timeout=LIMIT_S) as client:
        job = client.job(handle).status()
    assert (job.function, job.schedule, job.state) == ("nightly", "30 4 * * 0", "waiting")
