"""Doing it: the only importer of Fabric. Every wait has an end, each host a verdict, and no host holds up the others.

A host whose key ssh does not know is refused, as ssh does; Fabric alone would trust it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from shlex import quote
from typing import Final, NamedTuple

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut

from fleet.errors import FleetError
from ops import plan
from ops.inventory import Host, Inventory
from ops.plan import Step
from ops.release import Release

CONNECT_S: Final = 10
ANSWER_S: Final = 15  # of a server that is connected: its banner, and to a key
KEEPALIVE_S: Final = 10
TIMED_OUT: Final = 124  # of timeout(1)
KNOWN_HOSTS: Final = "~/.ssh/known_hosts"


class HostFailed(FleetError):
    """Something did not work on a host."""


class Verdict(NamedTuple):
    """What became of it on one host."""

    host: Host
    ok: bool
    text: str  # one line or more, for people


Act = Callable[["Remote"], str]


class Remote:
    """One host, connected when it is first needed. A context manager."""

    def __init__(self, host: Host, config: Config) -> None:
        self.host = host
        waits = {"banner_timeout": ANSWER_S, "auth_timeout": ANSWER_S, "channel_timeout": ANSWER_S}
        self._connection = Connection(host.address, config=config, connect_timeout=CONNECT_S, connect_kwargs=waits)
        known = self._connection.ssh_config.get("userknownhostsfile", KNOWN_HOSTS).split()
        client = self._connection.client
        for file in (os.path.expanduser(name) for name in known):
            if os.path.exists(file):
                client.load_host_keys(file)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def does(self, step: Step) -> tuple[bool, str]:
        """Whether it worked, and what it said. Raises HostFailed if there is no telling."""
        # The host ends it itself, lest it go on there when nobody waits for it any more.
        command = f"timeout {step.seconds:g} sh -c {quote(step.script)}"
        try:
            self._connection.open()
            self._connection.transport.set_keepalive(KEEPALIVE_S)
            done = self._connection.run(command, hide=True, warn=True, in_stream=False, timeout=step.seconds + ANSWER_S)
        except CommandTimedOut as error:
            raise HostFailed(f"{step.name}: no answer within {step.seconds + ANSWER_S:g} s") from error
        except Exception as error:  # paramiko raises whatever it meets
            raise HostFailed(_reason(error)) from error
        if done.exited == TIMED_OUT:
            raise HostFailed(f"{step.name}: not done within {step.seconds:g} s")
        return done.ok, f"{done.stdout}{done.stderr}".strip()

    def do(self, step: Step) -> str:
        """What it said. Raises HostFailed if it did not work."""
        ok, said = self.does(step)
        if not ok:
            raise HostFailed(f"{step.name}: {said or 'failed, and did not say why'}")
        return said

    def put(self, release: Release, target: str) -> None:
        """Upload the release, beside its place first."""
        try:
            self._connection.sftp().get_channel().settimeout(ANSWER_S)  # for each piece
            self._connection.put(str(release.file), f"{target}.part")
        except Exception as error:
            raise HostFailed(f"upload the release: {_reason(error)}") from error
        self.do(Step("upload the release", f"mv {quote(target)}.part {quote(target)}"))


def _reason(error: Exception) -> str:
    told = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(told.split()) or type(error).__name__
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in text:
        return f"{text}; connect once by ssh, and compare its key"
    return f"no connection: {text}" if isinstance(error, (OSError, paramiko.SSHException, EOFError)) else text


# -- many hosts -------------------------------------------------------------------------------------------------------


def everywhere(hosts: Sequence[Host], config: Config, act: Act, parallel: int = 10) -> Iterator[Verdict]:
    """Do it on all of these, so many at a time; verdicts come in the order of the hosts."""

    def on(host: Host) -> Verdict:
        try:
            with Remote(host, config) as remote:
                return Verdict(host, True, act(remote))
        except FleetError as error:
            return Verdict(host, False, str(error))

    with ThreadPoolExecutor(max(1, parallel)) as pool:
        yield from pool.map(on, hosts)


def in_batches(hosts: Sequence[Host], config: Config, act: Act, batch: int) -> Iterator[Verdict]:
    """Do it on one host first, then on so many at a time; where one fails, no further batch is begun."""
    batches = [hosts[:1], *(hosts[at : at + batch] for at in range(1, len(hosts), batch))]
    for number, chosen in enumerate(batches):
        verdicts = list(everywhere(chosen, config, act, batch))
        yield from verdicts
        if not all(verdict.ok for verdict in verdicts):
            for host in (host for later in batches[number + 1 :] for host in later):
                yield Verdict(host, False, "left as it is, because another host failed")
            return


# -- what is done -----------------------------------------------------------------------------------------------------


def deployer(inventory: Inventory, release: Release, template: str) -> Act:
    """Install the release and run it; a host on which it does not start goes back to what it ran before."""

    def act(remote: Remote) -> str:
        installed, _ = remote.does(plan.is_there(inventory, release.name))
        if not installed:
            remote.put(release, str(plan.upload(inventory, release.name)))
            for step in plan.install(inventory, release.name, release.sha256):
                remote.do(step)
        _, before = remote.does(plan.status(inventory))
        if before == f"active {release.name}":
            return f"runs {release.name} already"
        remote.do(plan.switch(inventory, release.name))
        try:
            restart(remote, inventory, template)
        except HostFailed as error:
            raise HostFailed(f"{error}\n{_gone_back(remote, inventory, template, before)}") from error
        remote.do(plan.prune(inventory))
        return f"runs {release.name}"

    return act


def restart(remote: Remote, inventory: Inventory, template: str) -> str:
    unit = plan.unit(template, inventory, remote.host)
    remote.do(plan.stop(inventory))
    return remote.do(plan.start(inventory, remote.host, unit))


def _gone_back(remote: Remote, inventory: Inventory, template: str, before: str) -> str:
    if not before.startswith("active "):
        return "nothing ran here before, and nothing does now"
    try:
        remote.do(plan.back(inventory))
        restart(remote, inventory, template)
    except HostFailed as error:
        return f"and it could not go back: {error}"
    return f"it went back to {before.removeprefix('active ')}"
