"""The talk's command lines, as they stand there: with Gearman's own tool, and with `fleet gearman` in its place.

The only liberties: the host is localhost, and the port, which the talk leaves at its default, is put in by the wrapper
that stands for `gearman` on the PATH.
"""

from __future__ import annotations

import os
import shlex
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.images import sniff
from fleet.settings import Address
from tests.conftest import SAMPLES, need
from tests.ports import ClosedPort
from tests.processes import FLEET, ROOT, Program, until

pytestmark = [pytest.mark.system, pytest.mark.interop]

ENTRIES = [f'127.0.0.1 - - [06/Jul/2009:18:22:{n:02} -0700] "GET /src/{n}.php HTTP/1.1" 200 {n}' for n in range(20)]

Shell = Callable[..., Program]  # starts a command line in a directory


@pytest.fixture(params=["gearman", "fleet gearman"])
def shell(request: pytest.FixtureRequest, spawn: Callable[..., Program], tmp_path: Path) -> Callable[[Address], Shell]:
    """Makes a shell in which `gearman` is one of the two and finds its job server."""
    real = [need("gearman")] if request.param == "gearman" else [*FLEET, "gearman"]

    def at(address: Address) -> Shell:
        wrapper = tmp_path / "bin" / "gearman"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(real)} -p {address.port} "$@"\n')
        wrapper.chmod(0o755)
        path = f"{wrapper.parent}:{os.environ['PATH']}"
        return lambda line, cwd=tmp_path: spawn("sh", "-c", line, env={"PATH": path}, cwd=cwd)

    return at


def registered(address: Address, *functions: str) -> bool:
    return {f.name for f in admin.status(address) if f.workers} >= set(functions)


def test_image_resize(shell: Callable[[Address], Shell], fleet_of_two: Address, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "large.jpg", tmp_path)
    assert shell(fleet_of_two)("gearman -f resize < large.jpg > thumb.jpg").ended() == 0
    assert sniff((tmp_path / "thumb.jpg").read_bytes())[:3] == ("jpeg", 200, 150)


def test_log_collection(shell: Callable[[Address], Shell], server: Address, tmp_path: Path) -> None:
    run = shell(server)
    access_log, log_file = tmp_path / "access_log", tmp_path / "log_file"
    access_log.write_text(f"{ENTRIES[0]}\n")
    run("gearman -w -h localhost -f logger > log_file")
    run("tail -f access_log | gearman -n -f logger")
    until(lambda: log_file.exists() and log_file.read_text() == f"{ENTRIES[0]}\n", "the first line arrived")
    with access_log.open("a") as file:
        file.writelines(f"{entry}\n" for entry in ENTRIES[1:])
    until(lambda: log_file.read_text().splitlines() == ENTRIES, "all lines arrived, in their order")


def test_distributed_grep(shell: Callable[[Address], Shell], server: Address, tmp_path: Path) -> None:
    run = shell(server)
    for number, entries in ((1, ENTRIES[::2]), (2, ENTRIES[1::2])):
        host = tmp_path / f"host{number}"
        host.mkdir()
        shutil.copy(ROOT / "examples" / "logs" / "dgrep.sh", host)
        (host / "log_file").write_text("".join(f"{entry}\n" for entry in entries))
        run(f"gearman -w -h localhost -f logger{number} ./dgrep.sh", cwd=host)
    until(lambda: registered(server, "logger1", "logger2"), "both hosts are there")
    query = run("gearman -h localhost -f logger1 -f logger2 /src/1 | cut -f 4,7 -d' '")
    found = query.out.rest()
    assert query.ended() == 0
    expected = [entry.split() for entry in ENTRIES if "/src/1" in entry]
    assert sorted(found) == sorted(f"{words[3]} {words[6]}" for words in expected)


APACHE = """\
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
DocumentRoot {folder}/site
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog "|{gearman} -n -f logger" common
"""


def test_apache_logs_through_gearman(
    shell: Callable[[Address], Shell],
    server: Address,
    spawn: Callable[..., Program],
    tmp_path: Path,
    closed_port: ClosedPort,
) -> None:
    apache, port = need("apache2"), closed_port().port
    run = shell(server)
    site = tmp_path / "site"
    site.mkdir()
    (site / "kitten.html").write_text("meow")
    config = tmp_path / "apache.conf"
    places = {
        "port": port,
        "folder": tmp_path,
        "modules": "/usr/lib/apache2/modules",
        "gearman": tmp_path / "bin/gearman",
    }
    config.write_text(APACHE.format(**places))
    tmp_path.chmod(0o755)
    run("gearman -w -f logger > log_file")
    daemon = spawn(apache, "-f", str(config), "-D", "FOREGROUND")
    until(lambda: answers(port), "Apache serves")
    for n in range(3):
        assert get(port, f"/kitten.html?{n}") == b"meow"
    log_file = tmp_path / "log_file"
    logged = [f'"GET /kitten.html?{n} HTTP/1.1" 200 4' for n in range(3)]
    until(lambda: log_file.exists() and all(each in log_file.read_text() for each in logged), "the requests are logged")
    assert daemon.stop() == 0


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        body: bytes = answer.read()
    return body


def answers(port: int) -> bool:
    try:
        return bool(get(port, "/kitten.html"))
    except OSError:
        return False
