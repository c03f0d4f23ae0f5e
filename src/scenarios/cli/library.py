"""``scenarios list, show, check, load, open, instances, reset, unload``: from the library into a database."""

from __future__ import annotations

from pathlib import Path
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
    show_file,
    show_json,
)
from scenarios.cli.progress import shown
from scenarios.errors import LibraryError

if TYPE_CHECKING:
    from scenarios.library import Instance

_PANEL = "Scenarios"
_DATA = "Instances in a database"
MOST_HANDLES = 40
"""Rows that a load names; of a large scenario the rest is counted."""


def _names(incomplete: str) -> list[str]:
    """Return the scenarios whose names begin so, for shell completion."""
    return [name for name in open_library(None).names() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="The scenario's name, or the path of its file.", show_default=False, autocompletion=_names
    ),
]
InstanceName = Annotated[
    str, typer.Argument(help="The instance's name; see `scenarios instances`.", show_default=False)
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter of the scenario; may be given several times.",
        show_default=False,
    ),
]
Now = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="MOMENT",
        help="What the scenario's clock shows: 2026-05-04T09:00, or now.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("list", rich_help_panel=_PANEL)(list_)
    app.command("show", rich_help_panel=_PANEL)(show)
    app.command("check", rich_help_panel=_PANEL)(check)
    app.command("file-schema", rich_help_panel=_PANEL)(file_schema)
    app.command("load", rich_help_panel=_DATA)(load)
    app.command("open", rich_help_panel=_DATA)(open_)
    app.command("instances", rich_help_panel=_DATA)(instances)
    app.command("reset", rich_help_panel=_DATA)(reset)
    app.command("unload", rich_help_panel=_DATA)(unload)


def list_(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only those with all these words.", show_default=False)
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="Only this system's.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", "-t", help="Only those with this tag.", show_default=False)
    ] = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """List the scenarios of the library.

    Example: scenarios list refinement --tag conversation
    """
    entries = open_library(library).entries()
    for word in words or []:
        entries = [each for each in entries if word.lower() in str(each.as_dict()).lower()]
    if system:
        entries = [each for each in entries if each.system == system]
    for wanted in tag or []:
        entries = [each for each in entries if each.head and wanted in each.head.tags]
    if as_json:
        show_json([each.as_dict() for each in entries])
        return
    if not entries:
        typer.echo("No scenario fits.", err=True)
        return
    width = max(len(each.name) for each in entries)
    last = None
    for each in entries:
        if each.system != last:
            typer.secho(f"{each.system}" if last is None else f"\n{each.system}", bold=True)
            last = each.system
        text = each.head.title if each.head else ""
        if each.faults.found:
            text = f"cannot be read: {each.faults.found[0]}"
        typer.echo(f"  {each.name:<{width}}  {text}")


