"""Functions that a pool must survive, and a few that behave."""

from __future__ import annotations

import ctypes
import os
import random
import time
from collections.abc import Iterator

from fleet.workers.channel import Progress


def reverse(workload: memoryview) -> bytes:
    return bytes(workload)[::-1]


def parts(workload: memoryview) -> Iterator[bytes | Progress]:
    """The workload, letter by letter."""
    for number, letter in enumerate(bytes(workload), 1):
        yield Progress(number, len(workload))
        yield bytes([letter])


def breaks_off(workload: memoryview) -> Iterator[bytes]:
    yield b"the first part"
    raise ValueError("no second part")


def sends_to_no_end(workload: memoryview) -> Iterator[bytes]:
    while True:
        yield bytes(1 << 16)


def begins(workload: memoryview) -> Iterator[bytes]:
    yield b"a part"
    time.sleep(600)


def slow(workload: memoryview) -> bytes:
    time.sleep(float(bytes(workload)))
    return b"slept"


def rolls_dice(workload: memoryview) -> bytes:
    return b"%d" % random.getrandbits(64)


def own_number(workload: memoryview) -> bytes:
    return b"%d" % os.getpid()


def grows(workload: memoryview) -> bytes:
    held = bytearray(200 << 20)
    held[::4096] = bytes(len(held[::4096]))
    return b"grew"


def raises(workload: memoryview) -> bytes:
    raise ValueError("no such\nthing")


def segfault(workload: memoryview) -> bytes:
    ctypes.string_at(0)
    return b"unreachable"


def hangs_with_the_gil(workload: memoryview) -> bytes:
    ctypes.PyDLL(None).sleep(600)
    return b"unreachable"


def ignores_sigterm(workload: memoryview) -> bytes:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    return b"unreachable"


def leaks(workload: memoryview) -> bytes:
    held = []
    while True:
        held.append(bytearray(64 << 20))


def floods(workload: memoryview) -> bytes:
    return b"x" * (3 << 20)


def leaves_a_grandchild(workload: memoryview) -> bytes:
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    return b"%d" % pid


def leaves_a_session(workload: memoryview) -> bytes:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        time.sleep(600)
    while os.getsid(pid) != pid:
        time.sleep(0.001)
    return b"%d" % pid


def exits_without_a_verdict(workload: memoryview) -> bytes:
    os._exit(0)


def exits_with_a_code(workload: memoryview) -> bytes:
    os._exit(3)


def writes_garbage(workload: memoryview) -> bytes:
    os.write(4, b"\x00\xff this is no record")
    os._exit(0)


def writes_its_input(workload: memoryview) -> bytes:
    workload.cast("B")[0] = 0
    return b"unreachable"


def peeks_behind(workload: memoryview) -> bytes:
    """What is in the shared memory behind the workload."""
    import mmap

    with mmap.mmap(3, 0, prot=mmap.PROT_READ) as whole:
        return bytes(whole[:]).rstrip(b"\0")


def descriptors(workload: memoryview) -> bytes:
    import fcntl

    found = []
    for number in range(100):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
            found.append(str(number))
        except OSError:
            pass
    return " ".join(found).encode()


def opens_a_file(workload: memoryview) -> bytes:
    return os.read(os.open("/etc/passwd", os.O_RDONLY), 10)


def lists_a_directory(workload: memoryview) -> bytes:
    return repr(os.listdir("/")).encode()


def connects(workload: memoryview) -> bytes:
    import socket

    socket.socket().connect(("127.0.0.1", 1))
    return b"unreachable"


def forks(workload: memoryview) -> bytes:
    if os.fork() == 0:
        os._exit(0)
    return b"forked"


def fork_bomb(workload: memoryview) -> bytes:
    while True:
        os.fork()


def executes(workload: memoryview) -> bytes:
    os.execv("/bin/true", ["true"])


def kills_its_parent(workload: memoryview) -> bytes:
    import signal

    os.kill(os.getppid(), signal.SIGKILL)
    return b"killed"


def kills_everybody(workload: memoryview) -> bytes:
    import signal

    os.kill(-1, signal.SIGKILL)
    return b"killed"


def traces(workload: memoryview) -> bytes:
    ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)
    return b"attached"


def makes_memory_executable(workload: memoryview) -> bytes:
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    return b"mapped"


def starts_100_threads(workload: memoryview) -> bytes:
    import threading

    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join()
    return b"a hundred"


def who(workload: memoryview) -> bytes:
    return b"%d %d" % (os.geteuid(), os.getegid())


def aborts(workload: memoryview) -> bytes:
    os.abort()


def shouts(workload: memoryview) -> bytes:
    """Ten megabytes to standard error, and a terminal's commands."""
    os.write(2, b"\x1b[2Jfleet worker: all is well\n")
    for _ in range(10_000):
        os.write(2, b"x" * 1023 + b"\n")
    return b"shouted"


def environment(workload: memoryview) -> bytes:
    """All of it, as Python sees it and as it lies in memory."""
    pointer = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    entries = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_char_p))
    found = [f"{name}={value}".encode() for name, value in os.environ.items()]
    at = 0
    while (entry := entries[at]) is not None:
        found.append(entry)
        at += 1
    return b"\n".join(found)


def prints(workload: memoryview) -> bytes:
    print("hello from a runner", flush=True)
    return b"printed"


def until_told(workload: memoryview) -> bytes:
    """Until it gets SIGUSR1. It says on the pool's stderr when it begins, and in which process, and when it ends."""
    import signal

    def told(*_: object) -> None:
        raise InterruptedError

    try:
        signal.signal(signal.SIGUSR1, told)
        os.write(1, b"begun %d\n" % os.getpid())  # in one piece: runners share the pipe
        time.sleep(600)
    except InterruptedError:
        os.write(1, b"ended\n")
    return b"done"


NAMES = [name for name, value in list(globals().items()) if callable(value) and value.__module__ == __name__]
FUNCTIONS = {name: f"{__name__}:{name}" for name in NAMES}
