"""Which hosts there are, and what each runs: what `inventory.toml` says. Pure: text in, values out.

Users, keys, ports and jump hosts are ssh's own business, and stay in ``~/.ssh/config``.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from fleet.errors import UsageError

# What a host may run, and how the line begins by which it says that it is ready.
COMMANDS: Final = {"up": "ready", "server": "listening", "worker": "ready"}
MANAGERS: Final = ("systemd", "plain")


class Host(NamedTuple):
    name: str
    address: str  # as ssh knows it
    run: tuple[str, ...]  # fleet's command line there

    @property
    def announces(self) -> str:
        """How its output begins once it is ready."""
        return COMMANDS[self.run[0]]


class Inventory(NamedTuple):
    hosts: tuple[Host, ...]
    root: PurePosixPath = PurePosixPath("/opt/fleet")  # on each host, where releases lie
    manager: str = "systemd"  # what starts it there; plain: a process of its own, for hosts that have no systemd
    keep: int = 5  # releases

    def only(self, names: str) -> Inventory:
        """These hosts of it, with commas between them; all if there are none. Raises UsageError."""
        wanted = [name for name in names.split(",") if name]
        known = {host.name: host for host in self.hosts}
        if unknown := [name for name in wanted if name not in known]:
            raise UsageError(f"the inventory has no host {unknown[0]!r}; it has: {', '.join(known)}")
        return self._replace(hosts=tuple(known[name] for name in dict.fromkeys(wanted))) if wanted else self


def read(text: str) -> Inventory:
    """An inventory as TOML.

    Raises:
        UsageError: it is none; the text names the place.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the inventory is no TOML: {error}") from error
    _known(found, {"fleet", "hosts"}, "the inventory")
    terms, hosts = _table(found, "fleet"), _table(found, "hosts")
    _known(terms, {"root", "manager", "keep"}, "[fleet]")
    if not hosts:
        raise UsageError('the inventory has no hosts; add one: [hosts.img1] run = "up --workers 16"')
    return Inventory(
        hosts=tuple(_host(name, hosts) for name in hosts),
        root=_root(_text(terms, "root", "[fleet]", "/opt/fleet")),
        manager=_manager(_text(terms, "manager", "[fleet]", "systemd")),
        keep=_keep(terms.get("keep", 5)),
    )


def _host(name: str, hosts: Mapping[str, Any]) -> Host:
    place, table = f"[hosts.{name}]", _table(hosts, name)
    _known(table, {"address", "run"}, place)
    try:
        run = tuple(shlex.split(_text(table, "run", place, "up")))
    except ValueError as error:
        raise UsageError(f"{place}: run cannot be read as a command line: {error}") from error
    if not run or run[0] not in COMMANDS:
        raise UsageError(f"{place}: run = {' '.join(run)!r}; it begins with one of: {', '.join(COMMANDS)}")
    return Host(name, _text(table, "address", place, name), run)


def _root(text: str) -> PurePosixPath:
    root = PurePosixPath(text)
    if not root.is_absolute() or len(root.parts) < 2 or ".." in root.parts:
        raise UsageError(f"[fleet]: root = {text!r} is no directory for releases; use one such as /opt/fleet")
    return root


def _manager(word: str) -> str:
    if word not in MANAGERS:
        raise UsageError(f"[fleet]: manager = {word!r}; it is one of: {', '.join(MANAGERS)}")
    return word


def _keep(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= 100:
        raise UsageError(f"[fleet]: keep = {value!r}; keep 2 to 100 releases, or there is none to go back to")
    return value


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tables.get(name, {})
    if not isinstance(found, dict):
        raise UsageError(f"the inventory: {name} is no table")
    return found


def _text(table: Mapping[str, Any], key: str, place: str, default: str) -> str:
    found = table.get(key, default)
    if not isinstance(found, str) or not found:
        raise UsageError(f"{place}: {key} = {found!r} is no text")
    return found


def _known(table: Mapping[str, Any], keys: set[str], place: str) -> None:
    if unknown := sorted(table.keys() - keys):
        raise UsageError(f"{place} has no {unknown[0]!r}; it may have: {', '.join(sorted(keys))}")
