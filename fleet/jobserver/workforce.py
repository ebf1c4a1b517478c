"""Who can do what, whose turn it is, who sleeps and who is woken: the workers' side of the queue.

Rule 1: one question, one answer: what a grab would take is what wakes a sleeper and what PRE_SLEEP is answered with
(`_next_function`). Rule 2: sleepers are woken last (`wake`), once everything that has arrived was dealt with: a job
that a busy worker grabbed meanwhile needs nobody else.

The order is gearmand 2.0's: priority first, over all functions of the worker; then the function that was served
longest ago; then first in, first out.
"""

from __future__ import annotations

from typing import Final

from fleet.jobserver.functions import Functions
from fleet.jobserver.job import NORMAL, PRIORITIES, Function, Job, Peer
from fleet.jobserver.refusal import Refusal
from fleet.settings import ServerLimits

NEVER: Final = 2**63


class Workforce:
    """All functions and peers of one job server. Arguments: see `ServerSettings`."""

    # CPython finds the attributes of an object by their place only while there are at most 30, or in slots.
    __slots__ = (
        "_linger_ns",
        "_lingering",
        "_most_held",
        "_ready",
        "_turn",
        "_wake_ns",
        "_woken",
        "_worker_wakeup",
        "calling",
        "due",
        "functions",
        "limits",
        "peers",
    )

    def __init__(self, limits: ServerLimits, worker_wakeup: int) -> None:
        self.limits = limits
        self.functions = Functions(limits)
        self.peers: dict[Peer, None] = {}
        self.due = NEVER  # before then, in ns, `Broker.tick` has nothing to do
        self.calling: dict[Function, None] = {}  # functions on which `wake` has to look
        self._worker_wakeup = worker_wakeup
        self._most_held = limits.jobs_per_worker
        self._wake_ns = round(limits.wake_s * 1e9)
        self._linger_ns = round(limits.linger_s * 1e9)
        self._ready: tuple[dict[Function, None], ...] = ({}, {}, {})  # functions with queued jobs, by priority
        self._turn = 0
        self._lingering: dict[Peer, None] = {}  # whose grab is answered a moment later, the longest ago first
        self._woken: dict[Peer, None] = {}  # who was sent a NOOP and has not come, the longest ago first

    def join(self, peer: Peer) -> None:
        self.peers[peer] = None

    def can_do(self, peer: Peer, name: bytes, now: int, timeout_ns: int = 0) -> None:
        """The worker takes jobs of function `name`; each may take `timeout_ns` there, 0 for as long as it likes."""
        function = self.functions.named(name)
        if function not in peer.functions and len(peer.functions) >= self.limits.functions_per_worker:
            raise Refusal(b"TOO_MANY_FUNCTIONS", b"A worker may register %d functions" % len(peer.functions))
        if function not in peer.functions:
            peer.functions[function] = peer.unlisted[function] = None
        function.workers[peer] = timeout_ns
        if peer.asleep:
            self._list(peer)
            self._call(function)

    def cant_do(self, peer: Peer, name: bytes, now: int) -> None:
        """No new jobs of function `name`; a running one stays the worker's, unlike in gearmand."""
        function = self.functions.get(name)
        if function in peer.functions:
            self._unregister(peer, function, now)

    def reset_abilities(self, peer: Peer, now: int) -> None:
        for function in list(peer.functions):
            self._unregister(peer, function, now)

    def _unregister(self, peer: Peer, function: Function, now: int) -> None:
        del peer.functions[function]
        del function.workers[peer]
        function.sleepers.pop(peer, None)
        peer.unlisted.pop(function, None)
        if peer.woken_for is function:
            self._came(peer)

    def _next_function(self, peer: Peer) -> tuple[Function | None, int]:
        """The function whose job this worker would get now, and that job's priority."""
        able = peer.functions
        for priority in PRIORITIES:
            ready = self._ready[priority]
            if not ready:
                continue
            fewer, other = (ready, able) if len(ready) <= len(able) else (able, ready)
            best: Function | None = None
            for function in fewer:
                if function in other and (best is None or function.turn < best.turn):
                    best = function
            if best:
                return best, priority
        return None, NORMAL

    def sleep(self, peer: Peer, now: int) -> None:
        """PRE_SLEEP: the worker waits for a NOOP, which comes at once if there is a job for it."""
        if peer.woken_for:
            self._came(peer)
        if self._next_function(peer)[0] and self._may_hold_more(peer):
            peer.wake()
            return
        peer.asleep = True
        self._list(peer)

    def _may_hold_more(self, peer: Peer) -> bool:
        return len(peer.holding) < self._most_held

    def _list(self, peer: Peer) -> None:
        """Have it stand among the sleepers of all its functions."""
        for function in peer.unlisted:
            function.sleepers[peer] = None
        peer.unlisted.clear()

    # -- whose grab found nothing -----------------------------------------------------------------------------

    def grab(self, peer: Peer, now: int) -> Job | None:
        raise NotImplementedError  # the broker's

    def linger(self, peer: Peer, now: int) -> bool:
        """Whether a grab that found nothing is answered a moment later, by `Peer.granted`.

        It is if the worker has just ended a job: whoever waited for that sends the next one at once. Answered
        NO_JOB, the worker would go to sleep, be woken, and grab again: two more packets each way.
        """
        if not peer.done or not self._linger_ns or not self._may_hold_more(peer):
            return False
        peer.done = False
        peer.lingering, peer.lingers_since = True, now
        self._lingering[peer] = None
        if now + self._linger_ns < self.due:
            self.due = now + self._linger_ns
        return True

    def settle(self, peer: Peer, now: int) -> None:
        """Answer a grab that lingers."""
        peer.lingering = False
        del self._lingering[peer]
        peer.granted(self.grab(peer, now))

    def _grant(self, function: Function, now: int) -> None:
        """Give the function's jobs to those who linger."""
        for peer in list(self._lingering):
            if not function.queued:
                return
            if function in peer.functions:
                self.settle(peer, now)

    # -- who is woken -----------------------------------------------------------------------------------------

    def _call(self, function: Function) -> None:
        """It has a job more, or a sleeper more, or somebody less who comes: see whom to `wake`."""
        if function.sleepers or self._lingering:
            self.calling[function] = None

    def _relieved(self, peer: Peer) -> None:
        """A sleeper has a job less, and may be woken again if it had all it may have."""
        self._list(peer)
        for function in peer.functions:
            if function.queued:
                self._call(function)

    def wake(self, now: int) -> None:
        """Wake as many sleepers as there are jobs that nobody was woken for yet."""
        while self.calling:
            function, _ = self.calling.popitem()
            if self._lingering:
                self._grant(function, now)
            while function.sleepers and function.queued * self._worker_wakeup > function.woken:
                peer, _ = function.sleepers.popitem(last=False)
                peer.unlisted[function] = None
                if peer.asleep and self._may_hold_more(peer):
                    self._rouse(peer, function, now)

    def _rouse(self, peer: Peer, function: Function, now: int) -> None:
        peer.asleep = False
        peer.woken_for, peer.woken_at = function, now
        function.woken += 1
        self._woken[peer] = None
        if now + self._wake_ns < self.due:
            self.due = now + self._wake_ns
        peer.wake()

    def _came(self, peer: Peer) -> None:
        """A woken worker turned to something else, or never came: somebody else is woken in its place."""
        function = peer.woken_for
        assert function is not None
        peer.woken_for = None
        del self._woken[peer]
        function.woken -= 1
        self._call(function)
