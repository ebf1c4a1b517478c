"""The pool's shell: one asyncio process that owns the connections of its slots, and no image code.

It starts the zygote and the slots, says when they are ready, and on SIGTERM drains them.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fleet.errors import UsageError
from fleet.lines import Output
from fleet.linux import descriptors, ready_teller
from fleet.settings import Address, Containment, PoolLimits
from fleet.workers.denials import Denials
from fleet.workers.functions import kit as pictures
from fleet.workers.kit import Kit, kit_of
from fleet.workers.late import Late
from fleet.workers.launcher import Launcher
from fleet.workers.slot import Slot

PATIENCE_S: Final = 3.0  # without a job server before that is said
GOODBYE_S: Final = 5.0  # for the last results to be sent
SLOT_DESCRIPTORS: Final = 6  # besides its connections: its memory, mapped and to read; its runner, and one to start
RESERVED_DESCRIPTORS: Final = 64  # for all else
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Pool:
    """`slots` slots at `servers`, for the functions of a kit.

    Raises:
        UsageError: there are not enough descriptors for so many.
    """

    def __init__(
        self,
        servers: Sequence[Address],
        slots: int,
        kit: Kit,
        limits: PoolLimits,
        containment: Containment,
    ) -> None:
        _check_descriptors(slots, len(servers))
        self._limits = limits
        self._containment = containment
        self._changed = asyncio.Event()
        self._asked = 0  # how often a signal asked to stop
        self._launcher = Launcher(kit, limits, containment, self._change, Output(sys.stderr).line)
        host = socket.gethostname()
        denials, late = Denials(), Late(limits.late_bytes, round(limits.late_s * 1e9))
        self.slots = [
            Slot(f"{host}-{number}", servers, kit.names, self._launcher, limits, denials, late, self._change)
            for number in range(1, slots + 1)
        ]

    def _change(self) -> None:
        self._changed.set()
        if self._launcher.ready:
            for slot in self.slots:
                slot.step()

    def stop(self) -> None:
        """Drain; asked again, give up what runs."""
        self._asked += 1
        self._changed.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Until `stop`; calls `ready` once, when every slot has a job server and can run jobs.

        Raises:
            UsageError: there can be no runners: what they need cannot be loaded, or they not be contained.
        """
        self._launcher.start()
        for slot in self.slots:
            for link in slot.links:
                link.open()
        complaint = asyncio.get_running_loop().call_later(PATIENCE_S, self._complain)
        try:
            await self._until(lambda: self._launcher.ready and all(slot.connected for slot in self.slots))
            if not self._asked:
                self._say_what_is_lacking()
                ready()
            await self._until(lambda: False)
            await self._drain()
        finally:
            complaint.cancel()
            self._launcher.close()

    async def _until(self, holds: Callable[[], bool], asked: int = 0) -> None:
        """Wait until it holds, or until somebody asked to stop more than `asked` times."""
        while not holds() and self._asked <= asked:
            if self._launcher.refusal:
                raise UsageError(self._launcher.refusal)
            self._changed.clear()
            await self._changed.wait()

    async def _drain(self) -> None:
        for slot in self.slots:
            slot.drain()
        try:
            async with asyncio.timeout(self._limits.grace_s):
                await self._until(lambda: not any(slot.running for slot in self.slots), asked=1)
        except TimeoutError:
            say(f"jobs still run after {self._limits.grace_s:g} s; their job server gives them to other workers")
        if any(slot.running for slot in self.slots):
            for slot in self.slots:
                slot.abandon()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._until(lambda: all(link.gone for slot in self.slots for link in slot.links), asked=1)
        except TimeoutError:
            pass  # a server that does not read its last results does not get them

    def _say_what_is_lacking(self) -> None:
        if self._containment.isolation == "none":
            say("isolation is NONE: pictures are trusted; one that takes its decoder over has this user's rights")
        elif not self._containment.contained:
            say("runners are NOT sandboxed: a picture that takes its decoder over has this user's rights")
        elif self._containment.isolation == "slot":
            say("isolation is by SLOT: a picture that takes its decoder over sees those that come after it")
        if self._containment.contained and (lacks := self._launcher.lacks):
            say(f"runners are sandboxed IN PART, for this kernel does not have all of it: {'; '.join(lacks.values())}")

    def _complain(self) -> None:
        missing = {link.address: link.reason for slot in self.slots for link in slot.links if not link.up}
        if missing and not all(slot.connected for slot in self.slots):
            where = ", ".join(f"{address} ({reason or 'no answer'})" for address, reason in missing.items())
            say(f"no job server at {where} yet; trying on")


def _check_descriptors(slots: int, servers: int) -> None:
    each = SLOT_DESCRIPTORS + servers
    possible = (descriptors(slots * each + RESERVED_DESCRIPTORS) - RESERVED_DESCRIPTORS) // each
    if possible < slots:
        what = f"{slots} workers need {slots * each + RESERVED_DESCRIPTORS} open files"
        raise UsageError(f"{what}, and this process may have enough for {max(0, possible)}; raise ulimit -n")


def run_pool(
    servers: Sequence[Address],
    slots: int,
    *,
    functions: Kit | Mapping[str, str] | None = None,
    limits: PoolLimits | None = None,
    containment: Containment | None = None,
) -> int:
    """Run a pool in this process until SIGTERM or SIGINT; returns the exit code.

    Its first line on stdout is ``ready N slots: name, name``. If its functions cannot be loaded, or its runners not be
    contained as they were to be, it says so on stderr and returns 2.

    Args:
        functions: a kit, or ``module:callable`` by name; None is those on pictures, with no presets.
    """
    kit = functions if isinstance(functions, Kit) else kit_of(functions) if functions else pictures()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(servers, slots, kit, limits or PoolLimits(), containment or Containment()))
    except UsageError as error:
        say(str(error))
        return error.exit_code
    return 0


async def _run(
    servers: Sequence[Address],
    slots: int,
    kit: Kit,
    limits: PoolLimits,
    containment: Containment,
) -> None:
    pool = Pool(servers, slots, kit, limits, containment)
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, pool.stop)
    tell_ready = ready_teller()

    def ready() -> None:
        _put(f"ready {slots} slots: {', '.join(kit.names)}")
        tell_ready()

    await pool.run(ready)


def say(text: str) -> None:
    print(f"fleet worker: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _put(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, if it is there."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
