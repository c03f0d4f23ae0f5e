"""``scenarios serve``: the QA page and the HTTP API, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.cli.common import LibraryPath, OnlySystem, open_library

TOKEN = "SCENARIOS_SERVE_TOKEN"
"""The environment variable with the token of programs; a value on a command line could be read by others."""
PORT = 8585


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("serve", rich_help_panel="Start here")(serve)


def serve(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "--in",
            metavar="URL",
            help="The database; by default the setting `database`, else throwaway ones.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="The port on 127.0.0.1; 0: a free one.")
    ] = PORT,
    save: Annotated[
        Path,
        typer.Option("--save", metavar="DIRECTORY", help="Where frozen scenarios are saved."),
    ] = Path("frozen_scenarios"),
    system: OnlySystem = None,
    library: LibraryPath = None,
) -> None:
    """Serve the QA page and the HTTP API on this machine, and print the link that lets you in.

    Programs send SCENARIOS_SERVE_TOKEN, or the token that is printed, as Authorization: Bearer.

    Example: scenarios serve --to postgresql://qa@db/coach
    """
    from importlib.util import find_spec

    from scenarios.errors import SettingsError

    missing = [
        name for name in ("starlette", "jinja2", "uvicorn", "pygments", "multipart") if not find_spec(name)
    ]
    if missing:
        raise SettingsError(
            "scenarios serve needs packages that are not installed",
            why=f"{', '.join(missing)} cannot be imported",
            hint="pip install 'pg-scenarios[web]'",
        )
    from scenarios.settings import Settings
    from scenarios.web.running import run

    run(
        open_library(library, system),
        Settings(),
        url=to or Settings()["database"] or None,
        port=port,
        save_to=save,
        say=typer.echo,
        token_variable=TOKEN,
    )
