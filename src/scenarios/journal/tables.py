"""What the journal makes for each table: an undo table, its triggers, and the functions that undo.

A restore that built its SQL each time would parse and plan for longer than it works; one that kept only keys
and oldest images would depend on the order in which triggers fire, which a trigger that writes to the same
table, a cascade, or a function in a RETURNING clause turns round. So the SQL is generated once per table with
its columns written out, and the undo rows are counted, not ordered: each statement leaves the rows it took
away (+1) and the rows it put there (-1). Summed over a stretch of time per distinct row, whatever is positive
was there before and is gone, whatever is negative is there now and was not; everything else cancels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from scenarios.errors import JournalError

#: Bump when the generated SQL changes, so that a journal made by an older release is fitted anew.
GENERATION = 1

# The recorder's only variable, named so that no column is likely to be called the same.
_NOW = sql.SQL("scenarios_journal_now")
_NOT_RESTORING = sql.SQL(
    "WHEN (pg_catalog.current_setting('scenarios_journal.restoring', true) IS DISTINCT FROM 'on')"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A relation statements may name: the table itself, or any part of a partition tree."""

    relation: int
    qualified: str
    leaf: bool


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary table, or a partition tree by its root.

    Attributes:
        names: its columns but for the generated ones, which come back by themselves.
        types: their types with domains resolved, for the undo table.
        key: positions in ``names`` of a key that is unique at once and never null; empty when there is none.
        operators: the equality of each key column, as the key's index sees it.
        inherits: it is part of a tree of plain inheritance, where a statement on a parent reports the
            children's rows without the children's columns, so rows are recorded one by one where they live.
        loud: triggers and rules that would fire during a restore: relation, kind, name, mode.
    """

    relation: int
    schema: str
    name: str
    partitioned: bool
    inherits: bool
    row_security: bool
    names: Sequence[str]
    types: Sequence[str]
    declared: Sequence[str]
    key: Sequence[int]
    operators: Sequence[str]
    members: Sequence[Member]
    foreign: Sequence[str]
    loud: Sequence[Sequence[str]]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def signature(self) -> str:
        """Equal signatures need equal undo tables, triggers and functions."""
        parts = (
            GENERATION,
            self.label,
            self.partitioned,
            self.inherits,
            list(self.names),
            list(self.types),
            list(self.declared),
            list(self.key),
            list(self.operators),
            [[m.relation, m.qualified, m.leaf] for m in self.members],
            [list(switch) for switch in self.loud],
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_tables(conn: psycopg.Connection[Any]) -> list[Table]:
    """Return every table of the database whose rows can be journalled."""
    query = resources.files("scenarios.journal").joinpath("catalogue.sql").read_text("utf-8")
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query.encode()).fetchall()
    tables = []
    for row in rows:
        members = [Member(int(oid), qualified, kind == "r") for oid, qualified, kind in row["members"]]
        tables.append(
            Table(
                relation=row["relation"],
                schema=row["schema_name"],
                name=row["table_name"],
                partitioned=row["partitioned"],
                inherits=row["inherits"],
                row_security=row["row_security"],
                names=row["names"],
                types=row["types"],
                declared=row["declared"],
                key=[position - 1 for position in row["key_positions"] or ()],
                operators=row["key_operators"] or (),
                members=members,
                foreign=row["foreign_members"],
                loud=row["switches"],
            )
        )
    return tables


def _own(prefix: str, number: int) -> sql.Identifier:
    return sql.Identifier("scenarios_journal", f"{prefix}_{number}")


def _raw(text: str) -> sql.SQL:
    """SQL the server itself wrote and quoted: types, operators, qualified names."""
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]  # not a literal: see above


def _comma(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


@dataclass(frozen=True, slots=True)
class TableSql:
    """Composes what one tracked table needs.

    Args:
        conn: for quoting only.
        guarded: the DDL of the application is not watched, so a trigger that meets an altered table must not
            make the application's statement fail.
    """

    conn: psycopg.Connection[Any]
    table: Table
    number: int
    guarded: bool

    @property
    def _undo(self) -> sql.Identifier:
        return _own("u", self.number)

    @property
    def _undo_columns(self) -> list[sql.Composable]:
        return [sql.Identifier(f"c{place}") for place in range(1, len(self.table.names) + 1)]

    def _of(self, alias: str) -> list[sql.Composable]:
        return [sql.Identifier(alias, name) for name in self.table.names]

    def _undo_of(self, alias: str) -> list[sql.Composable]:
        return [sql.Identifier(alias, f"c{place}") for place in range(1, len(self.table.names) + 1)]

    def _content(self, columns: Sequence[sql.Composable]) -> sql.Composed:
        return sql.SQL("ROW({})::pg_catalog.text").format(_comma(columns))

    def _collation(self, place: int) -> str:
        # A function's result has the default collation, and two that differ cannot be compared.
        _, collate, name = self.table.types[place].partition(" COLLATE ")
        return collate + name

    def _function(self, head: sql.Composable, body: sql.Composable) -> sql.Composed:
        return sql.SQL("{} AS {};\n").format(head, sql.Literal(body.as_string(self.conn)))

    def create(self) -> sql.Composed:
        """Everything, as statements separated by semicolons."""
        return sql.Composed(
            [self._undo_table(), self._recorder(), self._net(), self._restorer(), *self._triggers()]
        )

    def _undo_table(self) -> sql.Composed:
        columns: list[sql.Composable] = [sql.SQL("n bigint NOT NULL"), sql.SQL("op smallint NOT NULL")]
        columns += [
            sql.SQL("{} {}").format(sql.Identifier(f"c{place}"), _raw(kind))
            for place, kind in enumerate(self.table.types, 1)
        ]
        return sql.SQL(
            "CREATE UNLOGGED TABLE {undo} ({columns}) WITH (autovacuum_enabled = off);\n"
            "CREATE INDEX ON {undo} (n);\n"
        ).format(undo=self._undo, columns=_comma(columns))

    def _recorder(self) -> sql.Composed:
        # Every name and operator is qualified instead of pinning the search_path: the function runs for each
        # statement of the application, and setting a parameter there costs as much as the insert itself.
        into = sql.SQL("INSERT INTO {} ({})").format(
            self._undo, _comma([sql.Identifier("n"), sql.Identifier("op"), *self._undo_columns])
        )

        def rows(op: int, source: str) -> sql.Composed:
            return sql.SQL("SELECT {} FROM {} r").format(
                _comma([_NOW, sql.SQL("{}::pg_catalog.int2").format(op), *self._of("r")]),
                sql.Identifier(source),
            )

        def image(op: int, source: str) -> sql.Composed:
            return sql.SQL("SELECT {}").format(
                _comma([_NOW, sql.SQL("{}::pg_catalog.int2").format(op), *self._of(source)])
            )

        if self.table.inherits:
            inserted, deleted = image(-1, "new"), image(1, "old")
        else:
            inserted, deleted = rows(-1, "new_rows"), rows(1, "old_rows")
        truncated = sql.SQL("SELECT {} FROM ONLY %I.%I r").format(
            _comma([sql.SQL("$1"), sql.SQL("1::pg_catalog.int2"), *self._of("r")])
        )
        # A per cent sign in a column's name is data to format(), not a place.
        text = sql.SQL("{} {}").format(into, truncated).as_string(self.conn)
        text = text.replace("%", "%%").replace("%%I.%%I", "%I.%I")
        body = sql.SQL("""
