"""The right to be forgotten: a person deleted, or made nobody in particular, with a report.

Deleting the account row is not forgetting: the name stands in other people's conversations, and a table
that was added last month keeps the address. What hangs on the person goes by the database's own foreign
keys; where else their name or address occurs is searched for and told, since only a person can judge
another's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from scenarios.domain import PERSONAL, Domain
from scenarios.errors import LibraryError, SafetyError
from scenarios.graph.mapped import column_named
from scenarios.library.closure.reach import Reach, emptied_links, foreign_keys, name_of, reach_of, shown
from scenarios.library.planning.columns import key_columns
from scenarios.library.privacy.pseudonyms import Pseudonyms, require_classified
from scenarios.library.systems import system_in

if TYPE_CHECKING:
    from scenarios.postgres import Database


@dataclass(frozen=True, slots=True)
class Report:
    """What was done about a person.

    Attributes:
        rows: rows deleted or changed, by table.
        mentions: rows of others in which the person's name or address still stands, by ``table.column``.
        notes: other things to know.
    """

    done: str
    rows: Mapping[str, int]
    mentions: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "done": self.done,
            "rows": dict(self.rows),
            "mentions": dict(self.mentions),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Return the report for people."""
        total = sum(self.rows.values())
        found = [f"{self.done}: {total} rows", *(f"  {table}: {count}" for table, count in self.rows.items())]
        for place, count in self.mentions.items():
            found.append(f"still mentioned in {place}: {count} row{'' if count == 1 else 's'} of others")
        return [*found, *self.notes]


def forget(db: Database, user: str, *, system: str | None = None, domain: Domain | None = None) -> Report:
    """Delete the person *user* (an e-mail address or a key) with everything that is theirs.

    Raises:
        SafetyError: the database is not ours.
        LibraryError: there is no such person, or something that is not theirs needs one of their rows.
    """
    require_owned(db, "forget somebody")
    found = domain or system_in(db, system)
    table, condition = _person(found, user)
    with db.connect() as conn, conn.transaction():
        row = _one(conn, table, condition, user, db)
        condition = _by_key(table, row)
        keys = foreign_keys(conn)
        reach = reach_of(conn, {name_of(table): condition}, keys)
        rows = reach.counts
        emptied = tuple(
            f"{count} links of {shown(key.child)} to them were emptied"
            for key, count in emptied_links(conn, reach, keys)
        )
        try:
            conn.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*name_of(table)), condition)
            )
        except psycopg.errors.IntegrityError as error:
            raise LibraryError(
                f"cannot forget {user}; nothing was deleted",
                where=f"{db.safe_url}, table {error.diag.table_name}",
                why=str(error.diag.message_detail or error.diag.message_primary),
            ) from error
        mentions = _mentions(conn, found, row, table, None)
    return Report("deleted", rows, mentions, emptied)


def anonymise(
    db: Database, user: str, *, system: str | None = None, domain: Domain | None = None, key: str = ""
) -> Report:
    """Replace the personal data of the person *user* by pseudonyms, in every row that is theirs.

    Raises:
        SafetyError: the database is not ours.
        LibraryError: there is no such person.
        FreezeError: a column that could hold personal data is not classified.
    """
    from scenarios.settings import Settings

    require_owned(db, "anonymise somebody")
    found = domain or system_in(db, system)
    table, condition = _person(found, user)
    pseudonyms = Pseudonyms(key or Settings()["seed"])
    changed: dict[str, int] = {}
    with db.connect() as conn, conn.transaction():
        row = _one(conn, table, condition, user, db)
        condition = _by_key(table, row)
        reach = reach_of(conn, {name_of(table): condition}, foreign_keys(conn))
        tables = [each for each in found.metadata.tables.values() if name_of(each) in reach.conditions]
        require_classified(tables)
        pseudonyms.know(row, table.columns)
        for each in tables:
            count = _replace(conn, each, reach, pseudonyms)
            if count:
                changed[each.fullname] = count
        mentions = _mentions(conn, found, row, table, reach)
    return Report("anonymised", changed, mentions)


def known(
    db: Database, people: Iterable[str], *, system: str | None = None, domain: Domain | None = None
) -> list[str]:
    """Return *people* (e-mail addresses or keys) when there is somebody behind each of them.

    Raises:
        SafetyError: the database is not ours.
        LibraryError: there is no such person.
    """
    require_owned(db, "look for somebody")
    found = domain or system_in(db, system)
    with db.connect() as conn, conn.transaction(force_rollback=True):
        for user in (listed := list(people)):
            table, condition = _person(found, user)
            _one(conn, table, condition, user, db)
    return listed


_SEEN = ("last_login", "last_login_at", "last_active_at")
_JOINED = ("created_at", "date_joined")


