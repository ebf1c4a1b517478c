"""A job server in a thread of the test, with limits that a test can wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from fleet.jobserver.server import JobServer, loop_factory
from fleet.settings import Address, ServerLimits, ServerSettings
from tests.processes import LIMIT_S


def serving(**limits: Any) -> AbstractContextManager[JobServer]:
    """As `serving_with`, on a free port and with these limits."""
    return serving_with(ServerSettings(listen=Address(port=0), limits=ServerLimits(**limits)))


@contextmanager
def serving_with(settings: ServerSettings) -> Iterator[JobServer]:
    """A job server that listens, until the block ends. Its state may be read from the test's thread."""
    listening, failures = threading.Event(), list[BaseException]()
    found: list[tuple[JobServer, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        server = JobServer(settings)
        await server.start()
        found.append((server, asyncio.get_running_loop()))
        listening.set()
        await server.finished.wait()
        await server.close()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(serve())
        except BaseException as error:
            failures.append(error)
            listening.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert listening.wait(LIMIT_S)
    if failures:
        raise failures[0]
    ((server, loop),) = found
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(server.finished.set)
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        assert not failures, failures
