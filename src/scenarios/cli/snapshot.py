"""``scenarios snapshot ..`` and ``scenarios diff``: the journal and its files for people.

Without them a person who wants to look at what a test left behind, or to take a state home, would need a
Python prompt.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli.common import AsJson, console, database, show_json

if TYPE_CHECKING:
    from scenarios.journal import Changes

_PANEL = "Snapshots"

Db = Annotated[
    str | None,
    typer.Option(
        "--db", metavar="URL", help="The database; by default the setting `database`.", show_default=False
    ),
]
File = Annotated[Path, typer.Argument(help="A snapshot file, conventionally NAME.scn.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    group = typer.Typer(
        help="Remember the state of a database, go back to it, take it elsewhere.", no_args_is_help=True
    )
    group.command("save")(_save)
    group.command("restore")(_restore)
    group.command("list")(_list)
    group.command("export")(_export)
    group.command("import")(_import)
    app.add_typer(group, name="snapshot", rich_help_panel=_PANEL)
    app.command("diff", rich_help_panel=_PANEL)(_diff)


def _save(
    name: Annotated[str, typer.Argument(help="What to call it.")], db: Db = None, as_json: AsJson = False
) -> None:
    """Take a snapshot of the database, under a name."""
    with database(db, action="take a snapshot of") as where:
        taken = where.snapshot(name)
    if as_json:
        show_json({"number": taken.number, "name": taken.name, "taken_at": taken.taken_at})
    else:
        console().print(f"snapshot {taken} (number {taken.number}) of {where.name}", markup=False)


def _restore(
    name: Annotated[str, typer.Argument(help="A snapshot's name or number.")],
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Put the database back to a snapshot; later snapshots are discarded."""
    from scenarios import journal

    with database(db, action="restore") as where, where.connect() as conn:
        done = journal.restore(conn, _wanted(name))
    if as_json:
        show_json({"tables": dict(done.tables), "rows": done.rows, "ms": done.ms, "notes": list(done.notes)})
        return
    console().print(f"{done.rows} rows in {len(done.tables)} tables, {done.ms:.1f} ms", markup=False)
    for note in done.notes:
        console().print(f"note: {note}", markup=False)


def _list(db: Db = None, as_json: AsJson = False) -> None:
    """List the snapshots of the database."""
    from scenarios import journal

    with database(db, action="list the snapshots of") as where, where.connect() as conn:
        known = journal.list_snapshots(conn)
    if as_json:
        show_json([{"number": one.number, "name": one.name, "taken_at": one.taken_at} for one in known])
        return
    from rich.table import Table

    table = Table("number", "name", "taken")
    for one in known:
        table.add_row(str(one.number), one.name or "", f"{one.taken_at:%Y-%m-%d %H:%M:%S}")
    console().print(table)


def _export(file: File, db: Db = None, as_json: AsJson = False) -> None:
    """Write the content of the database to a portable snapshot file."""
    from scenarios import journal

    with database(db, action="export") as where, where.connect() as conn:
        made = journal.save(conn, file)
    if as_json:
        show_json({"path": str(made.path), "bytes": made.size, "fingerprint": made.fingerprint})
    else:
        tables = len(made.header["tables"])
        console().print(f"{made.path}: {tables} tables, {made.size} bytes", markup=False, soft_wrap=True)


def _import(file: File, db: Db = None, as_json: AsJson = False) -> None:
    """Replace the content of the database by that of a snapshot file."""
    from scenarios import journal

    with database(db, action="import into") as where, where.connect() as conn:
        read = journal.open_file(conn, file)
    if as_json:
        show_json({"database": where.name, "from": read.database, "created": read.created})
    else:
        text = f"{where.name} now holds what {read.database} held on {read.created}"
        console().print(text, markup=False)


def _diff(
    a: Annotated[str, typer.Argument(help="A snapshot (with --db), a snapshot file, or a database's URL.")],
    b: Annotated[
        str | None, typer.Argument(help="Likewise; without it, the present state.", show_default=False)
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(help="How many rows to show at most.", min=1)] = 50,
) -> None:
    """Show what differs between two snapshots, files or databases."""
    found = _compare(a, b, db)
    if as_json:
        show_json(found.as_dict())
    elif found:
        console().print(found.table(limit))
    else:
        console().print("no differences")


def _compare(a: str, b: str | None, db: str | None) -> Changes:
    from scenarios import journal
    from scenarios.postgres import attach
    from scenarios.postgres.urls import is_url

    for one in (a, b):
        if one is not None and "@" in one and not is_url(one) and not Path(one).is_file():
            raise typer.BadParameter("a database is named by a postgresql:// URL")
    snapshots = [one for one in (a, b) if one is not None and not is_url(one) and not Path(one).is_file()]
    with ExitStack() as stack:
        if snapshots:
            if len(snapshots) < (2 if b is not None else 1):
                raise typer.BadParameter(
                    f"{snapshots[0]!r} is no file, and a snapshot compares with another snapshot of its"
                    f" database"
                )
            where = stack.enter_context(database(db, action="compare snapshots of"))
            conn = stack.enter_context(where.connect())
            if b is None:
                return journal.changes(conn, _wanted(a))
            return journal.changes_between(conn, _wanted(a), _wanted(b))

        def opened(one: str | None) -> Any:
            if one is not None and not is_url(one):
                return Path(one)
            if one is None:
                where = stack.enter_context(database(db, action="compare with"))
            else:
                where = attach(one)
                stack.callback(where.close)
            return stack.enter_context(where.connect())

        return journal.diff(opened(a), opened(b))


def _wanted(text: str) -> str | int:
    return int(text) if text.isdigit() else text
