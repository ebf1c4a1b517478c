"""How a runner died, in words for the client, and whether its job was why. Pure but for the kernel's count of what it
killed for memory, which comes in as an argument.
"""

from __future__ import annotations

import signal
from os import waitstatus_to_exitcode
from typing import Final, NamedTuple

_SIGNALS: Final = {
    signal.SIGSYS: "the sandbox stopped it: it asked for what no decoder needs (SIGSYS)",
    signal.SIGSEGV: "it crashed (SIGSEGV)",
    signal.SIGBUS: "it crashed (SIGBUS)",
    signal.SIGILL: "it crashed (SIGILL)",
    signal.SIGFPE: "it crashed (SIGFPE)",
    signal.SIGABRT: "it gave up (SIGABRT)",
    signal.SIGXCPU: "it used up its processor time (SIGXCPU)",
}


class Death(NamedTuple):
    """What ended a runner before it had answered; `by_job` if that was the job's doing, as far as can be told."""

    text: str
    by_job: bool = True


def of_status(status: int, short_of_memory: bool | None) -> Death:
    """From a wait status. `short_of_memory`: whether the kernel killed for memory meanwhile; None: not known."""
    code = waitstatus_to_exitcode(status)
    if code >= 0:
        return Death(f"it ended with code {code} and no result" if code else "it ended without a result")
    if -code == signal.SIGKILL:
        if short_of_memory is False:
            return Death("somebody killed it (SIGKILL)", by_job=False)
        return Death("it was killed, perhaps for want of memory (SIGKILL)")
    try:
        number = signal.Signals(-code)
    except ValueError:  # the real-time ones have no names
        return Death(f"it was killed by signal {-code}")
    return Death(_SIGNALS.get(number, f"it was killed ({number.name})"))


def overdue(deadline_s: float) -> Death:
    return Death(f"it ran over its deadline of {deadline_s:g} s and was killed")
