"""Every scenario loads, holds every rule, tells the story it promises, and leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from ec_sample import World

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.queries import query
from scenarios.domains.essay_coach.validators import validate, violations
from scenarios.library import Library
from scenarios.resources import resource

LIBRARY = resource("scenario_library")
NAMES = sorted(path.stem for path in (LIBRARY / "essay_coach").glob("*.yaml"))


@pytest.fixture(scope="module")
def library():
    return Library(LIBRARY)


@pytest.fixture(scope="session")
def ec_plain(server):
    return server.template(DOMAIN)


@pytest.fixture
def db(server, ec_plain):
    with server.database(template=ec_plain) as made:
        yield made


def look(db) -> World:
    return World(db.connect(autocommit=False))


@pytest.fixture
def loaded(db, library):
    """Return a function that loads a scenario and gives the instance and a look at the database."""
    open_: list[World] = []

    def load(name: str, **options):
        instance = library[name].load(db, **options)
        world = look(db)
        open_.append(world)
        return instance, world

    yield load
    for world in open_:
        world.conn.close()


def test_there_are_at_least_ten():
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_twice_and_breaks_no_rule(loaded, name):
    first, _ = loaded(name)
    second, world = loaded(name, as_name="a second time")
    assert violations(world.conn) == []
    assert first.counts == second.counts
    handle = next(handle for handle in first.handles if handle.count(".") == 1)
    assert first.key(handle) != second.key(handle)
    assert first[handle].email != second[handle].email
    assert world.values("SELECT count(*) FROM view_refreshes") == [3]
    assert world.value("SELECT sum(row_count) FROM default_partition_rows()") == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_whenever_it_is_loaded(library, name):
    def content(instance: str):
        plan = library[name].plan(instance=instance)
        keep = {
            "title",
            "content",
            "score",
            "value",
            "status",
            "first_name",
            "at",
            "created_at",
            "word_count",
        }
        return [
            (row.handle, *(str(value) for column, value in row.values.items() if column in keep))
            for row in plan.rows
        ]

    assert content("one") == content("two")


def test_every_status(loaded):
    instance, world = loaded("every_status")
    assert set(world.values("SELECT status FROM essays")) == {
        "draft", "submitted", "processing", "completed", "failed",
    }  # fmt: skip
    done = instance["north.lena.done"]
    (overall,) = world.values("SELECT overall FROM essay_scores WHERE essay_id = %s", done.id)
    assert 70 < overall < 95
    assert world.values(
        "SELECT count(*) FROM feedback f JOIN essays e ON e.id = f.essay_id"
        " WHERE f.highlighted_text <> '' AND strpos(e.content, f.highlighted_text) > 0"
    ) != [0]


def test_the_class_has_thirty_students_and_a_dashboard(loaded):
    instance, world = loaded("class_over_a_term")
    institution = instance["lindgren"].id
    assert world.value("SELECT student_count FROM institutions WHERE id = %s", institution) == 30
    assert world.values("SELECT DISTINCT total_essays FROM mv_student_progress") == [6]
    assert world.value("SELECT count(*) FROM mv_daily_submissions") > 20
    scores = world.values("SELECT avg_overall FROM mv_student_progress")
    assert max(scores) - min(scores) > 10, "students differ"
    with world.acting("educator", instance["lindgren.tomas"].id, institution):
        assert world.value("SELECT count(*) FROM student_progress") == 30
        assert world.value("SELECT sum(submissions) FROM daily_submissions") == 180
        assert len(world.values("SELECT name FROM feedback_type_stats")) == 4


def test_the_class_can_be_smaller(loaded):
    instance, world = loaded("class_over_a_term", students=3, essays=2)
    assert instance.counts["essays"] == 6
    assert world.value("SELECT count(*) FROM users WHERE role = 'student'") == 3


def test_a_failure_is_retried(loaded):
    instance, world = loaded("ai_failure_and_retry")
    attempts = world.conn.execute(
        "SELECT response ->> 'error', tokens_used FROM ai_responses WHERE essay_id = %s AND"
        " feedback_type_id = 1"
        " ORDER BY created_at",
        [instance["harbour.malik.recovered"].id],
    ).fetchall()
    assert attempts[0] == ("timeout", 0)
    assert attempts[1][0] is None
    assert attempts[1][1] > 0
    story = query("history_of_a_row").run(
        world.conn, table_name="essays", row_pk=str(instance["harbour.malik.recovered"].id)
    )
    assert [entry[7]["status"] for entry in story] == ["failed", "processing", "completed"]
    assert world.values("SELECT ai_processing_status FROM essays WHERE status = 'failed' ORDER BY id") == [
        "failed",
        "cancelled",
    ]
    world.conn.execute(
        "UPDATE essays SET status = 'processing', ai_processing_status = 'running' WHERE id = %s",
        [instance["harbour.malik.lost"].id],
    )


def test_low_confidence(loaded):
    instance, world = loaded("low_confidence")
    doubtful = query("low_confidence_feedback").run(world.conn, threshold=0.6)
    assert doubtful[0][2] == "grammar"
    assert {row[1] for row in doubtful} == {instance["harbour.noor.doubtful"].id}
    assert len(doubtful) == 4
    assert world.value(
        "SELECT highlighted_text FROM feedback WHERE id = %s", instance["harbour.noor.doubtful.grammar"].id
    ).startswith("When I am angry")


@pytest.mark.parametrize(("own", "other"), [("east", "west"), ("west", "east")])
@pytest.mark.parametrize("role", ["student", "educator", "admin"])
def test_two_institutions_do_not_see_each_other(loaded, own, other, role):
    people = {
        "east": {"student": "emil", "educator": "peter", "admin": "anna"},
        "west": {"student": "elif", "educator": "petra", "admin": "arno"},
    }
    instance, world = loaded("two_institutions")
    mine, theirs = instance[own].id, instance[other].id
    person = instance[f"{own}.{people[own][role]}"].id
    foreign_users = world.values("SELECT id FROM users WHERE institution_id = %s", theirs)
    foreign_essays = world.values("SELECT id FROM essays WHERE institution_id = %s", theirs)
    assert foreign_users
    assert foreign_essays
    with world.acting(role, person, mine):
        seen = {
            "users": world.values("SELECT id FROM users"),
            "essays": world.values("SELECT user_id FROM essays"),
            "analytics": world.values("SELECT user_id FROM analytics"),
            "reports": world.values("SELECT user_id FROM reports"),
            "refresh_tokens": world.values("SELECT user_id FROM refresh_tokens"),
            "student_progress": world.values("SELECT user_id FROM student_progress"),
        }
        about = {
            "submissions": world.values("SELECT essay_id FROM submissions"),
            "feedback": world.values("SELECT essay_id FROM feedback"),
            "essay_scores": world.values("SELECT essay_id FROM essay_scores"),
        }
        institutions = world.values("SELECT id FROM institutions")
    for table, keys in seen.items():
        assert not set(keys) & set(foreign_users), table
    for table, keys in about.items():
        assert keys, table
        assert not set(keys) & set(foreign_essays), table
    assert institutions == [mine]


def test_an_educators_reports(loaded):
    instance, world = loaded("educator_report")
    assert world.values("SELECT title FROM reports WHERE expires_at < %s", instance.anchor) == [
        "Start of the term"
    ]
    with world.acting("student", instance["hillside.sofia"].id, instance["hillside"].id):
        assert world.values("SELECT title FROM reports") == ["Writing seminar, weeks 1 to 8"]
    trend = {}
    for name in ("sofia", "daniel", "hana"):
        scores = [
            row[3] for row in query("essay_overall").run(world.conn, user_id=instance[f"hillside.{name}"].id)
        ]
        trend[name] = scores[0] - scores[-1]
    assert trend["sofia"] > 5
    assert trend["daniel"] < -5
    assert abs(trend["hana"]) < 12
    assert (
        world.value(
            "SELECT total_essays FROM mv_student_progress WHERE user_id = %s", instance["hillside.luis"].id
        )
        == 0
    )


def test_a_stolen_token_stays_useless(loaded):
    instance, world = loaded("token_theft")
    jonas = instance["harbour.jonas"].id
    live = world.values("SELECT id FROM refresh_tokens WHERE user_id = %s AND revoked_at IS NULL", jonas)
    assert set(live) == {
        instance["harbour.jonas.library_computer"].id,
        instance["harbour.jonas.phone_again"].id,
    }
    stolen = instance["harbour.jonas.phone_1"]
    outcome = world.conn.execute(
        "SELECT outcome, user_id FROM rotate_refresh_token(%s, sha256('x'), %s, at => %s)",
        [stolen.token_hash, uuid4(), instance.anchor],
    ).fetchone()
    assert outcome == ("reuse_detected", jonas)
    still = world.values("SELECT id FROM refresh_tokens WHERE user_id = %s AND revoked_at IS NULL", jonas)
    assert set(still) == set(live), "other sessions are not touched"
    mia = instance["harbour.mia.only"]
    assert world.value(
        "SELECT outcome FROM rotate_refresh_token(%s, sha256('y'), %s, at => %s)",
        mia.token_hash, uuid4(), instance.anchor,
    ) == "rotated"  # fmt: skip


def test_the_audit_trail_reads_as_a_story(loaded):
    instance, world = loaded("audit_trail")
    essay = instance["hillside.karim.map"]
    story = query("history_of_a_row").run(world.conn, table_name="essays", row_pk=str(essay.id))
    assert [entry[1] for entry in story] == ["INSERT"] + ["UPDATE"] * 5
    assert [entry[5] for entry in story][1:3] == [["title"], ["title"]]
    assert {entry[2] for entry in story} == {instance["hillside.karim"].id, None}
    with world.acting("admin", instance["hillside.nora"].id, instance["hillside"].id):
        assert world.value("SELECT count(*) FROM audit_log") == 9
    assert world.value("SELECT count(DISTINCT tableoid) FROM audit_log") >= 2, "the story spans months"


def test_a_year_fills_its_months(loaded):
    instance, world = loaded("year_of_analytics")
    months = world.values("SELECT DISTINCT tableoid::regclass::text FROM analytics ORDER BY 1")
    assert len(months) >= 12
    assert "analytics_default" not in months
    chart = query("user_analytics").run(
        world.conn,
        user_id=instance["lindgren.astrid"].id,
        first=datetime(2025, 6, 1, tzinfo=UTC),
        end=datetime(2025, 7, 1, tzinfo=UTC),
    )
    assert {row[1] for row in chart} == {"engagement_rate", "submission_rate", "grammar_skill", "logic_skill"}
    before = world.value("SELECT count(*) FROM analytics")
    retired = world.values("SELECT retire_months('analytics', '2025-06-01', true)")
    assert retired[0].startswith("analytics_2025_0")
    assert 0 < world.value("SELECT count(*) FROM analytics") < before


def test_a_student_is_forgotten(loaded):
    instance, world = loaded("user_to_delete")
    yara, pavel = instance["harbour.yara"].id, instance["harbour.pavel"].id
    owned = ("user_profiles", "refresh_tokens", "essays", "analytics", "reports", "logs")
    count = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE user_id = %s")

    def rows(user):
        return {name: world.value(count.format(psycopg.sql.Identifier(name)), user) for name in owned}

    assert all(rows(yara).values()), "something in every table"
    others = rows(pavel)
    with world.acting("admin", instance["harbour.vera"].id, instance["harbour"].id):
        world.conn.execute("DELETE FROM users WHERE id = %s", [yara])
    assert not any(rows(yara).values())
    assert rows(pavel) == others
    assert world.value("SELECT count(*) FROM logs WHERE event = 'login' AND user_id IS NULL") == 1
    assert world.value("SELECT count(*) FROM audit_log WHERE old_row ->> 'first_name' = 'Yara'") == 1
    assert world.value("SELECT student_count FROM institutions") == 1
    validate(world.conn)


def test_ten_versions_grow_into_the_text(loaded):
    instance, world = loaded("version_history")
    essay = instance["hillside.tuan.rewritten"]
    versions = world.conn.execute(
        "SELECT version_number, content FROM submissions WHERE essay_id = %s ORDER BY 1", [essay.id]
    ).fetchall()
    assert [number for number, _ in versions] == list(range(1, 11))
    assert len({text for _, text in versions}) == 10
    assert versions[-1][1] == essay.content


def test_an_empty_school_breaks_nothing(loaded):
    instance, world = loaded("new_school")
    with world.acting("admin", instance["fresh.first_admin"].id, instance["fresh"].id):
        for view in ("student_progress", "daily_submissions", "feedback_type_stats", "essays"):
            count = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(view))
            assert world.value(count) == 0


@pytest.mark.parametrize("name", NAMES)
def test_unloading_takes_one_instance_and_leaves_the_other(db, library, name):
    first = library[name].load(db)
    kept = library[name].load(db, as_name="kept")
    done = first.unload()
    with db.connect() as conn:
        count = psycopg.sql.SQL("SELECT count(*) FROM {}")
        for table, rows in kept.counts.items():
            if table != "audit_log":
                assert conn.execute(count.format(psycopg.sql.Identifier(table))).fetchone() == (rows,), table
        # The history of what is gone stays, and so does who removed it.
        told = conn.execute("SELECT count(*) FROM audit_log WHERE op <> 'DELETE'").fetchone()
        assert told == (2 * kept.counts.get("audit_log", 0),)
        assert any("audit_log" in line for line in done.left) == ("audit_log" in kept.counts)
        conn.execute("SELECT refresh_views()")
        assert violations(conn) == []


def test_a_reset_brings_back_rows_and_keeps_the_history(db, library):
    instance = library["audit_trail"].load(db)
    essay = instance["hillside.karim.map"].id
    with db.connect() as conn:
        conn.execute("DELETE FROM users WHERE id = %s", [instance["hillside.karim"].id])
    instance.reset()
    with db.connect() as conn:
        assert conn.execute("SELECT title FROM essays WHERE id = %s", [essay]).fetchone() == (
            "A Map of Our Street",
        )
        story = query("history_of_a_row").run(conn, table_name="essays", row_pk=str(essay))
        assert [entry[1] for entry in story][:6] == ["INSERT"] + ["UPDATE"] * 5
        assert "DELETE" in [entry[1] for entry in story], "what was done meanwhile is on record too"


def test_from_the_shell(db, capsys):
    from scenarios.cli.main import run

    for arguments in (
        ["load", "two_institutions", "--in", db.dsn],
        ["load", "token_theft", "--in", db.dsn, "--json"],
    ):
        with pytest.raises(SystemExit) as end:
            run(arguments)
        assert not end.value.code, capsys.readouterr()
    shown = capsys.readouterr().out
    assert "emil" in shown
    assert "jonas" in shown
    with db.connect() as conn:
        assert violations(conn) == []
