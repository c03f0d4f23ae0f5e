"""Where a database remembers its instances.

An instance outlives the process that loaded it: a colleague lists, resets and unloads it next week. Some
systems have a table for that; a schema without one gets a small table of ours, in a schema of our own, at the
first load that is to be remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from scenarios.domain import Domain
from scenarios.errors import LibraryError
from scenarios.library.planning.sections import Sections

_SCHEMA = "scenarios_library"
_OWN = sql.Identifier(_SCHEMA, "instance")
_CREATE = """
CREATE SCHEMA IF NOT EXISTS scenarios_library;
COMMENT ON SCHEMA scenarios_library IS 'Instances of test scenarios (pg-scenarios)';
CREATE TABLE IF NOT EXISTS scenarios_library.instance (
    name text PRIMARY KEY,
    template jsonb NOT NULL,
    rows jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE OR REPLACE FUNCTION scenarios_library.join() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Who called: in here, current_user is the owner.
    who constant name := coalesce(nullif(current_setting('role'), 'none'), session_user);
    tables oid[] := ARRAY(SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                           WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
                             AND n.nspname NOT LIKE 'scenarios\\_%' AND n.nspname <> 'information_schema');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('scenarios_library', 0));
    IF EXISTS (SELECT FROM unnest(tables) AS t WHERE has_table_privilege(who, t, 'INSERT')) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON scenarios_library.instance TO %I', who);
    ELSIF EXISTS (SELECT FROM unnest(tables) AS t WHERE has_table_privilege(who, t, 'SELECT')) THEN
        EXECUTE format('GRANT SELECT ON scenarios_library.instance TO %I', who);
    END IF;
END $$;
COMMENT ON FUNCTION scenarios_library.join() IS
    'Gives the caller the rights on the record of instances that it has on some table of the application';
GRANT USAGE ON SCHEMA scenarios_library TO PUBLIC;
GRANT EXECUTE ON FUNCTION scenarios_library.join() TO PUBLIC;
"""

# Of the table of instances: whether it is there, whether the role may read it and write to it, whether it may
# give itself those rights, and whether it may create the function with which others do.
_STANDING = """
SELECT c.oid IS NOT NULL, has_table_privilege(c.oid, 'SELECT'),
       has_table_privilege(c.oid, 'INSERT'), p.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE'),
       p.oid IS NULL AND pg_has_role(n.nspowner, 'USAGE') AND pg_has_role(c.relowner, 'USAGE')
       AND has_database_privilege(current_database(), 'CREATE'),
       current_setting('transaction_read_only') = 'on'
  FROM pg_namespace AS n
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'instance'
  LEFT JOIN pg_proc AS p ON p.pronamespace = n.oid AND p.proname = 'join'
 WHERE n.nspname = 'scenarios_library'
"""

_CANDIDATES = """
SELECT n.nspname, c.relname
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
 WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND (a.attname, a.atttypid) IN (('id', 'uuid'::regtype), ('template', 'jsonb'::regtype),
                                   ('created_at', 'timestamptz'::regtype), ('description', 'text'::regtype),
                                   ('name', 'varchar'::regtype), ('name', 'text'::regtype))
 GROUP BY n.nspname, c.relname
HAVING count(DISTINCT a.attname) = 5
 ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class Record:
    """An instance as its database remembers it.

    Attributes:
        rows: keys of its rows by table, for schemas without a scope column.
    """

    name: str
    template: Mapping[str, Any]
    created_at: datetime
    id: UUID | None = None
    rows: Mapping[str, list[list[Any]]] = field(default_factory=dict)

    @property
    def scenario(self) -> str:
        return str(self.template.get("scenario", ""))


def is_scenario(template: Any) -> bool:
    """Return whether *template* was written by a load of ours (another tool may use the same table)."""
    return (
        isinstance(template, dict) and "scenario" in template and "rows" in template and "format" in template
    )


@dataclass(frozen=True, slots=True)
class Present:
    """What a database remembers of an instance that somebody has opened.

    Attributes:
        loaded_at: when it was loaded.
        same: whether it is the one that was opened, and no other that was loaded under its name since.
    """

    loaded_at: datetime
    same: bool


# Compared by the database, which has the numbers of a template as they were written.
# What the database made of the rows is no part of it: that may be another thing after each reset.
_PRESENT = sql.SQL(
    "SELECT created_at, template - '{{description,became}}'::text[] = %s - '{{description,became}}'::text[]"
    " FROM {} WHERE name = %s"
)