#variable_conflict use_variable
DECLARE
    scenarios_journal_now pg_catalog.int8;
BEGIN
    INSERT INTO scenarios_journal.touched (n, tracked)
    VALUES (pg_catalog.nextval('scenarios_journal.clock'::pg_catalog.regclass), {number})
    RETURNING touched.n INTO scenarios_journal_now;
    IF scenarios_journal_now OPERATOR(pg_catalog.>) 0::pg_catalog.int8 THEN
        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            {into} {inserted};
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
            {into} {deleted} UNION ALL {inserted};
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            {into} {deleted};
        ELSE
            EXECUTE pg_catalog.format({truncated}, TG_TABLE_SCHEMA, TG_TABLE_NAME)
              USING scenarios_journal_now;
        END IF;
    END IF;
    RETURN NULL;{guard}
END
""").format(
            number=self.number,
            into=into,
            inserted=inserted,
            deleted=deleted,
            truncated=sql.Literal(text),
            guard=sql.SQL(
                "\nEXCEPTION WHEN undefined_column OR datatype_mismatch OR undefined_table THEN\n"
                "    RETURN NULL; -- the table was altered; comparing the catalogue tells, before a restore"
            )
            if self.guarded
            else sql.SQL(""),
        )
        return self._function(
            sql.SQL("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER").format(
                _own("t", self.number)
            ),
            body,
        )

    def _triggers(self) -> list[sql.Composed]:
        statements = []
        for member in self.table.members:
            on = _raw(member.qualified)
            names = []
            for event, transition in (
                ("INSERT", "REFERENCING NEW TABLE AS new_rows"),
                ("UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
                ("DELETE", "REFERENCING OLD TABLE AS old_rows"),
            ):
                names.append(sql.Identifier(f"scenarios_journal_{event.lower()}"))
                statements.append(
                    sql.SQL(
                        "CREATE TRIGGER {name} AFTER {event} ON {on} {transition} {when}"
                        " EXECUTE FUNCTION {function}();\n"
                    ).format(
                        name=names[-1],
                        event=_raw(event),
                        on=on,
                        transition=sql.SQL("FOR EACH ROW")
                        if self.table.inherits
                        else _raw(f"{transition} FOR EACH STATEMENT"),
                        when=_NOT_RESTORING,
                        function=_own("t", self.number),
                    )
                )
            if member.leaf:
                # TRUNCATE of a tree fires for each of its parts as well: the parts alone keep their rows.
                names.append(sql.Identifier("scenarios_journal_truncate"))
                statements.append(
                    sql.SQL(
                        "CREATE TRIGGER {name} BEFORE TRUNCATE ON {on} FOR EACH STATEMENT {when}"
                        " EXECUTE FUNCTION {function}();\n"
                    ).format(name=names[-1], on=on, when=_NOT_RESTORING, function=_own("t", self.number))
                )
            # ALWAYS: what a loader writes with session_replication_role = replica must be seen as well.
            statements.append(
                sql.SQL("ALTER TABLE ONLY {} {};\n").format(
                    on, _comma([sql.SQL("ENABLE ALWAYS TRIGGER {}").format(name) for name in names])
                )
            )
        return statements

    def _net(self) -> sql.Composed:
        """`n_<id>(since, until, dead)`: the rows that remain when everything that cancels is gone."""
        entry = sql.SQL(
            "SELECT u.op, {content} AS content{columns} FROM {undo} u"
            " WHERE u.n >= since AND u.n < until AND NOT u.n <@ dead"
        ).format(
            content=self._content(self._undo_of("u")),
            columns=sql.Composed([sql.SQL(", {}").format(column) for column in self._undo_of("u")]),
            undo=self._undo,
        )
        result: list[sql.Composable] = [sql.SQL("op smallint"), sql.SQL("content text")]
        result += [
            sql.SQL("{} {}").format(sql.Identifier(f"c{place}"), _raw(kind.split(" COLLATE ")[0]))
            for place, kind in enumerate(self.table.types, 1)
        ]
        columns = sql.Composed([sql.SQL(", {}").format(column) for column in self._undo_of("w")])
        body = sql.SQL(
            "SELECT w.op, w.content{columns} FROM ("
            " SELECT e.*, sum(e.op) OVER (PARTITION BY e.content) AS net,"
            " row_number() OVER (PARTITION BY e.content, e.op) AS place FROM ({entry}) e"
            ") w WHERE w.place <= w.net * w.op"
        ).format(columns=columns, entry=entry)
        return self._function(
            sql.SQL(
                "CREATE FUNCTION {}(since bigint, until bigint, dead int8multirange) RETURNS TABLE ({})"
                " LANGUAGE sql STABLE"
            ).format(_own("n", self.number), _comma(result)),
            body,
        )

    def _restorer(self) -> sql.Composed:
        """`r_<id>(since, dead)`: put the table back; returns how many rows that took."""
        target = sql.SQL("{}{}").format(
            sql.SQL("ONLY ") if self.table.inherits else sql.SQL(""), self.table.identifier
        )
        into = (
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE").format(
                self.table.identifier, _comma([sql.Identifier(name) for name in self.table.names])
            )
            if self.table.names
            else sql.SQL("INSERT INTO {}").format(self.table.identifier)
        )
        if self.table.key:
            gone = sql.SQL("DELETE FROM {target} t USING net WHERE net.op < 0 AND {same} RETURNING 1").format(
                target=target,
                same=sql.SQL(" AND ").join(
                    sql.SQL("{} {} {}{}").format(
                        sql.Identifier("t", self.table.names[place]),
                        _raw(operator),
                        sql.Identifier("net", f"c{place + 1}"),
                        _raw(self._collation(place)),
                    )
                    for place, operator in zip(self.table.key, self.table.operators, strict=True)
                ),
            )
            settings = sql.SQL("")
        else:
            # No key: as many rows of the same content as there are too many, wherever they lie.
            gone = sql.SQL(
                "DELETE FROM {target} t USING ("
                " SELECT l.tableoid AS part, l.ctid AS spot, l.content,"
                " row_number() OVER (PARTITION BY l.content) AS place FROM ("
                " SELECT f.tableoid, f.ctid, {content} AS content FROM {target} f) l"
                " WHERE l.content = ANY (ARRAY(SELECT x.content FROM net x WHERE x.op < 0))) a,"
                " (SELECT net.content, count(*) AS surplus FROM net WHERE net.op < 0 GROUP BY net.content) b"
                " WHERE t.tableoid = a.part AND t.ctid = a.spot AND a.content = b.content"
                " AND a.place <= b.surplus RETURNING 1"
            ).format(target=target, content=self._content(self._of("f")))
            settings = sql.SQL(" SET enable_seqscan = on SET enable_hashjoin = on")
        body = sql.SQL("""
