"""What changed: counts, rows, objects, a table to read, and an assertion that names everything."""

from __future__ import annotations

import enum
import io
import json

import pytest
from psycopg import sql
from rich.console import Console
from sqlalchemy import Enum, ForeignKey, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from scenarios import journal
from scenarios.errors import JournalError
from scenarios.journal import assert_changes, deleted, inserted, updated
from scenarios.journal.tables import label_of


class Phase(enum.Enum):
    START = "start"
    MIDDLE = "middle"


class Base(DeclarativeBase):
    metadata = MetaData()


class State(Base):
    __tablename__ = "coach_state"
    id: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[Phase] = mapped_column(
        Enum(Phase, native_enum=False, values_callable=lambda kind: [one.value for one in kind])
    )
    details: Mapped[dict | None] = mapped_column("extra_details", JSONB)


class Action(Base):
    __tablename__ = "action"
    id: Mapped[int] = mapped_column(primary_key=True)
    state_id: Mapped[int] = mapped_column(ForeignKey("coach_state.id", ondelete="CASCADE"))
    text: Mapped[str | None]


@pytest.fixture
def coach(bench):
    Base.metadata.create_all(bench.database.engine)
    with Session(bench.database.engine) as session:
        session.add_all(State(id=number, phase=Phase.START) for number in range(1, 5))
        session.flush()
        session.add_all(Action(state_id=1, text=f"a{number}") for number in range(3))
        session.commit()
    bench.before = bench.database.snapshot("before")
    return bench


def test_rows_column_by_column(coach):
    coach.ddl(
        "UPDATE coach_state SET phase = 'middle', extra_details = '{\"a\": 1}' WHERE id = 2;"
        "INSERT INTO action (state_id, text) VALUES (2, 'new'); DELETE FROM coach_state WHERE id = 1"
    )
    found = coach.database.changes("before")
    assert found
    assert found.counts == {
        "public.action": {"inserted": 1, "updated": 0, "deleted": 3},
        "public.coach_state": {"inserted": 0, "updated": 1, "deleted": 1},
    }
    (change,) = found.of(State, "updated")
    assert change.key == {"id": 2}
    assert change.columns == {"phase": ("start", "middle"), "extra_details": (None, {"a": 1})}
    assert change.old == {"id": 2, "phase": "start", "extra_details": None}
    assert str(change) == (
        "updated public.coach_state(id=2) phase: 'start' -> 'middle', extra_details: None -> {'a': 1}"
    )
    assert [row.old["text"] for row in found.of("action", "deleted")] == ["a0", "a1", "a2"]
    assert found.summary() == (
        "public.action: 1 inserted, 3 deleted; public.coach_state: 1 updated, 1 deleted"
    )


def test_what_cancels_has_not_changed(coach):
    coach.ddl(
        "INSERT INTO action (id, state_id) VALUES (99, 1); DELETE FROM action WHERE id = 99;"
        "UPDATE action SET text = 'x'; UPDATE action SET text = 'a' || (id - 1)"
    )
    found = coach.database.changes(coach.before)
    assert not found
    assert len(found) == 0
    assert found.summary() == "no changes"


def test_objects(coach):
    coach.ddl(
        "INSERT INTO coach_state VALUES (9, 'middle', '{}');"
        "UPDATE coach_state SET phase = 'middle' WHERE id = 3; DELETE FROM action WHERE id = 2"
    )
    found = coach.database.changes(coach.before)
    (made,) = found.inserted(State)
    assert (made.id, made.phase, made.details) == (9, Phase.MIDDLE, {})
    (moved,) = found.updated(State)
    assert (moved.id, moved.phase, moved.details) == (3, Phase.MIDDLE, None)
    (gone,) = found.deleted(Action)
    assert (gone.id, gone.text) == (2, "a1")
    with Session(coach.database.engine) as session:
        session.add(made)  # Detached, not transient: the row exists.
        made.details = {"changed": True}
        session.commit()
        assert session.get(State, 9).details == {"changed": True}


def test_a_table_a_person_can_read(coach):
    coach.ddl(
        "UPDATE coach_state SET phase = 'middle'; INSERT INTO action (state_id, text) VALUES (1, '[bold]')"
    )
    found = coach.database.changes(coach.before)
    text = io.StringIO()
    Console(file=text, width=120).print(found.table(limit=4))
    for words in ("public.coach_state", "updated", "'start' → 'middle'", "'[bold]'", "and 1 more"):
        assert words in text.getvalue()
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["since"]["name"] == "before"
    assert len(plain["rows"]) == 5


