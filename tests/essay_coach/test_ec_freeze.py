"""What somebody sees becomes a scenario again: of a whole instance with its history, and of one person."""

from __future__ import annotations

import pytest

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.validators import violations
from scenarios.library import Library
from scenarios.library.freezing.freeze import freeze
from scenarios.resources import resource


@pytest.fixture(scope="module")
def library():
    return Library(resource("scenario_library"))


@pytest.fixture
def db(server):
    with server.database(DOMAIN) as made:
        yield made


@pytest.mark.parametrize("name", ["every_status", "audit_trail", "two_institutions", "token_theft"])
def test_an_instance_comes_back_as_it_was(server, db, library, name):
    instance = library[name].load(db)
    frozen = freeze(db, name="seen", instance=instance)
    assert frozen.rows == instance.counts
    with server.database(DOMAIN) as other:
        again = frozen.definition.load(other)
        assert again.counts == instance.counts
        texts = "SELECT title, content, status, submitted_at FROM essays ORDER BY content, submitted_at"
        trail = "SELECT at, table_name, op, acting_role, old_row, new_row, changed FROM audit_log ORDER BY at"
        students = "SELECT student_count FROM institutions ORDER BY student_count"
        with db.connect() as before, other.connect() as after:
            assert violations(after) == []
            for query in (texts, trail, students):
                assert before.execute(query.encode()).fetchall() == after.execute(query.encode()).fetchall()


def test_a_person_comes_with_their_institution_and_without_their_name(server, db, library):
    instance = library["every_status"].load(db)
    lena = instance["north.lena"]
    frozen = freeze(db, name="somebody", user=lena.email, system="essay_coach")
    assert "Brandt" not in frozen.text
    assert lena.email not in frozen.text
    with server.database(DOMAIN) as other:
        frozen.definition.load(other)
        with other.connect() as conn:
            assert conn.execute("SELECT count(*), count(DISTINCT status) FROM essays").fetchone() == (5, 5)
            assert conn.execute("SELECT student_count FROM institutions").fetchone() == (1,)


def test_a_persons_tokens_are_made_anew(server, db, library):
    instance = library["token_theft"].load(db)
    frozen = freeze(db, name="somebody", user=instance["harbour.jonas"].email, system="essay_coach")
    assert "token_hash" not in frozen.text
    assert "password" not in frozen.text.partition("scenario:")[2]
    with server.database(DOMAIN) as other:
        frozen.definition.load(other)
        with other.connect() as conn:
            found = conn.execute(
                "SELECT count(*), count(*) FILTER (WHERE revoked_at IS NULL), count(DISTINCT family_id)"
                " FROM refresh_tokens"
            ).fetchone()
            assert found == (5, 2, 3)
            assert conn.execute(
                "SELECT count(*) FROM refresh_tokens WHERE replaced_by IS NOT NULL"
            ).fetchone() == (2,)
