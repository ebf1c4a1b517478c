from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fleet.supervisor.machine import ALIVE, NS, Kill, Machine, Spawn, State, Terminate
from fleet.supervisor.spec import Exit, Part, Plan, Policy
from tests.supervisor.histories import FIRST, HISTORIES, LISTENING, POOL, SERVER, SIGINT, SIGTERM


def lucky() -> float:
    """The shortest delays: half of each step."""
    return 0.0


@pytest.mark.parametrize("name", HISTORIES)
def test_history(name: str) -> None:
    history, code = HISTORIES[name]
    machine = Machine(Plan((SERVER, POOL)), Policy(quarantine_after=3), lucky)
    for second, happen, expected in history:
        now = round(second * NS)
        happen(machine, now)
        assert machine.tick(now) == expected, f"at {second} s"
        due = machine.due()
        assert due is None or due > now, f"at {second} s"
    assert machine.code == code
    assert machine.over == (code is not None)


def test_what_is_known_of_a_part() -> None:
    machine = Machine(Plan((SERVER, POOL)), Policy(), lucky)
    machine.tick(0)
    machine.started("server", 4711)
    machine.said("server", LISTENING, 1)
    machine.tick(1)
    assert repr(machine) == "<Machine: server RUNNING, pool STARTING, exit code None>"
    assert machine.lives["server"].pid == 4711
    assert machine.facts == {"server": "127.0.0.1:7"}
    machine.exited("server", Exit(-11, "killed by SIGSEGV"), 2)
    server = machine.lives["server"]
    assert (server.state, server.pid, server.cause) == (State.BACKOFF, None, "killed by SIGSEGV")


def test_a_decision_is_due_at_once() -> None:
    """Also one that came of doing another: a command that cannot be started is told while the actions are done."""
    machine = Machine(Plan((SERVER,)), Policy(), lucky)
    assert machine.tick(0) == [FIRST]
    machine.exited("server", Exit(127, "could not be started"), 0)
    assert machine.due() == 0
    assert not machine.over
    assert len(machine.tick(0)) == 1
    assert machine.due() is None
    assert machine.over


NAMES = ("server", "monitor", "pool")
POLICY = Policy()


class AnyHistory(RuleBasedStateMachine):
    """The machine against a world that only does what it is told, and otherwise what it likes."""

    @initialize()
    def begin(self) -> None:
        parts = (
            SERVER,
            Part("monitor", ("watch", "{server}"), "at ", needs=("server",)),
            Part("pool", ("work", "{server}"), "ready ", needs=("server", "monitor")),
        )
        self.needs = {part.name: part.needs for part in parts}
        self.ready_line = {part.name: f"{part.ready}h:1" for part in parts}
        self.machine = Machine(Plan(parts), POLICY, lucky)
        self.now = 0
        self.living: dict[str, bool] = {}  # name: whether it is ready
        self.ready_at_once = False
        self.asked = 0
        self.turn()

    def turn(self) -> None:
        for action in self.machine.tick(self.now):
            self.obey(action)
        self.ready_at_once = self.ready_at_once or (len(self.living) == len(NAMES) and all(self.living.values()))

    def obey(self, action: Any) -> None:
        match action:
            case Spawn(name, argv):
                assert name not in self.living, "two lives at once"
                assert self.machine.code is None, "spawned while stopping"
                assert all(self.living.get(need) for need in self.needs[name]), "spawned without its needs"
                assert "{" not in " ".join(argv)
                self.living[name] = False
            case Terminate(name):
                assert name in self.living
                assert not any(name in self.needs[other] for other in self.living), "the needed goes last"
            case Kill(name):
                assert name in self.living

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += round(seconds * NS)
        self.turn()

    @precondition(lambda self: self.machine.due() is not None)
    @rule()
    def wait_until_due(self) -> None:
        self.now = max(self.now, self.machine.due() or 0)
        self.turn()

    @precondition(lambda self: self.living)
    @rule(data=st.data(), noise=st.booleans())
    def speak(self, data: st.DataObject, noise: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.living)))
        starting = self.machine.lives[name].state is State.STARTING
        self.machine.said(name, "noise" if noise else self.ready_line[name], self.now)
        self.living[name] = self.living[name] or (starting and not noise)
        self.turn()

    @precondition(lambda self: self.living)
    @rule(data=st.data(), status=st.sampled_from([0, 1, 2, 78, -9, -11]))
    def die(self, data: st.DataObject, status: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.living)))
        stopping = self.machine.code is not None
        del self.living[name]
        self.machine.exited(name, Exit(status, f"status {status}"), self.now)
        life = self.machine.lives[name]
        if stopping:
            assert life.state is State.STOPPED
        elif status in POLICY.fatal and not self.ready_at_once:
            assert (life.state, self.machine.code) == (State.EXITED, status)
        else:
            longest_s = max(POLICY.backoff.cap_s, POLICY.quarantine_s)
            assert self.now < life.due <= self.now + longest_s * NS
        self.turn()

    @precondition(lambda self: self.asked < 2)
    @rule(signum=st.sampled_from([SIGINT, SIGTERM]))
    def ask(self, signum: int) -> None:
        self.asked += 1
        self.machine.asked(signum)
        self.turn()
        if self.asked == 2:
            assert self.machine.over
            assert self.machine.code == 128 + signum

    @invariant()
    def the_machine_knows_who_lives(self) -> None:
        if hasattr(self, "machine"):
            assert set(self.living) == {n for n, life in self.machine.lives.items() if life.state in ALIVE}

    @invariant()
    def it_neither_spins_nor_sticks(self) -> None:
        if not hasattr(self, "machine") or self.machine.over:
            return
        due = self.machine.due()
        assert due is None or due > self.now
        assert self.living or (due is not None and self.machine.code is None)

    def teardown(self) -> None:
        """Whatever happened: asked to stop and with everybody leaving, it ends."""
        if not hasattr(self, "machine"):
            return
        if self.asked == 0:
            self.machine.asked(SIGTERM)
            self.turn()
        for name in reversed(NAMES):
            if name in self.living and not self.machine.over:
                del self.living[name]
                self.machine.exited(name, Exit(0, "left"), self.now)
                self.turn()
        assert self.machine.over


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=150, stateful_step_count=40)