def test_effects_of_triggers_are_shown(coach):
    coach.ddl(
        "CREATE TABLE audit (n serial PRIMARY KEY, what text);"
        "CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO audit (what) VALUES (TG_OP); RETURN NULL; END $$;"
        "CREATE TRIGGER audited AFTER UPDATE ON action FOR EACH ROW EXECUTE FUNCTION audited()"
    )
    since = coach.database.snapshot()
    coach.ddl("UPDATE action SET text = 'x' WHERE id = 1")
    assert_changes(coach.database, since, {Action: updated(1, text="x"), "audit": inserted(1, what="UPDATE")})


def test_partitions_count_for_their_table(coach):
    coach.ddl(
        "CREATE TABLE log (id integer, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);"
        "CREATE TABLE log_1 PARTITION OF log DEFAULT"
    )
    since = coach.database.snapshot()
    coach.ddl("INSERT INTO log_1 VALUES (1, '2024-01-01'); INSERT INTO log VALUES (2, '2024-01-01')")
    assert_changes(coach.database, since, {"public.log": inserted(2)})


def test_the_assertion_passes(coach):
    coach.ddl(
        "UPDATE coach_state SET phase = 'middle' WHERE id IN (2, 3);"
        "INSERT INTO action (state_id, text) VALUES (2, 'one'), (2, 'two'); DELETE FROM action WHERE id = 1"
    )
    expected = {
        State: updated(2, exactly=True, phase=Phase.MIDDLE),
        Action: [inserted(1), inserted(1, text="two"), deleted(1, text="a0")],
    }
    found = assert_changes(coach.database, "before", expected)
    assert found.counts["public.action"]["inserted"] == 2
    # A connection will do, and so will the changes themselves.
    assert_changes(coach.control, "before", expected)
    assert_changes(found, None, expected)


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ({State: updated(1)}, "+ unexpected  inserted public.action(id=4)"),
        ({State: updated(1), Action: inserted(2)}, "- missing     Action: expected 2 inserted, found 1"),
        (
            {State: updated(1, phase="start"), Action: inserted(1)},
            "- missing     State: expected 1 updated with phase='start', found 0",
        ),
        ({State: deleted(1), Action: inserted(1)}, "- missing     State: expected 1 deleted, found 0"),
        ({}, "updated public.coach_state(id=4) phase: 'start' -> 'middle'"),
        (
            {State: updated(1, exactly=True, extra_details=None), Action: inserted(1)},
            "+ unexpected  updated public.coach_state",
        ),
        ({State: updated(1, no_such_column=1), Action: inserted(1)}, "- missing     State"),
    ],
)
def test_the_assertion_fails_readably(coach, expected, complaint):
    coach.ddl(
        "UPDATE coach_state SET phase = 'middle' WHERE id = 4;"
        "INSERT INTO action (state_id, text) VALUES (2, 'new')"
    )
    with pytest.raises(AssertionError) as failed:
        assert_changes(coach.database, coach.before, expected)
    assert complaint in str(failed.value)


def test_ddl_is_never_expected(coach):
    coach.ddl("CREATE TABLE surprise (id integer)")
    with pytest.raises(
        AssertionError, match=r"unexpected  the schema was changed: CREATE TABLE public\.surprise"
    ):
        assert_changes(coach.database, coach.before, {})


def test_between_two_snapshots(coach):
    coach.ddl("DELETE FROM action WHERE id = 1")
    coach.database.snapshot("later")
    coach.ddl("DELETE FROM action WHERE id = 2")
    coach.database.restore("later")
    coach.ddl("DELETE FROM action WHERE id = 3")
    between = journal.changes_between(coach.control, "before", "later")
    assert [row.key for row in between] == [{"id": 1}]
    assert [row.key for row in coach.database.changes("later")] == [{"id": 3}]
    assert [row.key for row in coach.database.changes("before")] == [{"id": 1}, {"id": 3}]
    with pytest.raises(JournalError, match="later than"):
        journal.changes_between(coach.control, "later", "before")


