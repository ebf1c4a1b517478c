"""Results that wait for their job server's return, within bounds."""

from __future__ import annotations

from fleet.settings import Address
from fleet.workers.late import Answer, Late

HERE, THERE = Address("a", 1), Address("b", 1)


def test_each_server_gets_what_it_is_owed_once_and_in_order() -> None:
    late = Late(most_bytes=100, keep_ns=10)
    late.keep(HERE, Answer(b"1", b"one"), 0)
    late.keep(THERE, Answer(b"2", b"two"), 1)
    late.keep(HERE, Answer(b"3", b"", "no"), 2)
    assert late.owes(HERE, 3)
    assert late.take(HERE, 3) == [Answer(b"1", b"one"), Answer(b"3", b"", "no")]
    assert not late.owes(HERE, 3)
    assert late.take(HERE, 3) == []
    assert late.take(THERE, 3) == [Answer(b"2", b"two")]


def test_a_server_is_known_to_have_jobs_adrift_until_the_last_is_settled() -> None:
    late = Late(most_bytes=100, keep_ns=10)
    late.drifts(HERE)
    late.drifts(HERE)
    late.settled(HERE)
    assert late.has_adrift(HERE)
    assert not late.has_adrift(THERE)
    late.settled(HERE)
    assert not late.has_adrift(HERE)


def test_nothing_is_kept_longer_than_it_may_be() -> None:
    late = Late(most_bytes=100, keep_ns=10)
    late.keep(HERE, Answer(b"1", b"one"), 0)
    late.keep(HERE, Answer(b"2", b"two"), 5)
    assert late.take(HERE, 10) == [Answer(b"2", b"two")]
    late.keep(HERE, Answer(b"3", b""), 10)
    assert not late.owes(HERE, 20)


def test_the_oldest_go_when_there_is_too_much() -> None:
    late = Late(most_bytes=10, keep_ns=10)
    for number in range(5):
        late.keep(HERE, Answer(b"%d" % number, b"1234"), 0)
    assert [answer.handle for answer in late.take(HERE, 0)] == [b"3", b"4"]
    late.keep(HERE, Answer(b"5", b"1234567890"), 0)  # what was taken counts no more
    assert late.owes(HERE, 0)
    late.keep(HERE, Answer(b"6", b"12345678901"), 0)
    assert not late.owes(HERE, 0)
