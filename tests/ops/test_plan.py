"""What is said to a host: the unit that systemd reads, and nothing that a name could turn into something else."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from ops import plan
from ops.inventory import Host, Inventory
from tests.conftest import need

TEMPLATE = (Path(plan.__file__).parent / "systemd" / "fleet.service").read_text()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    fleet = tmp_path / "current" / "bin" / "fleet"
    fleet.parent.mkdir(parents=True)
    fleet.touch(0o755)
    inventory = Inventory((), PurePosixPath(tmp_path))
    host = Host("img1", "img1", ("up", "--workers", "16", "--store", "sqlite:/var/lib/fleet/a 100%"))
    unit = tmp_path / "fleet.service"
    unit.write_text(plan.unit(TEMPLATE, inventory, host))
    command = [need("systemd-analyze"), "verify", "--man=no", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (told.returncode, [line for line in told.stderr.splitlines() if str(unit) in line]) == (0, [])
    assert f"ExecStart={fleet} up --workers 16 --store 'sqlite:/var/lib/fleet/a 100%%'" in unit.read_text()


def test_a_command_line_is_quoted() -> None:
    inventory = Inventory((), PurePosixPath("/opt/a b"), "plain")
    script = plan.start(inventory, Host("a", "a", ("up", "--store", "sqlite:/x; reboot")), "").script
    assert "current/bin/fleet up --store 'sqlite:/x; reboot' " in script
    assert "cd '/opt/a b'" in script
