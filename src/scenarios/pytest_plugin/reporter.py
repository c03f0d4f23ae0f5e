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

    from scenarios.pytest_plugin.isolated_test import Test
    from scenarios.pytest_plugin.worker import Worker

_OUTPUT = "scenarios"


class Reporter:
    """A plugin object with the hooks that gather and print."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._header: dict[str, tuple[bool, str]] = {}
        self._gaps: dict[str, Any] = {}
        self._names: list[str] = []
        self._used: set[str] = set()
        self.told: set[str] = set()
        """Lines printed at the start already."""
        self.tests: list[dict[str, Any]] = []
        self._failure: BaseException | None = None
        self._failed_first = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, pytest.fail.Exception):
            self._say_once(report, call.excinfo.value)
        test: Test | None = item.stash.get(TEST, None)
        if test is not None:
            from scenarios.pytest_plugin.report import annotate

            annotate(report, test)
        return report

    def _say_once(self, report: pytest.TestReport, failure: BaseException) -> None:
        """Refer to the first test with this failure of ours: a run without a server says why once.

        pytest keeps what a broader fixture raised, and raises it again for each test that needs the fixture.
        """
        from scenarios.errors import ScenariosError

        if not isinstance(failure.__context__, ScenariosError):
            return
        if failure is not self._failure:
            self._failure, self._failed_first = failure, report.nodeid
        elif report.nodeid != self._failed_first:
            report.longrepr = f"{str(failure).splitlines()[0]}; see {self._failed_first}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "scenarios", None)
        if record is not None:
            self.tests.append({"test": report.nodeid, **record})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        worker: Worker | None = session.config.stash.get(WORKER, None)
        if worker is None:
            return
        found = {"header": worker.header(), "used": sorted(worker.used(session)), **worker.coverage(session)}
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = found
        else:
            self._take(found)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Under pytest-xdist the controller learns from its workers which server they used.

        All but one joined it and found the template: who made it has more to say.
        """
        self._take(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def _take(self, found: dict[str, Any]) -> None:
        for subject, first, line in found.get("header", ()):
            if first or subject not in self._header:
                self._header[subject] = first, line
        self._gaps.update(found.get("gaps", {}))
        self._names = found.get("names") or self._names
        self._used.update(found.get("used", ()))

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if not self.tests:
            return
        from scenarios.pytest_plugin.report import summarise, write_report

        header = [line for _, line in self._header.values()]
        untold = [line for line in header if line not in self.told]
        for line in summarise(untold, self.tests, verbosity=terminalreporter.verbosity):
            terminalreporter.write_line(line)
        settings = self._config.stash[SETTINGS]
        unused = [name for name in self._names if name not in self._used]
        if settings["coverage"]:
            from scenarios.pytest_plugin.coverage import lines_of

            for line in lines_of(self._gaps, unused):
                terminalreporter.write_line(line)
        kind = settings["report"]
        if kind:
            more = {"coverage": self._gaps, "unused": unused} if settings["coverage"] else {}
            path = write_report(kind, self._config.rootpath, header, self.tests, more)
            terminalreporter.write_line(f"scenarios: report written to {path}")
