"""What the settings files say: presets, watermarks, the limits of pictures, the job servers, the pool, the functions,
and what a job server keeps.

Of one setting the first of these counts: a flag, `FLEET_*` in the environment (both are the commands' business),
`./fleet.toml` or `[tool.fleet]` of `./pyproject.toml`, `$XDG_CONFIG_HOME/fleet/config.toml`, `/etc/fleet/fleet.toml`.
`FLEET_CONFIG` names a file that is read instead of those of the directory and the user.

Rule: what is not understood is an error that names the file and the key; nothing is passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fleet.config_files import SYSTEM, tables
from fleet.errors import FleetError, UsageError
from fleet.images import Spec
from fleet.images.options import did_you_mean
from fleet.images.sniff import FORMATS
from fleet.settings import Containment, FunctionPolicy, PoolLimits, ServerLimits, StoreLimits, parse_servers, span_s

if TYPE_CHECKING:
    from fleet.images import Limits

EVERY: Final = "*"  # of the functions: all that have no settings of their own
MOST: Final = 2**62  # of a whole number: a store can hold that many seconds from now
SPANS: Final = ("cache", "keep")  # of a function: settings in seconds that may be told as a span, without `_s`
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # of a preset or a watermark


@dataclass(frozen=True)
class Config:
    """The settings of all files together."""

    servers: str | None = None
    presets: Mapping[str, Spec] = field(default_factory=dict)
    watermarks: Mapping[str, Path] = field(default_factory=dict)  # a path is relative to the file that has it
    images: Mapping[str, Any] = field(default_factory=dict)  # fields of `Limits`
    pool: Mapping[str, Any] = field(default_factory=dict)  # `workers`, and fields of `PoolLimits` and `Containment`
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # fields of `FunctionPolicy`, by function
    store: Mapping[str, int] = field(default_factory=dict)  # fields of `StoreLimits`

    def over(self, other: Config) -> Config:
        """These settings, and where they are silent those of another."""
        return Config(
            self.servers or other.servers,
            {**other.presets, **self.presets},
            {**other.watermarks, **self.watermarks},
            {**other.images, **self.images},
            {**other.pool, **self.pool},
            {**other.functions, **self.functions},
            {**other.store, **self.store},
        )

    @property
    def limits(self) -> Limits:
        from fleet.images import Limits

        return Limits(**self.images)

    @property
    def server_limits(self) -> ServerLimits:
        return ServerLimits(**self.store)

    def containment(self, **flags: str | None) -> Containment:
        """How runners are contained, by the flags that are given and else by the settings. Raises UsageError."""
        return Containment(**self._of_pool(Containment, flags))

    def pool_limits(self, **flags: float | None) -> PoolLimits:
        """What runners may use, in the same way."""
        return PoolLimits(**self._of_pool(PoolLimits, flags))

    def _of_pool(self, kind: type, flags: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in flags.items() if value is not None}
        return {each.name: found[each.name] for each in fields(kind) if each.name in (found := {**self.pool, **given})}

    def marks(self) -> dict[str, bytes]:
        """The watermarks' bytes, by name. Raises UsageError."""
        return {name: _bytes(name, path) for name, path in self.watermarks.items()}


def load(environ: Mapping[str, str] = os.environ, directory: Path = Path(), system: Path = SYSTEM) -> Config:
    """All the settings that hold here.

    Raises:
        UsageError: a file cannot be read, is no TOML, or says what makes no sense.
    """
    found = Config()
    for path, table in tables(environ, directory, system):
        found = found.over(_config(path, table))
    return found


def origins(
    environ: Mapping[str, str] = os.environ, directory: Path = Path(), system: Path = SYSTEM
) -> dict[tuple[str, ...], tuple[Any, Path]]:
    """Each setting that some file has, as it stands there, and the file that counts."""
    found: dict[tuple[str, ...], tuple[Any, Path]] = {}
    for path, table in tables(environ, directory, system):
        for key, value in table.items():
            parts = value if isinstance(value, dict) else {"": value}
            for name, item in parts.items():
                found.setdefault((key, name) if name else (key,), (item, path))
    return found


def _config(path: Path, table: Mapping[str, Any]) -> Config:
    values = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise UsageError(
                f"{path}: there is no setting {key!r}{did_you_mean(key, _KEYS)}; there are {', '.join(_KEYS)}"
            )
        values[key] = _KEYS[key](path, key, value)
    return Config(**values)


def _servers(path: Path, key: str, value: Any) -> str:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise UsageError(f'{path}: {key} is {value!r}; write "HOST:PORT,HOST:PORT", or a list of such')
    try:
        parse_servers(listed)
    except UsageError as error:
        raise UsageError(f"{path}: {key}: {error}") from error
    return ",".join(listed)


def _presets(path: Path, key: str, value: Any) -> dict[str, Spec]:
    return {name: _preset(f"{path}: {key}.{name}", table) for name, table in _named(path, key, value, dict).items()}


def _preset(where: str, table: Mapping[str, Any]) -> Spec:
    try:
        return Spec.from_mapping(table)
    except FleetError as error:
        raise UsageError(f"{where}: {error}") from error


