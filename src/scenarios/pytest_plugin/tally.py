"""Collects what each test did to its database, in the process that prints the summary.

Under pytest-xdist that is the controller, which runs no test itself: what it knows arrives with the reports.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.pytest_plugin.keys import SETTINGS, TEST, WORKER

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


class Tally:
    """A plugin object with the hooks that gather and print."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._header: list[str] = []
        self.tests: list[dict[str, Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        test = item.stash.get(TEST, None)
        if test is not None:
            from scenarios.pytest_plugin.report import annotate

            annotate(report, test)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "scenarios", None)
        if record is not None:
            self.tests.append({"test": report.nodeid, **record})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        worker = session.config.stash.get(WORKER, None)
        if worker is None:
            return
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["scenarios"] = worker.header()
        else:
            self._header = worker.header()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Under pytest-xdist the controller learns from its workers which server they used."""
        for line in getattr(node, "workeroutput", {}).get("scenarios", ()):
            if line not in self._header:
                self._header.append(line)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if not self.tests:
            return
        from scenarios.pytest_plugin.report import summarise, write_report

        for line in summarise(self._header, self.tests, verbose=terminalreporter.verbosity > 0):
            terminalreporter.write_line(line)
        kind = self._config.stash[SETTINGS]["report"]
        if kind:
            path = write_report(kind, self._config.rootpath, self._header, self.tests)
            terminalreporter.write_line(f"scenarios: report written to {path}")
