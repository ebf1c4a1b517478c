"""Places on a durable job's way, from its packet's arrival to the answer, at which a test may have things go wrong.

``FLEET_FAILPOINT=name:nth:action`` arms one, several are separated by commas; without it reaching a place costs a look
at an empty tuple. The places are in `STEPS`. ``name.Kind`` counts only batches with a request of that kind, such as
``written.Finish``. ``nth`` counts from 1; 0 is every time.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleet.errors import UsageError

# In this order. The first and the last two are reached in the loop's thread, the others in the store's.
STEPS: Final = (
    "asked",  # the packets were dealt with; nothing is with the store
    "begun",  # a batch came to the store
    "written",  # its transaction is complete, and not committed
    "committed",  # it is on the disk
    "told",  # its answers are in the outboxes
    "sent",  # and were handed to the kernel
)
IN_THE_STORE: Final = STEPS[1:4]
HELP: Final = f"write STEP[.REQUEST]:NTH:ACTION; the steps are {', '.join(STEPS)}"

Batch = Sequence[Any]
Action = Callable[[str, Batch], None]


@dataclass
class Failpoint:
    """One armed place."""

    step: str
    kind: str  # the name of a request's class; empty: any
    nth: int
    act: Action
    reached: int = 0

    def reach(self, step: str, batch: Batch) -> None:
        if step == self.step and (not self.kind or any(type(request).__name__ == self.kind for request in batch)):
            self.reached += 1
            if self.nth in (0, self.reached):
                self.act(step, batch)


_armed: tuple[Failpoint, ...] = ()


def arm(text: str) -> None:
    """Arm what `text` says, and nothing else. Raises UsageError."""
    global _armed
    _armed = tuple(_parsed(each.strip()) for each in text.split(",") if each.strip())
    if _armed:
        logging.getLogger("fleet.jobserver").warning("failpoints are armed: %s", text)


def reach(step: str, batch: Batch) -> None:
    """Said by the job server wherever it gets to a step."""
    for failpoint in _armed:
        failpoint.reach(step, batch)


def _parsed(text: str) -> Failpoint:
    name, _, rest = text.partition(":")
    nth, _, how = rest.partition(":")
    step, _, kind = name.partition(".")
    action, _, value = how.partition("=")
    if step not in STEPS or not nth.isdigit() or action not in ACTIONS:
        raise UsageError(f"FLEET_FAILPOINT has {text!r}; {HELP}, with an action of {', '.join(ACTIONS)}")
    if action == "error" and step not in IN_THE_STORE:
        raise UsageError(f"FLEET_FAILPOINT has {text!r}; an error can only happen at {', '.join(IN_THE_STORE)}")
    return Failpoint(step, kind, int(nth), ACTIONS[action](value))


def _crash(_: str) -> Action:
    return lambda step, batch: os.kill(os.getpid(), signal.SIGKILL)


def _error(_: str) -> Action:
    def fail(step: str, batch: Batch) -> None:
        raise OSError(errno.EIO, "the failpoint's error")

    return fail


def _pause(seconds: str) -> Action:
    return lambda step, batch: time.sleep(float(seconds))


def _record(path: str) -> Action:
    """Append a line of JSON for each request: when, the step, its kind, its handle, and how a job ended."""

    def record(step: str, batch: Batch) -> None:
        at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        lines = [json.dumps({"at": at, "step": step, **_told(request)}) + "\n" for request in batch]
        with open(path, "a") as file:
            file.write("".join(lines))

    return record


def _told(request: Any) -> dict[str, str]:
    named = getattr(request, "entry", None) or getattr(request, "result", None) or request
    handle, end = getattr(named, "handle", b""), getattr(getattr(request, "result", None), "end", "")
    return {"kind": type(request).__name__, "handle": handle.decode(), "end": str(end)}


ACTIONS: Final[dict[str, Callable[[str], Action]]] = {
    "crash": _crash,  # as kill -9 does
    "error": _error,  # as a disk that fails
    "pause": _pause,  # pause=SECONDS
    "record": _record,  # record=FILE
}
