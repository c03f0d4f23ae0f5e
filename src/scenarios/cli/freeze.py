"""``scenarios freeze, catalogue``: out of a database, and out of the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli.common import (
    AsJson,
    LibraryPath,
    OnlySystem,
    System,
    Where,
    choose_system,
    database,
    notes,
    open_instance,
    open_library,
    parse_now,
    parse_parameters,
    show_file,
    show_json,
    write_file,
)
from scenarios.cli.progress import shown

if TYPE_CHECKING:
    from scenarios.library.freezing.selection import Selection, Survey

_PANEL = "Scenarios"
_DATA = "Instances in a database"

Key = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="SCENARIOS_PSEUDONYM_KEY",
        help="Key of the pseudonyms; the same key gives the same names. By default the setting seed.",
        show_default=False,
        show_envvar=True,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("freeze", rich_help_panel=_DATA)(freeze)
    app.command("catalogue", rich_help_panel=_PANEL)(catalogue)


def freeze(
    instance: Annotated[
        str | None,
        typer.Argument(help="The instance to freeze; or give --user or --row.", show_default=False),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", "-n", help="The new scenario's name.", show_default=False)
    ] = "frozen",
    user: Annotated[
        str | None,
        typer.Option("--user", "-u", help="A person's e-mail address or key.", show_default=False),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", metavar="TABLE:KEY", help="A row, as in customer:1; may be given several times."
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="TABLE:SQL", help="Rows by a condition: 'customer: NOT active'."),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option("--query", metavar="TABLE:SQL", help="Rows whose keys a SELECT gives."),
    ] = None,
    percent: Annotated[
        list[str] | None,
        typer.Option("--percent", metavar="TABLE:N", help="A share of a table, the same rows each time."),
    ] = None,
    down: Annotated[
        list[str] | None,
        typer.Option(
            "--down", metavar="FK", help="Take rows that refer by this foreign key: rental.staff_id."
        ),
    ] = None,
    up: Annotated[
        list[str] | None,
        typer.Option("--up", metavar="FK", help="Take what is referred to by it, and not who refers."),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option("--stop", metavar="FK", help="Take neither, and empty the link."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="TABLE=N", help="At most so many rows of those that hang on others."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Of rows: only print which would be taken, and how they are found."),
    ] = False,
    proof: Annotated[
        bool,
        typer.Option(
            "--proof/--no-proof", help="Load rows into an empty database before the file is written."
        ),
    ] = True,
    where: Where = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write, or - for the terminal; by default NAME.yaml."),
    ] = None,
    system: System = None,
    last_messages: Annotated[
        int | None, typer.Option("--last-messages", min=1, help="Only so many messages of each person.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Only the messages of this session (handle or key).")
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option(
            "--anonymise/--as-it-is",
            help="Replace personal data by pseudonyms; by default for people and rows, not for an instance.",
            show_default=False,
        ),
    ] = None,
    key: Key = "",
    now: Annotated[
        str | None, typer.Option("--now", metavar="MOMENT", help="What the scenario's clock shows.")
    ] = None,
    as_code: Annotated[
        bool, typer.Option("--as-code", help="Write a Python function instead of a file.")
    ] = False,
    with_added: Annotated[
        bool,
        typer.Option("--with-added", help="Of an instance: take rows that may be somebody else's, too."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a scenario file of an instance, of a person, or of any rows, with nothing lost.

    Rows come with what hangs on them and with all that they refer to; the plan is printed first.
    [tool.scenarios.freeze] says how far that goes, as the options do.

    Example: scenarios freeze --row customer:1 --from postgresql://qa@db/shop --name a_customer

    Example: scenarios freeze --user maya@example.com --from postgresql://qa@db/coach --name maya_today
    """
    from scenarios.library.freezing.freeze import freeze as take

    selection = _selection(row, condition, query, percent, down, up, stop, limit)
    if [instance is None, user is None, not selection].count(False) != 1:
        raise typer.BadParameter("name an instance, or give --user or --row", param_hint="INSTANCE")
    if dry_run:
        if not selection:
            raise typer.BadParameter("only rows have a plan: give --row", param_hint="--dry-run")
        _print_plan(where, system, selection, as_json)
        return
    with shown("freezing", quiet=as_json) as progress:
        with database(where, action="freeze from") as db:
            frozen = take(
                db,
                name=name,
                user=user,
                instance=open_instance(db, instance) if instance is not None else None,
                domain=choose_system(system, db) if instance is None else None,
                anonymise=private,
                key=key,
                now=parse_now(now),
                last_messages=last_messages,
                session=session,
                with_added=with_added,
                rows=selection or None,
                progress=progress,
                on_plan=None if as_json else _say_plan,
            )
        if selection and proof:
            from scenarios.library.freezing.proof import prove
            from scenarios.settings import Settings

            prove(frozen, Settings())
        text, suffix, remarks = frozen.text, ".yaml", list(frozen.notes)
        if as_code:
            from scenarios.library.freezing.code.module import as_python

            module = as_python(frozen, progress=progress)
            text, suffix = module.text, ".py"
            if module.reason:
                remarks.append(f"said as data, because {module.reason}")
    path = None if str(out) == "-" else out or Path(f"{name}{suffix}")
    if path is not None:
        write_file(path, text, force=force)
    if as_json:
        show_json(
            {
                "scenario": name,
                "file": str(path) if path else None,
                "rows": dict(frozen.rows),
                "notes": remarks,
            }
        )
        return
    if path is None:
        show_file(text)
    else:
        typer.echo(f"{path}: {sum(frozen.rows.values())} rows")
    for note in remarks:
        notes().print(note)


