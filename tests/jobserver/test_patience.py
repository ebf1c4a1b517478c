"""How long a peer may take to send a message."""

from __future__ import annotations

from fleet.jobserver.patience import Patience
from fleet.settings import ServerLimits

SECOND = 1_000_000_000


class Sender:
    def __init__(self) -> None:
        self.received = 0
        self.midway = True


def patience() -> Patience:
    return Patience(ServerLimits(slow_s=10, slow_bytes=1000))


def test_who_sends_too_little_in_time_is_too_slow_once() -> None:
    watch, sender = patience(), Sender()
    watch.watch(sender, 0)
    watch.watch(sender, 9 * SECOND)  # the first time counts
    sender.received = 999
    assert watch.exhausted(9 * SECOND) == []
    assert watch.exhausted(10 * SECOND) == [sender]
    assert watch.exhausted(20 * SECOND) == []
    assert not watch


def test_who_completes_its_message_is_forgotten() -> None:
    watch, sender = patience(), Sender()
    watch.watch(sender, 0)
    sender.midway = False
    assert watch.exhausted(5 * SECOND) == []
    sender.midway = True
    watch.watch(sender, 9 * SECOND)
    assert watch.exhausted(12 * SECOND) == []


def test_who_sends_enough_gets_as_long_again() -> None:
    watch, sender = patience(), Sender()
    watch.watch(sender, 0)
    sender.received = 1000
    assert watch.exhausted(10 * SECOND) == []
    sender.received = 1500
    assert watch.exhausted(20 * SECOND) == [sender]


def test_who_left_is_not_looked_at() -> None:
    watch, sender = patience(), Sender()
    watch.watch(sender, 0)
    watch.forget(sender)
    watch.forget(sender)
    assert watch.exhausted(99 * SECOND) == []
