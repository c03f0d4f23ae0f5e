"""What records the writes to a table: an undo table, and triggers with a function for each kind of statement.

Recording runs inside each statement of the application, so it must be cheap, must not fail, and must not
depend on who runs it. Each statement leaves the rows it took away (+1) and the rows it put there (-1), and
the time of the clock; nothing is compared and nothing is looked up.
"""

from __future__ import annotations

from psycopg import sql

from scenarios.journal.tracked import Tracked, comma, own, raw

# The recorder's only variable, named so that no column is likely to be called the same.
_NOW = sql.SQL("scenarios_journal_now")

# Every name and operator is qualified instead of pinning the search_path: the functions run for each
# statement of the application, and setting a parameter there costs as much as the insert itself. For the same
# reason there is one function for each kind of statement and none that asks which it is, and no WHEN on the
# triggers, whose text the server would read again for every statement.
#
# The clock is read by the INSERT and not before it: the statement has its lock on `touched` by then, so
# whoever takes a snapshot either waits for it or comes later on the clock. Only snapshots and restores move
# it: nextval() here would be what the application's next lastval() returns.
_RECORDER = """
#variable_conflict use_variable
DECLARE
    scenarios_journal_now pg_catalog.int8;
BEGIN
    IF pg_catalog.current_setting('scenarios_journal.restoring', true) OPERATOR(pg_catalog.=) 'on' THEN
        RETURN NULL;
    END IF;
    {touch};
    {record};
    RETURN NULL;{guard}
END
"""
_CLOCK = sql.SQL("pg_catalog.pg_sequence_last_value('scenarios_journal.clock'::pg_catalog.regclass)")
_TOUCH = """INSERT INTO scenarios_journal.touched (n, tracked) VALUES ({clock}, {number})
    RETURNING n INTO scenarios_journal_now"""
_LOOK = "scenarios_journal_now := {clock}"
_GUARD = """
EXCEPTION WHEN undefined_column OR datatype_mismatch OR undefined_table THEN
    RETURN NULL; -- the table was altered; comparing the catalogue tells, before a restore"""
# Before the first snapshot there is nothing to return to, and the rows are not even looked at.
_RECORDING = sql.SQL("scenarios_journal_now OPERATOR(pg_catalog.>) 0::pg_catalog.int8")


def recording(tracked: Tracked, *, guarded: bool) -> sql.Composed:
    """Compose what records the writes to a table, as statements separated by semicolons.

    Args:
        tracked: the table.
        guarded: the DDL of the application is not watched, so a trigger that meets an altered table must not
            make the application's statement fail.
    """
    return sql.Composed(
        [
            _undo_table(tracked),
            *(_recorder(tracked, event, guarded) for event in _EVENTS if event != "touch" or _apart(tracked)),
            *_triggers(tracked),
        ]
    )