def _selection(
    row: list[str] | None,
    condition: list[str] | None,
    query: list[str] | None,
    percent: list[str] | None,
    down: list[str] | None,
    up: list[str] | None,
    stop: list[str] | None,
    limit: list[str] | None,
) -> Selection:
    """Return which rows the options mean, with what the project says of how far a freeze goes."""
    from scenarios.library.freezing.selection import Selection
    from scenarios.settings import Settings

    limits = {}
    for name, most in parse_parameters(limit).items():
        if not most.isdigit():
            raise typer.BadParameter(f"{name}={most} is no number of rows", param_hint="--limit")
        limits[name] = int(most)
    chosen = {
        name: direction
        for direction, names in (("down", down), ("up", up), ("stop", stop))
        for name in names or ()
    }
    found = Selection(
        tuple(row or ()),
        tuple(condition or ()),
        tuple(query or ()),
        tuple(percent or ()),
        links=chosen,
        limits=limits,
    )
    said = Settings().table("freeze")
    return found.following(said.value, said.source)


def _print_plan(where: str | None, system: str | None, selection: Selection, as_json: bool) -> None:
    from scenarios.library.freezing.selection import survey
    from scenarios.library.instances.locking import one_moment
    from scenarios.library.sections import sections_of

    with database(where, action="freeze from") as db:
        domain = choose_system(system, db)
        with one_moment(db, None) as conn:
            plan = survey(conn, sections_of(domain), selection)
    if as_json:
        show_json(plan.as_dict())
        return
    for line in plan.lines():
        typer.echo(line)
    typer.echo(f"{plan.total} rows. Nothing was written.")


def _say_plan(plan: Survey) -> None:
    for line in plan.lines():
        typer.echo(line, err=True)


def catalogue(
    out: Annotated[Path, typer.Option("--out", "-o", help="The directory to write.")] = Path("catalogue"),
    system: OnlySystem = None,
    library: LibraryPath = None,
    as_json: AsJson = False,
) -> None:
    """Render the library as browsable HTML: every scenario with its people, conversations and rows.

    Example: scenarios catalogue --out build/catalogue
    """
    from scenarios.library.catalogue.html import render

    with shown("rendering", quiet=as_json) as progress:
        written = render(open_library(library, system), out, progress=progress)
    if as_json:
        show_json([str(path) for path in written])
        return
    typer.echo(f"{out / 'index.html'}: {len(written) - 1} scenarios")
