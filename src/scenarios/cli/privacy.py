"""``scenarios classify, forget, anonymise``: what a database holds of people, and how it comes out of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli.common import (
    AsJson,
    System,
    Where,
    choose_system,
    database,
    parse_now,
    show_json,
    write_file,
)
from scenarios.cli.freeze import Key

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.library.privacy.forget import Report
    from scenarios.postgres import Database

_DATA = "Instances in a database"
_PEOPLE = "People in a database of ours"

User = Annotated[str | None, typer.Argument(help="The person's e-mail address or key.", show_default=False)]
Inactive = Annotated[
    str | None,
    typer.Option(
        "--inactive-since",
        "--older-than",
        metavar="DATE|AGE",
        help="Everybody who was not there since: 2024-05-01, or an age: 2y, 18mo, 90d.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say who that would be.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("classify", rich_help_panel=_DATA)(classify)
    app.command("forget", rich_help_panel=_PEOPLE)(forget)
    app.command("anonymise", rich_help_panel=_PEOPLE)(anonymise)


def classify(
    where: Where = None,
    write: Annotated[
        bool, typer.Option("--write", help="Add the table to pyproject.toml instead of printing it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Propose which columns of your own schema hold personal data, as a table for pyproject.toml.

    Names and types tell; of a database that is named, a sample of the values as well. Read it: it is a
    proposal. What a column is said to be here or by a SQL comment (personal: email) is what
    freeze --anonymise replaces.

    Example: scenarios classify --from postgresql://qa@db/shop
    """
    from contextlib import ExitStack

    from scenarios.library.privacy.classification import as_toml, propose, written_into
    from scenarios.settings import Settings

    settings = Settings()
    with ExitStack() as stack:
        conn = db = None
        if where or settings["database"]:
            db = stack.enter_context(database(where, action="look into"))
            conn = stack.enter_context(db.connect())
        tables = choose_system(None, db).metadata.tables.values()
        found = propose(tables, conn)
    if as_json:
        show_json({name: {"kind": kind, "why": why} for name, (kind, why) in found.items()})
        return
    if not found:
        typer.echo("Every column that could hold personal data is classified.", err=True)
        return
    lines = as_toml(found)
    if not write:
        typer.echo(f"[tool.scenarios.personal]\n{lines}")
        return
    path = settings.project_file
    if path is None:
        raise typer.BadParameter("there is no pyproject.toml here", param_hint="--write")
    write_file(path, written_into(path.read_text("utf-8"), lines), force=True)
    typer.echo(f"{path}: {len(found)} columns. Read them before you rely on them.")


def forget(
    user: User = None,
    inactive_since: Inactive = None,
    dry_run: DryRun = False,
    where: Where = None,
    system: System = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a person with all that is theirs, or everybody who was long away, and tell what was done.

    Only in a database of ours. Where else a person is mentioned is told as well.

    Example: scenarios forget beatriz@example.com --in postgresql://qa@localhost/scn_1 --yes
    """
    from scenarios.library.privacy.forget import forget as work
    from scenarios.library.privacy.forget import known, require_owned

    with database(where, action="forget somebody in") as db:
        require_owned(db, "forget somebody")
        domain = choose_system(system, db)
        people = _people(db, user, inactive_since, domain)
        if not dry_run and not yes and people:
            whom = user or f"{len(people)} people"
            typer.confirm(f"Delete {whom} and everything of theirs from {db.name}?", abort=True, err=True)
        if dry_run:
            people = known(db, people, domain=domain)
        reports = [] if dry_run else [work(db, each, domain=domain) for each in people]
    _outcome(people, reports, alone=user is not None and not dry_run, as_json=as_json)


def anonymise(
    user: User = None,
    inactive_since: Inactive = None,
    dry_run: DryRun = False,
    where: Where = None,
    system: System = None,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Replace a person's data by pseudonyms where it stands, or that of everybody who was long away.

    Only in a database of ours. Everything else is kept.

    Example: scenarios anonymise beatriz@example.com --in postgresql://qa@localhost/scn_1
    """
    from scenarios.library.privacy.forget import anonymise as work
    from scenarios.library.privacy.forget import known, require_owned

    with database(where, action="anonymise somebody in") as db:
        require_owned(db, "anonymise somebody")
        domain = choose_system(system, db)
        people = _people(db, user, inactive_since, domain)
        if dry_run:
            people = known(db, people, domain=domain)
        reports = [] if dry_run else [work(db, each, domain=domain, key=key) for each in people]
    _outcome(people, reports, alone=user is not None and not dry_run, as_json=as_json)


def _people(db: Database, user: str | None, since: str | None, domain: Domain) -> list[str]:
    if (user is None) == (since is None):
        raise typer.BadParameter("name a person, or give --inactive-since", param_hint="USER")
    if user is not None:
        return [user]
    from scenarios.library.privacy.forget import inactive

    return inactive(db, _moment(str(since)), domain=domain)


def _moment(text: str) -> datetime:
    """Return the moment of a date, or that many years, months, weeks or days ago."""
    age = re.fullmatch(r"(\d{1,4})(y|mo|w|d)", text.strip())
    if age is not None:
        days = {"y": 365.25, "mo": 365.25 / 12, "w": 7, "d": 1}[age[2]] * int(age[1])
        return datetime.now(UTC) - timedelta(days=days)
    moment = parse_now(text)
    assert moment is not None
    return moment


def _outcome(people: list[str], reports: list[Report], *, alone: bool, as_json: bool) -> None:
    if alone:
        _report(reports[0], as_json)
        return
    if as_json:
        show_json({"people": people, "reports": [report.as_dict() for report in reports]})
        return
    for number, person in enumerate(people):
        typer.echo(person)
        for line in reports[number].lines() if reports else ():
            typer.echo(f"  {line}")
    typer.echo(
        f"{len(people)} {'person' if len(people) == 1 else 'people'}"
        + ("" if reports else "; nothing was changed")
    )


def _report(report: object, as_json: bool) -> None:
    from scenarios.library.privacy.forget import Report

    assert isinstance(report, Report)
    if as_json:
        show_json(report.as_dict())
        return
    for line in report.lines():
        typer.echo(line)
