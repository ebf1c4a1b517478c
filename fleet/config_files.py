"""Which settings files hold, and what stands in them; `config` makes sense of it. The order is told there.

Most machines have none of them, and most commands want no more than to know that: nothing heavy is loaded here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fleet.errors import UsageError

SYSTEM: Final = Path("/etc/fleet/fleet.toml")

Found = tuple[Path, dict[str, Any]]


def tables(environ: Mapping[str, str] = os.environ, directory: Path = Path(), system: Path = SYSTEM) -> Iterator[Found]:
    """The files that are there, the one that counts most first.

    Raises:
        UsageError: one cannot be read, or is no TOML.
    """
    if named := environ.get("FLEET_CONFIG"):
        yield Path(named), _read(Path(named))
    else:
        home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
        project = _present(directory / "fleet.toml") or _of_pyproject(directory / "pyproject.toml")
        yield from [*project, *_present(Path(home, "fleet", "config.toml"))]
    yield from _present(system)


def _present(path: Path) -> list[Found]:
    return [(path, _read(path))] if path.is_file() else []


def _of_pyproject(path: Path) -> list[Found]:
    table = _read(path).get("tool", {}).get("fleet") if path.is_file() else None
    return [(path, table)] if table else []


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read the settings {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no TOML: {error}") from error
