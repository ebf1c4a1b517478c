"""The options of a `Spec` as options of a command: made of its fields, so that there is one list of them.

A command takes them as keyword arguments, unread and unchecked: `chosen` turns them into what a `Spec` is made of.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Final

import typer

from fleet.images import Spec
from fleet.images.options import Flag, option_of

SIZE: Final = frozenset({"width", "height"})  # written as one, --size 320x240


def with_spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that takes ``**options``, with one option for each field of a `Spec` in their place."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    added = [_parameter(name, field) for name, field in _fields().items()]
    parameters = [p.replace(kind=p.KEYWORD_ONLY) if n else p for n, p in enumerate([*own, *added])]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given, as values that a `Spec` checks."""
    known = _fields()
    return {
        name: option_of(known[name]).kind.read(value) if isinstance(value, str) else value
        for name, value in options.items()
        if value is not None
    }


def _fields() -> dict[str, Any]:
    return {field.name: field for field in fields(Spec) if field.name not in SIZE}


def _parameter(name: str, field: Any) -> inspect.Parameter:
    option = option_of(field)
    flag = "--" + name.replace("_", "-")
    about: dict[str, Any] = {"help": f"{option.help[0].upper()}{option.help[1:]}.", "rich_help_panel": option.group}
    if isinstance(option.kind, Flag):
        flags = f"{flag}/--no-{name.replace('_', '-')}" if field.default is None else flag
        annotation: Any = Annotated[bool | None, typer.Option(flags, show_default=False, **about)]
    else:
        default = field.default if field.default not in (None, MISSING) else False
        shown = str(default) if default is not False else False
        metavar = option.kind.metavar
        annotation = Annotated[str | None, typer.Option(flag, metavar=metavar, show_default=shown, **about)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
