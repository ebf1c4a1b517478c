"""A part to supervise. Its arguments: a file for its notes, its name, and what to do, word by word.

listen=PORT     take the port (0: any) and announce it        say=TEXT     write a line
exit=CODE       leave                                          kill=NUMBER  die by this signal
deaf            be deaf to SIGTERM                             wait         until SIGTERM, then leave with 0
bound           start a process in an own session, bound to this one, as a pool's zygote is
stray           start one in an own session, bound to nobody   mate         start one in this group
first:WORD      only in the first life, the later ones skip it
ask=PATH        wait until the file is there                   flood=COUNT  write so many lines of 1000 characters
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIFE_S = 120  # whatever happens to the test, this ends


def note(notes: Path, name: str, words: list[str]) -> int:
    """Write down that we live; return how many of this name lived before."""
    before = [line for line in notes.read_text().splitlines() if json.loads(line)["name"] == name]
    line = json.dumps({"name": name, "pid": os.getpid(), "words": words, "env": os.environ.get("PART_TEST", "")})
    with notes.open("a") as file:
        file.write(line + "\n")
    return len(before)


def start(notes: str, name: str, *, session: bool, bound: bool) -> None:
    libc = ctypes.CDLL(None)
    subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, notes, name, "say=up", "wait"],
        start_new_session=session,
        stdout=subprocess.PIPE,
        preexec_fn=(lambda: libc.prctl(1, signal.SIGKILL)) if bound else None,
    ).stdout.readline()  # type: ignore[union-attr]  # it has noted its pid


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def act(word: str, notes: str, name: str) -> None:
    verb, _, value = word.partition("=")
    if verb == "listen":
        held = socket.create_server(("127.0.0.1", int(value)))
        print(f"listening 127.0.0.1:{held.getsockname()[1]}", flush=True)
        globals()["held"] = held
        return
    acts: dict[str, Callable[[], object]] = {
        "say": lambda: print(value, flush=True),
        "flood": lambda: print("\n".join([1000 * "x"] * int(value)), flush=True),
        "exit": lambda: sys.exit(int(value)),
        "kill": lambda: os.kill(os.getpid(), int(value)),
        "deaf": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        "wait": lambda: time.sleep(LIFE_S),
        "bound": lambda: start(notes, f"{name}-bound", session=True, bound=True),
        "stray": lambda: start(notes, f"{name}-stray", session=True, bound=False),
        "mate": lambda: start(notes, f"{name}-mate", session=False, bound=False),
        "ask": lambda: wait_for(Path(value)),
    }
    acts[verb]()


def main() -> None:
    notes, name, *words = sys.argv[1:]
    signal.alarm(LIFE_S)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    before = note(Path(notes), name, words)
    for word in words:
        if not word.startswith("first:") or before == 0:
            act(word.removeprefix("first:"), notes, name)


if __name__ == "__main__":
    main()