_ROWS = (
    ("insert", "REFERENCING NEW TABLE AS new_rows"),
    ("update", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    ("delete", "REFERENCING OLD TABLE AS old_rows"),
)
_EVENTS = ("insert", "update", "delete", "truncate", "touch")


def _apart(tracked: Tracked) -> bool:
    """Whether a statement is noted apart from its rows: once, and not once for each row.

    A subscription tells of rows only, and in plain inheritance a statement on a parent fires the parent's
    triggers, whose number is not the child's.
    """
    table = tracked.table
    return table.by_row and not table.inherits and not table.subscribed


def _undo_table(tracked: Tracked) -> sql.Composed:
    columns: list[sql.Composable] = [sql.SQL("n bigint NOT NULL"), sql.SQL("op smallint NOT NULL")]
    columns += [
        sql.SQL("{} {}").format(sql.Identifier(f"c{place}"), raw(kind))
        for place, kind in enumerate(tracked.types, 1)
    ]
    return sql.SQL(
        "CREATE UNLOGGED TABLE {undo} ({columns}) WITH (autovacuum_enabled = off);\n"
        "CREATE INDEX ON {undo} (n);\n"
    ).format(undo=tracked.undo, columns=comma(columns))


def _recorder(tracked: Tracked, event: str, guarded: bool) -> sql.Composed:
    into = sql.SQL("INSERT INTO {} ({})").format(
        tracked.undo, comma([sql.Identifier("n"), sql.Identifier("op"), *tracked.undo_columns])
    )

    def rows(op: int, transition: str, image: str) -> sql.Composed:
        by_row = tracked.table.by_row
        return sql.SQL("SELECT {}{} WHERE {}").format(
            comma(
                [
                    _NOW,
                    sql.SQL("{}::pg_catalog.int2").format(op),
                    *tracked.columns_of(image if by_row else "r"),
                ]
            ),
            sql.SQL("") if by_row else sql.SQL(" FROM {} r").format(sql.Identifier(transition)),
            _RECORDING,
        )

    taken_away, put_there = rows(1, "old_rows", "old"), rows(-1, "new_rows", "new")
    record: sql.Composable
    if event == "touch":
        record = sql.SQL("NULL")
    elif event == "truncate":
        record = _kept_rows(tracked, into)
    elif event == "update":
        record = sql.SQL("{} {} UNION ALL {}").format(into, taken_away, put_there)
    else:
        record = sql.SQL("{} {}").format(into, put_there if event == "insert" else taken_away)
    return tracked.function(
        sql.SQL("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER").format(
            _recorder_name(tracked, event)
        ),
        sql.SQL(_RECORDER).format(
            touch=sql.SQL(_LOOK if _apart(tracked) and event not in ("truncate", "touch") else _TOUCH).format(
                clock=_CLOCK, number=tracked.number
            ),
            record=record,
            guard=sql.SQL(_GUARD if guarded else ""),
        ),
    )


def _recorder_name(tracked: Tracked, event: str) -> sql.Identifier:
    return own("t", tracked.number, event)


def _kept_rows(tracked: Tracked, into: sql.Composed) -> sql.Composed:
    """All rows of the part that is about to be truncated, which is known only when it is."""
    kept = sql.SQL(
        "{} SELECT {} FROM ONLY %I.%I r WHERE $1 OPERATOR(pg_catalog.>) 0::pg_catalog.int8"
    ).format(into, comma([sql.SQL("$1"), sql.SQL("1::pg_catalog.int2"), *tracked.columns_of("r")]))
    # A per cent sign in a column's name is data to format(), not a place.
    text = kept.as_string(tracked.conn).replace("%", "%%").replace("%%I.%%I", "%I.%I")
    return sql.SQL("EXECUTE pg_catalog.format({}, TG_TABLE_SCHEMA, TG_TABLE_NAME) USING {}").format(
        sql.Literal(text), _NOW
    )


def _triggers(tracked: Tracked) -> list[sql.Composed]:
    statements = []
    by_row = tracked.table.by_row
    for member in tracked.table.members:
        if tracked.table.subscribed and not member.leaf:
            continue
        on = raw(member.qualified)
        names = []
        if _apart(tracked):
            names.append(sql.Identifier("scenarios_journal_touch"))
            statements.append(
                sql.SQL(
                    "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {on} FOR EACH STATEMENT"
                    " EXECUTE FUNCTION {function}();\n"
                ).format(name=names[-1], on=on, function=_recorder_name(tracked, "touch"))
            )
        # A parent in a partition tree has no rows of its own; those of its parts are recorded there.
        rows = () if by_row and not member.leaf else _ROWS
        for event, transition in rows:
            names.append(sql.Identifier(f"scenarios_journal_{event}"))
            statements.append(
                sql.SQL(
                    "CREATE TRIGGER {name} AFTER {event} ON {on} {each} EXECUTE FUNCTION {function}();\n"
                ).format(
                    name=names[-1],
                    event=raw(event),
                    on=on,
                    each=sql.SQL("FOR EACH ROW") if by_row else raw(f"{transition} FOR EACH STATEMENT"),
                    function=_recorder_name(tracked, event),
                )
            )
        if member.leaf:
            # TRUNCATE of a tree fires for each of its parts as well: the parts alone keep their rows.
            names.append(sql.Identifier("scenarios_journal_truncate"))
            statements.append(
                sql.SQL(
                    "CREATE TRIGGER {name} BEFORE TRUNCATE ON {on} FOR EACH STATEMENT"
                    " EXECUTE FUNCTION {function}();\n"
                ).format(name=names[-1], on=on, function=_recorder_name(tracked, "truncate"))
            )
        # ALWAYS: what a loader writes with session_replication_role = replica must be seen as well.
        statements.append(
            sql.SQL("ALTER TABLE ONLY {} {};\n").format(
                on, comma([sql.SQL("ENABLE ALWAYS TRIGGER {}").format(name) for name in names])
            )
        )
    return statements
