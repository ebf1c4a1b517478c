"""What the settings files say: presets, watermarks, the limits of pictures, the job servers, how runners are contained.

Of one setting the first of these counts: a flag, `FLEET_*` in the environment (both are the commands' business),
`./fleet.toml` or `[tool.fleet]` of `./pyproject.toml`, `$XDG_CONFIG_HOME/fleet/config.toml`, `/etc/fleet/fleet.toml`.
`FLEET_CONFIG` names a file that is read instead of those of the directory and the user.

Rule: what is not understood is an error that names the file and the key; nothing is passed over.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fleet.errors import FleetError, UsageError
from fleet.images import Spec
from fleet.images.options import did_you_mean
from fleet.images.sniff import FORMATS
from fleet.settings import Containment, parse_servers

if TYPE_CHECKING:
    from fleet.images import Limits

SYSTEM: Final = Path("/etc/fleet/fleet.toml")
CONTAINED: Final = ("isolation", "sandbox", "user")  # what [pool] may say
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # of a preset or a watermark


@dataclass(frozen=True)
class Config:
    """The settings of all files together."""

    servers: str | None = None
    presets: Mapping[str, Spec] = field(default_factory=dict)
    watermarks: Mapping[str, Path] = field(default_factory=dict)  # a path is relative to the file that has it
    images: Mapping[str, Any] = field(default_factory=dict)  # fields of `Limits`
    pool: Mapping[str, str] = field(default_factory=dict)  # fields of `Containment`

    def over(self, other: Config) -> Config:
        """These settings, and where they are silent those of another."""
        return Config(
            self.servers or other.servers,
            {**other.presets, **self.presets},
            {**other.watermarks, **self.watermarks},
            {**other.images, **self.images},
            {**other.pool, **self.pool},
        )

    @property
    def limits(self) -> Limits:
        from fleet.images import Limits

        return Limits(**self.images)

    def containment(self, **flags: str | None) -> Containment:
        """How runners are contained, by the flags that are given and else by the settings. Raises UsageError."""
        given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
        return Containment(**{**self.pool, **given})

    def marks(self) -> dict[str, bytes]:
        """The watermarks' bytes, by name. Raises UsageError."""
        return {name: _bytes(name, path) for name, path in self.watermarks.items()}


def load(environ: Mapping[str, str] = os.environ, directory: Path = Path(), system: Path = SYSTEM) -> Config:
    """All the settings that hold here.

    Raises:
        UsageError: a file cannot be read, is no TOML, or says what makes no sense.
    """
    found = Config()
    for path, table in _tables(environ, directory, system):
        found = found.over(_config(path, table))
    return found


def _tables(environ: Mapping[str, str], directory: Path, system: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files that are there, the one that counts most first."""
    if named := environ.get("FLEET_CONFIG"):
        return [(Path(named), _read(Path(named))), *_present(system)]
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    project = _present(directory / "fleet.toml") or _of_pyproject(directory / "pyproject.toml")
    return [*project, *_present(Path(home, "fleet", "config.toml")), *_present(system)]


def _present(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, _read(path))] if path.is_file() else []


def _of_pyproject(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    table = _read(path).get("tool", {}).get("fleet") if path.is_file() else None
    return [(path, table)] if table else []


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read the settings {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error


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
    try:
        servers = value if isinstance(value, str) else ",".join(value)
        parse_servers(servers)
    except (UsageError, TypeError) as error:
        raise UsageError(f"{path}: {key}: {error}") from error
    return servers


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


def _pool(path: Path, key: str, value: Any) -> dict[str, str]:
    for name, word in _table(path, key, value).items():
        if name not in CONTAINED:
            raise UsageError(
                f"{path}: {key}: there is no setting {name!r}{did_you_mean(name, CONTAINED)}; "
                f"there are {', '.join(CONTAINED)}"
            )
        if not isinstance(word, str):
            raise UsageError(f"{path}: {key}.{name} is {word!r}; it must be a word")
    try:
        Containment(**value)
    except UsageError as error:
        raise UsageError(f"{path}: {key}: {error}") from error
    return dict(value)


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
}
