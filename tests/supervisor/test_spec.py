from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import UsageError
from fleet.supervisor.spec import Part, Plan, Policy, fill

FACTS = {"server": "127.0.0.1:43127", "v6": "[::1]:4730", "pool": "16 slots"}

FILLED = [
    ("{server}", "127.0.0.1:43127"),
    ("--to={server.host},{server.port}", "--to=127.0.0.1,43127"),
    ("{server.port:0}", "43127"),
    ("{v6.host} {v6.port}", "[::1] 4730"),
    ("{monitor.port:0}", "0"),
    ("{monitor.port:}", ""),
    ("{monitor}", "{monitor}"),
    ('{"width": 64} {} {Server}', '{"width": 64} {} {Server}'),
    ("{pool}", "16 slots"),
]


@pytest.mark.parametrize(("word", "filled"), FILLED)
def test_fill(word: str, filled: str) -> None:
    assert fill(("run", word), FACTS) == ("run", filled)


BAD_PARTS: list[tuple[dict[str, Any], str]] = [
    ({"name": "Job server"}, "no name for a part"),
    ({"argv": ()}, "has no command"),
    ({"argv": ("",)}, "has no command"),
    ({"ready": ""}, "does not say how it announces"),
    ({"stop_s": 0}, "more than 0 s"),
    ({"start_s": -1}, "more than 0 s"),
]


@pytest.mark.parametrize(("change", "text"), BAD_PARTS)
def test_bad_part(change: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Part(**{"name": "server", "argv": ("serve",), "ready": "listening ", **change})


def server(*more: str) -> Part:
    return Part("server", ("serve", *more), "listening ")


def pool(*more: str, needs: tuple[str, ...] = ("server",)) -> Part:
    return Part("pool", ("work", *more), "ready ", needs)


BAD_PLANS: list[tuple[tuple[Part, ...], str]] = [
    ((), "nothing to supervise"),
    ((server(), server()), "two parts are named server"),
    ((pool(), server()), "pool needs server, which is not listed before it"),
    ((server(), pool("{server}", needs=())), "pool cannot know {server} when .*; add server to its needs"),
    ((server("{server.port}"),), "server cannot know {server.port} when .*; write {server:VALUE}"),
    ((server("{pool:0}"), pool()), "server cannot know {pool:0}"),
]


@pytest.mark.parametrize(("parts", "text"), BAD_PLANS)
def test_bad_plan(parts: tuple[Part, ...], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Plan(parts)


def test_good_plan() -> None:
    parts = (server("--port", "{server.port:0}"), pool("--servers", "{server}"))
    assert tuple(Plan(parts)) == parts


def test_parts_and_policies_are_values() -> None:
    assert server() == server()
    assert len({server(), server(), pool()}) == 2
    assert Policy() == Policy()
