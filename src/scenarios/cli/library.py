"""``scenarios list, show, check, file-schema``: what there is in the library, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli.common import (
    AsJson,
    LibraryPath,
    OnlySystem,
    choose_system,
    console,
    database,
    open_library,
    parse_now,
    parse_parameters,
    show_file,
    show_json,
)
from scenarios.cli.progress import shown
from scenarios.errors import LibraryError

if TYPE_CHECKING:
    pass

_PANEL = "Scenarios"


def _names(incomplete: str) -> list[str]:
    """Return the scenarios whose names begin so, for shell completion."""
    return [name for name in open_library(None).names() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="The scenario's name, or the path of its file.", show_default=False, autocompletion=_names
    ),
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


def list_(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only those with all these words.", show_default=False)
    ] = None,
    system: OnlySystem = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", "-t", help="Only those with this tag.", show_default=False)
    ] = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """List the scenarios of the library.

    Example: scenarios list refinement --tag conversation
    """
    entries = open_library(library, system).entries()
    for word in words or []:
        entries = [each for each in entries if word.lower() in str(each.as_dict()).lower()]
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
        if each.errors.found:
            text = f"cannot be read: {each.errors.found[0]}"
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
    system: OnlySystem = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Check scenario files, or the data of a database, and say everything that is wrong.

    Example: scenarios check drafts/my_scenario.yaml
    """
    if data is not None:
        from scenarios.library.catalogue.checking import check_data

        with database(data, action="check") as db:
            found = check_data(db, choose_system(system, db))
        if as_json:
            show_json(found)
        else:
            for each in found["violations"]:
                typer.echo(f"{each['check']}: {each['table']} {each['key']}: {each['message']}")
            typer.echo(f"{len(found['checks'])} rules checked, {len(found['violations'])} rows break one")
        raise typer.Exit(1 if found["violations"] else 0)
    from scenarios.library.catalogue.checking import check_library

    known = open_library(library, system)
    wanted = [each for name in names or [] for each in ([name] if name in known else _files_in(name))]
    with shown("checking", quiet=as_json) as progress:
        report = check_library(known, wanted, pii=pii, progress=progress)
    if as_json:
        show_json(report.as_dict())
    else:
        for error in report.errors:
            typer.echo(str(error))
        errors = len(report.errors)
        typer.echo(f"{len(report.checked)} checked, {errors} error{'' if errors == 1 else 's'}")
    raise typer.Exit(1 if report.errors else 0)


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
        str | None,
        typer.Argument(
            help="The system whose files are described; by default the project's own.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of a system's scenario files, with which editors complete and check them.

    Example: scenarios file-schema --out scenario-file.schema.json
    """
    import json

    from scenarios.cli.common import write_file
    from scenarios.library.sections import sections_of
    from scenarios.library.sections.schema import schema_of

    text = json.dumps(schema_of(sections_of(choose_system(system))), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        show_file(text)
    else:
        write_file(out, text, force=True)
