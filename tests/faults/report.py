"""`make faults`: every fault is injected many times, and a line for each says how often and what was lost.

What is injected is what the tests do whose names have the fault's number; FLEET_FAULT_ROUNDS says how often.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter, defaultdict
from typing import Final

import pytest

ROWS: Final = {
    "f01": "kill -9 of the server while four clients submit",
    "f02": "kill -9 after the commit, before JOB_CREATED, and at each step before and after",
    "f03": "kill -9 after jobs were claimed, before JOB_ASSIGN; and while a job runs",
    "f04": "kill -9 after WORK_COMPLETE, before its commit, and at each step after",
    "f05": "power cut: what was not synced is gone (and a store that does not sync is found out)",
    "f06": "the log's last 64 KiB cut off or garbled, sector by sector",
    "f07": "a bit of the file flipped",
    "f08": "the disk fails before, in and after a commit",
    "f09": "the disk is full, and has room again",
    "f10": "the file system goes away under the server",
    "f11": "another program, or another server, wants the file",
    "f12": "200 connections, and descriptors for 64 of them",
    "f13": "workloads of many times the memory that they may have",
    "f14": "the server stands still (SIGSTOP)",
    "f15": "the wall clock is set: an hour on, an hour back, to 1970",
    "f16": "SIGTERM under load",
    "f17": "a file of a newer version",
    "f18": "a long queue, and a restart",
    "f19": "a foreground client shares a background job, and leaves",
    "f20": "a background submit meets a foreground job, whose client leaves",
    "f21": "the store is copied while clients submit, and a server started on the copy",
    "f22": "kill -9 of a worker in mid job",
    "f23": "a job that every worker dies of",
    "f24": "a job hangs in C and holds the interpreter",
    "f32": "most workers die at once",
    "pictures": "kill -9 of server and pool while pictures are made; a poison picture",
}
WHERE: Final = ("tests/faults", "tests/jobserver", "tests/system", "tests/workers")
NAMED: Final = re.compile(r"(?<=_)(f\d\d|pictures)(?=_)")


class Report:
    """Adds up what the tests say."""

    def __init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self.failed: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        for row in NAMED.findall(name.partition("[")[0] + "_"):
            if report.failed:
                self.failed[row].append(name)
            elif report.when == "call" and report.passed:
                self.injected[row] += int(str(dict(report.user_properties).get("injected", 1)))

    def lines(self) -> list[str]:
        return [self._line(row, what) for row, what in ROWS.items()]

    def _line(self, row: str, what: str) -> str:
        failed, times = self.failed[row], self.injected[row]
        lost = f"FAILED: {', '.join(failed)}" if failed else "lost: nothing" if times else "NOT RUN"
        return f"{row.upper() if row[1:].isdigit() else row:<9} {times:>6} times  {what}: {lost}"


def main() -> int:
    report = Report()
    names = " or ".join(f"test_{row}_ or _{row}_" for row in ROWS)
    code = pytest.main([*WHERE, "-q", "--no-header", "-k", names, *sys.argv[1:]], plugins=[report])
    print(f"\nfaults, {os.environ.get('FLEET_FAULT_ROUNDS', 'the few of CI as')} rounds")
    print("\n".join(report.lines()))
    return int(code) or (1 if any("NOT RUN" in line for line in report.lines()) else 0)


if __name__ == "__main__":
    sys.exit(main())
