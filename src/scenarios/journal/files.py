"""Portable snapshot files: the content of a database in one compressed, checked file.

A dump that stops in the middle, or that was made for yesterday's schema, is found out when half of it is
loaded. Here the whole file is checked against its checksum and the schema before the database is touched, and
everything is loaded in one transaction. A file holds no code, so reading one is safe whoever made it.

Layout, version 1: a line ``pg-scenarios snapshot 1``, a zlib stream, and the SHA-256 of all bytes before it.
The stream holds frames, each a length in four bytes and that many bytes: the header as JSON, then for each
table the data as `COPY .. TO STDOUT` gives them, ended by an empty frame.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from scenarios.errors import SnapshotFileError
from scenarios.journal.blockers import blocked
from scenarios.journal.install import WAIT, Connection, plain_rows, require_idle, require_ownership
from scenarios.journal.tables import Table, read_tables

FORMAT = 1
_MAGIC = b"pg-scenarios snapshot "
_FRAME = 1 << 20
#: No frame, and so no header, may claim to be larger; a damaged length must not eat the memory.
_LARGEST = 64 << 20
_DIGEST = hashlib.sha256().digest_size

_PINNED = (
    b'SET LOCAL extra_float_digits = 1; SET LOCAL "DateStyle" = \'ISO, YMD\'; SET LOCAL "TimeZone" ='
    b" 'UTC';"
    b"SET LOCAL \"IntervalStyle\" = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL"
    b" client_encoding = 'UTF8';"
    b"SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off; SET LOCAL jit = off"
)


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """What a snapshot file says about itself.

    Attributes:
        path: where it is.
        database: the name of the database it was made from.
        created: when, ISO 8601, UTC.
        server_version: ``server_version_num`` of the server it was made on.
        fingerprint: of the schema it was made from.
        size: bytes of the file.
        header: everything, as written.
    """

    path: Path
    database: str
    created: str
    server_version: int
    fingerprint: str
    size: int
    header: dict[str, Any]


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
            conn.execute(_PINNED)
            writer = _Writer(file)
            tables = read_tables(conn)
            writer.frame(json.dumps(_header(conn, tables), sort_keys=True).encode())
            for table in tables:
                for chunk in _copied(conn, table):
                    for start in range(0, len(chunk), _FRAME):
                        writer.frame(chunk[start : start + _FRAME])
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
            remedy="nothing was changed; make the file anew from a database with this schema",
        ) from error
    return info


def read_header(path: str | Path) -> SnapshotFile:
    """Return what the file says about itself, without checking the rest of it.

    Raises:
        SnapshotFileError: it is not a snapshot file of this format.
    """
    source = Path(path)
    with _frames(source) as frames:
        header = _parsed(source, next(frames, b""))
    return SnapshotFile(
        path=source,
        database=str(header.get("database", "")),
        created=str(header.get("created", "")),
        server_version=int(header["server_version"]),
        fingerprint=str(header["fingerprint"]),
        size=source.stat().st_size,
        header=header,
    )


def check_file(path: str | Path) -> SnapshotFile:
    """Like `read_header`, after comparing the whole file with its checksum.

    Raises:
        SnapshotFileError: it is truncated, altered, or no snapshot file of this format.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            _require_format(source, file)
            left = source.stat().st_size - _DIGEST
            file.seek(0)
            digest = hashlib.sha256()
            while left > 0 and (chunk := file.read(min(_FRAME, left))):
                digest.update(chunk)
                left -= len(chunk)
            if file.read() != digest.digest():
                raise _damaged(source, "its checksum is not that of its content")
    except OSError as error:
        raise SnapshotFileError("cannot read the snapshot file", where=str(source), why=str(error)) from error
    return read_header(source)


def table_lines(path: Path) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield each table of a checked file with its rows as lines of COPY's text format."""
    with _frames(path) as frames:
        header = _parsed(path, next(frames, b""))
        for table in header["tables"]:
            yield table, _lines(iter(frames.__next__, b""))


def database_lines(conn: Connection) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield each table of a database with its rows as lines of COPY's text format."""
    with conn.transaction():
        conn.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        conn.execute(_PINNED)
        for table in read_tables(conn):
            yield _described(table), _lines(_copied(conn, table))


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


# Writing


