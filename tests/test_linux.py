"""What the kernel does for processes that look after others."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import linux
from tests.processes import ROOT


def done(code: str) -> list[str]:
    """The words that a process printed, which has one thread."""
    code = f"import os, random, sys\nfrom fleet import linux\n{code}"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()


FORK = """
def child():
    import threading
    thread = threading.Thread(target=lambda: print(random.getrandbits(64), end=" ", flush=True))
    thread.start()
    thread.join()
    sys.stdout.flush()
    os._exit(0)

random.seed(1)
for _ in range(2):
    if linux.fork_alone() == 0:
        child()
    os.wait()
random.seed(1)
print(random.getrandbits(64))
"""


DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 100))
print(linux.descriptors(10), linux.descriptors(50), linux.descriptors(1000), linux.descriptors(30))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_and_never_lowered() -> None:
    assert done(DESCRIPTORS) == ["20", "50", "100", "100", "100"]


def test_a_child_of_a_process_with_one_thread_has_threads_and_chances_of_its_own() -> None:
    assert len(set(done(FORK))) == 3


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
try:
    if linux.fork_alone() == 0:
        os._exit(0)
    print("forked")
except OSError as error:
    print(error.errno == 11)
"""


def test_a_fork_that_the_kernel_refuses_is_an_error() -> None:
    assert done(FULL) == ["True"]


FOLLOWED = """
reader, writer = os.pipe()
parent = os.getpid()
if os.fork() == 0:
    pid = os.getpid()
    if os.fork() == 0:
        linux.follow_parent(pid)
        os.write(writer, b"x")
        os.read(os.pipe()[0], 1)
    os.read(reader, 1)
    os._exit(0)  # and the child, which waits for ever, with it
os.close(writer)
os.wait()
print(repr(os.read(reader, 1)))
"""


def test_who_follows_its_parent_dies_with_it() -> None:
    assert done(FOLLOWED) == ["b''"], "the pipe ends when the last that holds it is gone"


def test_who_follows_a_parent_that_is_gone_ends_at_once() -> None:
    code = "from fleet import linux; linux.follow_parent(1 << 22); print('here')"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (finished.returncode, finished.stdout) == (1, "")


OFFSPRING = """
pid = os.posix_spawn("/bin/true", ["true"], {})
print(linux.offspring() == [pid])
os.wait()
print(linux.offspring())
"""


def test_own_children_are_known_the_dead_too() -> None:
    assert done(OFFSPRING) == ["True", "[]"]


def test_the_kernel_tells_of_memory() -> None:
    assert linux.address_space() > 1 << 20
    kills = linux.oom_kills()
    assert kills is not None
    assert kills >= 0


READY = """
tell = linux.ready_teller()
print(os.environ.get("NOTIFY_SOCKET"))
tell()
tell()
"""


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_and_what_is_started_later_tells_it_nothing(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"@{tmp_path}/notify" if abstract else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(30)
        systemd.bind(path.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        assert done(READY) == ["None"]
        assert [systemd.recv(100) for _ in range(2)] == [b"READY=1"] * 2


def test_without_systemd_nobody_is_told() -> None:
    assert done(READY) == ["None"]
