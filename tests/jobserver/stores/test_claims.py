"""Claims of rows, and what becomes of them when a transaction comes to nothing."""

from __future__ import annotations

from fleet.jobserver.stores.claims import Claims

QUEUE = (1, 1)


def test_a_claim_holds_until_it_is_released() -> None:
    claims = Claims()
    claims.claim(7)
    assert 7 in claims
    claims.release(7)
    claims.release(7)
    assert 7 not in claims


def test_nothing_of_a_transaction_that_came_to_nothing_is_left() -> None:
    claims = Claims()
    claims.claim(1)
    claims.claim(2)
    claims.pass_by(QUEUE, 2)
    claims.settle()
    claims.release(1)
    claims.claim(2)
    claims.claim(3)
    claims.pass_by(QUEUE, 3)
    claims.pass_by(QUEUE, 4)
    claims.pass_by((2, 0), 9)
    claims.undo()
    assert [row for row in range(5) if row in claims] == [1, 2]
    assert (claims.passed(QUEUE), claims.passed((2, 0))) == (2, 0)


def test_what_is_claimed_behind_others_does_not_pass_them_by() -> None:
    claims = Claims()
    claims.follow(QUEUE, 1)
    claims.leave(QUEUE, 2)
    claims.follow(QUEUE, 3)
    assert claims.passed(QUEUE) == 1
    claims.pass_by(QUEUE, 3)
    claims.follow(QUEUE, 4)
    assert claims.passed(QUEUE) == 4
    claims.settle()
    claims.leave(QUEUE, 5)
    claims.undo()
    claims.follow(QUEUE, 6)
    assert claims.passed(QUEUE) == 6
