"""``scenarios doctor --system``: what a system's own health checks say about one of its databases.

A system knows what can be wrong with it (a month without a partition, a stale view, a completed essay without
feedback); the doctor of servers does not. Systems with a part ``"health"`` have a function ``health(conn)``.
"""

from __future__ import annotations

from typing import Any

import typer

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red", "not applicable": "bright_black"}


def examine(system: str | None, url: str | None) -> list[Any]:
    """Return what the health checks of *system* found in the database at *url*, by default the setting's.

    Raises:
        DomainError: there is no such system, or it has no health checks; or none was named, and the
            database's tables do not tell.
        SettingsError: no database is named.
    """
    from scenarios.cli.common import choose_system, database

    with database(url, action="examine") as db:
        checks = choose_system(system, db).part("health")
        with db.connect() as conn:
            found: list[Any] = checks.health(conn)
    return found


def report(system: str | None, url: str | None, *, as_json: bool) -> None:
    """Print what `examine` found; a problem ends the command with exit code 1."""
    from dataclasses import asdict

    from scenarios.cli.common import console, show_json

    found = examine(system, url)
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        from rich.table import Table

        grid = Table(show_header=False, box=None, padding=(0, 2))
        for _ in range(2):
            grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for each in found:
            colour = _COLOURS.get(each.status, "white")
            grid.add_row(f"[{colour}]{each.status}[/{colour}]", each.item, each.detail)
        console().print(grid)
    if any(each.status == "problem" for each in found):
        raise typer.Exit(1)
