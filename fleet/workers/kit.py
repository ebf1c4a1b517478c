"""The functions of a pool: known by name in the pool, made in its zygote, called in the runners."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fleet.errors import UsageError
from fleet.workers.channel import Progress

Part = bytes | Progress
Function = Callable[[memoryview], bytes | Iterator[Part]]


class Kit(NamedTuple):
    """Functions that are not here yet: ``module:callable``, called with the arguments, returns them by name.

    The arguments are what JSON can say, because they travel to the zygote; the module is imported by no one else.
    """

    path: str
    arguments: dict[str, Any]
    names: tuple[str, ...]

    def load(self) -> dict[str, Function]:
        """Make them. They are ready for a process that is forked from this one: what they need is loaded.

        Raises:
            UsageError: they cannot be made. Whatever a module does wrong when it is imported, it would do again.
        """
        try:
            functions: dict[str, Function] = found(self.path)(**self.arguments)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"the functions cannot be loaded: {_told(error)}") from error
        assert set(functions) == set(self.names), (set(functions), self.names)
        return functions


def kit_of(functions: Mapping[str, str]) -> Kit:
    """A kit of ready functions, by name, each written ``module:callable``."""
    return Kit(f"{__name__}:ready", {"functions": dict(functions)}, tuple(functions))


def ready(functions: Mapping[str, str]) -> dict[str, Function]:
    """Those functions; the `warm_up` of their modules, where there is one, is called once.

    Raises:
        UsageError: one cannot be loaded.
    """
    loaded = {name: _function(name, path) for name, path in functions.items()}
    for module in {path.partition(":")[0] for path in functions.values()}:
        if warm_up := getattr(importlib.import_module(module), "warm_up", None):
            warm_up()
    return loaded


def _function(name: str, path: str) -> Function:
    try:
        function: Function = found(path)
    except Exception as error:
        raise UsageError(f"the function {name} cannot be loaded from {path}: {_told(error)}") from error
    if not callable(function):
        raise UsageError(f"the function {name} cannot be loaded from {path}: that is no function")
    return function


def _told(error: Exception) -> str:
    """In one line, with the line of the program that raised it."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
    ours = (__file__, importlib.__file__, "<frozen")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(ours)]
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text


def found(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
