"""Portable snapshot files: the content of a database in one compressed, checked file.

A dump that stops in the middle, or that was made for yesterday's schema, is found out when half of it is
loaded. Here the whole file is checked against its checksum and the schema before the database is touched, and
everything is loaded in one transaction. A file holds no code, so reading one is safe whoever made it.
`file_format` has its bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from scenarios.errors import SnapshotFileError
from scenarios.journal.blockers import blocked
from scenarios.journal.file_format import (
    FORMAT,
    FRAME,
    SnapshotFile,
    Writer,
    check_file,
    content,
    read_header,
)
from scenarios.journal.install import WAIT, Connection, plain_rows, require_idle, require_ownership
from scenarios.journal.session_settings import look_up, own_settings, pin
from scenarios.journal.tables import Table, label_of, read_tables


@plain_rows
def save(conn: Connection, path: str | Path) -> SnapshotFile:
    """Write the content of the database to the file *path*, replacing it only when all is written.

    Args:
        conn: a connection with no open transaction whose role may read everything.
        path: conventionally ends in ``.scn``.

    Raises:
        SnapshotFileError: the file cannot be written.
        JournalError: a transaction is open on *conn*.
    """
    require_idle(conn, "save a snapshot file")
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file, conn.transaction():
            conn.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            path_of_theirs = pin(conn)
            writer = Writer(file)
            tables = _tables_of_files(conn)
            writer.frame(json.dumps(_header(conn, tables), sort_keys=True).encode())
            look_up(conn, path_of_theirs)
            for table in tables:
                for chunk in _copied(conn, table):
                    for start in range(0, len(chunk), FRAME):
                        writer.frame(chunk[start : start + FRAME])
                writer.frame(b"")
            writer.finish()
        draft.replace(target)
    except OSError as error:
        raise SnapshotFileError(
            "cannot write the snapshot file", where=str(target), why=str(error)
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return read_header(target)


@plain_rows
def open_file(conn: Connection, path: str | Path, *, wait: float = WAIT) -> SnapshotFile:
    """Replace the content of the database by that of the file *path*, in one transaction.

    The journal records it like any other write: a snapshot taken before can be restored after.

    Args:
        conn: a connection with no open transaction whose role may set ``session_replication_role``.
        path: a file `save` has written, on this or another major version of PostgreSQL.
        wait: how long to wait for each lock somebody else holds, in seconds.

    Raises:
        SafetyError: the database is not one this project created.
        SnapshotFileError: the file is damaged, of another format, or made from another schema; the database
            is as it was.
        JournalError: somebody's transaction stays open.
    """
    require_idle(conn, "open a snapshot file")
    require_ownership(conn, "open a snapshot file")
    source = Path(path)
    info = check_file(source)
    try:
        with conn.transaction():
            _load(conn, source, info, wait)
    except (pg.LockNotAvailable, pg.DeadlockDetected) as error:
        raise blocked(conn, "open a snapshot file", wait, error) from error
    except psycopg.Error as error:
        raise SnapshotFileError(
            "the database refuses the content of the snapshot file",
            where=f"{source}, database {conn.info.dbname!r}",
            why=error.diag.message_primary or str(error),
            hint="nothing was changed; make the file anew from a database with this schema",
        ) from error
    return info


def file_lines(path: Path) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield each table of a checked file with its rows as lines of COPY's text format."""
    with content(path) as tables:
        for described, chunks in tables:
            yield described, _lines(chunks)


def database_lines(conn: Connection) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield each table of a database with its rows as lines of COPY's text format."""
    with conn.transaction():
        conn.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        path_of_theirs = pin(conn)
        tables = _tables_of_files(conn)
        look_up(conn, path_of_theirs)
        for table in tables:
            yield _described(table), _lines(_copied(conn, table))


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _tables_of_files(conn: Connection) -> list[Table]:
    """The tables whose rows a file has: those of an extension only if it says that they are configuration.

    It is the rule of pg_dump. An extension keeps object ids in the others, or what
    it needs to parse a value.
    """
    return [table for table in read_tables(conn) if not table.inside_extension]


def _columns(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in table.names)


def _copied(conn: Connection, table: Table) -> Iterator[bytes]:
    query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(
        _columns(table), sql.SQL("ONLY " if table.inherits else ""), table.identifier
    )
    with conn.cursor() as cursor, cursor.copy(query) as copy:
        for chunk in copy:
            yield bytes(chunk)


def _described(table: Table) -> dict[str, Any]:
    return {
        "schema": table.schema,
        "name": table.name,
        "columns": list(table.names),
        "types": list(table.declared),
        "key": list(table.key),
    }


def _header(conn: Connection, tables: list[Table]) -> dict[str, Any]:
    sequences = conn.execute(
        b"SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'scenarios_journal'"
        b" AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid"
        b" WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'"
        b" AND NOT c.oid = ANY (coalesce(e.extconfig, '{}'))) ORDER BY 1, 2"
    ).fetchall()
    positions = []
    for schema, name in sequences:
        row = conn.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        ).fetchone()
        if row is not None:
            positions.append([schema, name, *row])
    views = conn.execute(
        b"SELECT n.nspname, c.relname, c.relispopulated FROM pg_class c"
        b" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' ORDER BY 1, 2"
    ).fetchall()
    schema_of_file = _schema(conn, tables)
    return {
        "format": FORMAT,
        "database": conn.info.dbname,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "server_version": conn.info.server_version,
        "schema": schema_of_file,
        "fingerprint": _fingerprint(schema_of_file),
        "tables": [_described(table) for table in tables],
        "sequences": positions,
        "views": [list(view) for view in views],
    }


