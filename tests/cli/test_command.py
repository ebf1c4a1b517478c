"""Each option once, each with a value, and numbers within what can be kept: what a slip of the pen leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.core import TyperOption
from typer.main import get_command

from fleet.cli.app import GROUPS, run, tree
from fleet.cli.command import MAY_BE_EMPTY
from fleet.errors import UsageError
from tests.cli.command import complaint, fleet

CLASSIC = ("gearman", "gearadmin", "gearmand")


def every_option() -> Iterator[tuple[tuple[str, ...], TyperOption]]:
    """Each that takes a value, with the words of its command."""
    commands: dict[str, Any] = get_command(tree(None)).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        found = {(name, verb): one for verb, one in command.commands.items()} if name in GROUPS else {(name,): command}
        for words, one in found.items():
            for option in one.params:
                if isinstance(option, TyperOption) and not option.is_flag and name not in CLASSIC:
                    yield words, option


OPTIONS = [pytest.param(words, option, id=f"{' '.join(words)} {option.opts[0]}") for words, option in every_option()]


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_an_option_that_counts_once_is_not_given_twice(words: tuple[str, ...], option: TyperOption) -> None:
    if option.multiple:
        return
    flag = option.opts[0]
    with pytest.raises(UsageError, match=rf"^{flag} is given 2 times, and counts once. See fleet {' '.join(words)} -"):
        run([*words, option.opts[-1], "1", flag, "1"])


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_an_option_without_a_value_is_not_passed_over(words: tuple[str, ...], option: TyperOption) -> None:
    if option.name in MAY_BE_EMPTY:
        return
    with pytest.raises(UsageError, match=rf"^{option.opts[0]} has no value; leave it out, or write one. See fleet "):
        run([*words, option.opts[-1], ""])


def test_a_flag_may_be_given_again() -> None:
    assert run(["config", "show", "--json", "--json"]) == 0


HUGE = "9" * 25
NO_TEXT = "\udcff"  # a byte that is not UTF-8, as a file's name may have


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["jobs", "list", "--limit", HUGE], f"{HUGE} is not in the range 0<=x<=1000000000"),
        (["server", "--keep", HUGE], f"{HUGE} is not in the range 0<=x<=1000000000"),
        (["server", "--attempts", HUGE], "is not in the range"),
        (["run", "-bf", "f", "--attempts", HUGE, "x"], "is not in the range"),
        (["run", "-bf", "f", "--attempts", "many", "x"], "invalid value for '--attempts': 'many' is no whole number"),
        (["status", "--timeout", "soon"], "'soon' is no number. See fleet status --help"),
        (["run", "-bf", "f", "--at", "noon", "x"], "'noon' is no time; write 2026-11-26T03:00:00"),
        (["run", "-bf", "f", "--schedule", "x", "x"], "schedule 'x' has 1 field, and not the five minute hour mday"),
        (["run", "-f", NO_TEXT, "x"], "cannot be sent: it is not UTF-8"),
        (["run", "-bf", NO_TEXT, "--ttl", "5m", "x"], "cannot be sent: it is not UTF-8"),
        (["run", "-f", "f", "-u", NO_TEXT, "x"], "cannot be sent: it is not UTF-8"),
        (["run", "-f", "f", "--reducer", NO_TEXT, "x"], "cannot be sent: it is not UTF-8"),
        (["status", "--servers", NO_TEXT], "is no job server address; write HOST:PORT"),
        (["status", "--servers", "a..b"], "is no job server address"),
        (["status", "--servers", "a" * 64], "is no job server address"),
        (["result", "H:x:1", "-f", "f", "-u", "u"], "by its handle, or else by its function and unique together"),
        (["jobs", "show", "-f", "f"], "by its handle, or else by its function and unique together"),
    ],
)
def test_what_no_server_could_do_is_refused_before_one_is_asked(words: list[str], text: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(words)
    assert text in str(raised.value)


@pytest.mark.parametrize("timeout", ["inf", "1e400", HUGE])
def test_a_wait_without_an_end_is_a_very_long_one(timeout: str) -> None:
    done = fleet("status", "--servers", "127.0.0.1:1", "--timeout", timeout)
    assert (done.returncode, "127.0.0.1:1 (connection refused)" in complaint(done)) == (3, True)
