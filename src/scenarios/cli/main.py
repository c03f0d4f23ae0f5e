"""The ``scenarios`` command: which commands there are, and how any of them ends.

A command that prints a traceback for a misspelt name teaches nothing, and one that imports everything
before it parses its arguments is slow to every key stroke. Each group lives in a module whose functions
import what they need when they run; errors made for people are printed as such, and the exit code is 0 when
done, 1 when the work failed and 2 for wrong usage.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper
from types import FrameType
from typing import Annotated, NoReturn

import typer

from scenarios.errors import ScenariosError

GROUPS = (
    "demo",
    "library",
    "instances",
    "freeze",
    "privacy",
    "seeds",
    "snapshot",
    "generate",
    "schema",
    "server",
    "serve",
)
"""Modules of this package that bring commands, in the order in which help lists them."""

app = typer.Typer(
    name="scenarios",
    help="Put a PostgreSQL database into a named, realistic state, and back into it.",
    epilog="Begin with: scenarios demo. Then: scenarios list, scenarios show NAME, scenarios load NAME.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from scenarios import __version__

        typer.echo(f"pg-scenarios {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Put a PostgreSQL database into a named, realistic state, and back into it."""
    from scenarios.settings import Settings

    for sentence in Settings().misspelt:
        typer.echo(f"note: {sentence}", err=True)


@cache
def _register() -> None:
    for group in GROUPS:
        name = f"scenarios.cli.{group}"
        if find_spec(name) is not None:
            import_module(name).register(app)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line; never returns.

    Raises:
        SystemExit: with the exit code.
    """
    _register()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no emoji shows a question mark
    # A job that is cancelled ends like one that is interrupted: what was begun is undone on the way out.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(args=arguments, prog_name="scenarios")
    except ScenariosError as error:
        _complain(error)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what Python flushes on its way out must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        from scenarios.database_errors import as_error

        told = as_error(error)
        if told is None:
            raise
        _complain(told)
        raise SystemExit(1) from None


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _complain(error: ScenariosError) -> None:
    """Print *error* for people: on stderr, the first line marked, red on a terminal only."""
    from scenarios.cli.common import notes

    notes().print("[bold red]error: [/]", end="")
    typer.echo(str(error), err=True)


if __name__ == "__main__":
    run()
