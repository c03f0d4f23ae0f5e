"""``scenarios load, open, instances, reset, unload``: a state in a database, and out of it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli.common import (
    AsJson,
    LibraryPath,
    Where,
    console,
    database,
    hold_instance,
    notes,
    open_instance,
    open_library,
    parse_now,
    parse_parameters,
    show_json,
)
from scenarios.cli.library import Name, Now, Parameters
from scenarios.cli.progress import shown

if TYPE_CHECKING:
    from scenarios.library import Instance
    from scenarios.library.instances.removal import Unloaded

_PANEL = "Instances in a database"
MOST_HANDLES = 40
"""Rows that a load names; of a large scenario the rest is counted."""

WithAdded = Annotated[
    bool,
    typer.Option(
        "--with-added",
        help="Remove rows of others that hang on it, too; never those that another instance loaded.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be removed, and which rows are in the way.")
]
InstanceName = Annotated[
    str, typer.Argument(help="The instance's name; see `scenarios instances`.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("load", rich_help_panel=_PANEL)(load)
    app.command("open", rich_help_panel=_PANEL)(open_)
    app.command("instances", rich_help_panel=_PANEL)(instances)
    app.command("changes", rich_help_panel=_PANEL)(changes)
    app.command("reset", rich_help_panel=_PANEL)(reset)
    app.command("unload", rich_help_panel=_PANEL)(unload)


def load(
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "--in",
            metavar="URL",
            help="The database; by default the setting `database`, else a new throwaway one.",
            show_default=False,
        ),
    ] = None,
    as_name: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="The instance's name; by default the scenario's.", show_default=False
        ),
    ] = None,
    param: Parameters = None,
    now: Now = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Load a scenario and print who can sign in.

    Without --to a throwaway database is made on the project's server and kept until the server goes down.

    Example: scenarios load refinement_in_progress --to postgresql://qa@db/coach --as friday -p identities=8
    """
    from contextlib import ExitStack

    from scenarios.postgres import attach, start_server
    from scenarios.settings import Settings

    settings = Settings()
    with shown("loading", quiet=as_json) as progress:
        if progress is not None:
            progress(f"reading {name}", 0, 0)
        definition = open_library(library).find(name)
    parameters = definition.parameters(parse_parameters(param))
    moment = parse_now(now)
    url = to or settings["database"]
    password_file = ""
    server = None
    with ExitStack() as stack:
        if url:
            db = attach(url)
            stack.callback(db.close)
        else:
            from scenarios.cli.server import directory_of

            server = stack.enter_context(start_server(settings=settings))
            directory_of(server)  # Refused before anything is loaded where the server is not ours to keep.
            db = stack.enter_context(server.database(definition.domain))
        from scenarios.library.instances.load import load as load_instance

        with shown("loading", quiet=as_json) as progress:
            instance = load_instance(
                definition,
                db,
                as_name=as_name,
                now=moment,
                parameters=parameters,
                remember=True,
                progress=progress,
            )
        if server is not None:
            # Not before: a load that fails or is stopped leaves neither a database nor a server behind.
            from scenarios.cli.server import directory_of, keep_up, running_in

            server.keep(db)
            keep_up(directory_of(server))
            password_file = running_in(directory_of(server), settings).password_file
        if as_json:
            show_json(
                {**instance.sign_in_sheet().as_dict(), "database": db.safe_url, "rows": instance.counts}
            )
            return
        _announce(instance)
        if not url:
            # Passwords are never printed: the file that holds it is named instead.
            typer.echo(f"export SCENARIOS_DATABASE='{db.safe_url}' PGPASSFILE='{password_file}'")
            notes().print("The line above makes other commands use this database; `scenarios down` ends it.")


def _announce(instance: Instance) -> None:
    """Print who can sign in; of a schema without people, which row each handle became."""
    sheet = instance.sign_in_sheet()
    if sheet.people:
        console().print(sheet)
        return
    from rich.table import Table

    caption = f"The clock shows {sheet.now}."
    table = Table("handle", "table", "key", title=f"{instance.name}: what there is", title_justify="left")
    for row in instance.plan.rows[:MOST_HANDLES]:
        table.add_row(row.handle, row.table.fullname, ", ".join(map(str, instance.key(row.handle))))
    if len(instance.plan.rows) > MOST_HANDLES:
        caption = f"{len(instance.plan.rows) - MOST_HANDLES} rows more. {caption}"
    console().print(table)
    typer.echo(caption)


