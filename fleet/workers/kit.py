"""The functions of a pool: known by name in the pool, made in its zygote, called in the runners."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

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
        """Make them. They are ready for a process that is forked from this one: what they need is loaded."""
        functions: dict[str, Function] = found(self.path)(**self.arguments)
        assert set(functions) == set(self.names), (set(functions), self.names)
        return functions


def kit_of(functions: Mapping[str, str]) -> Kit:
    """A kit of ready functions, by name, each written ``module:callable``."""
    return Kit(f"{__name__}:ready", {"functions": dict(functions)}, tuple(functions))


def ready(functions: Mapping[str, str]) -> dict[str, Function]:
    """Those functions; the `warm_up` of their modules, where there is one, is called once."""
    loaded = {name: found(path) for name, path in functions.items()}
    for module in {path.partition(":")[0] for path in functions.values()}:
        if warm_up := getattr(importlib.import_module(module), "warm_up", None):
            warm_up()
    return loaded


def found(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
