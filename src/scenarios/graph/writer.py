"""Writing a graph: one transaction, COPY in foreign-key order, everything or nothing.

`write` for psycopg, `write_async` for psycopg's async connection and for asyncpg. Both run the steps of the
same `planner.plan`; a connection that is inside a transaction already gets a savepoint, so the caller's
work survives a refusal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Table
from sqlalchemy.orm import make_transient_to_detached

from scenarios.domain import Statement
from scenarios.errors import GraphError
from scenarios.graph.binary import Unsuitable
from scenarios.graph.bulk_load import BulkLoadMode, bulk_load_mode
from scenarios.graph.graph import Collected, Graph, Node, collect
from scenarios.graph.planner import plan
from scenarios.graph.refusal import Refusal, explain
from scenarios.graph.rows import Batch
from scenarios.graph.steps import Query, Rows, asked
from scenarios.graph.writing_steps import CopyIn, InsertTogether, Step

if TYPE_CHECKING:
    import asyncpg

    from scenarios.domain import Domain

Spans = Mapping[str, tuple[datetime, datetime]]
"""For each table the earliest and the latest time in its new rows."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        tables: rows by table, in the order they were written.
        keys: the table and primary key of each row that has a handle.
        ms: milliseconds it took, commit included.
    """

    tables: Mapping[str, int]
    keys: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    ms: float = 0.0

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.tables.values())


class _Run:
    """One writing of one graph: drives the domain and the planner, and remembers where it is."""

    def __init__(self, graph: Graph, domain: Domain | None) -> None:
        self.collected: Collected = collect(graph)
        self._steps = self._all(graph, domain)
        self.written: list[Batch] = []
        self.current: Sequence[Batch] = ()
        self._plan = plan(graph, self.collected)
        self._began = time.perf_counter()

    def next(self, rows: Rows) -> Step | Statement | None:
        """Return the next step, given the rows of the one before; None when all are done."""
        try:
            step = self._steps.send(rows) if self.begun else next(self._steps)
        except StopIteration:
            return None
        self.begun = True
        return step

    begun = False
    """Whether a step was asked for."""

    def _all(self, graph: Graph, domain: Domain | None) -> Generator[Step | Statement, Rows, None]:
        """Yield the planner's steps, and the domain's before the first that writes and after the last."""
        before = None if domain is None else domain.before_load
        after = None if domain is None else domain.after_load
        step = next(self._plan, None)
        while isinstance(step, Query):
            # Keys are reserved first: what is written is known only then.
            step = self._planned((yield step))
        if before is not None:
            yield from asked(before(spans_of(graph, self.collected)))
        while step is not None:
            if isinstance(step, CopyIn):
                self.current = (step.batch,)
            elif isinstance(step, InsertTogether):
                self.current = step.batches
            rows = yield step
            self.written += self.current
            self.current = ()
            step = self._planned(rows)
        if after is not None:
            yield from asked(after())

    def _planned(self, rows: Rows) -> Step | None:
        try:
            return self._plan.send(rows)
        except StopIteration:
            return None

    def sizes(self, graph: Graph) -> dict[Table, int]:
        """Return how many rows go to each table; nothing where a stretch is an iterator."""
        plans = Counter(id(node.plan) for node in self.collected.nodes if not node.stored)
        by_id = {id(node.plan): node.plan for node in self.collected.nodes}
        found: Counter[Table] = Counter()
        for plan_id, count in plans.items():
            for table, _ in by_id[plan_id].tables:
                found[table] += count
        found.update(table for table, _ in self.collected.pairs)
        for stretch in graph.stretches:
            if not isinstance(stretch.rows, Sequence):
                # It can be read once only, and what is written with rules at rest may have to be repeated.
                return {}
            found[stretch.table] += len(stretch.rows)
        return found

    def refused(self, refusal: Refusal) -> GraphError:
        return explain(refusal, self.current, [*self.written, *self.current])

    def finish(self) -> Written:
        """Make the objects those of stored rows, and return what was written."""
        tables: dict[str, int] = {}
        keys: dict[str, tuple[str, tuple[Any, ...]]] = {}
        for batch in self.written:
            name = batch.table.fullname
            tables[name] = tables.get(name, 0) + batch.count
            _note_keys(batch, keys)
        for node in self.collected.nodes:
            if not node.stored:
                _settle(node)
        return Written(tables, keys, (time.perf_counter() - self._began) * 1000)


def write(
    conn: psycopg.Connection[Any],
    graph: Graph,
    *,
    domain: Domain | None = None,
    alone: bool | None = None,
    deferred: bool = False,
) -> Written:
    """Write *graph* in one transaction, or in a savepoint of the one *conn* is in.

    Afterwards each object is what a session calls detached: it has its key, knows it is stored, loads what
    the database filled in when it is added to a session and asked.

    Args:
        conn: a psycopg connection.
        graph: what to write.
        domain: the system it belongs to; its ``before_load`` and ``after_load`` run in the same transaction.
        alone: whether nothing else happens in the transaction *conn* is in, so that locks may be taken until
            its end; by default, whether it is in none. Rows in their thousands are then checked all at once
            (`scenarios.graph.bulk_load`), in a database of ours.
        deferred: what the database would check at COMMIT is to hold now already; otherwise the transaction
            that *conn* is in may go on to make it hold.

    Raises:
        GraphError: the objects cannot be turned into rows, or the database refused one; the message names its
            handle, its file and line, the constraint and the values. Nothing is written then.
    """
    run = _Run(graph, domain)
    if alone is None:
        alone = conn.info.transaction_status == TransactionStatus.IDLE
    try:
        with conn.transaction(), psycopg.RawCursor(conn) as cursor:
            rest = bulk_load_mode(conn, domain, run.sizes(graph)) if alone else BulkLoadMode()
            done = False
            for quick in rest.ways():
                try:
                    done = _in_bulk_load(conn, cursor, run, quick)
                    break
                except Unsuitable:
                    run = _Run(graph, domain)
            if not done:
                # With all rules in force, a row that breaks one is refused, which says whose row and which.
                run = _Run(graph, domain) if run.begun else run
                _perform(cursor, run)
            if deferred:
                # In a savepoint that is rolled back, which leaves what is deferred as it was.
                with conn.transaction(force_rollback=True):
                    conn.execute(b"SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise  # the connection went away: nobody refused a row
        raise run.refused(Refusal.of_psycopg(error)) from error
    return run.finish()


def _in_bulk_load(
    conn: psycopg.Connection[Any], cursor: psycopg.RawCursor[Any], run: _Run, rest: BulkLoadMode
) -> bool:
    """Write *run* while *rest* rests, and make up for it.

    Returns:
        Whether all holds. If not, nothing is written: a row breaks a rule, or an index refuses it.

    Raises:
        Unsuitable: a value has no binary form; nothing is written.
    """
    try:
        with conn.transaction() as attempt:
            rest.begin(conn)
            _perform(cursor, run, rest.types)
            if not rest.end(conn):
                raise psycopg.Rollback(attempt)
            return True
    except psycopg.DatabaseError as error:
        if run.current or error.sqlstate is None:
            raise  # while a batch was written: the error says which of its rows
    return False


def _perform(
    cursor: psycopg.RawCursor[Any], run: _Run, types: Mapping[Table, Mapping[str, int]] | None = None
) -> None:
    """Do the steps of *run*.

    Args:
        types: the columns' types of the tables that are written in binary, if their rows can be.
    """
    step = run.next(())
    while step is not None:
        rows: Rows = ()
        if isinstance(step, CopyIn):
            binary = step.binary(types.get(step.batch.table)) if types else None
            with cursor.copy((step.text if binary is None else step.binary_text).encode()) as copy:
                if binary is not None:
                    binary.write(copy, step.batch.counted())
                else:
                    for block in step.blocks():
                        copy.write(block)
            step.batch.count = cursor.rowcount  # without those that a trigger dropped
        elif isinstance(step, InsertTogether):
            cursor.execute(step.text.encode(), [step.argument])
        else:
            cursor.execute(step.text.encode(), _parameters(step))
            rows = cursor.fetchall() if cursor.description is not None else ()
        step = run.next(rows)


def _parameters(step: Query | Statement) -> tuple[Any, ...]:
    return step.parameters if isinstance(step, Statement) else ()


async def write_async(
    conn: psycopg.AsyncConnection[Any] | asyncpg.Connection[Any],
    graph: Graph,
    *,
    domain: Domain | None = None,
) -> Written:
    """Write *graph* through an asynchronous connection; like `write` in everything else.

    Raises:
        GraphError: as `write`.
    """
    run = _Run(graph, domain)
    if isinstance(conn, psycopg.AsyncConnection):
        await _write_psycopg(conn, run)
    else:
        await _write_asyncpg(conn, run)
    return run.finish()


async def _write_psycopg(conn: psycopg.AsyncConnection[Any], run: _Run) -> None:
    try:
        async with conn.transaction(), psycopg.AsyncRawCursor(conn) as cursor:
            step = run.next(())
            while step is not None:
                rows: Rows = ()
                if isinstance(step, CopyIn):
                    async with cursor.copy(step.text.encode()) as copy:
                        for block in step.blocks():
                            await copy.write(block)
                    step.batch.count = cursor.rowcount
                elif isinstance(step, InsertTogether):
                    await cursor.execute(step.text.encode(), [step.argument])
                else:
                    await cursor.execute(step.text.encode(), _parameters(step))
                    rows = await cursor.fetchall() if cursor.description is not None else ()
                step = run.next(rows)
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise  # the connection went away: nobody refused a row
        raise run.refused(Refusal.of_psycopg(error)) from error


async def _write_asyncpg(conn: Any, run: _Run) -> None:
    import asyncpg

    try:
        async with conn.transaction():
            step = run.next(())
            while step is not None:
                rows: Rows = ()
                if isinstance(step, CopyIn):
                    async with _streamed(step) as source:
                        status = await conn.copy_to_table(
                            step.table,
                            source=source,
                            columns=list(step.columns),
                            schema_name=step.schema,
                            format="text",
                        )
                    step.batch.count = int(status.rpartition(" ")[2])
                elif isinstance(step, InsertTogether):
                    await conn.execute(step.text, step.argument)
                else:
                    rows = await conn.fetch(step.text, *_parameters(step))
                step = run.next(rows)
    except asyncpg.PostgresError as error:
        raise run.refused(Refusal.of_asyncpg(error)) from error


@asynccontextmanager
async def _streamed(step: CopyIn) -> AsyncIterator[AsyncIterator[bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        for block in step.blocks():
            yield block

    source = stream()
    try:
        yield source
    finally:
        await source.aclose()  # type: ignore[attr-defined]  # an async generator, typed as its protocol


def spans_of(graph: Graph, collected: Collected | None = None) -> Spans:
    """Return the time spans of what *graph* will write; stretches given as iterators do not count."""
    spans: dict[str, tuple[datetime, datetime]] = {}

    def note(table: str, value: Any) -> None:
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            first, last = spans.get(table, (moment, moment))
            spans[table] = (min(first, moment), max(last, moment))

    for node in (collected or collect(graph)).nodes:
        if not node.stored:
            for table, fields in node.plan.tables:
                for part in fields:
                    note(table.fullname, node.assigned.get(part.key, node.state.dict.get(part.key)))
    for stretch in graph.stretches:
        if isinstance(stretch.rows, Sequence):
            for row in stretch.rows:
                for value in row:
                    note(stretch.table.fullname, value)
    return spans


def _note_keys(batch: Batch, keys: dict[str, tuple[str, tuple[Any, ...]]]) -> None:
    rows = batch.listed
    if rows is None or (batch.nodes is None and batch.handles is None):
        return
    places = {column.name: place for place, column in enumerate(batch.columns)}
    key = [column.name for column in batch.table.primary_key]
    if not all(name in places for name in key):
        return
    table = batch.table.fullname
    own = [places[name] for name in key]
    handles = batch.handles if batch.nodes is None else [node.handle for node in batch.nodes]
    for handle, row in zip(handles or (), rows, strict=False):
        if handle is not None and handle not in keys:
            keys[handle] = (table, tuple([row[place] for place in own]))


def _settle(node: Node) -> None:
    """Turn a new object into one whose row is stored."""
    state = node.state
    if state.session is not None:
        # It waits in a session that knows nothing of the row and would insert it again.
        state.session.expunge(node.obj)
    if node.assigned:
        state.dict.update(node.assigned)
    make_transient_to_detached(node.obj)
