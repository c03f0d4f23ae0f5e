"""``scenarios demo``: the main job on a throwaway server, from nothing to a proven restore, in a few seconds.

It is what a stranger runs first and what the project must never break, so nothing in it is staged: the same
functions that the fixtures and the other commands use, a scenario of the library, a second process that
commits for real, and a checksum over every table and sequence before and after.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scenarios.journal import Changes
    from scenarios.postgres import Database

LAST_TURNS = 6
"""Messages of the conversation that the demo shows."""


def register(app: typer.Typer) -> None:
    app.command("demo", rich_help_panel="Start here")(demo)


def demo(
    keep: bool = typer.Option(
        False, "--keep", help="Wait for Enter at the end, so that you can look around."
    ),
) -> None:
    """Show the main job on a throwaway PostgreSQL server.

    Starts a server, builds a system's schema, loads a scenario, lets another process change it, shows what
    changed, restores, and proves that every table and sequence is as before. Leaves nothing behind.

    Example: scenarios demo
    """
    from rich.console import Console

    Demo(Console(highlight=False)).run(keep=keep)


class Demo:
    """The steps in order; each is timed, and the timings are the last thing printed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._took: list[tuple[str, float]] = []

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._took.append((title, (time.perf_counter() - began) * 1000))

    def _say(self, text: str = "") -> None:
        self._console.print(text, markup=False)

    def _heading(self, text: str) -> None:
        self._console.rule(f"[bold]{text}", align="left")

    def run(self, *, keep: bool) -> None:
        from scenarios.domain import domain_names, get_domain
        from scenarios.library import Library
        from scenarios.postgres import start_server

        with ExitStack() as resources:
            self._heading("A throwaway server")
            with self._step("start a server"):
                server = resources.enter_context(start_server())
            self._say(f"PostgreSQL {server.version_text}, {server.provider}: {server.why_chosen}")
            self._console.print(_pairs(server.settings_read_back))

            self._heading("A database from a template")
            domain = next(each for each in map(get_domain, domain_names()) if "demo" in each.parts)
            shown = domain.part("demo")
            with self._step("build or find the template"):
                template = server.template(domain)
            with self._step("clone a database from it"):
                db = resources.enter_context(server.database(template=template))
            self._say(f"{domain.title}: {len(domain.metadata.tables)} tables in {db.name}")

            self._heading(f"The scenario {shown.SCENARIO}")
            definition = Library()[shown.SCENARIO]
            with self._step("load the scenario"):
                instance = definition.load(db)
            self._console.print(instance.sign_in_sheet())
            self._last_turns(shown.last_turns(db, LAST_TURNS))

            self._heading("Another process commits")
            with self._step("take a snapshot"):
                before = db.snapshot("before")
            checksum = db.checksum()
            with self._step("the other process works"):
                self._visit(shown.VISITOR, db)
            with self._step("find what changed"):
                changes = db.changes(before)
            self._console.print(_counts(changes))
            self._say(_updates(changes))

            self._heading("Restore")
            with self._step("restore"):
                restored = db.restore(before)
            after = db.checksum()
            if after != checksum:
                raise AssertionError(f"the restore is not exact: {checksum} before, {after} after")
            self._say(f"{restored.rows} rows put back; all tables and sequences are as before ({after[:12]})")

            self._heading("What each step took")
            for title, ms in self._took:
                self._say(f"{ms:9.1f} ms  {title}")
            if keep:
                self._say(f"\nLook around: {db.psql}")
                self._console.input("Press Enter to clean up. ")
        self._say("\nThe server, its files and its socket are gone.")

    def _last_turns(self, said: list[tuple[str, str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        turns = Table.grid(padding=(0, 2))
        turns.add_column(justify="right", style="bold")
        turns.add_column()
        for who, text in said:
            turns.add_row(who, Text(text))
        self._say("The last turns of the longest conversation:")
        self._console.print(turns)

    def _visit(self, program: Path, db: Database) -> None:
        """Let a process that knows nothing but the URL insert, update and delete, with real commits."""
        subprocess.run(
            [sys.executable, "-P", str(program), db.dsn],
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )


def _pairs(values: Mapping[str, str]) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        grid.add_row(name, value)
    return grid


def _counts(changes: Changes) -> Table:
    from rich.table import Table

    table = Table("table", title="What the other process changed", title_justify="left")
    operations = ("inserted", "updated", "deleted")
    for operation in operations:
        table.add_column(operation, justify="right")
    for name, counts in changes.counts.items():
        table.add_row(name.removeprefix("public."), *(str(counts.get(each) or "") for each in operations))
    return table


def _updates(changes: Changes) -> str:
    """The updated rows, value by value; the inserted and deleted ones are told by their counts."""
    return "\n".join(str(change) for change in changes if change.op == "updated")