def show(
    name: Name,
    param: Parameters = None,
    now: Now = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only this person, by handle.")] = None,
    messages: Annotated[
        int,
        typer.Option(
            "--messages",
            "-m",
            min=0,
            help="Turns of each conversation, and rows of each list, to show; 0: all.",
        ),
    ] = 24,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in a scenario: people, identities, the conversation as a chat, notes, actions.

    Example: scenarios show refinement_in_progress --user maya --messages 10
    """
    from scenarios.library.catalogue.text import print_scenario
    from scenarios.library.catalogue.view import as_data

    definition = open_library(library).find(name)
    plan = definition.plan(now=parse_now(now), parameters=definition.parameters(parse_parameters(param)))
    if as_json:
        show_json(as_data(definition, plan))
        return
    print_scenario(console(), definition, plan, user=user, messages=messages)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Scenarios, files, or directories of files; none: the whole library.", show_default=False
        ),
    ] = None,
    pii: Annotated[
        bool, typer.Option("--pii", help="Also look for e-mail addresses, phone numbers and names.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="URL",
            help="Check the data of this database against its system's rules instead.",
            show_default=False,
        ),
    ] = None,
    system: Annotated[
        str, typer.Option("--system", "-s", help="The system whose rules --data checks.")
    ] = "dev_coach",
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Check scenario files, or the data of a database, and say everything that is wrong.

    Example: scenarios check drafts/my_scenario.yaml
    """
    if data is not None:
        from scenarios.library.catalogue.checking import check_data

        found = check_data(data, system)
        if as_json:
            show_json(found)
        else:
            for each in found["violations"]:
                typer.echo(f"{each['check']}: {each['table']} {each['key']}: {each['message']}")
            typer.echo(f"{len(found['checks'])} rules checked, {len(found['violations'])} rows break one")
        raise typer.Exit(1 if found["violations"] else 0)
    from scenarios.library.catalogue.checking import check_library

    known = open_library(library)
    wanted = [each for name in names or [] for each in ([name] if name in known else _files_in(name))]
    with shown("checking", quiet=as_json) as progress:
        report = check_library(known, wanted, pii=pii, progress=progress)
    if as_json:
        show_json(report.as_dict())
    else:
        for fault in report.faults:
            typer.echo(str(fault))
        faults = len(report.faults)
        typer.echo(f"{len(report.checked)} checked, {faults} fault{'' if faults == 1 else 's'}")
    raise typer.Exit(1 if report.faults else 0)


def _files_in(name: str) -> list[str]:
    """Return *name*, or the scenario files in the directory that it is the path of."""
    if not Path(name).is_dir():
        return [name]
    found = sorted(
        str(path)
        for path in Path(name).rglob("*")
        if path.suffix in (".yaml", ".yml") and not path.name.startswith((".", "_")) and path.is_file()
    )
    if not found:
        raise LibraryError("there is no scenario file in the directory", where=name)
    return found


def file_schema(
    system: Annotated[
        str, typer.Argument(help="The system whose files are described; project: your own.")
    ] = "dev_coach",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of a system's scenario files, with which editors complete and check them.

    Example: scenarios file-schema dev_coach --out schema/scenario-file.dev_coach.schema.json
    """
    import json

    from scenarios.cli.common import write_file
    from scenarios.library.sections import sections_of
    from scenarios.library.sections.schema import schema_of

    domain = open_library(None).domain(system)
    text = json.dumps(schema_of(sections_of(domain)), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        show_file(text)
    else:
        write_file(out, text, force=True)


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


def _minute(moment: object) -> str:
    """Return a moment as people need it in a list."""
    return str(moment)[:16].replace("T", " ")


def reset(name: InstanceName, where: Where = None, as_json: AsJson = False) -> None:
    """Put an instance back into the state in which it was loaded: same keys, same e-mails, same times.

    Example: scenarios reset refinement_in_progress --in postgresql://qa@db/coach
    """
    with database(where, action="reset an instance in") as db:
        with hold_instance(db, name) as (conn, instance):
            report = instance.reset(connection=conn)
        rows = sum(instance.counts.values())
        if as_json:
            show_json({**report.as_dict(), "rows": rows, **instance.sign_in_sheet().as_dict()})
            return
        typer.echo(f"{name} is as it was loaded: {rows} rows; {_added(report.added)}.")
        for line in report.left:
            typer.echo(line)


def unload(name: InstanceName, where: Where = None, as_json: AsJson = False) -> None:
    """Remove an instance with everything that hangs on it, also what the application added.

    Example: scenarios unload refinement_in_progress --in postgresql://qa@db/coach
    """
    with database(where, action="unload an instance from") as db, hold_instance(db, name) as (conn, instance):
        report = instance.unload(connection=conn)
    if as_json:
        show_json(report.as_dict())
        return
    typer.echo(f"{name} is gone: {sum(report.rows.values())} rows removed; {_added(report.added)}.")
    for line in report.left:
        typer.echo(line)


def _added(count: int) -> str:
    if not count:
        return "the application had added none"
    return f"{count} of them {'was' if count == 1 else 'were'} added by the application"
