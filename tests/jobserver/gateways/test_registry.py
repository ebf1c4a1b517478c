"""Which protocols there are beside Gearman, and where they listen."""

from __future__ import annotations

import pytest

from fleet.errors import UsageError
from fleet.jobserver.gateways import GATEWAYS, PORTS, listen_at, wire_for
from fleet.jobserver.wire import Wire
from fleet.settings import Address


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_has_a_class_and_a_usual_port(name: str) -> None:
    assert issubclass(wire_for(name), Wire)
    assert listen_at([name], "", {}) == ((name, Address("", PORTS[name])),)


def test_each_is_spoken_once_and_where_it_is_told() -> None:
    assert listen_at(["http", "http"], "::1", {"http": 0}) == (("http", Address("::1", 0)),)
    assert listen_at([], "::1", {"http": None}) == ()


def test_what_there_is_not_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="there is no protocol 'gopher' beside Gearman; there are: http"):
        listen_at(["gopher"], "", {})
    with pytest.raises(UsageError, match="there is no protocol 'gopher'"):
        wire_for("gopher")


def test_a_port_for_what_is_not_spoken_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="--http-port is given, but not --protocol http"):
        listen_at([], "", {"http": 8080})