def test_what_is_no_table_is_refused(coach):
    with pytest.raises(JournalError, match="cannot tell which table"):
        coach.database.changes("before").of(42)
    with pytest.raises(JournalError, match="no snapshot"):
        coach.database.changes("never")


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        ("timestamptz", "2024-01-01 00:00+00", "infinity", "infinity"),
        ("timestamp", "-infinity", "0044-03-15 12:00 BC", "0044-03-15 12:00:00 BC"),
        ("date", "infinity", "12024-01-01", "12024-01-01"),
        ("time", "00:00", "24:00", "24:00:00"),
        ("interval", "30 days", "1 mon", "1 mon"),
        ("interval", "24:00:00", "1 day", "24:00:00"),
        ("timestamptz[]", "{}", "{infinity,NULL}", "infinity"),
        ("tstzrange", "empty", "[2024-01-01 00:00+00,infinity)", "infinity"),
    ],
)
def test_what_python_has_no_form_for_is_told_as_postgresql_writes_it(fresh_db, kind, old, new, told):
    with fresh_db.connect() as conn:
        conn.execute(sql.SQL("CREATE TABLE odd (id int PRIMARY KEY, value {})").format(sql.SQL(kind)))
        conn.execute("INSERT INTO odd VALUES (1, %s)", [old])
        before = fresh_db.snapshot()
        conn.execute("UPDATE odd SET value = %s", [new])
    changes = fresh_db.changes(before)
    assert changes.counts == {"public.odd": {"inserted": 0, "updated": 1, "deleted": 0}}
    assert list(changes.rows[0].columns) == ["value"]
    assert told in str(changes)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("jsonb", '{"a": true}', '{"a": 1}'),
        ("jsonb", '{"a": [1, {"b": 0}]}', '{"a": [1.0, {"b": false}]}'),
        ("json", '{"a": 1}', '{"a":  1}'),
        ("numeric", "1.0", "1.00"),
        ("numeric[]", "{1.0}", "{1.00}"),
        ("float8", "0", "-0"),
        ("float8", "0.1", "0.10000000000000002"),
        ("interval", "1 day", "24:00:00"),
        ("text", "a", "a "),
    ],
)
def test_a_column_changes_where_python_takes_both_for_equal(fresh_db, kind, old, new):
    with fresh_db.connect() as conn:
        conn.execute(
            sql.SQL("CREATE TABLE t (id int PRIMARY KEY, same {}, v {})").format(*[sql.SQL(kind)] * 2)
        )
        conn.execute("INSERT INTO t VALUES (1, %s, %s)", [old, old])
        before = fresh_db.snapshot()
        conn.execute("UPDATE t SET v = %s", [new])
    found = fresh_db.changes(before)
    assert list(found.rows[0].columns) == ["v"]
    with pytest.raises(AssertionError, match="unexpected"):
        assert_changes(found, None, {"t": updated(exactly=True)})


def test_a_role_that_reads_floats_short_sees_them_change(bench):
    bench.ddl("CREATE TABLE t (id integer PRIMARY KEY, v float8); INSERT INTO t VALUES (1, 0.1)")
    taken = journal.snapshot(bench.control)
    bench.control.execute("SET extra_float_digits = -10")
    bench.ddl("UPDATE t SET v = 0.10000000000000002")
    assert journal.changes(bench.control, taken).counts["public.t"]["updated"] == 1


def change(number, **values):
    return journal.Change("public.t", "inserted", {"id": number}, None, {"id": number, **values})


def counted(rows):
    return journal.Changes(rows, journal.Snapshot(1))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "expected",
    [
        [inserted(a=1), inserted(b=2), inserted()],
        [inserted(), inserted(a=1), inserted(b=2, a=1)],
        [inserted(2), inserted(b=2)],
        [inserted(2, a=1), inserted(c=5)],
        [inserted(a=1), inserted(b=3), inserted(c=5)],
    ],
)
def test_which_expectation_is_named_first_does_not_matter(expected, reverse):
    rows = [change(1, a=1, b=2, c=5), change(2, a=1, b=2, c=4), change(3, a=1, b=3, c=4)]
    for first in range(3):
        found = counted(rows[first:] + rows[:first])
        assert_changes(found, None, {"t": expected[::-1] if reverse else expected})


def test_what_no_assignment_fits_is_missing():
    found = counted([change(1, a=1, b=2), change(2, a=1, b=3)])
    with pytest.raises(AssertionError) as failed:
        assert_changes(found, None, {"t": [inserted(a=1), inserted(b=2), inserted(b=2)]})
    assert "missing     t: expected 1 inserted with b=2, found 0" in str(failed.value)
    assert "unexpected" not in str(failed.value)


def test_true_is_not_expected_where_one_is():
    found = counted([change(1, a={"deep": [True]}, b=True)])
    assert_changes(found, None, {"t": inserted(a={"deep": [True]}, b=True)})
    for values in ({"a": {"deep": [1]}}, {"b": 1}):
        with pytest.raises(AssertionError):
            assert_changes(found, None, {"t": inserted(**values)})


def test_names_with_a_dot_are_told_apart():
    assert label_of("a", "b") == "a.b"
    assert label_of("a.b", "c") == '"a.b"."c"'
    assert label_of("a", "b.c") == '"a"."b.c"'
    assert label_of("a", 'b."c') == '"a"."b.""c"'
