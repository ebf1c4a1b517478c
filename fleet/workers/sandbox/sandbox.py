"""The layers a runner locks itself into, one after the other. None needs root.

Rule 1: all that can be made beforehand is made in the zygote, once; a runner only enters. Rule 2: what is missing is
found out by a trial, before the first job, and told; it is never found out by a job. Rule 3: a layer that was there
and fails in a runner ends that runner before it sees a picture.

    user        no rights of ours: another user, no groups (only where we are root and have any to lose)
    privileges  no program gives any back, and nobody looks into its memory
    files       Landlock with an empty set of rules: no path, no TCP port, no abstract socket, no signal to others
    calls       seccomp: of the kernel's calls, the few that decoding takes; see `syscalls`
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from fleet.errors import UsageError
from fleet.settings import Containment
from fleet.workers.sandbox import bpf, kernel

LAST_ID: Final = 2**32 - 2  # of a user or a group; to the kernel the next one means to leave all as it is


class Offer(NamedTuple):
    """A layer, and whether this kernel has it: `detail` says in which form, or why not."""

    layer: str
    there: bool
    detail: str


def offers() -> list[Offer]:
    """What the kernel offers for containment, without trying it on."""
    return [_offer("files", _landlock), _offer("calls", _seccomp)]


def _offer(layer: str, ask: Callable[[], str]) -> Offer:
    try:
        return Offer(layer, True, ask())
    except OSError as error:
        return Offer(layer, False, f"{_MECHANISM[layer]}: {(error.strerror or str(error)).lower()}")


_MECHANISM = {"files": "Landlock", "calls": "seccomp"}


def _landlock() -> str:
    return f"Landlock, version {kernel.landlock_version()}"


def _seccomp() -> str:
    if kernel.PROCESSOR not in bpf.PROCESSORS:
        raise OSError(0, f"the calls of {kernel.PROCESSOR or 'this system'} are not known here")
    kernel.seccomp_available()
    return f"seccomp, for {kernel.PROCESSOR}"


class Sandbox:
    """Made once, in the zygote. `lacks` says why, by layer, of those that are not to be had here.

    Raises:
        UsageError: there is no such user.
    """

    def __init__(self, containment: Containment) -> None:
        self.lacks: dict[str, str] = {}
        self.ruleset = -1  # a descriptor that a runner must still have when it enters
        self._seccomp: kernel.Seccomp | None = None
        self._ids = _ids(containment.user) if os.geteuid() == 0 else None
        self._layers: dict[str, Callable[[], None]] = {}
        if not containment.contained:
            return
        found = {offer.layer: offer for offer in offers()}
        self.lacks = {layer: offer.detail for layer, offer in found.items() if not offer.there}
        if found["files"].there:
            self.ruleset = kernel.empty_ruleset()
        if found["calls"].there:
            self._seccomp = kernel.Seccomp(bpf.build(kernel.PROCESSOR))
        layers = {"user": self._user, "privileges": _privileges, "files": self._files, "calls": self._calls}
        self._layers = {layer: enter for layer, enter in layers.items() if layer not in self.lacks}
        self.lacks |= self._trial()
        for layer in self.lacks:
            self._layers.pop(layer, None)

    @property
    def filters_calls(self) -> bool:
        return "calls" in self._layers

    @property
    def counts_processes(self) -> bool:
        """Whether a limit of the user's processes makes sense: the user is the runners' own, or nothing else stops a
        fork bomb. Otherwise it would count whatever else the user runs, and forbid threads for that.
        """
        own_user = "user" in self._layers and self._ids is not None
        return own_user or (bool(self._layers) and not self.filters_calls)

    def change_user(self) -> None:
        """The first layer, by itself: what is to hold for the new user must be done after it."""
        if enter := self._layers.get("user"):
            enter()

    def enter(self) -> None:
        """All other layers. Raises OSError."""
        for layer, enter in self._layers.items():
            if layer != "user":
                enter()

    def _user(self) -> None:
        if self._ids is not None:
            user, group = self._ids
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)

    def _files(self) -> None:
        kernel.restrict_files(self.ruleset)
        os.close(self.ruleset)

    def _calls(self) -> None:
        assert self._seccomp is not None
        self._seccomp.load()

    def _trial(self) -> dict[str, str]:
        """Which layers a child could not enter, and why."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writer, json.dumps(self._failures()).encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as answer:
            told = answer.read()
        os.waitpid(pid, 0)
        failures: dict[str, str] = json.loads(told) if told else {"calls": "seccomp: the trial did not come back"}
        return failures

    def _failures(self) -> dict[str, str]:
        failures = {}
        for layer, enter in self._layers.items():
            try:
                enter()
            except OSError as error:
                failures[layer] = f"{_MECHANISM.get(layer, layer)}: {(error.strerror or str(error)).lower()}"
        return failures


def _privileges() -> None:
    kernel.no_new_privileges()
    kernel.not_dumpable()


def _ids(user: str) -> tuple[int, int]:
    """The user's number and its group's."""
    import pwd

    number = int(user) if user.isascii() and user.isdigit() and len(user) <= len(str(LAST_ID)) else LAST_ID + 1
    try:
        entry = pwd.getpwuid(number) if number <= LAST_ID else pwd.getpwnam(user)
    except KeyError:
        if number <= LAST_ID:
            return number, number
        raise UsageError(f"there is no user {user!r} for the runners; name one with --user") from None
    return entry.pw_uid, entry.pw_gid
