"""The sandbox as a process enters it, and what is said where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fleet.errors import UsageError
from fleet.settings import Containment
from fleet.workers import sandbox
from fleet.workers.sandbox import Sandbox, kernel
from tests.processes import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the trial is a child that only calls

ENTERED = """
import os
from fleet.settings import Containment
from fleet.workers.sandbox import Sandbox

box = Sandbox(Containment({words}))
box.change_user()
box.enter()
try:
    os.close(os.open("/etc/hostname", os.O_RDONLY))
    print("opened")
except PermissionError:
    print("refused")
"""


def entered(words: str) -> str:
    """What a process can do that entered it."""
    done = subprocess.run(
        [sys.executable, "-c", ENTERED.format(words=words)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    return done.stdout.strip() or done.stderr


def test_who_is_in_it_opens_no_file() -> None:
    assert entered("'required'") == "refused"


@pytest.mark.parametrize("words", ["'off'", "isolation='none'"])
def test_where_it_is_off_nothing_is_entered(words: str) -> None:
    assert entered(words) == "opened"


def test_a_layer_that_the_kernel_does_not_have_is_named_and_the_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(kernel, "landlock_version", missing)
    box = Sandbox(Containment())
    assert box.lacks == {"files": "Landlock: function not implemented"}
    assert box.ruleset == -1
    assert box.filters_calls
    assert [offer.there for offer in sandbox.offers()] == [False, True]


def test_a_processor_that_is_not_known_has_no_filter_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "PROCESSOR", "s390x")
    box = Sandbox(Containment())
    assert box.lacks == {"calls": "seccomp: the calls of s390x are not known here"}
    assert not box.filters_calls
    assert box.counts_processes, "a fork bomb meets a limit where no filter stops it"
    os.close(box.ruleset)


def test_a_layer_that_fails_only_when_it_is_entered_is_found_out_before_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(ruleset: int) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(kernel, "restrict_files", refused)
    box = Sandbox(Containment())
    assert box.lacks == {"files": "Landlock: operation not permitted"}
    os.close(box.ruleset)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
@pytest.mark.parametrize("user", ["nobody-at-all", "4294967295", "9" * 5000, "²", "-1", ""])
def test_a_user_who_does_not_exist_is_refused_with_a_remedy(user: str) -> None:
    with pytest.raises(UsageError, match=rf"no user '{user}' for the runners; name one with --user"):
        Sandbox(Containment(user=user))