def open_(
    name: InstanceName,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Print the sign-in sheet of a loaded instance and how to look into its database.

    Example: scenarios open refinement_in_progress --in postgresql://qa@db/coach
    """
    with database(where, action="look into") as db:
        instance = open_instance(db, name)
        if as_json:
            show_json({**instance.sign_in_sheet().as_dict(), "database": db.safe_url})
            return
        _announce(instance)
        typer.echo(db.psql)


def instances(where: Where = None, as_json: AsJson = False) -> None:
    """List the instances that are loaded in a database.

    Example: scenarios instances --in postgresql://qa@db/coach
    """
    from scenarios.library.instances.finding import instances as find

    with database(where, action="look into") as db:
        found = find(db)
    rows: list[dict[str, Any]] = [
        {
            "name": each.name,
            "scenario": each.scenario,
            "system": each.template.get("system"),
            "version": each.template.get("version"),
            "parameters": each.template.get("parameters"),
            "clock": each.template.get("anchor"),
            "loaded_at": each.created_at.isoformat(),
        }
        for each in found
    ]
    if as_json:
        show_json(rows)
        return
    if not rows:
        typer.echo("No instance is loaded.", err=True)
        return
    from rich.table import Table

    table = Table()
    for title in ("name", "scenario", "version", "parameters", "clock", "loaded at"):
        table.add_column(title, overflow="fold")
    for row in rows:
        values = ", ".join(f"{key}={value}" for key, value in (row["parameters"] or {}).items())
        table.add_row(
            str(row["name"]),
            str(row["scenario"]),
            str(row["version"]),
            values,
            _minute(row["clock"]),
            _minute(row["loaded_at"]),
        )
    console().print(table)


def changes(
    name: InstanceName,
    where: Where = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="As Markdown for a bug report, with how to load the same state again."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print which rows of an instance are not as they were loaded: inserted, updated and deleted ones.

    In a database of ours the journal tells; in any other the rows are compared with what the load wrote.

    Example: scenarios changes refinement_in_progress --in postgresql://qa@db/coach --report
    """
    from scenarios.library.instances.changed import changed

    with database(where, action="look into") as db:
        instance = open_instance(db, name)
        found = changed(instance)
    if as_json:
        show_json({"name": name, **found.as_dict()})
        return
    if not report:
        typer.echo(str(found))
        return
    template = instance.template
    again = ["scenarios load", instance.scenario, f"--now {template['anchor']}"]
    again += [f"--param {key}={value}" for key, value in instance.parameters.items()]
    typer.echo(f"State: `{' '.join(again)}` (version {template.get('version')} of {template.get('system')})")
    typer.echo(f"Changed since it was loaded as {name!r}:\n\n```\n{found}\n```")


def _minute(moment: object) -> str:
    """Return a moment as people need it in a list."""
    return str(moment)[:16].replace("T", " ")


def reset(
    name: InstanceName,
    where: Where = None,
    with_added: WithAdded = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put an instance back into the state in which it was loaded: same keys, same e-mails, same times.

    Rows that were added to it since are removed. Rows that hang on it and may be somebody else's are
    listed, and nothing is done.

    Example: scenarios reset refinement_in_progress --in postgresql://qa@db/coach
    """
    with database(where, action="reset an instance in") as db:
        with hold_instance(db, name) as (conn, instance):
            report = instance.reset(with_added=with_added, dry_run=dry_run, connection=conn)
        rows = sum(instance.counts.values())
        if as_json:
            done = {} if dry_run else {"rows": rows, **instance.sign_in_sheet().as_dict()}
            show_json({**report.as_dict(), **done})
        elif dry_run:
            _plan(report, with_added, f"{name} would be as it was loaded: {_rows(rows)}")
        else:
            typer.echo(f"{name} is as it was loaded: {_rows(rows)}; {_removed(report)}.")
            _tell(report.left)


def unload(
    name: InstanceName,
    where: Where = None,
    with_added: WithAdded = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove an instance with everything that was added to it since.

    Rows that hang on it and may be somebody else's are listed, and nothing is done.

    Example: scenarios unload refinement_in_progress --in postgresql://qa@db/coach
    """
    with database(where, action="unload an instance from") as db, hold_instance(db, name) as (conn, instance):
        report = instance.unload(with_added=with_added, dry_run=dry_run, connection=conn)
    if as_json:
        show_json(report.as_dict())
        return
    total = _rows(sum(report.rows.values()))
    if dry_run:
        _plan(report, with_added, f"{name} would go: {total}")
    else:
        typer.echo(f"{name} is gone: {total} removed; {_added(report)}.")
        _tell(report.left)


def _plan(report: Unloaded, with_added: bool, what: str) -> None:
    """Print what would be done, and end as the work itself would."""
    typer.echo(f"{what}; {_removed(report)}. Nothing was changed.")
    _tell(report.left)
    if report.in_the_way:
        typer.echo("In the way, since neither the load wrote them nor did they provably come later:")
        _tell([f"  {each}" for each in report.in_the_way])
    if report.blocking(with_added):
        raise typer.Exit(1)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _removed(report: Unloaded) -> str:
    """Return word of the rows that go for good."""
    if not report.added:
        return "nothing had been added"
    return f"{report.added} added row{' goes' if report.added == 1 else 's go'}"


def _added(report: Unloaded) -> str:
    return f"{report.added or 'none'} of them added since"
