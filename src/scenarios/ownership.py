"""The tag that says a database is ours to destroy.

A name can be imitated, a setting can be wrong, a URL can be somebody's production. So nothing destructive is
done to a database that does not carry the tag this project wrote when it created it. The tag is a comment
on the database that repeats the database's object id: `CREATE DATABASE .. TEMPLATE` does not copy comments,
and a comment that came along in a dump carries the wrong id, so a copy somebody made of ours is theirs.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from scenarios.errors import SafetyError

_PREFIX = "pg-scenarios 1 "

Kind = Literal["template", "database"]


@dataclass(frozen=True, slots=True)
class OwnershipTag:
    """What is written on a database of ours.

    Attributes:
        kind: a template to clone from, or a database to work in.
        oid: the database's object id; a tag with another one is void.
        lease: the advisory lock its owner holds while alive, see `scenarios.postgres.leases`.
        host: the machine of its owner.
        pid: its owner's process.
        birth: when that process began, to tell it from a later one with its number.
        created: when, ISO 8601, UTC.
        label: what it was made from, for people.
        ready: a template is complete; written last.
        keep: not to be collected when its owner is gone.
        template: the template it was cloned from.
        inputs: for a template: the hash of each thing that went into it.
        comment: what the application has commented on the database, which stands before the tag.
        read: for a template: the hash of each file of the project that its build read.
        used: for a template: the day it was last asked for.
    """

    kind: Kind
    oid: int = 0
    lease: int = 0
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    birth: str = field(default_factory=lambda: birth_of(os.getpid()))
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    label: str = ""
    ready: bool = False
    keep: bool = False
    template: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    used: str = field(default_factory=lambda: today())

    def render(self) -> str:
        fields = asdict(self)
        before = fields.pop("comment")
        return (f"{before}\n" if before else "") + _PREFIX + json.dumps(fields, sort_keys=True)


def birth_of(pid: int) -> str:
    """Return when *pid* was started, in the system's own unit, to tell it from a later one with its number.

    Empty when there is no such process, or the system does not say.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]


def today() -> str:
    """Return the date, UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()


def parse(comment: str | None, oid: int) -> OwnershipTag | None:
    """Return the tag in a database's *comment*; None when there is none or it is another database's."""
    before, _, last = (comment or "").rpartition("\n")  # JSON has no line breaks
    if not last.startswith(_PREFIX):
        return None
    try:
        fields: dict[str, Any] = json.loads(last.removeprefix(_PREFIX))
        found = OwnershipTag(**{**fields, "comment": before})
    except (ValueError, TypeError):
        return None
    return found if found.oid == oid else None


def tag(conn: psycopg.Connection[Any], name: str, content: OwnershipTag) -> OwnershipTag:
    """Write *content* on the database *name*, which the caller has just created or already owns as ours.

    Returns:
        the tag as written, with the database's object id.

    Raises:
        SafetyError: the database carries a comment of somebody else.
    """
    row = conn.execute(
        "SELECT oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
        [name],
    ).fetchone()
    if row is None:
        raise SafetyError("cannot tag a database that does not exist", where=name)
    oid, comment = row
    if comment is not None and parse(comment, oid) is None:
        raise SafetyError(
            "will not tag a database that carries somebody else's comment",
            where=name,
            why=f"its comment is {comment[:80]!r}",
        )
    content = replace(content, oid=oid)
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    conn.execute(statement.format(sql.Identifier(name), sql.Literal(content.render())))
    return content


def mark_again(conn: psycopg.Connection[Any], name: str, made: OwnershipTag) -> OwnershipTag | None:
    """Return the tag of the database *name*, which we have *made*, put back where a comment took its place.

    ``COMMENT ON DATABASE`` in a schema, or by an application, overwrites ours. The comment is kept before it.

    Returns:
        None when the database of that name is not the one we made.
    """
    row = conn.execute(
        "SELECT oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
        [name],
    ).fetchone()
    if row is None or row[0] != made.oid:
        return None
    found = parse(row[1], row[0])
    if found is None:
        found = replace(made, comment=row[1] or "")
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
        conn.execute(statement.format(sql.Identifier(name), sql.Literal(found.render())))
    return found


def read_tag(conn: psycopg.Connection[Any], name: str | None = None) -> OwnershipTag | None:
    """Return the tag of the database *name*, by default the connection's own; None when it has none."""
    row = conn.execute(
        "SELECT oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = coalesce(%s::text, current_database())",
        [name],
    ).fetchone()
    return None if row is None else parse(row[1], row[0])


def all_tags(conn: psycopg.Connection[Any]) -> dict[str, OwnershipTag]:
    """Return every database of ours on the server of *conn*, with its tag."""
    rows = conn.execute(
        "SELECT datname, oid::bigint, shobj_description(oid, 'pg_database') FROM pg_database"
    ).fetchall()
    return {name: found for name, oid, comment in rows if (found := parse(comment, oid)) is not None}


def is_pooled(conn: psycopg.Connection[Any]) -> bool:
    """Whether another process executes than the one that answered the login: a connection pooler's.

    What belongs to a session (locks, settings) then stays behind in one that somebody else is given next.
    """
    return ask(conn, b"SELECT pg_backend_pid()")[0] != str(conn.pgconn.backend_pid)


def ask(conn: psycopg.Connection[Any], query: bytes) -> list[str]:
    """Return the one row of *query* as text, past the driver's transactions and rows.

    Raises:
        OperationalError: it was refused.
    """
    answer = conn.pgconn.exec_(query)
    if answer.status != ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError(answer.error_message.decode(errors="replace").strip())
    return [(answer.get_value(0, place) or b"").decode() for place in range(answer.nfields)]


def is_ours(conn: psycopg.Connection[Any]) -> bool:
    """Whether the database *conn* is connected to carries our tag."""
    return read_tag(conn) is not None


def require_ours(conn: psycopg.Connection[Any], action: str) -> None:
    """Refuse *action* (``"restore a snapshot"``) unless the connection's database carries our tag.

    Raises:
        SafetyError: it does not, or a connection pooler stands before it.
    """
    if is_pooled(conn):
        raise SafetyError(
            f"will not {action} through a connection pooler (PgBouncer, for one)",
            where=f"{conn.info.host or 'local socket'} port {conn.info.port}, database {conn.info.dbname!r}",
            why="what this sets for its session would be left to whoever is given that session next",
            hint="name PostgreSQL's own host and port, usually 5432",
        )
    if is_ours(conn):
        return
    raise SafetyError(
        f"will not {action} in the database {conn.info.dbname!r}",
        where=f"{conn.info.host or 'local socket'} port {conn.info.port}",
        why="it does not carry the tag of a database this project created, so it may hold somebody's data",
        hint="use a database from `scenarios.start_server().database(..)`; no flag turns this off",
    )
