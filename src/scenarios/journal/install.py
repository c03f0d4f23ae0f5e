"""Fitting the journal to a database: once, and again when its tables have changed.

A journal that covered only the tables it found on the first day would restore the rest to nothing in
particular. So installing is the same as bringing up to date: tables whose shape is unchanged keep their undo
rows, the others are fitted anew, and what no trigger can see is written down for the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib import resources
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakSet

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from scenarios.errors import JournalError
from scenarios.journal.blockers import blocked
from scenarios.journal.errors import CannotRestoreInPlace, out_of_memory
from scenarios.journal.recording import recording
from scenarios.journal.sequences import reader_of_sequences
from scenarios.journal.session_settings import application_path, look_up, own_settings
from scenarios.journal.tables import Table, read_tables, refuse_row_security
from scenarios.journal.tracked import Tracked
from scenarios.journal.undoing import dispatcher, undoing
from scenarios.ownership import require_ours

#: The version of what `_CORE` makes; a journal of another layout is taken out and made anew.
LAYOUT = 4
_CORE = ("core.sql", "ddl_tracking.sql", "views.sql", "restoring.sql")
#: How many columns a table may have: an undo table has two more, and PostgreSQL ends at 1,600.
WIDEST = 1598
#: How long anything here waits for open transactions of others, in seconds.
WAIT = 5.0

Connection = psycopg.Connection[Any]

_checked: WeakSet[Connection] = WeakSet()

P = ParamSpec("P")
R = TypeVar("R")


def plain_rows(function: Callable[Concatenate[Connection, P], R]) -> Callable[Concatenate[Connection, P], R]:
    """Let *function* see rows as tuples, whatever rows the owner of the connection likes."""

    @wraps(function)
    def wrapped(conn: Connection, /, *args: P.args, **kwargs: P.kwargs) -> R:
        theirs = conn.row_factory
        conn.row_factory = tuple_row
        try:
            return function(conn, *args, **kwargs)
        finally:
            conn.row_factory = theirs

    return wrapped


def require_idle(conn: Connection, action: str) -> None:
    """Refuse to work inside somebody's transaction, whose end would decide over ours.

    Raises:
        JournalError: a transaction is open on *conn*.
    """
    if conn.info.transaction_status != TransactionStatus.IDLE:
        raise JournalError(
            f"cannot {action} inside an open transaction",
            where=f"database {conn.info.dbname!r}",
            why="its commit or roll-back would decide over what the journal did",
            hint="commit or roll back first, or use another connection",
        )


@plain_rows
def require_ownership(conn: Connection, action: str) -> None:
    """Ask once per connection whether its database is ours to change.

    Raises:
        SafetyError: it does not carry the tag of this project.
    """
    if conn in _checked:
        return
    require_ours(conn, action)
    _checked.add(conn)


@plain_rows
def is_installed(conn: Connection) -> bool:
    """Whether the database has a journal of this release's layout."""
    row = conn.execute(b"SELECT to_regclass('scenarios_journal.state') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return False
    found = conn.execute(b"SELECT layout FROM scenarios_journal.state").fetchone()
    return found is not None and found[0] == LAYOUT


@plain_rows
def install(conn: Connection, *, wait: float = WAIT) -> None:
    """Make the journal of the database, or fit it to tables created or altered since.

    Costs tens of milliseconds for dozens of tables, and next to nothing when nothing changed. A clone of a
    database that has a journal has it, too. Triggers, undo tables and functions go to the schema
    ``scenarios_journal``, triggers also to the tables themselves.

    Args:
        conn: a connection with no open transaction.
        wait: how long to wait for each lock on a table that an open transaction of somebody else uses, in
            seconds. A statement that asyncpg has prepared and not yet run counts as one.

    Raises:
        SafetyError: the database is not one this project created.
        CannotRestoreInPlace: the role may neither act as a superuser nor set ``session_replication_role``,
            without which user triggers would fire during a restore; a table is too wide; or there are more
            tables than the server has memory for locks.
        JournalError: the journal cannot be fitted, for the reason given.
    """
    require_idle(conn, "install the journal")
    require_ownership(conn, "install the journal")
    try:
        with conn.transaction():
            own = own_settings(conn)
            path = application_path(conn)
            # With no schema of theirs in the path, the server names their types in full, whoever installs.
            look_up(conn, "pg_catalog")
            conn.execute(b"SET LOCAL scenarios_journal.restoring = 'on'")
            conn.execute("SELECT set_config('lock_timeout', %s, true)", [f"{max(1, int(wait * 1000))}ms"])
            # Two processes may come first to a database at the same time.
            conn.execute(b"SELECT pg_advisory_xact_lock(hashtext('scenarios_journal.install'))")
            watching = _rights(conn)
            with _unheard(conn):
                if not is_installed(conn):
                    _uninstall(conn)
                    _create_core(conn, watching)
                _fit(conn, path, own)
    except (pg.LockNotAvailable, pg.DeadlockDetected) as error:
        raise blocked(conn, "install the journal", wait, error) from error
    except pg.OutOfMemory as error:
        raise out_of_memory(conn, "install the journal", error) from error


@plain_rows
def uninstall(conn: Connection) -> None:
    """Take the journal and its triggers out of the database; does nothing when there is none.

    Raises:
        SafetyError: the database is not one this project created.
    """
    require_idle(conn, "take the journal out")
    require_ownership(conn, "take the journal out")
    with conn.transaction():
        conn.execute(b"SET LOCAL scenarios_journal.restoring = 'on'")
        with _unheard(conn):
            _uninstall(conn)


@contextmanager
def _unheard(conn: Connection) -> Iterator[None]:
    """Keep event triggers of the application from what is done here, until the end of the transaction.

    They may audit new tables, want keys of them, or forbid any DDL; ours is no business of theirs. A role
    that may not silence those that fire even for replicas meets them.
    """
    conn.execute(
        b"SELECT set_config('session_replication_role', 'replica', true)"
        b" WHERE has_parameter_privilege(current_user, 'session_replication_role', 'SET')"
    )
    loud = conn.execute(
        b"SELECT quote_ident(e.evtname), e.evtenabled = 'A' FROM pg_event_trigger e JOIN pg_roles r"
        b" ON r.rolname = current_user AND r.rolsuper"
        b" WHERE e.evtenabled IN ('A', 'R') AND e.evtname !~ '^scenarios_journal_'"
    ).fetchall()
    for name, _ in loud:
        conn.execute(f"ALTER EVENT TRIGGER {name} DISABLE".encode())
    yield
    for name, always in loud:
        conn.execute(f"ALTER EVENT TRIGGER {name} ENABLE {'ALWAYS' if always else 'REPLICA'}".encode())


def _rights(conn: Connection) -> bool:
    """Return whether DDL can be watched.

    Raises:
        CannotRestoreInPlace: the role may not do what a restore needs.
    """
    row = conn.execute(
        b"SELECT current_user::text, rolsuper, rolsuper OR rolbypassrls,"
        b" has_parameter_privilege(current_user, 'session_replication_role', 'SET')"
        b" FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None:
        raise JournalError("cannot read the rights of the current role")
    role, superuser, past_policies, may_replicate = row
    if not may_replicate:
        raise CannotRestoreInPlace(
            "cannot restore in place with this role",
            where=f"role {role!r}, database {conn.info.dbname!r}",
            why="it may not set session_replication_role, without which the application's triggers would fire"
            " while rows are put back",
            hint=f"install as a superuser, or GRANT SET ON PARAMETER session_replication_role TO {role};"
            " otherwise use the clone strategy",
        )
    if not past_policies:
        refuse_row_security(read_tables(conn))
    return bool(superuser)


def _create_core(conn: Connection, watching: bool) -> None:
    for part in _CORE:
        conn.execute(resources.files("scenarios.journal").joinpath(part).read_bytes())
    conn.execute(
        "INSERT INTO scenarios_journal.state (layout, home, watching, path, outside)"
        " SELECT %s, oid, %s, '', '{}' FROM pg_database WHERE datname = current_database()",
        [LAYOUT, watching],
    )


def _watch(conn: Connection) -> None:
    """Make the event triggers, unless they are there and in force for every session."""
    found = conn.execute(
        b"SELECT count(*) FROM pg_event_trigger WHERE evtname ~ '^scenarios_journal_' AND evtenabled = 'A'"
    ).fetchone()
    if found == (2,):
        return
    conn.execute(
        b"DROP EVENT TRIGGER IF EXISTS scenarios_journal_ddl;"
        b"DROP EVENT TRIGGER IF EXISTS scenarios_journal_drop;"
        b"CREATE EVENT TRIGGER scenarios_journal_ddl ON ddl_command_end"
        b" EXECUTE FUNCTION scenarios_journal.notice_ddl();"
        b"CREATE EVENT TRIGGER scenarios_journal_drop ON sql_drop"
        b" EXECUTE FUNCTION scenarios_journal.notice_ddl();"
        b"ALTER EVENT TRIGGER scenarios_journal_ddl ENABLE ALWAYS;"
        b"ALTER EVENT TRIGGER scenarios_journal_drop ENABLE ALWAYS"
    )


def _fit(conn: Connection, path: str, own: Mapping[str, str]) -> None:
    tables = read_tables(conn)
    _refuse_too_wide(conn, tables)
    conn.execute(_UNPUBLISHED)
    row = conn.execute(b"SELECT watching FROM scenarios_journal.state").fetchone()
    watching = bool(row and row[0])
    known: dict[int, tuple[int, str]] = {
        relation: (number, signature)
        for relation, number, signature in conn.execute(
            b"SELECT relation::bigint, id, signature FROM scenarios_journal.tracked"
        ).fetchall()
    }
    _note_what_was_not_told(conn)
    if watching:
        _watch(conn)
    disarmed = {number for (number,) in conn.execute(_DISARMED).fetchall()}
    wanted = {table.relation: table for table in tables}
    for relation, (number, signature) in list(known.items()):
        if relation not in wanted or wanted[relation].signature != signature or number in disarmed:
            conn.execute("SELECT scenarios_journal.untrack(%s)", [number])
            del known[relation]
    statements: list[sql.Composable] = []
    rows: list[tuple[Any, ...]] = []
    for table in tables:
        if table.relation in known:
            continue
        rows.append(
            (
                table.relation,
                table.identifier.as_string(conn),
                table.label,
                table.signature,
                list(table.names),
                list(table.types),
                [place + 1 for place in table.key],
                [member.relation for member in table.members],
                [member.qualified for member in table.members],
            )
        )
    numbers = _enter(conn, rows)
    for table in tables:
        if table.relation in numbers:
            tracked = Tracked(conn, table, numbers[table.relation])
            statements += [recording(tracked, guarded=not watching), undoing(tracked)]
    statements += [
        dispatcher([*numbers.values(), *(number for number, _ in known.values())]),
        reader_of_sequences(conn),
        _remembered_state(conn, tables),
        *(
            sql.SQL("ALTER FUNCTION scenarios_journal.restore SET {} TO {};\n").format(
                sql.Identifier(name), sql.Literal(value)
            )
            for name, value in own.items()
            if name != "search_path"
        ),
    ]
    conn.execute(sql.Composed(statements))
    conn.execute(b"SELECT scenarios_journal.fit_views()")
    outside = [name for table in tables for name in table.foreign]
    conn.execute(
        "UPDATE scenarios_journal.state SET path = %s, outside = %s,"
        " armed = scenarios_journal.armed(),"
        " catalogue = CASE WHEN watching THEN NULL ELSE scenarios_journal.catalogue() END,"
        " fingerprint = CASE WHEN watching THEN scenarios_journal.fingerprint() END",
        [path, outside],
    )
    conn.execute(
        b"UPDATE scenarios_journal.members m SET triggers = (SELECT count(*) FROM pg_trigger g"
        b" WHERE g.tgrelid = m.relation AND g.tgname ~ '^scenarios_journal_') WHERE m.triggers IS NULL;"
        b"UPDATE scenarios_journal.ddl SET settled = true WHERE NOT settled;"
        b"DELETE FROM scenarios_journal.ddl"
        b" WHERE n < (SELECT coalesce(min(base), 9223372036854775807) FROM scenarios_journal.snapshots);"
        b"INSERT INTO scenarios_journal.touched SELECT -9223372036854775808, 0"
        b" WHERE NOT EXISTS (SELECT FROM scenarios_journal.touched WHERE n = -9223372036854775808)"
    )


# A subscriber has no tables of ours, and what it is sent for a table it does not have makes it stop.
_UNPUBLISHED = b"""
    DO $$ DECLARE ours text; BEGIN
    IF EXISTS (SELECT FROM pg_publication p WHERE p.puballtables) THEN
        FOREACH ours IN ARRAY '{members,tracked,state,views}'::text[] LOOP  -- what refers to others first
            IF EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'scenarios_journal'::regnamespace
                          AND c.relname = ours AND c.relpersistence = 'p') THEN
                EXECUTE format('ALTER TABLE scenarios_journal.%I SET UNLOGGED', ours);
            END IF;
        END LOOP;
    END IF; END $$
"""


# Tables whose triggers of ours are not all there and in force for every session.
_DISARMED = b"""
    SELECT DISTINCT m.tracked FROM scenarios_journal.members m
     WHERE m.triggers <> (SELECT count(*) FROM pg_trigger g
                           WHERE g.tgrelid = m.relation AND g.tgname ~ '^scenarios_journal_'
                             AND g.tgenabled = 'A')
"""


def _remembered_state(conn: Connection, tables: Sequence[Table]) -> sql.Composed:
    """Compose `armed_lately`, which names every relation with triggers of ours; see ddl_tracking.sql."""
    names = [f"'{member.relation}'::regclass" for table in tables for member in table.members]
    body = (
        f"BEGIN RETURN CASE WHEN ARRAY[{', '.join(names)}]::regclass[] IS NOT NULL"
        " THEN scenarios_journal.armed_once() END; END"
    )
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION scenarios_journal.armed_lately() RETURNS text LANGUAGE plpgsql"
        " SET search_path = pg_catalog, pg_temp AS {};\n"
    ).format(sql.Literal(body))


def _note_what_was_not_told(conn: Connection) -> None:
    """Write down for earlier snapshots what only a comparison shows: from now on it will compare equal."""
    conn.execute(
        b"INSERT INTO scenarios_journal.ddl"
        b" SELECT pg_sequence_last_value('scenarios_journal.clock'), 'something that was noticed later',"
        b" NULL, session_user, clock_timestamp(), true FROM scenarios_journal.state s"
        b" WHERE NOT s.watching AND s.catalogue <> scenarios_journal.catalogue()"
        b" OR s.armed IS NOT NULL"
        b" AND s.armed IS DISTINCT FROM scenarios_journal.armed()"
    )


def _refuse_too_wide(conn: Connection, tables: Sequence[Table]) -> None:
    wide = [table.label for table in tables if len(table.names) + len(table.computed) > WIDEST]
    if wide:
        raise CannotRestoreInPlace(
            f"cannot journal a table of more than {WIDEST:,} columns",
            where=f"{', '.join(wide)}, database {conn.info.dbname!r}",
            why=f"its undo table needs two more, and PostgreSQL allows {WIDEST + 2:,}",
            hint="split the table, or use the clone strategy",
        )


def _enter(conn: Connection, rows: list[tuple[Any, ...]]) -> dict[int, int]:
    """Write the new tables down; returns the number each was given, by its object id."""
    numbers: dict[int, int] = {}
    with conn.cursor() as cursor:
        for row in rows:
            cursor.execute(
                "WITH t AS (INSERT INTO scenarios_journal.tracked"
                " (relation, qualified, label, signature, columns, types, key)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s::int[]) RETURNING id), m AS ("
                " INSERT INTO scenarios_journal.members (relation, qualified, tracked)"
                " SELECT x.relation, x.qualified, t.id FROM t,"
                " unnest(%s::oid[], %s::text[]) AS x(relation, qualified)) SELECT id FROM t",
                row,
            )
            entered = cursor.fetchone()
            if entered is not None:
                numbers[row[0]] = entered[0]
    return numbers


def _uninstall(conn: Connection) -> None:
    row = conn.execute(b"SELECT to_regnamespace('scenarios_journal') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return
    triggers = conn.execute(
        b"SELECT t.tgname, n.nspname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        b" JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE t.tgname LIKE 'scenarios\\_journal\\_%' AND NOT t.tgisinternal AND t.tgparentid = 0"
    ).fetchall()
    statements: list[sql.Composable] = [
        sql.SQL("DROP TRIGGER {} ON {};").format(sql.Identifier(name), sql.Identifier(schema, table))
        for name, schema, table in triggers
    ]
    statements.append(
        sql.SQL(
            "DROP EVENT TRIGGER IF EXISTS scenarios_journal_ddl;"
            "DROP EVENT TRIGGER IF EXISTS scenarios_journal_drop;"
            "SET LOCAL client_min_messages = warning;"
            "DROP SCHEMA scenarios_journal CASCADE"
        )
    )
    conn.execute(sql.Composed(statements))
