"""How runners died, in words."""

from __future__ import annotations

import os
import signal

import pytest

from fleet.workers.death import Death, of_status, overdue


def status_of(last: str) -> int:
    """The real wait status of a shell that ended so."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"ulimit -c 0; {last}"], os.environ)
    return os.waitpid(pid, 0)[1]


def killed_by(number: int) -> int:
    return status_of(f"kill -{number:d} $$; sleep 60")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (signal.SIGSEGV, "it crashed (SIGSEGV)"),
        (signal.SIGBUS, "it crashed (SIGBUS)"),
        (signal.SIGABRT, "it gave up (SIGABRT)"),
        (signal.SIGXCPU, "it used up its processor time (SIGXCPU)"),
        (signal.SIGSYS, "the sandbox stopped it: it asked for what no decoder needs (SIGSYS)"),
        (signal.SIGHUP, "it was killed (SIGHUP)"),
        (signal.SIGRTMIN + 1, f"it was killed by signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_a_signal_is_named_and_the_job_was_why(number: int, text: str) -> None:
    assert of_status(killed_by(number), None) == Death(text, by_job=True)


def test_an_end_without_a_result_is_told_with_its_code() -> None:
    assert of_status(status_of("exit 3"), False) == Death("it ended with code 3 and no result")
    assert of_status(status_of("exit 0"), False) == Death("it ended without a result")


@pytest.mark.parametrize(("short", "by_job"), [(False, False), (True, True), (None, True)])
def test_sigkill_is_the_jobs_doing_unless_the_kernel_killed_nobody_for_memory(short: bool | None, by_job: bool) -> None:
    death = of_status(killed_by(signal.SIGKILL), short)
    assert "SIGKILL" in death.text
    assert death.by_job is by_job


def test_a_deadline_is_named() -> None:
    assert overdue(2.5) == Death("it ran over its deadline of 2.5 s and was killed")
