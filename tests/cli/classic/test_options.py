"""Command lines as tables."""

from __future__ import annotations

import pytest

from fleet.cli.classic.options import Option, Senseless, help_lines, number, parse, port

TABLE = (
    Option("f", "function", "FUNCTION", "what to do", often=True),
    Option("p", "port", "PORT", "where"),
    Option("v", "verbose", help="say more"),
    Option("", "server-version", help="ask for it"),
    Option("", "server-verbose", help="ask for that"),
    Option("S", "ssl", refused="there is no TLS"),
)


def test_options_and_words_come_in_any_order() -> None:
    chosen, words = parse(["a", "-f", "x", "b", "-v", "--function=y", "--", "-v", "c"], TABLE)
    assert chosen == {"function": ["x", "y"], "verbose": [""]}
    assert words == ["a", "b", "-v", "c"]


def test_flags_may_share_a_dash_and_values_touch_their_letter() -> None:
    assert parse(["-vp99"], TABLE)[0] == {"verbose": [""], "port": ["99"]}


def test_any_prefix_that_is_not_ambiguous_will_do() -> None:
    assert parse(["--server-vers", "--func", "x"], TABLE)[0] == {"server-version": [""], "function": ["x"]}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["--server"], "option --server not a unique prefix; --help lists the options"),
        (["--bogus"], "option --bogus not recognized; --help lists the options"),
        (["-x"], "option -x not recognized; --help lists the options"),
        (["-p"], "option -p requires argument; --help lists the options"),
        (["--verbose=1"], "option --verbose must not have an argument; --help lists the options"),
        (["-p", "1", "--port", "2"], "--port was given twice"),
        (["-S"], "-S is refused: there is no TLS"),
        (["--ssl"], "--ssl is refused: there is no TLS"),
    ],
)
def test_what_makes_no_sense_is_said(line: list[str], complaint: str) -> None:
    with pytest.raises(Senseless) as caught:
        parse(line, TABLE)
    assert (str(caught.value), caught.value.exit_code) == (complaint, 1)


def test_numbers_have_bounds() -> None:
    assert number({"count": ["3"]}, "count", 0, 5, 1) == 3
    assert number({}, "count", 0, 5, 1) == 1
    for text, complaint in (("6", "from 0 to 5"), ("-1", "from 0 to 5"), ("x", "no whole number"), ("", "no whole")):
        with pytest.raises(Senseless, match=complaint):
            number({"count": [text]}, "count", 0, 5, 1)


def test_a_port_may_be_the_name_of_a_service() -> None:
    assert (port("4730"), port("0"), port("http")) == (4730, 0, 80)
    for text in ("65536", "no-such-service", "", "-1"):
        with pytest.raises(Senseless, match=f"port {text}"):
            port(text)


def test_help_has_a_line_for_each_option_that_is_there() -> None:
    assert help_lines(TABLE[:3] + TABLE[5:]).splitlines() == [
        "  -f, --function FUNCTION  what to do",
        "  -p, --port PORT          where",
        "  -v, --verbose            say more",
    ]
