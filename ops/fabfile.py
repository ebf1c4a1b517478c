"""The tasks of `fab -r ops`: each reads the inventory, does one thing on its hosts, and prints a line for each."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # fab puts this folder there, and not the one that holds it

from invoke.exceptions import Exit  # noqa: E402
from invoke.tasks import task  # noqa: E402

from fleet.errors import FleetError, UsageError  # noqa: E402
from ops import inventory, plan, release, run  # noqa: E402
from ops.inventory import Host, Inventory  # noqa: E402
from ops.plan import Step  # noqa: E402
from ops.run import Remote, Verdict  # noqa: E402

BATCH: Final = 4
SOME_FAILED: Final = 6  # as of fleet's own commands
HOSTS: Final = {
    "hosts": "only these of the inventory, with commas between them",
    "inventory": "the file that names the hosts (ops/inventory.toml)",
}
Context = Any  # Fabric's, which has no types


def _read(path: str, hosts: str) -> Inventory:
    file = Path(path) if path else HERE / "inventory.toml"
    try:
        return inventory.read(file.read_text()).only(hosts)
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise Exit(f"the inventory {file} cannot be read: {why}", UsageError.exit_code) from error
    except FleetError as error:
        raise Exit(f"{file}: {error}", error.exit_code) from error


def _template() -> str:
    return (HERE / "systemd" / "fleet.service").read_text()


def _tell(verdicts: Iterable[Verdict]) -> None:
    """Print them as they come. Ends with 6 if a host failed."""
    failed = 0
    for verdict in verdicts:
        failed += not verdict.ok
        out = sys.stdout if verdict.ok else sys.stderr
        for line in verdict.text.splitlines() or ["done"]:
            print(f"{verdict.host.name:<16} {line}", file=out, flush=True)
    if failed:
        raise Exit(code=SOME_FAILED)


def _everywhere(c: Context, hosts: str, inventory: str, step: Callable[[Inventory, Host], Step]) -> None:
    """One step on all hosts, side by side."""
    found = _read(inventory, hosts)
    _tell(run.everywhere(found.hosts, c.config, lambda remote: remote.do(step(found, remote.host))))


@task(help={**HOSTS, "batch": "how many hosts at a time, once the first has worked", "extras": "of fleet's to install"})
def deploy(c: Context, hosts: str = "", inventory: str = "", batch: int = BATCH, extras: str = release.EXTRAS) -> None:
    """Put this checkout on the hosts and run it: one first, then the others; who fails goes back."""
    found = _read(inventory, hosts)
    with tempfile.TemporaryDirectory() as folder:
        try:
            built = release.build(Path(folder), extras)
        except FleetError as error:
            raise Exit(str(error), error.exit_code) from error
        print(f"built {built.name}, {built.file.stat().st_size / 1e6:.0f} MB", flush=True)
        _tell(run.in_batches(found.hosts, c.config, run.deployer(found, built, _template()), batch))


@task(help=HOSTS)
def rollback(c: Context, hosts: str = "", inventory: str = "") -> None:
    """Go back to the release that ran before."""
    found = _read(inventory, hosts)

    def act(remote: Remote) -> str:
        remote.do(plan.back(found))
        run.restart(remote, found, _template())
        return remote.do(plan.status(found))

    _tell(run.in_batches(found.hosts, c.config, act, BATCH))


@task(help={**HOSTS, "batch": "how many hosts at a time, once the first has worked"})
def restart(c: Context, hosts: str = "", inventory: str = "", batch: int = BATCH) -> None:
    """Stop and start it, one host first, then the others."""
    found = _read(inventory, hosts)
    _tell(run.in_batches(found.hosts, c.config, lambda remote: run.restart(remote, found, _template()), batch))


@task(help=HOSTS)
def start(c: Context, hosts: str = "", inventory: str = "") -> None:
    """Start what is installed, where it does not run."""
    _everywhere(c, hosts, inventory, lambda found, host: plan.start(found, host, plan.unit(_template(), found, host)))


@task(help=HOSTS)
def stop(c: Context, hosts: str = "", inventory: str = "") -> None:
    """Let running jobs finish, and end it."""
    _everywhere(c, hosts, inventory, lambda found, host: plan.stop(found))


@task(help=HOSTS)
def status(c: Context, hosts: str = "", inventory: str = "") -> None:
    """Say of each host whether fleet runs, and which release."""
    _everywhere(c, hosts, inventory, lambda found, host: plan.status(found))


@task(help={**HOSTS, "lines": "how many of each host"})
def logs(c: Context, hosts: str = "", inventory: str = "", lines: int = 20) -> None:
    """Show the end of each host's log."""
    _everywhere(c, hosts, inventory, lambda found, host: plan.logs(found, lines))
