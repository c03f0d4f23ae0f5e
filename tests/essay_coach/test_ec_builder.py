"""The builder says a whole school in sentences, refuses what cannot be, and loads what holds every rule."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from scenarios.builders.essay_coach import a_scenario
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.validators import violations
from scenarios.errors import BuilderError


@pytest.fixture
def db(server):
    with server.database(template=server.template(DOMAIN)) as made:
        yield made


def a_school():
    return (
        a_scenario("a_school", description="Everything once.")
        .institution("north", name="North School")
        .admin("vera", last_login="-2h")
        .educator("ruth", first_name="Ruth")
        .report("term", title="The class this term", public=True)
        .report("old", at="-30d", expires="-2d", kind="student_progress")
        .signed_in("desk")
        .student("lena", first_name="Lena", grade_level="10")
        .essay("lamp", title="The Lamp in the Window")
        .with_versions(3)
        .completed(quality=82)
        .essay("reading")
        .processing(done=("grammar", "style"))
        .essay("waiting")
        .submitted(at="-5m")
        .essay("lost")
        .failed(at="-3d")
        .essay("stopped")
        .cancelled(at="-2d")
        .essay("begun", content="Once there was a swing.")
        .started("-1d @17:00")
        .measured("essay_score", 82, at="-6d")
        .signed_in("phone", tokens=3, at="-4d")
        .signed_in("library", at="-9d", live=False)
        .logged("login", message="Signed in.")
        .report("mine")
        .student("omar")
        .essays(6, quality=60, trend=4)
        .institution("south")
        .students(3, essays=2)
        .build()
    )


def test_it_loads_and_breaks_no_rule(db):
    loaded = a_school().load(db)
    with db.connect() as conn:
        assert violations(conn) == []
        statuses = conn.execute(
            "SELECT status FROM essays WHERE user_id = %s ORDER BY status", [loaded["lena"].id]
        ).fetchall()
        assert [row[0] for row in statuses] == [
            "completed", "draft", "failed", "failed", "processing", "submitted",
        ]  # fmt: skip
        assert conn.execute(
            "SELECT student_count FROM institutions WHERE name = 'North School'"
        ).fetchone() == (2,)
        overall = conn.execute(
            "SELECT overall FROM essay_scores WHERE essay_id = %s", [loaded["lena.lamp"].id]
        ).fetchone()
        assert 74 < overall[0] < 90
        live = conn.execute(
            "SELECT count(*) FROM refresh_tokens WHERE user_id = %s AND revoked_at IS NULL",
            [loaded["lena"].id],
        ).fetchone()
        assert live == (1,)
        trend = [
            row[0]
            for row in conn.execute(
                "SELECT s.overall FROM essays e JOIN essay_scores s ON s.essay_id = e.id WHERE e.user_id = %s"
                " ORDER BY e.submitted_at",
                [loaded["omar"].id],
            )
        ]
        assert trend[-1] - trend[0] > 10
    assert {person["role"] for person in loaded.sign_in} == {"admin", "educator", "student"}


def test_what_the_ai_said_is_the_feedback(db):
    loaded = a_school().load(db)
    response, feedback = loaded["lena.lamp.content_response"], loaded["lena.lamp.content"]
    assert response.response["score"] == float(feedback.score)
    assert response.response["feedback"] == feedback.text
    assert feedback.highlighted_text == loaded["lena.lamp"].content[feedback.start_index : feedback.end_index]


def test_two_instances_live_side_by_side(db):
    scenario = a_school()
    first = scenario.load(db)
    second = scenario.load(db, as_name="again")
    assert first["lena"].email != second["lena"].email
    assert first["lena.lamp"].content == second["lena.lamp"].content
    with db.connect() as conn:
        found = {violation.rule for violation in violations(conn)}
        assert found == set()


READ = {"processing_started_at": "-8d", "processing_completed_at": timedelta(days=-8, minutes=2)}
BY = {"prompt": "Judge it.", "model": "essay-reader", "model_version": "3.1"}


def word_by_word(**options):
    return (
        a_scenario("word_by_word", **options)
        .institution("north", name="North School", created="-300d")
        .student("lena", first_name="Lena", columns={"is_active": False, "created_at": "-50d"})
        .profile(bio="I write on the bus.", preferences={"theme": "dark"})
        .token("phone_1", issued="-3d", revoked="-2d", why="rotated", session="phone", replaced_by="phone_2")
        .token("phone_2", issued="-2d", session="phone", ip="203.0.113.9")
        .token("desk", issued="-1d")
        .essay("lamp", content=" ".join(["word"] * 60), columns={"created_at": "-9d", **READ})
        .completed(at="-8d")
        .version("Begun.", change="First version.", at="-9d")
        .version(" ".join(["word"] * 60))
        .answer("grammar", {"error": "timeout"}, at="-8d", tokens=0, cost=0, seconds=60, **BY)
        .answer("grammar", {"score": 61}, at="-8d", tokens=410, cost=0.002, seconds=7.5, **BY)
        .feedback(
            "grammar",
            61,
            "Is this a mistake?",
            at="-8d",
            confidence=0.41,
            highlight=(0, 4),
            seconds=7.5,
            columns={"ai_model_version": "3.1"},
        )
        .logged("refresh_token_reuse", level="WARNING", context={"ip": "192.0.2.1"})
        .happened("months_created", source="retention")
        .build()
    )


def test_what_is_said_word_by_word_takes_the_place_of_what_is_made_up(db):
    loaded = word_by_word().load(db)
    with db.connect() as conn:
        assert violations(conn) == []
        essay = loaded["lena.lamp"].id
        kinds = conn.execute(
            "SELECT t.name, count(*) FROM feedback f JOIN feedback_types t ON t.id = f.type_id"
            " WHERE essay_id = %s GROUP BY 1 ORDER BY 1",
            [essay],
        ).fetchall()
        assert kinds == [("content", 1), ("grammar", 1), ("structure", 1), ("style", 1)]
        versions = conn.execute(
            "SELECT version_number, word_count FROM submissions WHERE essay_id = %s ORDER BY 1", [essay]
        ).fetchall()
        assert versions == [(1, 1), (2, 60)]
        answers = conn.execute("SELECT count(*) FROM ai_responses WHERE essay_id = %s", [essay]).fetchone()
        assert answers == (5,)
        families = conn.execute(
            "SELECT count(DISTINCT family_id), count(*) FROM refresh_tokens WHERE user_id = %s",
            [loaded["lena"].id],
        ).fetchone()
        assert families == (2, 3)
        logs = conn.execute("SELECT event, user_id IS NULL FROM logs ORDER BY event").fetchall()
        assert logs == [("months_created", True), ("refresh_token_reuse", False)]
    assert loaded["lena.lamp.grammar"].highlighted_text == "word"
    assert loaded["lena.phone_1"].replaced_by == loaded["lena.phone_2"].id
    assert loaded["lena.profile"].bio == "I write on the bus."
    assert loaded["lena"].is_active is False


def test_as_given_nothing_else_is_made(db):
    scenario = word_by_word(as_given=True)
    first, second = scenario.load(db), scenario.load(db, as_name="again")
    tables = ["feedback", "ai_responses", "submissions", "user_profiles", "refresh_tokens", "logs"]
    with db.connect() as conn:
        counts = {
            table: conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()[
                0
            ]
            for table in tables
        }
    assert counts == {
        "feedback": 2,
        "ai_responses": 4,
        "submissions": 4,
        "user_profiles": 2,
        "refresh_tokens": 6,
        "logs": 4,
    }
    assert first["lena.lamp"].word_count == 60
    assert first["lena"].email != second["lena"].email
    bare = a_scenario("bare", as_given=True).institution("north").student("lena").essay("short").submitted()
    assert bare.build()["lena.short"].content == ""
    assert "lena.profile" not in bare.build().rendered.handles


def test_it_can_be_looked_at_without_a_database():
    scenario = a_school()
    assert scenario["lena"].first_name == "Lena"
    assert scenario["lena.lamp"].status == "completed"
    with pytest.raises(BuilderError, match=r"has no handle 'lena\.lapm'") as refusal:
        scenario["lena.lapm"]
    assert "lena.lamp" in str(refusal.value)


def test_its_times_move_with_now():
    early = a_school().render(now=datetime(2025, 1, 8, 16, tzinfo=UTC))
    assert early.handles["lena.waiting"].submitted_at == datetime(2025, 1, 8, 15, 55, tzinfo=UTC)


def school():
    return a_scenario("wrong").institution("north")


REFUSED = [
    ("is empty", lambda: a_scenario("wrong").build()),
    ("cannot be named", lambda: a_scenario("Wrong Name")),
    ("is taken by a institution", lambda: school().institution("north")),
    ("cannot be a handle", lambda: school().student("Lena B")),
    ("no feedback type 'gramar'", lambda: school().student("l").essay("a").feedback("gramar", 1, "x")),
    (
        "has its feedback on style already",
        lambda: school().student("l").essay("a").feedback("style", 1, "x").feedback("style", 2, "y"),
    ),
    ("no log level 'LOUD'", lambda: school().student("l").logged("x", level="LOUD")),
    ("cannot read the offset", lambda: school().student("l").token("t", issued="soon")),
    ("1 to 86 characters", lambda: a_scenario("wrong").institution("north", name=" ")),
    ("at most 20 characters", lambda: school().student("lena", grade_level="x" * 21)),
    ("cannot read the offset", lambda: school().student("lena", last_login="yesterday")),
    ("is submitted already", lambda: school().student("lena").essay("a").submitted().completed()),
    (
        "has 3 words and cannot be handed in",
        lambda: school().student("lena").essay("a", content="Far too short").submitted(),
    ),
    ("has 5001 words", lambda: school().student("lena").essay("a", content="word " * 5001).completed()),
    ("quality is 0 to 100", lambda: school().student("lena").essay("a").completed(quality=101)),
    ("confidence is 0 to 1", lambda: school().student("lena").essay("a").completed(confidence=95)),
    ("no feedback type 'gramar'", lambda: school().student("lena").essay("a").processing(done=("gramar",))),
    (
        "all its feedback is completed",
        lambda: (
            school().student("lena").essay("a").processing(done=("grammar", "structure", "content", "style"))
        ),
    ),
    ("1 to 1,000 versions", lambda: school().student("lena").essay("a").with_versions(0)),
    ("a title has", lambda: school().student("lena").essay("a", title=" ")),
    ("no metric 'essay_skore'", lambda: school().student("lena").measured("essay_skore", 1)),
    ("has to be a number", lambda: school().student("lena").measured("essay_score", float("nan"))),
    ("no report type 'gossip'", lambda: school().educator("ruth").report("r", kind="gossip")),
    ("cannot expire before", lambda: school().educator("ruth").report("r", expires="-9d")),
    ("no log level 'LOUD'", lambda: school().student("lena").logged("x", level="LOUD")),
    ("a session has 1 to", lambda: school().student("lena").signed_in(tokens=0)),
    ("students come in", lambda: school().students(0)),
    ("essays come in", lambda: school().student("lena").essays(0)),
    ("was handed in", lambda: school().student("lena").essay("a").submitted().started("-1d")),
]


@pytest.mark.parametrize(("message", "call"), REFUSED, ids=[message for message, _ in REFUSED])
def test_what_cannot_be_is_refused_at_the_call(message, call):
    with pytest.raises(BuilderError, match=message) as refusal:
        call()
    assert refusal.value.where is not None
    assert refusal.value.where.startswith(__file__) or sys.modules[__name__].__file__ in refusal.value.where


def test_a_student_may_be_suspended_with_a_live_token(db):
    a_scenario("suspended").institution("north").student("lena").suspended().signed_in(at="-1d").load(
        db, now=datetime.now(UTC)
    )
    with db.connect() as conn:
        assert {violation.rule for violation in violations(conn)} == {"suspended_has_no_live_token"}


def test_an_account_without_a_profile(db):
    a_scenario("bare").institution("north").student("lena").without_profile().load(db)
    with db.connect() as conn:
        assert {violation.rule for violation in violations(conn)} == {"user_has_profile"}


def test_a_piece_can_be_reused(db):
    def a_good_start(student):
        return student.essay("first").completed(quality=90)

    loaded = a_scenario("pieces").institution("north").student("lena").apply(a_good_start).load(db)
    assert loaded["lena.first"].status == "completed"
