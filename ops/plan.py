"""What is to be done on a host, as steps of shell. Pure: an inventory and a release in, text out.

Rule 1: each step may be done again: what is there already stays. Rule 2: what runs is what `current` points to, and
that is changed in one step. Rule 3: nothing of a release is used before all of it is there and has passed `doctor`.

    ROOT/releases/NAME/   a virtual environment for each release
    ROOT/current          the one that runs
    ROOT/previous         the one that ran before
"""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import join, quote
from typing import Final, NamedTuple

from ops.inventory import Host, Inventory

READY_S: Final = 30  # from a start until it says that it is ready
STOP_S: Final = 60  # running jobs get 20 s, and then the job server writes down what it has
UNIT: Final = "/etc/systemd/system/fleet.service"


class Step(NamedTuple):
    """Text for sh, which ends with something else than 0 if it did not work, having said why."""

    name: str
    script: str
    seconds: float = 15.0


def home(inventory: Inventory, release: str) -> PurePosixPath:
    """Where the release is on a host."""
    return inventory.root / "releases" / release


def upload(inventory: Inventory, release: str) -> PurePosixPath:
    """Where its file is put."""
    return inventory.root / "incoming" / f"{release}.tar"


def is_there(inventory: Inventory, release: str) -> Step:
    """Whether the release is installed."""
    done = home(inventory, release) / ".complete"
    return Step("look for the release", f"mkdir -p {quote(str(inventory.root))}/incoming && test -e {quote(str(done))}")


def install(inventory: Inventory, release: str, sha256: str) -> list[Step]:
    """From the uploaded file to a release that works."""
    place, file = quote(str(home(inventory, release))), quote(str(upload(inventory, release)))
    pip = f"{place}/bin/python -m pip install --quiet --disable-pip-version-check"
    return [
        Step("check what was uploaded", f"echo {sha256}'  '{file} | sha256sum --check --status"),
        Step(
            "install it",
            f"rm -rf {place} && mkdir -p {place}/wheels && tar -xf {file} -C {place}/wheels"
            f" && python3 -m venv {place} && {pip} --no-index {place}/wheels/*.whl && rm -rf {place}/wheels {file}",
            300.0,
        ),
        Step("see whether it works here", f"{place}/bin/fleet doctor && touch {place}/.complete", 60.0),
    ]


def switch(inventory: Inventory, release: str) -> Step:
    """Have `current` mean this release, and `previous` what it meant before."""
    new = quote(f"releases/{release}")
    return Step(
        "switch to it",
        f"cd {quote(str(inventory.root))} && now=$(readlink current || true)"
        f' && if [ -n "$now" ] && [ "$now" != {new} ]; then ln -sfn "$now" previous; fi'
        f" && ln -sfn {new} current.new && mv -T current.new current",
    )


def back(inventory: Inventory) -> Step:
    """Have `current` and `previous` change places."""
    return Step(
        "go back",
        f"cd {quote(str(inventory.root))} && before=$(readlink previous)"
        ' || { echo "there is no release to go back to"; exit 1; };'
        ' ln -sfn "$(readlink current)" previous && ln -sfn "$before" current.new && mv -T current.new current',
    )


def prune(inventory: Inventory) -> Step:
    """Remove the oldest releases, never those that are meant by a link."""
    return Step(
        "remove old releases",
        f"cd {quote(str(inventory.root))} && ls -1dt releases/* | tail -n +{inventory.keep + 1}"
        ' | while read -r old; do [ "$old" = "$(readlink current)" ] || [ "$old" = "$(readlink previous)" ]'
        ' || rm -rf "$old"; done',
        60.0,
    )


# -- what runs --------------------------------------------------------------------------------------------------------


def stop(inventory: Inventory) -> Step:
    """Let running jobs finish, and end it."""
    if inventory.manager == "systemd":
        return Step("stop", "systemctl stop fleet", STOP_S + 15)
    script = (
        f"{_plain(inventory)}; runs || exit 0; kill -TERM $pid"
        f"; for i in $(seq {STOP_S * 5}); do runs || {{ rm -f fleet.pid; exit 0; }}; sleep 0.2; done"
        f'; echo "it did not end within {STOP_S} s"; exit 1'
    )
    return Step("stop", script, STOP_S + 15)


def start(inventory: Inventory, host: Host, unit: str) -> Step:
    """Start it, and wait until it says that it is ready. `unit` is the text of systemd's file."""
    if inventory.manager == "systemd":
        write = f"printf %s {quote(unit)} >{UNIT}.new && mv {UNIT}.new {UNIT}"
        told = "{ journalctl -u fleet -n 5 --no-pager -o cat; exit 1; }"
        return Step(
            "start", f"{write} && systemctl daemon-reload && systemctl enable --now fleet || {told}", READY_S + 15
        )
    script = (
        f"{_plain(inventory)}; runs && exit 0; touch fleet.log; mark=$(wc -c <fleet.log)"
        f"; setsid nohup current/bin/fleet {join(host.run)} >>fleet.log 2>&1 </dev/null & pid=$!"
        f"; echo $pid >fleet.pid; said() {{ tail -c +$((mark + 1)) fleet.log; }}"
        f"; for i in $(seq {READY_S * 5}); do said | grep -q '^{host.announces}' && exit 0; runs || break; sleep 0.2"
        "; done"
        "; said | tail -n 5; kill -TERM $pid 2>/dev/null; rm -f fleet.pid; exit 1"
    )
    return Step("start", script, READY_S + 15)


def status(inventory: Inventory) -> Step:
    """In one line: whether it runs, and which release."""
    if inventory.manager == "systemd":
        runs = "state=$(systemctl is-active fleet)"
        return Step("look", f'{runs}; echo "$state $(basename "$(readlink {quote(str(inventory.root))}/current)")"')
    told = 'echo "$state $(basename "$(readlink current || echo nothing)")"'
    return Step("look", f"{_plain(inventory)}; if runs; then state=active; else state=inactive; fi; {told}")


def logs(inventory: Inventory, lines: int) -> Step:
    if inventory.manager == "systemd":
        return Step("read the log", f"journalctl -u fleet -n {lines} --no-pager -o short-iso")
    return Step("read the log", f"tail -n {lines} {quote(str(inventory.root / 'fleet.log'))}")


def unit(template: str, inventory: Inventory, host: Host) -> str:
    """The text of systemd's file for this host."""
    run = join(host.run).replace("%", "%%").replace("$", "$$")
    return template.format(host=host.name, root=inventory.root, run=run)


def _plain(inventory: Inventory) -> str:
    """The beginning of scripts that look after a process without systemd: is it the one that was started?"""
    return (
        f"cd {quote(str(inventory.root))} 2>/dev/null || {{ echo 'nothing is installed'; exit 1; }}"
        "; pid=$(cat fleet.pid 2>/dev/null || echo 0)"
        '; runs() { [ "$pid" -gt 0 ] && grep -qs fleet /proc/$pid/cmdline; }'
    )
