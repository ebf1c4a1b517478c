"""3 MB payloads through the job server: its processor time per job, against gearmand's."""

from __future__ import annotations

import multiprocessing
import shutil
import socket
import tempfile
import time
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.measure import FLEET, cpu_seconds, in_turn, program, ratio, row
from fleet.protocol import REQ, RES, Decoder, Packet, encode, encode_head, packets

PAYLOAD_BYTES = 3_000_000
CLIENTS = WORKERS = 4
SECONDS = 3.0
WARM_UP_S = 0.5
ROUNDS = 5
AT_MOST = 1.0


class Peer:
    """A raw connection that receives large packets in place, so that the load costs little itself."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arena = memoryview(bytearray(PAYLOAD_BYTES + 4096))
        self._decoder = Decoder(RES, body_bytes=1 << 30, allocate=lambda size: self._arena[:size])
        self._scratch = memoryview(bytearray(65536))
        self._found: list[Packet] = []

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self._sock.sendall(part)

    def read(self) -> Packet:
        while not self._found:
            room = self._decoder.room()
            if room is None:
                self._found += self._decoder.feed(self._scratch[: self._sock.recv_into(self._scratch)])
            else:
                self._found += self._decoder.filled(self._sock.recv_into(room))
        return self._found.pop(0)


def client(port: int, completed: Synchronized[int], stop: Event) -> None:
    peer, payload = Peer(port), bytes(PAYLOAD_BYTES)
    head = encode_head(REQ, packets.SUBMIT_JOB, b"f", b"", data_bytes=PAYLOAD_BYTES)
    while not stop.is_set():
        peer.send(head, payload)
        while peer.read().kind != packets.WORK_COMPLETE:
            pass
        with completed.get_lock():
            completed.value += 1


def worker(port: int) -> None:
    peer = Peer(port)
    grab = encode(REQ, packets.GRAB_JOB_UNIQ)
    peer.send(encode(REQ, packets.CAN_DO, b"f") + grab)
    while True:
        kind, args = peer.read()
        if kind == packets.JOB_ASSIGN_UNIQ:
            peer.send(encode(REQ, packets.WORK_COMPLETE, bytes(args[0]), b"ok") + grab)
        elif kind == packets.NO_JOB:
            peer.send(encode(REQ, packets.PRE_SLEEP))
        elif kind == packets.NOOP:
            peer.send(grab)


def microseconds_per_job(port: int, pid: int) -> float:
    """The server's own, all threads, while clients and workers keep it busy."""
    context = multiprocessing.get_context("fork")
    completed, stop = context.Value("L", 0), context.Event()
    workers = [context.Process(target=worker, args=(port,), daemon=True) for _ in range(WORKERS)]
    clients = [context.Process(target=client, args=(port, completed, stop), daemon=True) for _ in range(CLIENTS)]
    for process in workers + clients:
        process.start()
    time.sleep(WARM_UP_S)
    cpu, jobs = cpu_seconds(pid), completed.value
    time.sleep(SECONDS)
    spent, done = cpu_seconds(pid) - cpu, completed.value - jobs
    stop.set()
    for process in clients:
        process.join(30)
    for process in workers:
        process.kill()
        process.join(30)
    return spent / float(done) * 1e6


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def main() -> None:
    gearmand = shutil.which("gearmand") or "/usr/sbin/gearmand"
    if not Path(gearmand).exists():
        print("gearmand is not installed: `make system` installs it where apt is")
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = ["-L", "127.0.0.1", "-p", str(port), "-t", "4", f"--log-file={folder}/log", f"--pid-file={folder}/pid"]
        ours_running = program(*FLEET, "server", "--port", "0", until="listening")
        with program(gearmand, *words) as (peer, _), ours_running as (server, lines):
            until_it_listens(port)
            our_port = int(lines[0].rpartition(":")[2])
            ours, theirs = in_turn(
                ROUNDS,
                lambda: microseconds_per_job(our_port, server.pid),
                lambda: microseconds_per_job(port, peer.pid),
            )
    print(
        f"{PAYLOAD_BYTES / 1e6:g} MB payloads, {CLIENTS} clients, {WORKERS} workers, {ROUNDS} rounds of {SECONDS:g} s"
    )
    print(row("fleet server", ours, "us CPU/job"))
    print(row("gearmand -t 4", theirs, "us CPU/job"))
    print(f"  ratio {ratio(ours, theirs):.2f} (wanted: at most {AT_MOST})")


if __name__ == "__main__":
    main()
