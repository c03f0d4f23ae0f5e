"""Refresh tokens: one live token a session, rotation, and what a stolen token sets off."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from ec_sample import ADA, ADMIN_N, BEN, CAI, NORTH

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def issue(world, user=ADA, token="first", at=NOW):
    return world.value(
        "SELECT issue_refresh_token(%s, %s, %s, at => %s)", user, digest(token), uuid.uuid4(), at
    )


def rotate(world, token, following, at):
    return world.conn.execute(
        "SELECT outcome, user_id FROM rotate_refresh_token(%s, %s, %s, at => %s)",
        [digest(token), digest(following), uuid.uuid4(), at],
    ).fetchone()


def live(world, user=ADA):
    return world.value("SELECT count(*) FROM refresh_tokens WHERE user_id = %s AND revoked_at IS NULL", user)


def test_rotation_replaces_one_token_by_the_next(world):
    issue(world)
    for step in range(3):
        assert rotate(
            world, "first" if step == 0 else f"t{step}", f"t{step + 1}", NOW + timedelta(hours=step + 1)
        ) == (
            "rotated",
            ADA,
        )
    assert live(world) == 1
    assert world.value("SELECT count(DISTINCT family_id) FROM refresh_tokens") == 1
    chain = world.value(
        "WITH RECURSIVE chain AS ("
        " SELECT id, replaced_by, 1 AS length FROM refresh_tokens WHERE token_hash = %s"
        " UNION ALL SELECT t.id, t.replaced_by, c.length + 1 FROM chain c JOIN refresh_tokens t ON"
        " t.id = c.replaced_by"
        ") SELECT max(length) FROM chain",
        digest("first"),
    )
    assert chain == 4
    assert world.values("SELECT rule FROM data_quality_breaches WHERE rule = 'rotation_moves_forward'") == []


def test_reuse_ends_the_whole_session_and_is_logged(world):
    issue(world)
    issue(world, BEN, "bens")
    rotate(world, "first", "second", NOW + timedelta(hours=1))
    assert rotate(world, "first", "thief", NOW + timedelta(hours=2)) == ("reuse_detected", ADA)
    assert live(world) == 0
    assert live(world, BEN) == 1, "other people's sessions go on"
    assert set(world.values("SELECT revoke_reason FROM refresh_tokens WHERE user_id = %s", ADA)) == {
        "reuse_detected"
    }
    assert rotate(world, "second", "third", NOW + timedelta(hours=3))[0] == "reuse_detected"
    events = world.conn.execute(
        "SELECT level, event, user_id, tableoid::regclass::text FROM logs WHERE source = 'auth' AND"
        " level = 'WARNING'"
    ).fetchall()
    assert events == [("WARNING", "refresh_token_reuse", ADA, "logs_2026_03")] * 2


def test_the_revocation_survives_because_it_is_not_an_error(ec_db):
    with ec_db.connect() as conn:
        conn.execute("SELECT issue_refresh_token(%s, %s, %s)", [ADA, digest("a"), uuid.uuid4()])
        for following in ("b", "thief"):
            conn.execute(
                "SELECT rotate_refresh_token(%s, %s, %s)", [digest("a"), digest(following), uuid.uuid4()]
            )
    with ec_db.connect() as other:
        found = other.execute("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL").fetchone()
    assert found == (0,)


def test_two_rotations_at_once_cannot_both_succeed(ec_db):
    with ec_db.connect() as one, ec_db.connect(autocommit=False) as two:
        one.execute("SELECT issue_refresh_token(%s, %s, %s)", [ADA, digest("a"), uuid.uuid4()])
        with one.transaction():
            one.execute("SELECT rotate_refresh_token(%s, %s, %s)", [digest("a"), digest("b"), uuid.uuid4()])
            two.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                two.execute(
                    "SELECT rotate_refresh_token(%s, %s, %s)", [digest("a"), digest("c"), uuid.uuid4()]
                )
            two.rollback()
        found = two.execute(
            "SELECT outcome FROM rotate_refresh_token(%s, %s, %s)", [digest("a"), digest("c"), uuid.uuid4()]
        ).fetchone()
        assert found == ("reuse_detected",)
        two.rollback()


def test_unknown_expired_revoked_and_inactive(world):
    assert rotate(world, "nobody's", "x", NOW) == ("unknown", None)
    issue(world)
    assert rotate(world, "first", "x", NOW + timedelta(days=8)) == ("expired", ADA)
    issue(world, BEN, "bens")
    assert world.value("SELECT revoke_refresh_tokens(%s, 'logout', %s)", BEN, NOW + timedelta(hours=1)) == 1
    assert rotate(world, "bens", "x", NOW + timedelta(hours=2)) == ("revoked", BEN)
    issue(world, CAI, "cais")
    world.conn.execute("UPDATE users SET is_active = false WHERE id = %s", [CAI])
    assert rotate(world, "cais", "x", NOW + timedelta(hours=1)) == ("inactive", CAI)
    assert live(world, CAI) == 0
    with world.refused(psycopg.errors.InvalidAuthorizationSpecification):
        issue(world, CAI, "again")


def test_a_family_has_one_live_token(world):
    issue(world)
    with world.refused(psycopg.errors.UniqueViolation):
        world.conn.execute(
            "INSERT INTO refresh_tokens (user_id, family_id, jti, token_hash, expires_at)"
            " SELECT user_id, family_id, gen_random_uuid(), %s, now() + interval '7 days' FROM"
            " refresh_tokens",
            [digest("second")],
        )


def test_only_a_hash_is_kept(world):
    with world.refused(psycopg.errors.CheckViolation):
        world.conn.execute("SELECT issue_refresh_token(%s, %s, %s)", [ADA, b"the token itself", uuid.uuid4()])


def test_a_person_sees_their_sessions_but_no_hash(world):
    issue(world)
    issue(world, BEN, "bens")
    with world.acting("student", ADA, NORTH):
        assert world.values("SELECT user_id FROM refresh_tokens") == [ADA]
        with world.refused():
            world.conn.execute("SELECT token_hash FROM refresh_tokens")
        with world.refused():
            world.conn.execute("SELECT rotate_refresh_token('x', 'y', gen_random_uuid())")
    with world.acting("admin", ADMIN_N, NORTH):
        assert set(world.values("SELECT user_id FROM refresh_tokens")) == {ADA, BEN}


def test_pruning_keeps_what_is_recent_and_deleting_a_user_takes_the_rest(world):
    issue(world)
    rotate(world, "first", "second", NOW + timedelta(days=6))
    assert world.value("SELECT prune_refresh_tokens('30 days', %s)", NOW + timedelta(days=20)) == 0
    assert world.value("SELECT prune_refresh_tokens('30 days', %s)", NOW + timedelta(days=38)) == 1
    assert world.values("SELECT token_hash FROM refresh_tokens") == [digest("second")]
    world.conn.execute("DELETE FROM users WHERE id = %s", [ADA])
    assert world.values("SELECT id FROM refresh_tokens") == []
