"""Whose row the database refused.

PostgreSQL says "COPY users_user, line 3" or "Key (user_id)=(...) is not present"; a person wants to know
which handle that was, from which line of which file, and what its values were.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.database_errors import hint_for
from scenarios.errors import GraphError
from scenarios.graph import encoding
from scenarios.graph.rows import Batch

_COPY_LINE = re.compile(r"COPY (?P<table>.+?), line (?P<line>\d+)(, column (?P<column>.+?)(:|$))?", re.M)
_KEY = re.compile(r"\((?P<names>[^()]+)\)=\((?P<values>.*?)\)(?= |$)")
_FUNCTION = re.compile(r"PL/\w+ function .+? line \d+|SQL function \"[^\"]+\"")
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Refusal:
    """A database error in the same words whichever driver raised it."""

    sqlstate: str
    message: str
    detail: str
    hint: str
    constraint: str
    schema: str
    table: str
    column: str
    context: str

    @classmethod
    def of_psycopg(cls, error: Any) -> Refusal:
        """Return the refusal in a psycopg error."""
        diag = error.diag
        return cls(
            error.sqlstate or "",
            diag.message_primary or str(error),
            diag.message_detail or "",
            diag.message_hint or "",
            diag.constraint_name or "",
            diag.schema_name or "",
            diag.table_name or "",
            diag.column_name or "",
            diag.context or "",
        )

    @classmethod
    def of_asyncpg(cls, error: Any) -> Refusal:
        """Return the refusal in an asyncpg error."""

        def text(name: str) -> str:
            return str(getattr(error, name, None) or "")

        return cls(
            text("sqlstate"),
            text("message") or str(error),
            text("detail"),
            text("hint"),
            text("constraint_name"),
            text("schema_name"),
            text("table_name"),
            text("column_name"),
            text("context"),
        )


def explain(refusal: Refusal, current: Sequence[Batch], written: Sequence[Batch]) -> GraphError:
    """Return the error for *refusal*.

    Args:
        refusal: what the database said.
        current: the batches of the step it was said to; none at commit.
        written: all batches, for deferred constraints and for keys that collide across batches.
    """
    found = _by_line(refusal, current) or _by_key(refusal, current) or _by_key(refusal, written)
    table = refusal.table or (current[0].table.name if current else "")
    asked = f" on {table}" if table else ""
    if refusal.constraint:
        what = f"the database refused {{}}: constraint {refusal.constraint}{asked}"
    elif refusal.column:
        what = f"the database refused {{}}: column {table}.{refusal.column}"
    else:
        what = f"the database refused {{}}{f' of {table}' if table else ''}"
    detail = _without_secrets(refusal, [*current, *written])
    why = ". ".join(part.rstrip(".") for part in (refusal.message, detail, refusal.hint) if part)
    if found is None:
        # A trigger that spoke for the whole statement, or a right the role has not: no row is to blame.
        said = _FUNCTION.search(refusal.context)
        error = GraphError(
            what.format("a row" if refusal.constraint or refusal.column else "the rows"),
            where=f"rows for {current[0].table.fullname}" if len(current) == 1 else None,
            why=f"{why}{f', says {said.group()}' if said else ''}",
            hint=_hint(refusal),
        )
        if len(current) == 1:
            error.table = current[0].table.fullname
        elif refusal.table:
            named = {b.table.fullname for b in written if b.table.name == refusal.table}
            error.table = named.pop() if len(named) == 1 else None
        return error
    batch, index = found
    handle = batch.handle(index)
    name = repr(handle) if handle else f"row {index + 1}"
    line = _COPY_LINE.search(refusal.context)
    column = refusal.column or (line["column"] if line is not None else None) or ""
    return GraphError(what.format(name), where=_where(batch, index, column), why=why, hint=_hint(refusal))


def _hint(refusal: Refusal) -> str:
    if refusal.sqlstate == "54000" and "tsvector" in refusal.message:
        return "nothing was written; shorten the text: a full-text index takes up to 1 MiB of different words"
    if refusal.sqlstate[:2] in ("P0", "38", "39"):
        return "nothing was written; correct the rows, or see the function that refused them"
    if refusal.sqlstate[:2] not in ("22", "23", "") or "row-level security" in refusal.message:
        return f"nothing was written; {hint_for(refusal.sqlstate, refusal.message)}"
    return "nothing was written; correct the row"


def unwritable(batch: Batch, index: int, place: int, cause: Exception) -> GraphError:
    """Return the error for a row whose column at *place* has a value with no place in a COPY."""
    column = batch.columns[place].name
    handle = batch.handle(index)
    name = repr(handle) if handle else f"row {index + 1} of {batch.table.fullname}"
    return GraphError(
        f"{name} has a value that cannot be written: column {batch.table.fullname}.{column}",
        where=_where(batch, index, column),
        why=str(cause),
        hint="nothing was written; correct the row",
    )


def _where(batch: Batch, index: int, first: str = "") -> str:
    """Return where a row is; of its values those of the column *first* stand before the others."""
    handle, place = batch.handle(index), batch.place(index)
    rows = batch.listed
    where = [f"{place[0]}:{place[1]}"] if place else []
    if handle:
        where.append(f"handle {handle}")
    where.append(f"row {index + 1} of the rows for {batch.table.fullname}")
    if rows is not None:
        pairs = list(zip(batch.columns, rows[index], strict=False))
        pairs.sort(key=lambda pair: pair[0].name != first)
        # Secrets do not belong in messages, whoever reads them.
        values = [
            f"{column.name}={'***' if _secret(column) else encoding.shown(value)}" for column, value in pairs
        ]
        more = f", and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        where.append(f"values {', '.join(values[:_SHOWN])}{more}")
    return "; ".join(where)


def _secret(column: Any) -> bool:
    return column.info.get("personal") == "secret" or column.name in {"password", "hashed_password"}


def _without_secrets(refusal: Refusal, batches: Sequence[Batch]) -> str:
    """Return the detail of *refusal*, in which PostgreSQL shows the row or the key that it refused."""
    secrets = {
        column.name
        for batch in batches
        if not refusal.table or batch.table.name == refusal.table
        for column in batch.table.columns
        if _secret(column)
    }
    if not secrets:
        return refusal.detail
    key = _KEY.search(refusal.detail)
    if key is None:
        # Of a check or a NOT NULL it is the whole row, which is shown with what it is refused for.
        return "" if refusal.sqlstate in ("23502", "23514") else refusal.detail
    if secrets.isdisjoint(name.strip().strip('"') for name in key["names"].split(",")):
        return refusal.detail
    return f"{refusal.detail[: key.start('values')]}***{refusal.detail[key.end('values') :]}"


def _by_line(refusal: Refusal, current: Sequence[Batch]) -> tuple[Batch, int] | None:
    line = _COPY_LINE.search(refusal.context)
    if line is None or len(current) != 1:
        return None
    index = int(line["line"]) - 1
    return current[0], index


def _by_key(refusal: Refusal, batches: Sequence[Batch]) -> tuple[Batch, int] | None:
    key = _KEY.search(refusal.detail)
    if key is None:
        return None
    names = [name.strip().strip('"') for name in key["names"].split(",")]
    values = key["values"].split(", ")
    if len(names) != len(values):
        return None
    # Last first: of two rows with one key the later one is the one too many.
    for batch in reversed(batches):
        if refusal.table and batch.table.name != refusal.table:
            continue
        columns = [column.name for column in batch.columns]
        rows = batch.listed
        if rows is None or not set(names) <= set(columns):
            continue
        places = [columns.index(name) for name in names]
        for index in range(len(rows) - 1, -1, -1):
            if all(
                _same(rows[index][place], value, batch.encoders[place])
                for place, value in zip(places, values, strict=True)
            ):
                return batch, index
    return None


def _same(value: Any, text: str, encode: encoding.Encoder) -> bool:
    return value is not None and (str(value) == text or encode(value) == text)
