"""A host for the tests: a real sshd on a port of its own, which lets in whoever has the test's key."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.ports import ClosedPort

CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
SetEnv PATH={path}
Subsystem sftp internal-sftp
"""
HOST = """
Host {name}
    HostName 127.0.0.1
    Port {port}
    IdentityFile {folder}/user_key
    UserKnownHostsFile {folder}/known_hosts
    IdentitiesOnly yes
"""


class Sshd:
    """It is started anew for each connection, as by inetd, so that the port is bound before anybody hears of it."""

    def __init__(self, folder: Path, gone: int) -> None:
        self.config = folder / "ssh_config"
        self._command = [need("sshd"), "-i", "-e", "-f", str(folder / "sshd_config")]
        self._log = folder / "sshd.log"
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        (folder / "sshd_config").write_text(CONFIG.format(folder=folder, path=path))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
        (folder / "nobody").write_text("")
        hosts = [HOST.format(name="img1", port=port, folder=folder), HOST.format(name="gone", port=gone, folder=folder)]
        stranger = HOST.format(name="stranger", port=port, folder=folder).replace("known_hosts", "nobody")
        self.config.write_text("".join([*hosts, stranger]))
        self._sessions: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, open(self._log, "ab") as log:
                self._sessions.append(
                    subprocess.Popen(self._command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log)
                )

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for session in self._sessions:
            session.kill()
            session.wait()


@pytest.fixture
def sshd(tmp_path: Path, closed_port: ClosedPort) -> Iterator[Sshd]:
    need("sshd")
    if os.geteuid():
        pytest.skip("sshd lets others than itself in only as root")
    Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in before anybody is let in
    folder = tmp_path / "ssh"
    folder.mkdir()
    server = Sshd(folder, closed_port().port)
    yield server
    server.close()
