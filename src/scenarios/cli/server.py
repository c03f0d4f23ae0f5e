"""``scenarios up``, ``down``, ``status``, ``doctor`` and ``gc``: the server, and what is left of dead ones.

Each command is a function that returns what happened, for Python, and a thin face that prints it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli.common import AsJson, Where, show_json

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios.postgres import Server
    from scenarios.postgres.doctor import Diagnosis
    from scenarios.postgres.leftovers import Leftover
    from scenarios.settings import Settings

WORKING_DAY_HOURS = 12.0

Provider = Annotated[
    str | None, typer.Option("--provider", help="embedded or container; by default what the settings say.")
]


@dataclass(frozen=True, slots=True)
class Running:
    """A server of ours that runs.

    Attributes:
        provider: ``"embedded"`` or ``"container"``.
        version: ``"18.6"``.
        origin: where it came from.
        url: its address, without the password.
        password_file: for ``PGPASSFILE``.
        users: process ids of the runs that use it.
        kept_until: until when it stays without users, seconds since the epoch; 0 if it does not.
        databases: how many databases of ours it holds.
        templates: how many templates.
        here: whether it belongs to the project of the current directory.
    """

    provider: str
    version: str
    origin: str
    url: str
    password_file: str
    users: list[int]
    kept_until: float
    databases: int
    templates: int
    here: bool


def bring_up(settings: Settings, hours: float = WORKING_DAY_HOURS, *, rebuild: bool = False) -> Running:
    """Start the project's shared server, or use the running one, and keep it for *hours* without users.

    Args:
        settings: the project's.
        hours: how long.
        rebuild: build the template of the project's schema anew, or where the settings name none, let the
            next run do so, whatever its tests say the schema is.

    Raises:
        ServerError: no server can be had, or an external one is set, which is not ours to keep.
    """
    from scenarios.postgres import start_server

    with start_server(settings=settings) as server:
        directory = directory_of(server)
        keep_up(directory, hours)
        if rebuild:
            _rebuild(server, settings)
    return running_in(directory, settings)


def _rebuild(server: Server, settings: Settings) -> None:
    from scenarios.projects import named_schema, template_source

    schema = named_schema(settings)
    if schema is not None:
        server.template(template_source(schema), newer_than=datetime.now(UTC).isoformat())
        return
    for name, tag in server.manager.tagged().items():
        if tag.kind == "template":
            server.manager.write_tag(name, replace(tag, ready=False))


def directory_of(server: Server) -> Path:
    """Return where a server of ours lives.

    Raises:
        ServerError: it is an external one, which is not ours to keep.
    """
    from scenarios.errors import ServerError

    if server.directory is None:
        raise ServerError(
            "an external server is set, which needs no `up`",
            where=server.safe_url,
            hint="set SCENARIOS_PROVIDER to auto, embedded or container to keep one of ours",
        )
    return server.directory


def keep_up(directory: Path, hours: float = WORKING_DAY_HOURS) -> None:
    """Keep the running server in *directory* for *hours* without users."""
    from scenarios.postgres import registry

    registry.keep(directory, time.time() + hours * 3600)


def running_in(directory: Path, settings: Settings) -> Running:
    """Return the running server in *directory*."""
    return next(each for each in list_servers(settings) if each.password_file.startswith(f"{directory}/"))


def take_down(settings: Settings) -> list[str]:
    """Keep the project's servers no longer; return what became of each."""
    from scenarios.postgres import registry
    from scenarios.postgres.places import remove_if_empty, runtime_directory
    from scenarios.postgres.providers import end_directory, project_prefix

    said = []
    runtime = runtime_directory(settings)
    for directory in registry.directories(runtime):
        if not directory.name.startswith(project_prefix(settings)):
            continue
        registry.release(directory)
        if registry.collect(directory, end_directory):
            said.append(f"{directory.name}: ended")
        else:
            users = ", ".join(map(str, registry.users_of(directory)))
            said.append(f"{directory.name}: ends with its last user (process {users})")
    remove_if_empty(runtime)
    return said


def list_servers(settings: Settings) -> list[Running]:
    """Return every running server of ours of this user."""
    import psycopg

    from scenarios.errors import ScenariosError
    from scenarios.ownership import all_tags
    from scenarios.postgres import registry, urls
    from scenarios.postgres.connections import connect
    from scenarios.postgres.places import remove_if_empty, runtime_directory
    from scenarios.postgres.providers import project_prefix
    from scenarios.postgres.watcher import kept_until

    found = []
    runtime = runtime_directory(settings)
    for directory in registry.directories(runtime):
        record = registry.read_record(directory)
        if record is None or not registry.is_alive(directory, record):
            continue
        here = directory.name.startswith(project_prefix(settings))
        try:
            with connect(record.parameters, cluster=record.cluster or None) as conn:
                tags = list(all_tags(conn).values())
                version = conn.info.parameter_status("server_version") or ""
        except (ScenariosError, psycopg.Error):
            if here:
                raise
            continue  # another project's, which is just about to end
        found.append(
            Running(
                provider=record.provider,
                version=version.split(" ")[0],
                origin=record.origin,
                url=urls.safe_url(record.parameters),
                password_file=str(directory / registry.PASSWORDS),
                users=registry.users_of(directory),
                kept_until=kept_until(directory),
                databases=sum(tag.kind == "database" for tag in tags),
                templates=sum(tag.kind == "template" for tag in tags),
                here=here,
            )
        )
    remove_if_empty(runtime)
    return found


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    for name, command in (
        ("up", _up),
        ("down", _down),
        ("status", _status),
        ("doctor", _doctor),
        ("gc", _gc),
    ):
        app.command(name, rich_help_panel="Servers")(command)


