"""The supervisor's decisions: who is started, stopped, killed and when, and what is said about it.

Rule 1: every change of a part's state is made in this file. Rule 2: no clock, chance, process, signal, file or log
here; time comes in as `now` (ns, monotonic), chance as a callable, and decisions go out as values from `tick`.
Rule 3: a part has one life at a time: it is spawned only when the last one's exit was told. Rule 4: once a stop
was asked for, nothing is spawned.

    STOPPED --> STARTING --> RUNNING       STOPPED: waits for its needs, or its stop is done
       ^          |  ^          |          BACKOFF, QUARANTINED: dead, started again when `due`
       |          v  |          v          STOPPING: on its way out; EXITED: its end ended everything
    STOPPING   BACKOFF <--------+
               QUARANTINED (alike start-up failures in a row)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fleet.supervisor.spec import Exit, Part, Plan, Policy, fill

NEVER: Final = 2**63 - 1  # ns
READY: Final = "ready"  # the line that says that all parts are
NS: Final = 1_000_000_000  # in a second


class State(StrEnum):
    """supervisord's words, which administrators know, and one of ours."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    QUARANTINED = "QUARANTINED"
    STOPPING = "STOPPING"
    EXITED = "EXITED"


ALIVE: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
WAITING: Final = frozenset({State.STOPPED, State.BACKOFF, State.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the part with this command; tell `started`, or `exited` if it cannot be started."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask the part to finish and leave: SIGTERM to its process."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End the part: SIGKILL to its process group."""

    name: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Good news that was waited for, for the standard output."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """News from the supervisor, for the standard error."""

    text: str


@dataclass(frozen=True, slots=True)
class Relay:
    """A line that a part wrote, for the standard error."""

    name: str
    text: str


Action = Spawn | Terminate | Kill | Announce | Report | Relay


@dataclass(slots=True)
class Life:
    """One part as it is now."""

    part: Part
    state: State = State.STOPPED
    pid: int | None = None  # only while alive
    due: int = 0  # ns; STARTING: to be killed, RUNNING: healthy, STOPPING: to be killed, else: to be started
    ready: bool = False  # in this life
    verdict: str = ""  # the cause of the coming exit, if it was decided here
    cause: str = ""  # of the last exit
    failures: int = 0  # exits since it was last healthy
    alike: int = 0  # start-ups in a row that failed with `cause`


class Machine:
    """Tell it what happened (`started`, `said`, `exited`, `asked`), then do what `tick` returns.

    `chance` returns a number in [0, 1) and spreads the restarts. The first tick starts the first parts.
    """

    def __init__(self, plan: Plan, policy: Policy, chance: Callable[[], float]) -> None:
        self.lives = {part.name: Life(part) for part in plan}
        self.facts: dict[str, str] = {}  # what each part announced last
        self.code: int | None = None  # the exit code, once everything is to stop
        self._policy = policy
        self._chance = chance
        self._was_ready = False  # all parts at once, at least once
        self._asked = 0  # signals
        self._todo: list[Action] = []
        self._column = max(map(len, self.lives)) + 3

    def __repr__(self) -> str:
        states = ", ".join(f"{name} {life.state}" for name, life in self.lives.items())
        return f"<Machine: {states}, exit code {self.code}>"

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do or to wait for; `code` is the exit code then."""
        nobody = not any(map(_alive, self.lives.values()))
        return not self._todo and (self._asked > 1 or (self.code is not None and nobody))

    def started(self, name: str, pid: int) -> None:
        """The part that was to be spawned runs as process `pid`."""
        self.lives[name].pid = pid

    def said(self, name: str, line: str, now: int) -> None:
        """The part wrote a line to its standard output: its announcement, or something to pass on."""
        life = self.lives[name]
        if life.state is not State.STARTING or not line.startswith(life.part.ready):
            self._todo.append(Relay(name, line))
            return
        again = name in self.facts
        self.facts[name] = line.removeprefix(life.part.ready).strip()
        life.state, life.ready, life.alike = State.RUNNING, True, 0
        life.due = now + _ns(self._policy.healthy_s)
        self._todo.append(Report(f"{name} is back: {line}") if again else Announce(f"{name:<{self._column}}{line}"))
        if not self._was_ready and all(one.state is State.RUNNING for one in self.lives.values()):
            self._was_ready = True
            self._todo.append(Announce(READY))

    def exited(self, name: str, end: Exit, now: int) -> None:
        """The part's process ended, or could not be started at all."""
        life = self.lives[name]
        cause = life.verdict or end.cause
        if self.code is not None:
            if self._asked or end.status:  # who ends well because another could not start is no news
                self._todo.append(Report(f"{name} stopped: {cause}"))
            life.state, life.due, life.cause = State.STOPPED, NEVER, cause
        elif not self._was_ready and end.status in self._policy.fatal:
            if end.status not in self._policy.told:
                self._todo.append(Report(f"{name} {cause}; at the first start that is not tried again"))
            life.state, life.due, life.cause = State.EXITED, NEVER, cause
            self._stop_all(end.status)
        else:
            self._retry(life, cause, now)
        life.pid, life.ready, life.verdict = None, False, ""

    def asked(self, signum: int) -> None:
        """Somebody wants an end: the first time by finishing what runs, the second time at once."""
        self._asked += 1
        if self._asked > 1:
            self.code = 128 + signum
            self._todo += [Kill(name) for name, life in self.lives.items() if _alive(life)]
        elif self.code is None:
            self._todo.append(Report("finishing what runs; a second signal stops at once"))
            self._stop_all(0)

    def tick(self, now: int) -> list[Action]:
        """Decide what is due; return all that was decided since the last tick, to be done in this order."""
        for life in self.lives.values():
            if life.due <= now:
                self._expire(life, now)
        if self.code is None:
            self._start_next(now)
        elif self._asked < 2:
            self._stop_next(now)
        todo, self._todo = self._todo, []
        return todo

    def due(self) -> int | None:
        """When to tick if nothing happens before (ns, monotonic); None: then there is nothing to wait for."""
        if self._todo:
            return 0
        times = [life.due for life in self.lives.values() if life.state not in WAITING or self._needs_met(life)]
        soonest = min(times, default=NEVER)
        return None if soonest == NEVER else soonest

    def _expire(self, life: Life, now: int) -> None:
        """A living part's time is over; the dead ones are for `_start_next`."""
        if life.state is State.RUNNING:
            life.failures, life.due = 0, NEVER
        elif life.state is State.STARTING:
            # No SIGTERM: what hangs in its start-up does not listen yet, and holds no job.
            self._kill(life, f"did not become ready in {life.part.start_s:g} s")
        elif life.state is State.STOPPING:
            self._todo.append(Report(f"{life.part.name} is still there after {life.part.stop_s:g} s; killing it"))
            self._kill(life, f"killed, it did not stop in {life.part.stop_s:g} s")

    def _kill(self, life: Life, verdict: str) -> None:
        life.state, life.due, life.verdict = State.STOPPING, NEVER, verdict
        self._todo.append(Kill(life.part.name))

    def _retry(self, life: Life, cause: str, now: int) -> None:
        """Backoff or quarantine: never the end, since what heals must come back without anybody."""
        name, policy = life.part.name, self._policy
        life.failures += 1
        life.alike = 0 if life.ready else life.alike + 1 if cause == life.cause else 1
        life.cause = cause
        if life.alike >= policy.quarantine_after:
            life.state, life.due = State.QUARANTINED, now + _ns(policy.quarantine_s)
            text = (
                f"{name} {cause}, {life.alike} times in a row before it was ready; it is quarantined and tried "
                f"every {policy.quarantine_s:g} s. Somebody must mend what it complains of above"
            )
        else:
            delay_s = policy.backoff.delay_s(life.failures, self._chance())
            life.state, life.due = State.BACKOFF, now + _ns(delay_s)
            text = f"{name} {cause}; restarting in {delay_s:.1f} s"
        self._todo.append(Report(text))

    def _start_next(self, now: int) -> None:
        for life in self.lives.values():
            if life.state in WAITING and life.due <= now and self._needs_met(life):
                life.state, life.due = State.STARTING, now + _ns(life.part.start_s)
                self._todo.append(Spawn(life.part.name, fill(life.part.argv, self.facts)))

    def _needs_met(self, life: Life) -> bool:
        """A restart waits too: started without its server, a pool would only fail again and be blamed for it."""
        return all(self.lives[need].state is State.RUNNING for need in life.part.needs)

    def _stop_all(self, code: int) -> None:
        self.code = code
        for life in self.lives.values():
            if life.state in WAITING:
                life.state, life.due = State.STOPPED, NEVER

    def _stop_next(self, now: int) -> None:
        """Ask those to leave that nobody alive needs: the pool hands its results to a server that still runs."""
        needed = {need for life in self.lives.values() if _alive(life) for need in life.part.needs}
        for name, life in self.lives.items():
            if _alive(life) and life.state is not State.STOPPING and name not in needed:
                life.state, life.due = State.STOPPING, now + _ns(life.part.stop_s)
                self._todo.append(Terminate(name))


def _alive(life: Life) -> bool:
    return life.state in ALIVE


def _ns(seconds: float) -> int:
    return round(seconds * NS)
