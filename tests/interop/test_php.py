"""What PHP's client does beyond the common: many tasks at once, and following a background job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.images import Header, sniff
from fleet.protocol import packets
from fleet.settings import Address
from tests.client.test_kept import keeping
from tests.conftest import SAMPLES
from tests.interop.families import PHP, PROGRAMS, php
from tests.interop.matrix import row
from tests.peer import Peer, reverse, worker
from tests.processes import ROOT, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]


@row(PHP, "tasks of all priorities")
def test_tasks_end_in_the_order_of_their_priorities(server: Address, spawn: Callable[..., Program]) -> None:
    def echo(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_COMPLETE, handle, workload)

    program = spawn(php(), str(PROGRAMS / "tasks.php"), server.host, str(server.port))
    until(lambda: [f.jobs for f in admin.status(server)] == [4], "all tasks came")
    with worker(server, echo=echo):
        assert program.ended() == 0
    lines = program.out.rest()
    assert sorted(lines[:4]) == [f"created u{n}" for n in (1, 2, 3, 4)]
    assert lines[4:] == ["second: high", "third: normal", "first: low", "all done"]


@row(PHP, "follows a background job")
def test_the_status_of_a_job_from_the_queue_to_its_end(server: Address, spawn: Callable[..., Program]) -> None:
    program = spawn(php(), str(PROGRAMS / "follow.php"), server.host, str(server.port))
    assert program.out.line() == "queued"
    with Peer(server) as peer:
        peer.send(packets.CAN_DO, b"long")
        handle = bytes(peer.ask(packets.GRAB_JOB).args[0])
        peer.send(packets.WORK_STATUS, handle, b"1", b"4")
        assert program.out.until("/4") == "running 1/4"
        peer.send(packets.WORK_COMPLETE, handle, b"")
        assert program.out.line() == "gone"
    assert program.ended() == 0


@row(PHP, "thumbnails, as in examples/php")
def test_the_example_makes_a_thumbnail_or_says_why_not(
    fleet_of_two: Address, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    def example(source: Path) -> Program:
        script = str(ROOT / "examples" / "php" / "resize_client.php")
        where = (fleet_of_two.host, str(fleet_of_two.port))
        return spawn(php(), script, str(source), str(tmp_path / "thumb.jpg"), *where)

    notes = tmp_path / "notes.txt"
    notes.write_text("not a picture")
    bad = example(notes)
    assert bad.ended() == 1
    assert "this is text, not a picture" in bad.err.line()
    assert not (tmp_path / "thumb.jpg").exists()
    assert example(SAMPLES / "large.jpg").ended() == 0
    assert sniff((tmp_path / "thumb.jpg").read_bytes()) == Header("jpeg", 200, 150)


ASKING = """
$client = new GearmanClient();
$client->addServer($argv[1], (int) $argv[2]);
$handle = $client->doBackground("reverse", "abc");
echo $client->doNormal("fleet.result", $handle), "\\n";
$later = $client->doNormal("fleet.submit", json_encode(["function" => "f", "attempts" => 3]) . "\\n" . "payload");
foreach (json_decode($client->doNormal("fleet.jobs", json_encode(["do" => "list"])))->jobs as $job) {
    echo $job->handle === $later ? "same" : "other", " ", $job->function, " ", $job->attempts, "\\n";
}
"""


@row(PHP, "asks about kept jobs")
def test_php_asks_what_became_of_background_jobs(spawn: Callable[..., Program]) -> None:
    keeper = keeping(spawn)
    with worker(keeper, reverse=reverse):
        program = spawn(php(), "-r", ASKING, keeper.host, str(keeper.port))
        assert program.ended() == 0
    assert program.out.rest() == ["cba", "same f 3"]
