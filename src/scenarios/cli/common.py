"""What commands share: where the database is, how results are printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.errors import DomainError, LibraryError, SettingsError
from scenarios.json_text import json_text

if TYPE_CHECKING:
    from rich.console import Console

    from scenarios.domain import Domain
    from scenarios.library import Instance, Library
    from scenarios.library.sections import Sections
    from scenarios.postgres import Database

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
System = Annotated[
    str | None,
    typer.Option(
        "--system",
        "-s",
        help="The system; by default the project's own, else the one whose tables are there.",
        show_default=False,
    ),
]
OnlySystem = Annotated[
    str | None,
    typer.Option(
        "--system",
        "-s",
        help="Only this system's; one that comes with pg-scenarios as well, in a project with a schema.",
        show_default=False,
    ),
]
LibraryPath = Annotated[
    list[Path] | None,
    typer.Option(
        "--library",
        "-L",
        help="A directory with scenario files; may be given several times.",
        show_default=False,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--in",
        "--from",
        "--to",
        metavar="URL",
        help="The database, as a postgresql:// URL; by default the setting `database` (SCENARIOS_DATABASE).",
        show_default=False,
    ),
]


def console() -> Console:
    """Return the console of results; colours only on a terminal."""
    from rich.console import Console

    return Console(highlight=False)


def notes() -> Console:
    """Return the console of remarks that are not results: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def show_json(value: Any) -> None:
    """Print *value* as JSON."""
    show_file(json_text(value, indent=2) + "\n")


def show_file(text: str) -> None:
    """Print *text* as a file would hold it: in UTF-8, whatever the terminal's own encoding is."""
    typer.echo(text.encode("utf-8"), nl=False)


def open_library(paths: list[Path] | None, system: str | None = None) -> Library:
    """Return the library that a command works with; it knows the project's own schema.

    Args:
        paths: its directories; by default those of the setting ``library``.
        system: the system whose scenarios alone are wanted; a registered one brings its own.

    Raises:
        DomainError: there is no such system.
    """
    from scenarios.domain import domain_names
    from scenarios.library.library import Library
    from scenarios.settings import Settings

    settings = Settings({"bundled": True if system is not None and system in domain_names() else None})

    def own() -> Sections:
        from scenarios.projects import own_sections

        return own_sections(settings)

    def name() -> str:
        from scenarios.projects import own_name

        return own_name(settings)

    library = Library(
        paths or None,
        settings=settings,
        project=own if settings["schema"] else None,
        project_name=name,
        only=system,
    )
    if system is not None and system not in domain_names() and not library.entries():
        known = [library.project_name] if settings["schema"] else []
        raise DomainError(
            f"there is no system {system!r}", hint=f"known are {', '.join([*known, *domain_names()])}"
        )
    return library


def choose_system(name: str | None, db: Database | None = None) -> Domain:
    """Return the system that a command works with: *name*, else the project's, else the only one that fits.

    Args:
        name: what was asked for.
        db: the database that the command is about, whose tables tell which system it has.

    Raises:
        DomainError: there is no such system; or none was named and several fit, or none.
    """
    from scenarios.projects import choose_system as choose
    from scenarios.settings import Settings

    return choose(Settings(), name, db)


def open_instance(db: Database, name: str) -> Instance:
    """Return the instance *name* in *db*, of an installed system or of the project's own schema.

    Raises:
        LibraryError: there is none of that name.
    """
    from scenarios.library.instances.finding import open_instance as find
    from scenarios.projects import own_domains
    from scenarios.settings import Settings

    return find(db, name, domains=own_domains(Settings(), db))


def hold_instance(db: Database, name: str) -> AbstractContextManager[tuple[Any, Instance]]:
    """Return a context with a transaction that has the instance *name* in *db* to itself, and the instance.

    Raises:
        LibraryError: there is none of that name, or somebody else is at it.
    """
    from scenarios.library.instances.finding import hold
    from scenarios.projects import own_domains
    from scenarios.settings import Settings

    return hold(db, name, domains=own_domains(Settings(), db))


@contextmanager
def database(url: str | None, *, action: str) -> Iterator[Database]:
    """Yield the database a command works in.

    Raises:
        SettingsError: none is named.
    """
    from scenarios.postgres import attach
    from scenarios.settings import Settings

    settings = Settings()
    found = url or settings["database"]
    if not found:
        raise SettingsError(
            f"which database shall I {action}?",
            where=f"the setting database is {settings.get('database')}",
            hint="give --in postgresql://USER@HOST/NAME, or set SCENARIOS_DATABASE",
        )
    db = attach(found)
    try:
        yield db
    finally:
        db.close()


def parse_parameters(given: list[str] | None) -> dict[str, str]:
    """Return ``NAME=VALUE`` options as a mapping.

    Raises:
        BadParameter: one has no equals sign.
    """
    found = {}
    for each in given or []:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--param")
        found[name.strip()] = value
    return found


def parse_now(text: str | None) -> datetime | None:
    """Return the moment an option means: ISO 8601, UTC without a zone, or ``now``.

    Raises:
        BadParameter: it is no moment.
    """
    if text is None:
        return None
    if text == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a moment: {error}", param_hint="--now") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def write_file(path: Path, text: str, *, force: bool) -> None:
    """Write *text* to *path* at once: readers see the old file or the new one.

    Raises:
        LibraryError: it exists and *force* is not given, or it cannot be written.
    """
    if path.exists() and not force:
        raise LibraryError(
            f"{path} exists already", hint="choose another name, or give --force to replace it"
        )
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise LibraryError(f"cannot write {path}", why=error.strerror) from error