DECLARE
    expected bigint;
    removed bigint;
    returned bigint;
BEGIN{silence}
    WITH net AS MATERIALIZED (
        SELECT * FROM {net}(since, 9223372036854775807, dead)
    ), gone AS (
        {gone}
    ), back AS (
        {into} SELECT {columns} FROM net CROSS JOIN (SELECT count(*) AS c FROM gone) g
         WHERE net.op > 0 AND g.c >= 0 RETURNING 1
    )
    SELECT (SELECT count(*) FROM net WHERE net.op < 0), (SELECT count(*) FROM gone),
           (SELECT count(*) FROM back)
      INTO expected, removed, returned;{speak}
    IF expected <> removed THEN
        RAISE EXCEPTION '%', {missing} USING ERRCODE = 'SJ001';
    END IF;
    RETURN removed + returned;
END
""").format(
            silence=sql.Composed(
                [
                    _raw(f"\n    ALTER TABLE ONLY {relation} DISABLE {kind} {name};")
                    for relation, kind, name, _ in self.table.loud
                ]
            ),
            speak=sql.Composed(
                [
                    _raw(f"\n    ALTER TABLE ONLY {relation} ENABLE {mode} {kind} {name};")
                    for relation, kind, name, mode in self.table.loud
                ]
            ),
            net=_own("n", self.number),
            gone=gone,
            into=into,
            columns=_comma(self._undo_of("net")),
            missing=sql.Literal(
                f"rows of {self.table.label} are not as the journal knows them:"
                " they were written past its triggers"
            ),
        )
        return self._function(
            sql.SQL(
                "CREATE FUNCTION {}(since bigint, dead int8multirange) RETURNS bigint LANGUAGE plpgsql{}"
            ).format(_own("r", self.number), settings),
            body,
        )


def sequences_sql(conn: psycopg.Connection[Any]) -> sql.Composed:
    """The function that reads every sequence of the database in one statement.

    `pg_sequence_last_value` would not tell a sequence that stands before its first value from another one
    that does, so each is read itself.
    """
    rows = conn.execute(
        b"SELECT c.oid::bigint, n.nspname, c.relname"
        b" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'scenarios_journal'"
        b" ORDER BY c.oid"
    ).fetchall()
    parts = [
        sql.SQL("SELECT {}, {}::oid, last_value, is_called FROM {}").format(
            place, sql.Literal(oid), sql.Identifier(schema, name)
        )
        for place, (oid, schema, name) in enumerate(rows, 1)
    ]
    body = (
        sql.SQL(" UNION ALL ").join(parts)
        if parts
        else sql.SQL("SELECT 0, 0::oid, 0::bigint, false WHERE false")
    )
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION scenarios_journal.sequences()"
        " RETURNS TABLE (place integer, relation oid, last bigint, called boolean)"
        " LANGUAGE sql STABLE AS {};\n"
    ).format(sql.Literal(body.as_string(conn)))


def refuse_row_security(tables: Sequence[Table]) -> None:
    """For a role that cannot look past row-level security.

    Raises:
        JournalError: a table has policies, so its rows could be hidden from the journal.
    """
    hidden = [table.label for table in tables if table.row_security]
    if hidden:
        raise JournalError(
            "cannot journal tables with row-level security",
            where=", ".join(hidden),
            why="this role neither is a superuser nor has BYPASSRLS, so policies would hide rows from it",
            remedy="install the journal as a superuser",
        )
