"""What is to run: the parts of one host, and the policy by which they are kept running.

Rule 1: a part says how it is started and how it says that it is ready, never what it does. Rule 2: a part needs
only parts that are listed before it, so the list is an order to start in and, backwards, one to stop in.
Rule 3: what an earlier part announced, and only that, can be filled into a later part's command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fleet.backoff import Backoff
from fleet.errors import UsageError

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_HOLE: Final = re.compile(rf"\{{({_NAME.pattern})(?:\.(host|port))?(?::([^{{}}]*))?\}}")


@dataclass(frozen=True, slots=True)
class Part:
    """One child process of the supervisor.

    The part is ready when it writes a line to its standard output that begins with `ready`; the rest of that line
    is its *fact*: ``listening 127.0.0.1:43127`` and ``ready="listening "`` announce ``127.0.0.1:43127``.

    Words of `argv` may hold facts: ``{server}`` is what the part `server` announced, ``{server.host}`` and
    ``{server.port}`` are what stands before and after its last colon. ``{server.port:0}`` is ``0`` until there is
    a fact. So ``--port {server.port:0}`` in the server's own command takes any free port at the first start, and
    the same one at every restart, which is where its clients look for it. Other braces are left as they are.

    Raises:
        UsageError: the part makes no sense by itself; what it says of others is checked by `Plan`.
    """

    name: str  # lower case letters, digits, - and _
    argv: tuple[str, ...]
    ready: str  # how the line begins that announces readiness
    needs: tuple[str, ...] = ()  # parts that must be ready before this one is started
    env: Mapping[str, str] = field(default_factory=dict, hash=False)  # added to the supervisor's own
    stop_s: float = 25.0  # SIGTERM to SIGKILL: a pool's 20 s for its running jobs, and 5 to say goodbye
    start_s: float = 60.0  # to become ready: a cold disk and a long queue to read are no fault

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"{self.name!r} is no name for a part; use lower case letters, digits, - and _")
        if not self.argv or not self.argv[0]:
            raise UsageError(f"part {self.name} has no command")
        if not self.ready:
            raise UsageError(f"part {self.name} does not say how it announces that it is ready")
        if self.stop_s <= 0 or self.start_s <= 0:
            raise UsageError(f"part {self.name} needs more than 0 s to start and to stop")


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of one host, in an order in which they can be started.

    Raises:
        UsageError: there are no parts, two have one name, one needs a part that is not listed before it, or its
            command holds a fact that need not be known when it is first started.
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise UsageError("there is nothing to supervise")
        earlier: set[str] = set()
        for part in self.parts:
            if part.name in earlier:
                raise UsageError(f"two parts are named {part.name}")
            for need in part.needs:
                if need not in earlier:
                    raise UsageError(f"part {part.name} needs {need}, which is not listed before it")
            _check_holes(part)
            earlier.add(part.name)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)


def _check_holes(part: Part) -> None:
    for hole in _HOLE.finditer(" ".join(part.argv)):
        source, _, default = hole.groups()
        if source not in part.needs and (source != part.name or default is None):
            remedy = f"write {{{part.name}:VALUE}}" if source == part.name else f"add {source} to its needs"
            raise UsageError(f"part {part.name} cannot know {hole.group()} when it is first started; {remedy}")


def fill(argv: Iterable[str], facts: Mapping[str, str]) -> tuple[str, ...]:
    """The command with the facts in place; `facts` are announced texts by part name."""

    def fact(hole: re.Match[str]) -> str:
        source, piece, default = hole.groups()
        if source not in facts:
            return hole.group() if default is None else default
        host, _, port = facts[source].rpartition(":")
        return {"host": host, "port": port, None: facts[source]}[piece]

    return tuple(_HOLE.sub(fact, word) for word in argv)


@dataclass(frozen=True, slots=True)
class Policy:
    """When a dead part is started again."""

    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, cap_s=30.0))
    healthy_s: float = 60.0  # ready this long, a part's earlier deaths are forgotten
    quarantine_after: int = 5  # start-ups in a row that ended alike: this will not heal by itself
    quarantine_s: float = 60.0  # between tries in quarantine: it may have been mended
    # Exit codes that end everything before the fleet was ever ready: usage, EX_CONFIG (say, the port is taken), and
    # the shell's own "cannot be run" and "not found". Whoever typed the command is still looking at it.
    fatal: frozenset[int] = frozenset({2, 78, 126, 127})
    told: frozenset[int] = frozenset({2, 78})  # those of our own commands, which have said why in a line of theirs


class Exit(NamedTuple):
    """How a process ended."""

    status: int  # the exit code, or minus the signal
    cause: str  # as a verb: "exited with code 1", "killed by SIGKILL"