def _schema(conn: Connection, tables: list[Table]) -> dict[str, list[str]]:
    """What must be equal for the content of one database to fit another, in words all versions use."""
    constraints = conn.execute(
        b"SELECT n.nspname, c.relname, 'constraint ' || pg_get_constraintdef(k.oid)"
        b" FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid ="
        b" c.relnamespace"
        b" WHERE k.contype IN ('p', 'u', 'f', 'x') AND NOT c.relispartition"
        b" AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'scenarios_journal')"
    ).fetchall()
    described = {
        table.label: [f"column {name} {kind}" for name, kind in zip(table.names, table.declared, strict=True)]
        for table in tables
    }
    for schema, name, definition in constraints:
        if (label := label_of(schema, name)) in described:
            described[label].append(definition)
    return {label: sorted(lines) for label, lines in sorted(described.items())}


def _fingerprint(schema: dict[str, list[str]]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def _load(conn: Connection, source: Path, info: SnapshotFile, wait: float) -> None:
    own = own_settings(conn)
    path_of_theirs = pin(conn)
    conn.execute("SELECT set_config('lock_timeout', %s, true)", [f"{max(1, int(wait * 1000))}ms"])
    tables = {table.label: table for table in _tables_of_files(conn)}
    _require_schema(source, info, _schema(conn, list(tables.values())))
    conn.execute(b"SET LOCAL session_replication_role = replica")
    _switch(conn, list(tables.values()), on=False)
    if tables:
        names = sql.SQL(", ").join(table.identifier for table in tables.values())
        conn.execute(sql.SQL("TRUNCATE {}").format(names))
    # Generated columns and indexes are computed as the application does. Times in the file tell their zone.
    conn.execute(
        "SELECT set_config('TimeZone', %s, true), set_config('default_text_search_config', %s, true)",
        [own["TimeZone"], own["default_text_search_config"]],
    )
    look_up(conn, path_of_theirs)
    with content(source) as described_tables:
        for described, chunks in described_tables:
            table = tables[label_of(described["schema"], described["name"])]
            # The file's order of columns, which need not be the table's; an empty list would be no SQL.
            columns = sql.SQL(", ").join(sql.Identifier(name) for name in described["columns"])
            into = sql.SQL("COPY {}{} FROM STDIN").format(
                table.identifier, sql.SQL("({})").format(columns) if described["columns"] else sql.SQL("")
            )
            with conn.cursor() as cursor, cursor.copy(into) as copy:
                for chunk in chunks:
                    copy.write(chunk)
    _switch(conn, list(tables.values()), on=True)
    for schema, name, populated in _by_need(conn, info.header["views"]):
        refresh = sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(
            sql.Identifier(schema, name), sql.SQL("" if populated else " WITH NO DATA")
        )
        conn.execute(refresh)
    # Last, because a roll-back does not take it back.
    for schema, name, last, called in info.header["sequences"]:
        conn.execute(
            "SELECT setval(format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
            [schema, name, last, called],
        )


def _switch(conn: Connection, tables: list[Table], *, on: bool) -> None:
    """Silence triggers that fire even for replicas, or let them speak again."""
    loud = [switch for table in tables for switch in table.loud]
    if not loud:
        return
    conn.execute(b"SET LOCAL scenarios_journal.restoring = 'on'")  # No DDL for the journal to notice.
    for relation, kind, name, mode in loud:
        # All parts but the fixed words come quoted from the server.
        action = [b"ENABLE", mode.encode()] if on else [b"DISABLE"]
        parts = [b"ALTER TABLE ONLY", relation.encode(), *action, kind.encode(), name.encode()]
        conn.execute(b" ".join(parts))
    conn.execute(b"SET LOCAL scenarios_journal.restoring = ''")


def _by_need(conn: Connection, views: list[list[Any]]) -> list[list[Any]]:
    """Views that others are made from first."""
    depths = dict(
        conn.execute(
            b"WITH RECURSIVE needs AS ("
            b" SELECT DISTINCT r.ev_class AS view, d.refobjid AS source FROM pg_rewrite r JOIN pg_depend d"
            b" ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
            b" AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class"
            b"), depths AS (SELECT c.oid AS view, 0 AS depth FROM pg_class c WHERE c.relkind = 'm'"
            b" UNION SELECT n.view, d.depth + 1 FROM depths d JOIN needs n ON n.source = d.view)"
            b" SELECT s.nspname || '.' || c.relname, max(d.depth) FROM depths d JOIN pg_class c ON"
            b" c.oid = d.view"
            b" JOIN pg_namespace s ON s.oid = c.relnamespace GROUP BY 1"
        ).fetchall()
    )
    return sorted(views, key=lambda view: depths.get(f"{view[0]}.{view[1]}", 0))


def _require_schema(source: Path, info: SnapshotFile, here: dict[str, list[str]]) -> None:
    if info.fingerprint == _fingerprint(here):
        return
    there: dict[str, list[str]] = info.header["schema"]
    differences = [f"{label} is missing in the database" for label in sorted(set(there) - set(here))]
    differences += [f"{label} is missing in the file" for label in sorted(set(here) - set(there))]
    for label in sorted(set(here) & set(there)):
        for line in sorted(set(there[label]) ^ set(here[label])):
            where = "file" if line in there[label] else "database"
            differences.append(f"{label}: {line} (only in the {where})")
    raise SnapshotFileError(
        "the snapshot file was made from another schema",
        where=str(source),
        why="; ".join(differences[:8]) + (f"; and {len(differences) - 8} more" if differences[8:] else ""),
        hint="bring the database to the schema of the file, or make the file anew",
    )
