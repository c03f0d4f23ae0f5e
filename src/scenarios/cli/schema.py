"""``scenarios schema``: print a system's DDL, draw it, and check that everything that describes it agrees.

The commands work for every system there is, built in or brought by a package; nothing here knows a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scenarios.schema.drift import DriftReport


System = Annotated[
    str | None, typer.Argument(help="The system; by default the project's own.", show_default=False)
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of printing.")]


def render_ddl(system: str | None = None) -> str:
    """Return the SQL script that creates the whole schema of *system* in an empty database.

    Raises:
        DomainError: there is no such system, or none was named and there are several.
    """
    from scenarios.cli.common import choose_system

    return choose_system(system).ddl()


def render_diagram(system: str | None = None) -> str:
    """Return the entity diagram of *system*, as Mermaid.

    Raises:
        DomainError: there is no such system, or none was named and there are several.
    """
    from scenarios.cli.common import choose_system
    from scenarios.schema import diagrams

    domain = choose_system(system)
    return diagrams.mermaid(domain.metadata, title=domain.title)


def check_schema(
    system: str | None = None,
    *,
    url: str | None = None,
    provider: str | None = None,
    allow_extra: bool = False,
) -> DriftReport:
    """Compare models, migrations, kept files and, if *url* is given, a live database of *system*.

    Empty databases are made on a server of ours and dropped; the live database is only read.

    Args:
        system: the system's name; by default the project's own.
        url: a database to compare as well.
        provider: where the server comes from, as for `scenarios.start_server`; the setting if None.
        allow_extra: whether the live database may have objects the models do not know.

    Raises:
        DomainError: there is no such system, or none was named and there are several.
        SchemaDriftError: the live database cannot be reached.
        ServerError: no server can be had.
    """
    from scenarios.cli.common import choose_system
    from scenarios.postgres import start_server
    from scenarios.schema import drift

    domain = choose_system(system)
    normalise = None
    if "maintenance" in domain.parts:
        normalise = getattr(domain.part("maintenance"), "normalise", None)
    with start_server(provider) as server:
        return drift.check(domain, server, live=url, normalise=normalise, allow_extra=allow_extra)


def register(app: typer.Typer) -> None:
    """Add the command group ``schema`` to *app*."""
    group = typer.Typer(
        name="schema", help="Print, draw and check the schema of a system.", no_args_is_help=True
    )
    group.command("ddl")(_ddl)
    group.command("diagram")(_diagram)
    group.command("check")(_check)
    group.command("write")(_write)
    app.add_typer(group, rich_help_panel="Schemas")


def _give(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _ddl(system: System = None, out: Out = None) -> None:
    """Print SQL that creates the whole schema, functions and triggers included."""
    _give(render_ddl(system), out)


def _diagram(system: System = None, out: Out = None) -> None:
    """Print the tables and their relations as a Mermaid diagram."""
    _give(render_diagram(system), out)


def _check(
    system: System = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Also compare this live database; it is only read.")
    ] = None,
    allow_extra: Annotated[
        bool, typer.Option("--allow-extra", help="The live database may have more than the models know.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check that models, migrations, kept files and a live database agree. Exit code 1 if they do not."""
    import json

    report = check_schema(system, url=url, allow_extra=allow_extra)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        for subject in report.compared:
            findings = report.findings[subject]
            typer.echo(
                f"{subject}: {'as the models say' if not findings else f'{len(findings)} differences'}"
            )
            for finding in findings:
                typer.echo("\n".join(f"  {line}" for line in finding.splitlines()))
    if report:
        raise typer.Exit(1)


def _write(system: System = None) -> None:
    """Write the kept files of a system (DDL and diagram) anew."""
    from scenarios.cli.common import choose_system
    from scenarios.errors import DomainError
    from scenarios.schema import drift

    domain = choose_system(system)
    if domain.schema is not None:
        raise DomainError(
            f"no files are kept for {domain.title}",
            why="they stand beside the system that a package registers",
            hint="print what you want to keep: scenarios schema ddl --out FILE",
        )
    changed = drift.write_kept_files(domain)
    for path in changed:
        typer.echo(f"wrote {path}")
    if not changed:
        typer.echo("nothing changed")
