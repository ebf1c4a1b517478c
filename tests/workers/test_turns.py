"""Which of several job servers is asked for the next job."""

from __future__ import annotations

from fleet.workers.turns import Turns


def test_one_is_asked_at_a_time() -> None:
    turns: Turns[str] = Turns()
    turns.awake("a")
    turns.awake("b")
    assert turns.ask() == "a"
    assert turns.ask() is None
    turns.asleep("a")
    assert turns.ask() == "b"


def test_servers_that_have_jobs_take_turns() -> None:
    turns: Turns[str] = Turns()
    turns.awake("a")
    turns.awake("b")
    asked = []
    for _ in range(4):
        server = turns.ask()
        assert server
        asked.append(server)
        turns.awake(server)
    assert asked == ["a", "b", "a", "b"]


def test_nobody_is_asked_who_sleeps_or_is_gone() -> None:
    turns: Turns[str] = Turns()
    assert turns.ask() is None
    turns.awake("a")
    turns.asleep("a")
    turns.asleep("never heard of")
    assert turns.ask() is None


def test_a_server_that_is_lost_while_it_owes_an_answer_makes_room() -> None:
    turns: Turns[str] = Turns()
    turns.awake("a")
    assert turns.ask() == "a"
    turns.awake("b")
    turns.asleep("a")
    assert turns.ask() == "b"