def _settings(provider: str | None = None) -> Settings:
    from scenarios.settings import Settings

    return Settings({"provider": provider})


def _up(
    provider: Provider = None,
    hours: Annotated[
        float, typer.Option(help="How long to keep it without users.", min=0)
    ] = WORKING_DAY_HOURS,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build the template anew, whether or not anything changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a server and keep it for a working day; runs of this project use it."""
    running = bring_up(_settings(provider), hours, rebuild=rebuild)
    if as_json:
        show_json(asdict(running))
        return
    typer.echo(f"PostgreSQL {running.version}, {running.provider}, from {running.origin}")
    typer.echo(f"kept until {_clock(running.kept_until)}; end it with: scenarios down")
    typer.echo("load a state with: scenarios load NAME")
    typer.echo(f"look inside with: PGPASSFILE={running.password_file} psql '{running.url}'")


def _down(as_json: AsJson = False) -> None:
    """Keep this project's server no longer."""
    said = take_down(_settings())
    if as_json:
        show_json(said)
        return
    for line in said or ["no server of this project runs"]:
        typer.echo(line)


def _status(as_json: AsJson = False) -> None:
    """Show the servers that run, and who uses them."""
    found = list_servers(_settings())
    if as_json:
        show_json([asdict(each) for each in found])
        return
    if not found:
        typer.echo("no server runs")
    for each in found:
        mine = "this project" if each.here else "another project"
        typer.echo(f"PostgreSQL {each.version}, {each.provider}, {mine}: {each.url}")
        typer.echo(f"  from {each.origin}; {each.databases} databases, {each.templates} templates")
        users = f"used by process {', '.join(map(str, each.users))}" if each.users else "not in use"
        kept = f"; kept until {_clock(each.kept_until)}" if each.kept_until > time.time() else ""
        typer.echo(f"  {users}{kept}")


def _doctor(
    provider: Provider = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system",
            "-s",
            help="Examine a database of this system instead of the server; --in alone finds the system out.",
            show_default=False,
        ),
    ] = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Show what is there, what is chosen, what it costs here, and what would make it quicker."""
    if system is not None or where is not None:
        from scenarios.cli.health import report

        report(system, where, as_json=as_json)
        return
    from scenarios.postgres.doctor import diagnose

    found = diagnose(_settings(provider))
    if as_json:
        show_json(found.as_dict())
    else:
        _print_diagnosis(found)
    if found.error:
        raise typer.Exit(1)


def _print_diagnosis(found: Diagnosis) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def table(title: str, rows: dict[str, Any]) -> None:
        grid = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
        grid.add_column()
        grid.add_column(overflow="fold")
        for name, value in rows.items():
            grid.add_row(name, str(value))
        console.print(grid)

    table("Machine", found.machine)
    table("Settings", found.settings)
    table(
        "PostgreSQL here",
        {str(number): each for number, each in enumerate(found.binaries, 1)} or {"": "none"},
    )
    for place in found.refused:
        console.print(f"  not used: {place}", markup=False, highlight=False)
    table("Container engine", {"": found.container})
    if found.error:
        console.print(found.error, markup=False, highlight=False)
    else:
        table("Server", found.server)
        table("Costs here", {name: f"{took:.2f} ms" for name, took in found.costs.items()})
    for line in found.advice:
        console.print(f"advice: {line}", markup=False, highlight=False)


def _gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    kept: Annotated[
        bool, typer.Option("--kept", help="Also databases kept on purpose by runs that are over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what dead runs left: servers, containers, databases, old templates, directories."""
    from scenarios.postgres.leftovers import collect

    found = collect(_settings(), dry_run=dry_run, kept=kept)
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        for each in found:
            typer.echo(_line(each, dry_run))
        if not found:
            typer.echo("nothing is left of dead runs")
    if any(each.error for each in found):
        raise typer.Exit(1)


def _line(each: Leftover, dry_run: bool) -> str:
    did = "would remove" if dry_run else "removed" if each.removed else "cannot remove"
    return f"{did} {each.kind} {each.name}: {each.error or each.why}"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M", time.localtime(moment))
