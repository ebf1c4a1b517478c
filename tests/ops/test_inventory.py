"""An inventory says what it means, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import UsageError
from ops import inventory
from ops.inventory import Host

TWO = """
[fleet]
root = "/srv/fleet"
manager = "plain"
[hosts.img1]
address = "10.0.0.1"
run = "up --workers 16"
[hosts.img2]
run = "worker --servers 'img1:4730'"
"""


def test_hosts_come_in_their_order_with_what_each_runs() -> None:
    found = inventory.read(TWO)
    assert found.hosts == (
        Host("img1", "10.0.0.1", ("up", "--workers", "16")),
        Host("img2", "img2", ("worker", "--servers", "img1:4730")),
    )
    assert (str(found.root), found.manager, found.keep) == ("/srv/fleet", "plain", 5)


def test_the_one_that_is_shipped_can_be_read() -> None:
    shipped = inventory.read((Path(inventory.__file__).parent / "inventory.toml").read_text())
    assert [host.announces for host in shipped.hosts] == ["ready", "ready"]


def test_some_hosts_of_it() -> None:
    found = inventory.read(TWO)
    assert [host.name for host in found.only("img2,img1,img2").hosts] == ["img2", "img1"]
    assert found.only("") is found
    with pytest.raises(UsageError, match="no host 'img3'; it has: img1, img2"):
        found.only("img1,img3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[hosts", "no TOML"),
        ("", "no hosts"),
        ("[host.a]", "has no 'host'"),
        ("[hosts]\na = 1", "a is no table"),
        ("[hosts.a]\nport = 22", r"\[hosts.a\] has no 'port'; it may have: address, run"),
        ("[hosts.a]\nrun = 'rm -rf /'", "it begins with one of: up, server, worker"),
        ('[hosts.a]\nrun = "up \'"', "cannot be read as a command line"),
        ("[hosts.a]\naddress = 7", "address = 7 is no text"),
        ("[fleet]\nroot = '/'\n[hosts.a]", "no directory for releases"),
        ("[fleet]\nroot = 'opt'\n[hosts.a]", "no directory for releases"),
        ("[fleet]\nmanager = 'runit'\n[hosts.a]", "it is one of: systemd, plain"),
        ("[fleet]\nkeep = 1\n[hosts.a]", "keep 2 to 100"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        inventory.read(text)
