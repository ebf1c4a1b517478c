"""Prints the matrix when this directory's tests are run by themselves."""

from __future__ import annotations

import pytest

from tests.interop.matrix import PROPERTY, row_of, table


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(peer, direction): which row of the matrix the test belongs to")


@pytest.fixture(autouse=True)
def _in_the_matrix(request: pytest.FixtureRequest) -> None:
    if row := row_of(request.node):
        request.node.user_properties.append((PROPERTY, row))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    reports = [report for outcome in ("passed", "failed", "error", "skipped") for report in stats.get(outcome, [])]
    if lines := table(reports):
        terminalreporter.section("who gets on with whom")
        for line in lines:
            terminalreporter.write_line(line)
