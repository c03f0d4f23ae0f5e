"""Generating volume: parts made and written while the server works, here or spread over an executor.

A loop of "make a row, insert a row" leaves either the client or the server idle, keeps everything in memory
or commits everything at the end, and starts over after a crash. Here the next part is made while the server
takes the last one; memory holds two parts; a part that is in the database is not made again, so an
interrupted run is continued by repeating the command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column

from scenarios.domain import Domain, Statement
from scenarios.errors import GraphError
from scenarios.graph import encoding, perform
from scenarios.graph.bulk_load import may_suspend_rules, rules
from scenarios.graph.refusal import Refusal
from scenarios.graph.steps import schema_text, table_name
from scenarios.ownership import is_ours
from scenarios.postgres.urls import libpq_url, parameters_of
from scenarios.values import DEFAULT_ANCHOR
from scenarios.volume.indexes import built_afterwards
from scenarios.volume.parts import (
    USERS_PER_PART,
    Part,
    Recipe,
    Surrounded,
    TableData,
    parts,
    recipe,
    stand_in_of,
    tables_of,
)

Progress = Callable[["Generated", int], None]
"""Called after each part with the totals so far and the number of parts of this call."""

_BLOCK = 1 << 18
"""Bytes handed to the driver at a time; smaller ones make the thread that makes rows wait for its turn."""

_ASKED = 1000
"""Parts whose users are asked for by one query."""

_IN_FLIGHT = 4
"""Parts handed to an executor ahead of time, for each of its workers that we know of."""


@dataclass(slots=True)
class Generated:
    """What a call of `generate` did.

    Attributes:
        tables: rows written, by table.
        parts: parts written.
        skipped: parts that were in the database already.
        seconds: how long it took, indexes included.
        index_seconds: the share of that for building indexes and checking rules afterwards.
    """

    tables: dict[str, int] = field(default_factory=dict)
    parts: int = 0
    skipped: int = 0
    seconds: float = 0.0
    index_seconds: float = 0.0

    @property
    def rows(self) -> int:
        """All rows written."""
        return sum(self.tables.values())

    def add(self, rows: dict[str, int]) -> None:
        """Count the rows of one more part."""
        for table, count in rows.items():
            self.tables[table] = self.tables.get(table, 0) + count
        self.parts += 1


def generate(
    system: str | Domain,
    users: int,
    to: str,
    *,
    seed: str = "scenarios",
    locale: str = "en_US",
    now: datetime | None = None,
    shard: tuple[int, int] = (1, 1),
    executor: Executor | None = None,
    indexes_after: bool | None = None,
    users_per_part: int = USERS_PER_PART,
    progress: Progress | None = None,
) -> Generated:
    """Generate *users* users of *system* with everything of theirs into a database that has the schema.

    Args:
        system: the system, or the name under which it is registered.
        users: how many users the whole run has, over all shards.
        to: the database, as a URL or libpq connection string.
        seed: decides every value; the same seed and number give the same rows, however they are split.
        locale: a Faker locale for names.
        now: the data's present; by default the fixed anchor of the scenario clock, so that runs repeat.
        shard: (number, of), to spread a run over independent jobs.
        executor: any ``concurrent.futures`` executor to make and write parts on; its workers connect
            themselves, so processes and machines (``dask.distributed``'s ``Client.get_executor``) will do.
        indexes_after: drop indexes before and build them after. By default that is done where the database is
            ours and this call is the whole run; it is refused for a database that is not ours.
        users_per_part: how the work is cut: more take more memory and fewer transactions.
        progress: called after each part.

    Raises:
        DomainError: there is no such system.
        ValuesError: the system has no recipe, or the shard does not exist.
        SafetyError: *indexes_after* for a database that is not ours.
        GraphError: the database refused a part; the parts before it stay.
    """
    began = time.perf_counter()
    made = recipe(system)
    dsn = libpq_url(parameters_of(to))
    wanted = parts(seed, users, now or DEFAULT_ANCHOR, locale, shard, users_per_part)
    done = Generated()
    with psycopg.connect(dsn, autocommit=True) as conn:
        ours = is_ours(conn)
        todo = list(_missing(conn, made, wanted))
        done.skipped = len(wanted) - len(todo)
        if todo:
            _ensure_owner(conn, made, todo[0])
            if isinstance(made, Surrounded):
                _around(conn, made.before(todo), "prepare")
        after = indexes_after if indexes_after is not None else ours and shard == (1, 1) and len(todo) > 2
        tables = [made.domain.table(name) for name in tables_of(made)]
        names = [table_name(table) for table in tables]
        # Set by what we own, never by a flag: rules rest only where they are checked afterwards.
        unchecked = after and ours and may_suspend_rules(conn, names, stand_in_of(made))
        checks = list(rules(made.domain, tables)) if unchecked else []
        with built_afterwards(conn, names, after, checks) as building:
            if executor is None:
                counts = _pipelined(dsn, made, todo, unchecked)
            else:
                counts = _spread(executor, made.domain.parts["volume"], dsn, todo, unchecked)
            for rows in counts:
                done.add(rows)
                if progress is not None:
                    progress(done, len(todo))
        if wanted and isinstance(made, Surrounded):
            # Also where nothing was left to write: a run may have been killed between its last part and this.
            _around(conn, made.after(wanted), "finish")
        done.index_seconds = building.seconds
    done.seconds = time.perf_counter() - began
    return done


def write_part(module: str, dsn: str, part: Part, unchecked: bool) -> dict[str, int]:
    """Make and write one part on a connection of its own; what an executor's workers run.

    Workers get the recipe by the name of its *module*: a `Domain` cannot be sent to another process.
    """
    made: Recipe = import_module(module).RECIPE
    with psycopg.connect(dsn, autocommit=True) as conn:
        return _write(conn, made, part, made.make(part), unchecked)


def _pipelined(dsn: str, made: Recipe, todo: Sequence[Part], unchecked: bool) -> Iterator[dict[str, int]]:
    """Write the parts in order; the next is made by a second thread while the server takes this one."""
    if not todo:
        return
    with ThreadPoolExecutor(1, "scenarios-volume") as maker, psycopg.connect(dsn, autocommit=True) as conn:
        coming: Future[list[TableData]] = maker.submit(made.make, todo[0])
        for place, part in enumerate(todo):
            data = coming.result()
            if place + 1 < len(todo):
                coming = maker.submit(made.make, todo[place + 1])
            yield _write(conn, made, part, data, unchecked)


def _spread(
    executor: Executor, module: str, dsn: str, todo: Sequence[Part], unchecked: bool
) -> Iterator[dict[str, int]]:
    """Hand the parts to *executor*, a few at a time, so that a run of any length needs little memory."""
    remaining = iter(todo)
    window = _IN_FLIGHT * max(1, int(getattr(executor, "_max_workers", 0) or 8))
    running: set[Any] = set()
    try:
        while True:
            for part in remaining:
                running.add(executor.submit(write_part, module, dsn, part, unchecked))
                if len(running) >= window:
                    break
            if not running:
                return
            finished, running = _first(running)
            for future in finished:
                yield future.result()
    finally:
        for future in running:
            future.cancel()


def _first(running: set[Any]) -> tuple[set[Any], set[Any]]:
    if all(isinstance(future, Future) for future in running):
        done, pending = wait(running, return_when=FIRST_COMPLETED)
        return set(done), set(pending)
    oldest = next(iter(running))
    oldest.result()
    return {oldest}, running - {oldest}


def _write(
    conn: psycopg.Connection[Any], made: Recipe, part: Part, data: Iterable[TableData], unchecked: bool
) -> dict[str, int]:
    counts: dict[str, int] = {}
    current = ""
    try:
        with conn.transaction(), conn.cursor() as cursor:
            if isinstance(made, Surrounded):
                perform(conn, made.opening(part, triggers=not unchecked))
            if unchecked:
                cursor.execute("SET LOCAL session_replication_role = replica")
            for table in data:
                current = table.table
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    table_name(made.domain.table(table.table)),
                    sql.SQL(", ").join(map(sql.Identifier, table.columns)),
                )
                with cursor.copy(statement) as copy:
                    for offset in range(0, len(table.data), _BLOCK):
                        copy.write(table.data[offset : offset + _BLOCK])
                counts[table.table] = counts.get(table.table, 0) + table.rows
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise
        refusal = Refusal.of_psycopg(error)
        raise GraphError(
            f"the database refused part {part.number} of the run {part.seed!r}",
            where=f"table {refusal.table or current}"
            + (f", {refusal.constraint}" if refusal.constraint else ""),
            why=". ".join(text for text in (refusal.message, refusal.detail) if text),
            hint="earlier parts stay; repeat the command once the cause is gone",
        ) from error
    return counts


def _missing(conn: psycopg.Connection[Any], made: Recipe, wanted: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts that are not in the database, cut to the users that are not."""
    for start in range(0, len(wanted), _ASKED):
        some = wanted[start : start + _ASKED]
        known = [made.keys(part) for part in some]
        table, column, _ = known[0]
        # A part is written whole: its first and its last user tell.
        ends = [key for _, _, own in known for key in (own[0], own[-1])]
        there = _stored(conn, made.domain.table(table).columns[column], ends)
        for part, (_, _, own) in zip(some, known, strict=True):
            if own[0] not in there and own[-1] not in there:
                yield part
            elif own[-1] not in there or own[0] not in there:
                # Its first users are there and its last are not: a smaller run.
                count = len(_stored(conn, made.domain.table(table).columns[column], own))
                yield replace(part, first=part.first + count, users=part.users - count)


def _stored(conn: psycopg.Connection[Any], column: Column[Any], keys: Sequence[str]) -> set[str]:
    """Return those of *keys* that are in the database."""
    name = sql.Identifier(column.name)
    query = sql.SQL("SELECT {}::text FROM {} WHERE {} = ANY(%s::{}[])").format(
        name, table_name(column.table), name, schema_text(column.type.compile(encoding.DIALECT))
    )
    return {row[0] for row in conn.execute(query, [list(keys)])}


def _ensure_owner(conn: psycopg.Connection[Any], made: Recipe, part: Part) -> None:
    owner = made.owner(part)
    if owner is None:
        return
    table = table_name(made.domain.table(owner.table))
    columns = sql.SQL(", ").join(map(sql.Identifier, owner.columns))
    with conn.transaction(), conn.cursor() as cursor:
        # COPY cannot skip a row that is there; another shard may have been first.
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE scenarios_owner (LIKE {}) ON COMMIT DROP").format(table)
        )
        with cursor.copy(sql.SQL("COPY scenarios_owner ({}) FROM STDIN").format(columns)) as copy:
            copy.write(owner.data)
        cursor.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM scenarios_owner ON CONFLICT DO NOTHING").format(
                table, columns, columns
            )
        )


def _around(conn: psycopg.Connection[Any], statements: Iterable[Statement], what: str) -> None:
    try:
        with conn.transaction():
            perform(conn, statements)
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise
        refusal = Refusal.of_psycopg(error)
        raise GraphError(
            f"the database refused to {what} the run",
            where=refusal.constraint or refusal.table,
            why=". ".join(text for text in (refusal.message, refusal.detail) if text),
            hint="parts that were written stay; repeat the command once the cause is gone",
        ) from error