def _watermarks(path: Path, key: str, value: Any) -> dict[str, Path]:
    found = {name: path.parent.resolve() / file for name, file in _named(path, key, value, str).items()}
    for name, file in found.items():
        if not file.is_file():
            raise UsageError(f"{path}: {key}.{name}: there is no file {file}")
    return found


def _images(path: Path, key: str, value: Any) -> dict[str, Any]:
    from fleet.images import Limits

    known = [limit.name for limit in fields(Limits)]
    for name, limit in _table(path, key, value).items():
        if name not in known:
            raise UsageError(
                f"{path}: {key}: there is no limit {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
            )
        if name == "formats":
            _check_formats(path, key, limit)
        elif not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise UsageError(f"{path}: {key}.{name}: {limit!r} is no limit; it is a whole number from 1")
    return dict(value)


def _pool(path: Path, key: str, value: Any) -> dict[str, Any]:
    found = dict(_table(path, key, value))
    workers = {"workers": found.pop("workers")} if "workers" in found else {}
    if not all(isinstance(number, int) and 1 <= number <= 1024 for number in workers.values()):
        raise UsageError(f"{path}: {key}.workers: {value['workers']!r} makes no sense; it is a whole number to 1024")
    _check_fields(path, key, found, (PoolLimits, Containment), beside=("workers",))
    try:
        Config(pool=found).containment()
    except UsageError as error:
        raise UsageError(f"{path}: {key}: {error}") from error
    return workers | {name: tuple(item) if isinstance(item, list) else item for name, item in found.items()}


def _functions(path: Path, key: str, value: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for name, table in _table(path, key, value).items():
        where = f"{key}.{name}"
        try:
            table = in_seconds(_table(path, where, table))
        except UsageError as error:
            raise UsageError(f"{path}: {where}: {error}") from error
        _check_fields(path, where, table, (FunctionPolicy,))
        found[name] = {each: tuple(item) if isinstance(item, list) else item for each, item in table.items()}
    return found


def _store(path: Path, key: str, value: Any) -> dict[str, int]:
    _check_fields(path, key, _table(path, key, value), (StoreLimits,))
    return dict(value)


def in_seconds(table: Mapping[str, Any]) -> dict[str, Any]:
    """A function's settings, with `cache = "1h"` as the `cache_s = 3600` that it stands for. Raises UsageError."""
    spans = [name for name in SPANS if name in table]
    plain = {name: item for name, item in table.items() if name not in spans}
    return plain | {f"{name}_s": span_s(str(table[name])) for name in spans}


def _check_fields(
    path: Path, key: str, table: Mapping[str, Any], kinds: tuple[Any, ...], beside: tuple[str, ...] = ()
) -> None:
    """That each is a field of one of these dataclasses, and of its default's kind."""
    usual = {each.name: each.default for kind in kinds for each in fields(kind) if each.default is not MISSING}
    known = [*beside, *usual]
    for name, item in table.items():
        if name not in usual:
            raise UsageError(
                f"{path}: {key}: there is no setting {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
            )
        if wanted := _unlike(item, usual[name], name):
            raise UsageError(f"{path}: {key}.{name}: {item!r} makes no sense; it is {wanted}")


def _unlike(item: Any, usual: Any, name: str) -> str | None:
    """What it should be, if it is of another kind than the default."""
    number = isinstance(item, int | float) and not isinstance(item, bool)
    if isinstance(usual, int):
        least = 0 if name in ("keep_s", "cache_s") else 1
        return None if number and isinstance(item, int) and least <= item < MOST else f"a whole number from {least}"
    if isinstance(usual, float):
        return None if number and 0 < item < float("inf") else "a number of seconds above 0"
    if isinstance(usual, tuple):
        good = isinstance(item, list) and all(isinstance(each, str) for each in item)
        return None if good else "a list of words"
    return None if isinstance(item, str) else "a word"


def _check_formats(path: Path, key: str, value: Any) -> None:
    if not isinstance(value, list) or not all(name in FORMATS for name in value):
        raise UsageError(f"{path}: {key}.formats: {value!r} is no list of formats; there are {', '.join(FORMATS)}")


def _named(path: Path, key: str, value: Any, kind: type) -> dict[str, Any]:
    for name, item in _table(path, key, value).items():
        if not NAME.fullmatch(name):
            raise UsageError(f"{path}: {key}: {name!r} is no name; use letters, digits, _ and -")
        if not isinstance(item, kind):
            wanted = "a table of options" if kind is dict else "the path of a picture"
            raise UsageError(f"{path}: {key}.{name} is {item!r}; it must be {wanted}")
    return dict(value)


def _table(path: Path, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {key} is {value!r}; it must be a table, [{key}]")
    return value


def _bytes(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the watermark {name} cannot be read from {path}: {(error.strerror or '').lower()}"
        ) from error


_KEYS: Final[dict[str, Callable[[Path, str, Any], Any]]] = {
    "servers": _servers,
    "presets": _presets,
    "watermarks": _watermarks,
    "images": _images,
    "pool": _pool,
    "functions": _functions,
    "store": _store,
}