def inactive(
    db: Database, since: datetime, *, system: str | None = None, domain: Domain | None = None
) -> list[str]:
    """Return the keys of the people who were not seen since *since*: no sign-in, and none who joined later.

    Raises:
        SafetyError: the database is not ours.
        LibraryError: the system has no people, or does not note when somebody was there.
    """
    require_owned(db, "look for inactive people")
    found = domain or system_in(db, system)
    table, _ = _person(found, "")
    seen = [sql.Identifier(name) for name in (*_SEEN, *_JOINED) if name in table.columns]
    if not any(name in table.columns for name in _SEEN):
        raise LibraryError(f"{found.title} does not note when somebody was there last")
    key = sql.Identifier(key_columns(table)[0])
    query = sql.SQL("SELECT {}::text FROM {} WHERE GREATEST({}) < %s ORDER BY 1").format(
        key, sql.Identifier(*name_of(table)), sql.SQL(", ").join(seen)
    )
    with db.connect() as conn:
        return [row[0] for row in conn.execute(query, [since])]


def require_owned(db: Database, action: str) -> None:
    """Refuse *action* (``"forget somebody"``) in a database that is not ours, before its tables are asked.

    Raises:
        SafetyError: the database does not carry the tag of this project.
    """
    from scenarios.ownership import is_ours

    with db.connect() as conn:
        if not is_ours(conn):
            raise SafetyError(
                f"will not {action} in {db.name}",
                where=db.safe_url,
                why="the database does not carry the tag of this project",
                hint="work on a copy: scenarios snapshot, or a database made by start_server()",
            )


def _person(domain: Domain, user: str) -> tuple[sa.Table, sql.Composable]:
    if domain.owner is None:
        raise LibraryError(f"{domain.title} has no people")
    table = domain.table(domain.owner)
    condition: sql.Composable = sql.SQL("{}::text = {}").format(
        sql.Identifier(key_columns(table)[0]), sql.Literal(user)
    )
    if "email" in table.columns:
        condition = sql.SQL("({} OR lower(email) = lower({}))").format(condition, sql.Literal(user))
    return table, condition


def _by_key(table: sa.Table, row: Mapping[str, Any]) -> sql.Composable:
    """Return the condition that still means the person when their address has been replaced."""
    key = key_columns(table)[0]
    return sql.SQL("{}::text = {}").format(sql.Identifier(key), sql.Literal(str(row[key])))


def _one(
    conn: psycopg.Connection[Any], table: sa.Table, condition: sql.Composable, user: str, db: Database
) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    query = sql.SQL("SELECT {} FROM {} WHERE {} FOR UPDATE").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(*name_of(table)), condition
    )
    rows = conn.execute(query).fetchall()
    if not rows:
        raise LibraryError(f"there is no {user!r} in {table.fullname}", where=db.safe_url)
    return dict(zip(names, rows[0], strict=True))


def _replace(conn: psycopg.Connection[Any], table: sa.Table, reach: Reach, pseudonyms: Pseudonyms) -> int:
    personal = [column for column in table.columns if column.info.get(PERSONAL) is not None]
    keys = key_columns(table)
    if not personal or not keys:
        return 0
    names = [*keys, *(column.name for column in personal)]
    # The condition may look at the very columns that change: all rows are read before one is written.
    rows = conn.execute(reach.select(name_of(table), names)).fetchall()
    changed = 0
    for row in rows:
        new = {
            column.name: pseudonyms.replace(column.info[PERSONAL], value)
            for column, value in zip(personal, row[len(keys) :], strict=True)
        }
        if tuple(new.values()) == tuple(row[len(keys) :]):
            continue
        values = [
            Jsonb(value)
            if isinstance(column_named(table, name).type, sa.JSON) and value is not None
            else value
            for name, value in new.items()
        ]
        conn.execute(
            sql.SQL("UPDATE {} SET {} WHERE {}").format(
                sql.Identifier(*name_of(table)),
                sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in new),
                sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in keys),
            ),
            [*values, *row[: len(keys)]],
        )
        changed += 1
    return changed


def _mentions(
    conn: psycopg.Connection[Any],
    domain: Domain,
    person: Mapping[str, Any],
    owner: sa.Table,
    reach: Reach | None,
) -> dict[str, int]:
    """Return where texts of others still have the person's name or address, as whole words."""
    words = {
        str(person[column.name])
        for column in owner.columns
        if column.info.get(PERSONAL) in ("email", "first_name", "last_name", "username")
        and person.get(column.name)
    }
    if not words:
        return {}
    pattern = r"\m(" + "|".join(sorted(_literal(word) for word in words)) + r")\M"
    found: dict[str, int] = {}
    for table in domain.metadata.tables.values():
        for column in table.columns:
            if column.info.get(PERSONAL) != "text":
                continue
            inside = reach.conditions.get(name_of(table)) if reach is not None else None
            query = sql.SQL("SELECT count(*) FROM {} WHERE {}::text ~* %s {}").format(
                sql.Identifier(*name_of(table)),
                sql.Identifier(column.name),
                sql.SQL("AND ({}) IS NOT TRUE").format(inside) if inside is not None else sql.SQL(""),
            )
            row = conn.execute(query, [pattern]).fetchone()
            if row is not None and row[0]:
                found[f"{table.fullname}.{column.name}"] = row[0]
    return found


def _literal(word: str) -> str:
    return "".join(char if char.isalnum() or char in "@_- " else f"\\{char}" for char in word)
