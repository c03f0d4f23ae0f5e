"""``scenarios import``: seed files of sqlalchemyseed become a scenario file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.cli.common import AsJson, notes, show_file, show_json, write_file


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("import", rich_help_panel="Scenarios")(import_)


def import_(
    seeds: Annotated[
        list[Path],
        typer.Argument(
            help="Seed files of sqlalchemyseed (JSON, YAML, CSV), or directories of them.", show_default=False
        ),
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="The new scenario's name.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write, or - for the terminal; by default NAME.yaml."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="MODULE.CLASS", help="What the rows of a CSV file are.", show_default=False
        ),
    ] = None,
    prefix: Annotated[str, typer.Option("--ref-prefix", help="What marks a reference in the files.")] = "!",
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a scenario file of sqlalchemyseed's seed files.

    The models that they name are imported, as they would be in this directory. Rows are named after what they
    hold, and filters become names. Every construct that a scenario has no words for is told with its place.

    Example: scenarios import seeds/companies.yaml seeds/people.json --name engineers
    """
    from scenarios.coming_from.sqlalchemyseed import convert
    from scenarios.importing import importable

    with importable(Path.cwd()):
        made = convert(seeds, name=name, model=model, prefix=prefix)
    path = None if str(out) == "-" else out or Path(f"{name}.yaml")
    if path is not None:
        write_file(path, made.text, force=force)
    if as_json:
        show_json(
            {
                "scenario": name,
                "file": str(path) if path else None,
                "rows": made.rows,
                "notes": list(made.notes),
            }
        )
        return
    if path is None:
        show_file(made.text)
    else:
        typer.echo(f"{path}: {sum(made.rows.values())} rows")
    for note in made.notes:
        notes().print(note, markup=False)
