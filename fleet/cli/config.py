"""`fleet config show`: the settings that hold here, and where each comes from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Annotated, Any, Final, NamedTuple

import typer

from fleet.cli import put, shown

HELP: Final = "The settings that hold here: show."


class Setting(NamedTuple):
    key: tuple[str, ...]
    value: Any
    origin: str  # a file, a variable of the environment, or the default


def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs; one line for each.")] = False,
) -> None:
    """Print all settings as TOML, and where each comes from: a file, FLEET_SERVERS, or the default."""
    found = list(_settings())
    if as_json:
        for key, value, origin in found:
            put(json.dumps({"key": ".".join(key), "value": _plain(value), "origin": origin}))
        return
    lines = [(f"{'.'.join(map(_bare, key))} = {_toml(_plain(value))}", origin) for key, value, origin in found]
    column = max(len(line) for line, _ in lines if len(line) < 60)
    for line, origin in lines:
        put(f"{line:<{column}}  # {shown(origin)}")


def _settings() -> Iterator[Setting]:
    from fleet import config as settings
    from fleet.images import Limits
    from fleet.settings import Containment, FunctionPolicy, PoolLimits, StoreLimits, parse_servers

    settings.load()  # what makes no sense is told, and nothing shown
    files = {key: Setting(key, value, str(path)) for key, (value, path) in settings.origins().items()}
    if os.environ.get("FLEET_SERVERS"):
        files["servers",] = Setting(("servers",), os.environ["FLEET_SERVERS"], "FLEET_SERVERS")
    usual = {("servers",): ",".join(map(str, parse_servers(None, {}))), ("pool", "workers"): os.cpu_count() or 1}
    usual |= _defaults(("pool",), PoolLimits, Containment)
    usual |= _defaults(("images",), Limits)
    usual |= _defaults(("store",), StoreLimits)
    for key, value in usual.items():
        yield files.pop(key, Setting(key, value, "default"))
    for key, found in files.items():
        if key[0] == "functions":
            files[key] = found._replace(value=settings.in_seconds(found.value))
    every = files.pop(("functions", settings.EVERY), None)
    for key, value in _defaults(("functions", settings.EVERY), FunctionPolicy).items():
        if every and key[-1] in every.value:
            yield Setting(key, every.value[key[-1]], every.origin)
        else:
            yield Setting(key, value, "default")
    yield from files.values()


def _defaults(above: tuple[str, ...], *kinds: Any) -> dict[tuple[str, ...], Any]:
    return {(*above, each.name): each.default for kind in kinds for each in fields(kind) if each.default is not MISSING}


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value


def _bare(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_bare(name)} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


COMMANDS: Final = {"show": show}
