"""`fab -r ops` as people call it: this checkout on a host, serving; then a look, a restart, and the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet import Client
from tests.ops.conftest import Sshd
from tests.ports import ClosedPort
from tests.processes import ROOT

FAB = Path(sys.executable).with_name("fab")
DEPLOY_S = 240


class Fab:
    def __init__(self, sshd: Sshd, inventory: Path) -> None:
        self._words = [str(FAB), "-S", str(sshd.config), "-r", str(ROOT / "ops")]
        self._inventory = inventory

    def __call__(self, task: str, *words: str, code: int = 0) -> str:
        command = [*self._words, task, "-i", str(self._inventory), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEPLOY_S)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr


@pytest.mark.slow
@pytest.mark.system
def test_a_checkout_is_deployed_serves_and_is_stopped(
    sshd: Sshd, tmp_path: Path, closed_port: ClosedPort, large_jpeg: bytes
) -> None:
    where = closed_port()
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(
        f'[fleet]\nroot = "{tmp_path}/opt"\nmanager = "plain"\n'
        f'[hosts.img1]\nrun = "up --workers 1 --port {where.port} --store none"\n[hosts.gone]\n'
    )
    fab = Fab(sshd, inventory)
    try:
        told = fab("deploy", "--hosts", "img1", "--extras", "")
        assert "img1             runs 0." in told
        with Client(where) as client:
            assert client.resize(large_jpeg, 64, 64).result(timeout=20).width == 64
        assert "gone             no connection" in fab("status", code=6)
        fab("restart", "--hosts", "img1")
        assert "img1             active 0." in fab("status", "--hosts", "img1")
        assert "img1             ready" in fab("logs", "--hosts", "img1", "--lines", "1")
        assert "no release to go back to" in fab("rollback", "--hosts", "img1", code=6)
    finally:
        fab("stop", "--hosts", "img1")
    assert "img1             inactive 0." in fab("status", "--hosts", "img1")


def test_a_bad_inventory_is_one_line(sshd: Sshd, tmp_path: Path) -> None:
    assert "cannot be read: no such file or directory" in Fab(sshd, tmp_path / "none.toml")("status", code=2)
    (tmp_path / "hosts.toml").write_text("[host.a]\n")
    assert "the inventory has no 'host'" in Fab(sshd, tmp_path / "hosts.toml")("status", code=2)
