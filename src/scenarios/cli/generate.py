"""``scenarios generate``: volume for load tests, from the command line.

The work is `scenarios.volume.generate`; this module turns options into its arguments and shows how far it is.
A progress bar appears on a terminal only, so that a log of a job holds results and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.cli.common import AsJson, Where, choose_system, console, database, parse_now, show_json
from scenarios.cli.progress import Shown, shown
from scenarios.errors import ValuesError

if TYPE_CHECKING:
    from scenarios.volume import Generated


def parse_shard(text: str | None) -> tuple[int, int]:
    """Return the shard ``"3/8"`` means; (1, 1), which is everything, for None.

    Raises:
        ValuesError: it is not of that form, or there is no such shard.
    """
    if text is None:
        return 1, 1
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValuesError(f"cannot read the shard {text!r}", hint="write 3/8 for the third of eight")
    return int(match[1]), int(match[2])


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""

    @app.command(rich_help_panel="Many rows")
    def generate(
        users: Annotated[int, typer.Option("--users", "-n", min=1, help="Users of the whole run.")],
        system: Annotated[
            str | None,
            typer.Argument(
                help="The system; by default the project's own, else the one whose tables are there.",
                show_default=False,
            ),
        ] = None,
        to: Where = None,
        seed: Annotated[
            str | None, typer.Option("--seed", help="Decides every value; by default the setting `seed`.")
        ] = None,
        locale: Annotated[
            str | None, typer.Option("--locale", help="Faker locale; by default the setting `locale`.")
        ] = None,
        now: Annotated[
            str | None,
            typer.Option("--now", help="The data's present: ISO 8601, or now.", show_default=False),
        ] = None,
        shard: Annotated[
            str | None, typer.Option("--shard", help="Only this part of the run, as 3/8.", show_default=False)
        ] = None,
        workers: Annotated[
            int, typer.Option("--workers", "-w", min=1, help="Processes that make and write rows.")
        ] = 1,
        keep_indexes: Annotated[
            bool, typer.Option("--keep-indexes", help="Do not build indexes afterwards, even where we may.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Fill a database with realistic users; repeat the command to continue one that stopped."""
        from scenarios.settings import Settings
        from scenarios.volume import generate as run

        settings = Settings({"seed": seed, "locale": locale})
        with (
            database(to, action="generate") as db,
            _pool(workers) as executor,
            shown("generating", quiet=as_json) as tell,
        ):
            done = run(
                choose_system(system, db),
                users,
                db.dsn,
                seed=settings["seed"],
                locale=settings["locale"],
                now=parse_now(now),
                shard=parse_shard(shard),
                executor=executor,
                indexes_after=False if keep_indexes else None,
                progress=None if tell is None else partial(_told, tell),
            )
        if as_json:
            show_json(as_dict(done))
        else:
            _show(done)


def as_dict(done: Generated) -> dict[str, Any]:
    """Return what was done, for JSON."""
    return {
        "rows": done.rows,
        "tables": done.tables,
        "parts": done.parts,
        "skipped": done.skipped,
        "seconds": round(done.seconds, 3),
        "index_seconds": round(done.index_seconds, 3),
    }


def _show(done: Generated) -> None:
    from rich.table import Table

    if not done.rows:
        console().print("Everything was there already.")
        return
    table = Table("table", "rows", box=None)
    table.columns[1].justify = "right"
    for name, rows in done.tables.items():
        table.add_row(name, f"{rows:,}")
    console().print(table)
    rate = done.rows / done.seconds if done.seconds else 0
    console().print(f"{done.rows:,} rows in {done.seconds:.1f} s, {rate:,.0f} a second.")
    if done.skipped:
        console().print(f"{done.skipped:,} parts were there already.")


@contextmanager
def _pool(workers: int) -> Iterator[Executor | None]:
    if workers == 1:
        yield None
        return
    import multiprocessing

    # Forking a process that holds connections would share their sockets.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _told(tell: Shown, done: Generated, parts: int) -> None:
    tell(f"parts, {done.rows:,} rows", done.parts, parts)
