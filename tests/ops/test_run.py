"""Releases on a host, through a real sshd: put there, run, gone back from, and pruned."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from fabric import Config

from ops import plan, release, run
from ops.inventory import Host, Inventory
from ops.release import Release
from ops.run import Verdict
from tests.ops.conftest import Sshd
from tests.processes import alive, until

pytestmark = pytest.mark.system

# A fleet that does nothing, so that what is tried is how it gets there.
PROGRAM = """
import signal, sys
def main():
    if sys.argv[1:] != ["doctor"]:
        {does}
"""
WAITS = 'print("ready", flush=True); signal.pause()'
REFUSES = 'sys.exit("fleet up: port 4730 is taken")'


def release_of(folder: Path, does: str, version: str) -> Release:
    wheel = folder / f"gearfleet-{version}-py3-none-any.whl"
    info = f"gearfleet-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny_fleet.py", PROGRAM.format(does=does))
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: gearfleet\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/entry_points.txt", "[console_scripts]\nfleet = tiny_fleet:main\n")
        file.writestr(f"{info}/RECORD", "")
    return release.pack([wheel], folder)


class Site:
    """An inventory with one host that can be reached."""

    def __init__(self, sshd: Sshd, root: Path) -> None:
        self.config = Config(runtime_ssh_path=str(sshd.config))
        self.root = root
        self.inventory = Inventory((Host("img1", "img1", ("up",)),), PurePosixPath(root), "plain", keep=2)

    def deploy(self, wanted: Release) -> Verdict:
        (verdict,) = run.in_batches(self.inventory.hosts, self.config, run.deployer(self.inventory, wanted, ""), 1)
        return verdict

    def do(self, *steps: plan.Step) -> str:
        with run.Remote(self.inventory.hosts[0], self.config) as remote:
            return [remote.do(step) for step in steps][-1]

    def status(self) -> str:
        return self.do(plan.status(self.inventory))

    @property
    def pid(self) -> int:
        return int((self.root / "fleet.pid").read_text())


@pytest.fixture
def site(sshd: Sshd, tmp_path: Path) -> Iterator[Site]:
    found = Site(sshd, tmp_path / "opt fleet")  # a space, so that everything has to be quoted
    yield found
    found.do(plan.stop(found.inventory))


@pytest.mark.slow
def test_a_release_replaces_another_and_one_that_does_not_start_is_gone_back_from(site: Site, tmp_path: Path) -> None:
    first, second, broken = (
        release_of(tmp_path, does, version) for does, version in ((WAITS, "1"), (WAITS, "2"), (REFUSES, "3"))
    )
    assert site.deploy(first) == (site.inventory.hosts[0], True, f"runs {first.name}")
    assert site.status() == f"active {first.name}"
    pid = site.pid
    assert site.deploy(first).text == f"runs {first.name} already"
    assert site.pid == pid

    assert site.deploy(second).ok
    assert not alive(pid)
    failed = site.deploy(broken)
    assert not failed.ok
    assert failed.text == f"start: fleet up: port 4730 is taken\nit went back to {second.name}"
    assert site.status() == f"active {second.name}"

    site.do(plan.back(site.inventory))
    assert site.status() == f"active {broken.name}"  # what `current` means; what runs is not touched
    site.do(plan.back(site.inventory), plan.prune(site.inventory))
    assert sorted(os.listdir(site.root / "releases")) == sorted([broken.name, second.name])

    pid = site.pid
    site.do(plan.stop(site.inventory))
    until(lambda: not alive(pid), "it ends")
    assert site.status() == f"inactive {second.name}"


def test_what_was_damaged_on_its_way_is_not_installed(site: Site, tmp_path: Path) -> None:
    good = release_of(tmp_path, WAITS, "1")
    verdict = site.deploy(good._replace(sha256="0" * 64))
    assert (verdict.ok, verdict.text) == (False, "check what was uploaded: failed, and did not say why")
    assert site.status() == "inactive nothing"


def test_each_host_has_a_verdict_and_after_a_failure_no_further_batch_begins(sshd: Sshd) -> None:
    hosts = [Host(name, name, ("up",)) for name in ("img1", "gone", "stranger", "img1")]
    config = Config(runtime_ssh_path=str(sshd.config))
    look = plan.Step("look", "echo here")
    verdicts = list(run.everywhere(hosts, config, lambda remote: remote.do(look)))
    assert [verdict.ok for verdict in verdicts] == [True, False, False, True]
    assert verdicts[0].text == "here"
    assert verdicts[1].text.startswith("no connection: unable to connect to port ")
    assert "not found in known_hosts; connect once by ssh, and compare its key" in verdicts[2].text

    verdicts = list(run.in_batches(hosts, config, lambda remote: remote.do(look), batch=1))
    assert [verdict.ok for verdict in verdicts] == [True, False, False, False]
    assert verdicts[3].text == "left as it is, because another host failed"


def test_a_step_that_hangs_is_given_up(sshd: Sshd) -> None:
    hangs = plan.Step("wait", "sleep 60", 0.2)
    config = Config(runtime_ssh_path=str(sshd.config))
    (verdict,) = run.everywhere([Host("img1", "img1", ("up",))], config, lambda remote: remote.do(hangs))
    assert verdict.text == "wait: not done within 0.2 s"