class ScopeRegistry:
    """The scope table of a domain as registry."""

    def __init__(self, schema: str, table: str) -> None:
        self.name = sql.Identifier(schema, table)

    @classmethod
    def of(cls, domain: Domain) -> ScopeRegistry:
        """Return the registry of *domain*."""
        assert domain.scope is not None
        table = domain.table(domain.scope.table)
        return cls(table.schema or "public", table.name)

    @classmethod
    def found_in(cls, conn: psycopg.Connection[Any]) -> list[ScopeRegistry]:
        """Return those of a database, whatever its system: tables with the columns of a registry."""
        return [cls(schema, table) for schema, table in conn.execute(_CANDIDATES).fetchall()]

    def names(self, conn: psycopg.Connection[Any], base: str) -> set[str]:
        query = sql.SQL("SELECT name FROM {} WHERE name = %s OR starts_with(name, %s)").format(self.name)
        return {row[0] for row in conn.execute(query, [base, f"{base}-"]).fetchall()}

    def add(
        self,
        conn: psycopg.Connection[Any],
        record: Record,
        description: str,
        loaded_at: datetime | None = None,
    ) -> None:
        values: dict[str, Any] = {
            "id": record.id,
            "name": record.name,
            "description": description,
            "template": Jsonb(dict(record.template)),
        }
        if loaded_at is not None:
            values["created_at"] = loaded_at
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            self.name,
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        conn.execute(query, list(values.values()))

    def find(self, conn: psycopg.Connection[Any], name: str | None = None) -> list[Record]:
        where = sql.SQL("WHERE name = %s") if name is not None else sql.SQL("")
        query = sql.SQL("SELECT id, name, template, created_at FROM {} {} ORDER BY created_at, name").format(
            self.name, where
        )
        rows = conn.execute(query, [name] if name is not None else []).fetchall()
        return [Record(each, template, created, key) for key, each, template, created in rows]

    def present(self, conn: psycopg.Connection[Any], record: Record) -> Present | None:
        query = _PRESENT.format(self.name)
        row = conn.execute(query, [Jsonb(dict(record.template)), record.name]).fetchone()
        return Present(*row) if row is not None else None

    def remove(self, conn: psycopg.Connection[Any], name: str) -> None:
        conn.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(self.name), [name])


class OwnRegistry:
    """Our own table as registry, for schemas without a scope."""

    def exists(self, conn: psycopg.Connection[Any], *, writing: bool = False) -> bool:
        """Return whether it is there; a role with rights on the application's tables gets them on it, too.

        Args:
            conn: a connection.
            writing: rows are to be written to it.
        """
        row = conn.execute(_STANDING).fetchone()
        if row is None or not row[0]:
            return False
        _, readable, writable, joinable, unfinished, read_only = row
        if not read_only:
            if unfinished:
                conn.execute(_CREATE)  # made by an earlier version, for its owner alone
            elif joinable and not (writable if writing else readable):
                conn.execute("SELECT scenarios_library.join()")
        return True

    def create(self, conn: psycopg.Connection[Any]) -> None:
        """Create the table where there is none.

        Raises:
            LibraryError: the role may not.
        """
        if self.exists(conn, writing=True):
            return
        try:
            with conn.transaction():
                conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('scenarios_library', 0))")
                conn.execute(_CREATE)
        except psycopg.errors.InsufficientPrivilege as error:
            raise LibraryError(
                "cannot remember the instance in this database",
                why=str(error).strip(),
                hint="let an owner run: CREATE SCHEMA scenarios_library AUTHORIZATION your_role",
            ) from error

    def names(self, conn: psycopg.Connection[Any], base: str) -> set[str]:
        if not self.exists(conn):
            return set()
        query = sql.SQL("SELECT name FROM {} WHERE name = %s OR starts_with(name, %s)").format(_OWN)
        return {row[0] for row in conn.execute(query, [base, f"{base}-"]).fetchall()}

    def add(self, conn: psycopg.Connection[Any], record: Record, description: str) -> None:
        self.create(conn)
        query = sql.SQL("INSERT INTO {} (name, template, rows) VALUES (%s, %s, %s)").format(_OWN)
        template = {**record.template, "description": description}
        conn.execute(query, [record.name, Jsonb(template), Jsonb(dict(record.rows))])

    def find(self, conn: psycopg.Connection[Any], name: str | None = None) -> list[Record]:
        if not self.exists(conn):
            return []
        where = sql.SQL("WHERE name = %s") if name is not None else sql.SQL("")
        query = sql.SQL(
            "SELECT name, template, created_at, rows FROM {} {} ORDER BY created_at, name"
        ).format(_OWN, where)
        rows = conn.execute(query, [name] if name is not None else []).fetchall()
        return [Record(each, template, created, None, keys) for each, template, created, keys in rows]

    def present(self, conn: psycopg.Connection[Any], record: Record) -> Present | None:
        if not self.exists(conn):
            return None
        query = _PRESENT.format(_OWN) + sql.SQL(" AND rows = %s")
        values = [Jsonb(dict(record.template)), record.name, Jsonb(dict(record.rows))]
        row = conn.execute(query, values).fetchone()
        if row is not None:
            return Present(*row)
        found = self.find(conn, record.name)
        return Present(found[0].created_at, same=False) if found else None

    def note(self, conn: psycopg.Connection[Any], name: str, key: str, value: Any) -> None:
        """Replace what the template of the instance *name* has as *key*."""
        self.exists(conn, writing=True)
        query = sql.SQL("UPDATE {} SET template = template || %s WHERE name = %s").format(_OWN)
        conn.execute(query, [Jsonb({key: value}), name])

    def remove(self, conn: psycopg.Connection[Any], name: str) -> None:
        conn.execute(sql.SQL("DELETE FROM {} WHERE name = %s").format(_OWN), [name])


def registry_of(sections: Sections) -> ScopeRegistry | OwnRegistry:
    """Return where instances of a system are remembered."""
    return ScopeRegistry.of(sections.domain) if sections.scoped else OwnRegistry()
