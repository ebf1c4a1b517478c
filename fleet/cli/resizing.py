"""What `fleet resize` was asked to make, and who makes it: the fleet, or this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fleet.cli.marks import marks
from fleet.cli.pictures import Destination, Maker, Results
from fleet.cli.spec_options import chosen as read
from fleet.errors import FleetError, UsageError
from fleet.images import Spec, envelope

if TYPE_CHECKING:
    from fleet.client import Client
    from fleet.client.images import PictureTask
    from fleet.config import Config
    from fleet.images import Limits

PRESET: Final = "thumb."  # what a preset's function begins with
ASK_S: Final = 3.0  # for a job server to tell its functions
BESIDE_A_PRESET: Final = frozenset({"accept"})


@dataclass(frozen=True)
class Wanted:
    """A spec, or the name of a preset that the pool has; and what only this process needs."""

    spec: Spec
    preset: str | None = None
    accept: dict[str, Any] = field(default_factory=dict)
    local: bool = False
    marks: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits | None = None  # those of the settings

    @classmethod
    def from_command(
        cls, destination: Destination, size: str | None, preset: str | None, chosen: Mapping[str, Any], local: bool
    ) -> Wanted:
        """Raises UsageError and BadSpec."""
        given = read(chosen)
        if preset:
            if others := [*(["size"] if size else []), *(given.keys() - BESIDE_A_PRESET)]:
                raise UsageError(f"--preset has all options from the settings; leave out --{min(others)}")
            if not local:
                return cls(Spec(), preset, given)
            settings = _settings()
            found = envelope.preset_of(preset, settings.presets).to_mapping()
            return cls(Spec.from_mapping(found | given), None, {}, True, settings.marks(), settings.limits)
        if not local:
            return cls(destination.spec(size or "200x150", given))
        settings = _settings()
        known = marks(given, settings)
        return cls(destination.spec(size or "200x150", given), None, {}, True, known, settings.limits)


def _settings() -> Config:
    from fleet import config

    return config.load()


@contextmanager
def maker(wanted: Wanted, servers: str | None, timeout: float) -> Iterator[Maker]:
    """Who makes it."""
    if wanted.local:
        from fleet.images import render

        yield lambda data: lambda: [("", render(data, wanted.spec, wanted.limits, watermarks=wanted.marks))]
        return
    from fleet.client import Client

    with Client(servers, timeout=timeout) as client:
        if wanted.preset:
            _check_preset(client, wanted.preset)
            yield lambda data: _only(client.resize(data, preset=wanted.preset, **wanted.accept))
        else:
            yield lambda data: _only(client.resize(data, **wanted.spec.to_mapping()))


def _check_preset(client: Client, preset: str) -> None:
    """A job for a preset that does not exist would wait for its worker, in vain and to the deadline.

    Raises:
        UsageError: workers make pictures there, and none knows it.
    """
    from fleet.client import admin

    names: set[str] = set()
    for server in client.servers:
        try:
            names.update(row.name for row in admin.status(server, ASK_S) if row.workers)
        except FleetError:
            return  # the job itself will tell
    presets = sorted(name.removeprefix(PRESET) for name in names if name.startswith(PRESET))
    if "resize" in names and preset not in presets:
        raise UsageError(f"there is no preset {preset!r} there; there are: {', '.join(presets) or 'none'}")


def _only(task: PictureTask) -> Callable[[], Results]:
    return lambda: [("", task.result())]
