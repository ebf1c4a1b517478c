"""Command lines as tables: what the three programs accept, read by getopt, and the help made from the same table.

getopt gives what the originals have: options and words in any order (GNU permutation), `--` to end the options, and
any prefix of a long name that is not ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from getopt import GetoptError, gnu_getopt
from typing import Final, NamedTuple

from fleet.errors import UsageError

NO_TLS: Final = "there is no TLS yet, and nothing must travel in the clear that was meant to be secret"

Chosen = dict[str, list[str]]  # by the options' names; a flag's value is empty


class Option(NamedTuple):
    """One option. Without a metavar it is a flag; with `refused` it is known, and that says why it is not there."""

    letter: str
    name: str
    metavar: str = ""
    help: str = ""
    refused: str = ""
    often: bool = False  # it may be given several times


class Senseless(UsageError):
    """The command line makes no sense to this program."""

    exit_code = 1  # as the originals have it


def parse(argv: Sequence[str], table: Sequence[Option]) -> tuple[Chosen, list[str]]:
    """The options that were chosen, and the words that are no options.

    Raises:
        Senseless: an option does not exist, lacks its value, came twice, or is not there.
    """
    letters = "".join(option.letter + ":" * bool(option.metavar) for option in table if option.letter)
    names = [option.name + "=" * bool(option.metavar) for option in table]
    try:
        found, words = gnu_getopt(list(argv), letters, names)
    except GetoptError as error:
        raise Senseless(f"{error}; --help lists the options") from None
    by_spelling = {f"-{option.letter}": option for option in table} | {f"--{option.name}": option for option in table}
    chosen: Chosen = {}
    for spelling, value in found:
        option = by_spelling[spelling]
        if option.refused:
            raise Senseless(f"{spelling} is refused: {option.refused}")
        if option.name in chosen and option.metavar and not option.often:
            raise Senseless(f"--{option.name} was given twice")
        chosen.setdefault(option.name, []).append(value)
    return chosen, words


def number(chosen: Chosen, name: str, least: int, most: int, default: int) -> int:
    """The whole number that an option was given.

    Raises:
        Senseless: it is none, or out of bounds.
    """
    if name not in chosen:
        return default
    text = chosen[name][-1]
    try:
        value = int(text)
    except ValueError:
        raise Senseless(f"--{name} {text}: that is no whole number") from None
    if not least <= value <= most:
        raise Senseless(f"--{name} {text}: from {least} to {most}, please")
    return value


def port(text: str) -> int:
    """A port, by number or by the name of its service. Raises Senseless."""
    if text.isascii() and text.isdigit():
        if int(text) > 65535:
            raise Senseless(f"port {text}: there are only 65535")
        return int(text)
    from socket import getservbyname

    try:
        return getservbyname(text, "tcp")
    except OSError:
        raise Senseless(f"port {text}: neither a number nor the name of a service") from None


def help_lines(table: Iterable[Option]) -> str:
    """A line for each option that is there."""
    rows = [(spelled(option), option.help) for option in table if not option.refused]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"  {left:<{width}}  {right}" for left, right in rows)


def spelled(option: Option) -> str:
    letter = f"-{option.letter}, " if option.letter else "    "
    return f"{letter}--{option.name} {option.metavar}".rstrip()