class _Writer:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._compress = zlib.compressobj(6)
        self._write(_MAGIC + str(FORMAT).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def frame(self, data: bytes) -> None:
        self._write(self._compress.compress(len(data).to_bytes(4, "big") + data))

    def finish(self) -> None:
        self._write(self._compress.flush())
        self._file.write(self._digest.digest())


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
        b" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'scenarios_journal' ORDER"
        b" BY 1, 2"
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
        b"SELECT n.nspname || '.' || c.relname, 'constraint ' || pg_get_constraintdef(k.oid)"
        b" FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid ="
        b" c.relnamespace"
        b" WHERE k.contype IN ('p', 'u', 'f', 'x') AND NOT c.relispartition"
        b" AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'scenarios_journal')"
    ).fetchall()
    described = {
        table.label: [f"column {name} {kind}" for name, kind in zip(table.names, table.declared, strict=True)]
        for table in tables
    }
    for label, definition in constraints:
        if label in described:
            described[label].append(definition)
    return {label: sorted(lines) for label, lines in sorted(described.items())}


def _fingerprint(schema: dict[str, list[str]]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


# Reading


@contextmanager
def _frames(source: Path) -> Iterator[Iterator[bytes]]:
    try:
        with source.open("rb") as file:
            _require_format(source, file)
            yield _unpacked(source, file)
    except OSError as error:
        raise SnapshotFileError("cannot read the snapshot file", where=str(source), why=str(error)) from error


def _unpacked(source: Path, file: IO[bytes]) -> Iterator[bytes]:
    left = source.stat().st_size - file.tell() - _DIGEST
    inflate = zlib.decompressobj()
    held = b""
    packed = b""
    wanted: int | None = None
    while True:
        if wanted is None and len(held) >= 4:
            wanted, held = int.from_bytes(held[:4], "big"), held[4:]
            if wanted > _LARGEST:
                raise _damaged(source, f"a frame claims {wanted} bytes")
        if wanted is not None and len(held) >= wanted:
            yield held[:wanted]
            held, wanted = held[wanted:], None
            continue
        if not packed:
            packed = file.read(max(0, min(_FRAME, left)))
            left -= len(packed)
        try:
            grown = inflate.decompress(packed, _FRAME)
        except zlib.error as error:
            raise _damaged(source, str(error)) from error
        packed = inflate.unconsumed_tail
        if not grown and not packed and left <= 0:
            if held or wanted is not None:
                raise _damaged(source, "it ends in the middle of a frame")
            return
        held += grown


def _require_format(source: Path, file: IO[bytes]) -> None:
    line = file.readline(64)
    if not line.startswith(_MAGIC) or not line.endswith(b"\n"):
        raise SnapshotFileError(
            "this is not a snapshot file",
            where=str(source),
            why=f"it does not begin with {_MAGIC.decode().strip()!r}",
        )
    version = line.removeprefix(_MAGIC).strip().decode("ascii", "replace")
    if version != str(FORMAT):
        raise SnapshotFileError(
            "the snapshot file has another format",
            where=str(source),
            why=f"it is of format {version}, and this release reads format {FORMAT}",
            remedy="make the file anew with this release",
        )


def _parsed(source: Path, data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
        if not isinstance(header, dict):
            raise TypeError("the header is not an object")
        for name in ("server_version", "fingerprint", "schema", "tables", "sequences", "views"):
            header[name]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(source, f"its header cannot be read ({error!r})") from error
    return header


def _damaged(source: Path, why: str) -> SnapshotFileError:
    return SnapshotFileError(
        "the snapshot file is damaged", where=str(source), why=why, remedy="make or copy the file anew"
    )


def _load(conn: Connection, source: Path, info: SnapshotFile, wait: float) -> None:
    conn.execute(_PINNED)
    conn.execute("SELECT set_config('lock_timeout', %s, true)", [f"{max(1, int(wait * 1000))}ms"])
    tables = {table.label: table for table in read_tables(conn)}
    _require_schema(source, info, _schema(conn, list(tables.values())))
    conn.execute(b"SET LOCAL session_replication_role = replica")
    _switch(conn, list(tables.values()), on=False)
    if tables:
        names = sql.SQL(", ").join(table.identifier for table in tables.values())
        conn.execute(sql.SQL("TRUNCATE {}").format(names))
    with _frames(source) as frames:
        next(frames)
        for described in info.header["tables"]:
            table = tables[f"{described['schema']}.{described['name']}"]
            # The file's order of columns, which need not be the table's.
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(
                table.identifier, sql.SQL(", ").join(sql.Identifier(name) for name in described["columns"])
            )
            with conn.cursor() as cursor, cursor.copy(into) as copy:
                for chunk in iter(frames.__next__, b""):
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
        remedy="bring the database to the schema of the file, or make the file anew",
    )
