"""What runners have of the pool's environment."""

from __future__ import annotations

from fleet.workers.environment import DEFAULTS, for_runners


def test_what_has_no_name_here_is_not_let_through() -> None:
    whole = {"DATABASE_URL": "x", "AWS_SECRET_ACCESS_KEY": "x", "FLEET_SERVERS": "x", "SSH_AUTH_SOCK": "x", "LCD": "x"}
    assert for_runners(whole) == DEFAULTS


def test_what_says_how_programs_behave_is_and_counts_before_our_defaults() -> None:
    whole = {"PATH": "/bin", "LC_ALL": "C", "PYTHONPATH": "here", "MALLOC_ARENA_MAX": "4"}
    assert for_runners(whole) == {**DEFAULTS, **whole}


def test_functions_of_ones_own_may_be_given_more() -> None:
    assert for_runners({"MODEL": "small", "TOKEN": "x"}, also=("MODEL", "NOT_SET")) == {**DEFAULTS, "MODEL": "small"}
