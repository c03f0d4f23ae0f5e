"""Months as partitions: their bounds, making and retiring, and what becomes of who addresses one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from ec_sample import ADA, ADMIN_N, CAI, NORTH, START

from scenarios.domains.essay_coach.loading import after_load, before_load
from scenarios.graph import perform

PARENTS = ("analytics", "logs", "audit_log")


def add(world, at, user=ADA):
    world.conn.execute(
        "INSERT INTO analytics (user_id, metric_type_id, value, created_at) VALUES (%s, 1, 1, %s)", [user, at]
    )


def home(world, at):
    return world.value(
        "SELECT tableoid::regclass::text FROM analytics WHERE created_at = %s AND value = 1", at
    )


@pytest.mark.parametrize("parent", PARENTS)
def test_this_month_and_the_next_exist(world, parent):
    names = world.values(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", parent
    )
    now = datetime.now(UTC)
    following = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    assert {f"{parent}_default", f"{parent}_{now:%Y_%m}", f"{parent}_{following:%Y_%m}"} <= set(names)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_bounds_are_utc_whatever_the_session(world, zone):
    world.conn.execute("SELECT set_config('timezone', %s, true)", [zone])
    assert world.value("SELECT ensure_month('analytics', '2031-05-17')") is True
    add(world, datetime(2031, 5, 1, tzinfo=UTC))
    last = datetime(2031, 6, 1, tzinfo=UTC) - timedelta(microseconds=1)
    add(world, last)
    add(world, datetime(2031, 6, 1, tzinfo=UTC))
    assert home(world, datetime(2031, 5, 1, tzinfo=UTC)) == "analytics_2031_05"
    assert home(world, last) == "analytics_2031_05"
    assert home(world, datetime(2031, 6, 1, tzinfo=UTC)) == "analytics_default"


def test_making_a_month_twice_does_nothing(world):
    assert world.values("SELECT ensure_month('logs', '2031-01-01')") == [True]
    assert world.values("SELECT ensure_month('logs', '2031-01-31')") == [False]
    assert world.value("SELECT ensure_months('logs', '2030-11-15+00', '2031-02-01+00')") == 3


@pytest.mark.parametrize("parent", PARENTS)
def test_rows_that_waited_in_the_default_partition_move_to_their_month(world, parent):
    if parent == "analytics":
        add(world, datetime(2031, 5, 9, tzinfo=UTC))
    elif parent == "logs":
        world.conn.execute(
            "INSERT INTO logs (level, source, event, created_at) VALUES ('INFO', 'x', 'y', '2031-05-09+00')"
        )
    else:
        world.conn.execute(
            "INSERT INTO audit_log (at, table_name, row_pk, op, new_row)"
            " VALUES ('2031-05-09+00', 'essays', '1', 'INSERT', '{}')"
        )
    assert ("problem" not in world.values("SELECT status FROM health_partitions")) is True
    assert f"partitions: {parent}" in world.values(
        "SELECT item FROM health_partitions WHERE status = 'warning'"
    )
    assert world.value("SELECT ensure_month(%s, '2031-05-01')", parent) is True
    count = psycopg.sql.SQL("SELECT count(*) FROM {}")
    assert world.value(count.format(psycopg.sql.Identifier(f"{parent}_2031_05"))) == 1
    assert world.value(count.format(psycopg.sql.Identifier(f"{parent}_default"))) == 0


def test_an_unknown_table_is_refused(world):
    with world.refused(psycopg.errors.UndefinedTable):
        world.conn.execute("SELECT ensure_month('essays', '2031-01-01')")


def test_retired_months_are_detached_and_can_come_back(world):
    kept = world.value("SELECT count(*) FROM analytics")
    march = world.value("SELECT count(*) FROM analytics_2026_03")
    assert march > 0
    retired = world.values("SELECT retire_months('analytics', '2026-04-15')")
    assert retired == ["analytics_2026_03"]
    assert world.value("SELECT count(*) FROM analytics") == kept - march
    assert world.value("SELECT count(*) FROM analytics_2026_03") == march, "a detached month keeps its rows"
    assert world.value("SELECT ensure_month('analytics', '2026-03-01')") is True
    assert world.value("SELECT count(*) FROM analytics") == kept


def test_a_retired_month_of_the_audit_trail_comes_back_protected(world):
    world.conn.execute(
        "INSERT INTO audit_log (at, table_name, row_pk, op, new_row) VALUES (%s, 'essays', '1',"
        " 'INSERT', '{}')",
        [START],
    )
    assert world.values("SELECT retire_months('audit_log', '2026-04-01')") == ["audit_log_2026_03"]
    world.conn.execute("SELECT ensure_month('audit_log', '2026-03-01')")
    for statement in ("DELETE FROM audit_log_2026_03", "TRUNCATE audit_log_2026_03", "TRUNCATE audit_log"):
        with world.refused():
            world.conn.execute(statement)


def test_retiring_can_drop(world):
    assert world.values("SELECT retire_months('logs', '2026-05-01', true)") == [
        "logs_2026_03",
        "logs_2026_04",
    ]
    assert world.value("SELECT to_regclass('logs_2026_03')") is None


@pytest.mark.parametrize(
    "partition", ["analytics_2026_03", "analytics_default", "audit_log_default", "logs_2026_03"]
)
@pytest.mark.parametrize("role", ["student", "educator", "admin", "app"])
def test_no_role_may_address_a_partition(world, role, partition):
    with world.acting(role, ADMIN_N, NORTH), world.refused():
        world.conn.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(partition)))


def test_a_partition_granted_by_mistake_shows_nothing(world):
    world.conn.execute("GRANT SELECT ON analytics_2026_03, analytics_default TO ec_student")
    assert world.value("SELECT count(*) FROM analytics_2026_03") == 3
    with world.acting("student", ADA, NORTH):
        assert world.value("SELECT count(*) FROM analytics_2026_03") == 0
        assert world.value("SELECT count(*) FROM analytics") == 2


def test_partitions_belong_to_the_owner_and_get_the_parents_indexes(world):
    world.conn.execute("SELECT ensure_month('analytics', '2031-05-01')")
    owners = set(
        world.values(
            "SELECT relowner::regrole::text FROM pg_class"
            " WHERE relname LIKE 'analytics%' AND relnamespace = 'public'::regnamespace"
        )
    )
    assert owners == {"ec_owner"}
    assert world.value("SELECT count(*) FROM pg_index WHERE indrelid = 'analytics_2031_05'::regclass") == 5


def test_loading_makes_the_months_it_needs(world):
    first, last = datetime(2024, 11, 30, 23, 59, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
    perform(world.conn, before_load({"analytics": (first, last), "essays": (first, last)}))
    add(world, first)
    add(world, last)
    assert home(world, first) == "analytics_2024_11"
    assert home(world, last) == "analytics_2025_02"
    assert world.values("SELECT to_regclass('logs_2024_11')") == [None]
    world.conn.execute("UPDATE users SET first_name = 'Ada' WHERE id = %s", [ADA])
    assert world.value("SELECT count(*) FROM audit_log") == 0, "loading is not something a person did"
    perform(world.conn, after_load())
    assert world.value("SELECT count(*) FROM view_refreshes") == 3


def test_two_loads_at_once_need_the_same_month(ec_db):
    with ec_db.connect(autocommit=False) as one, ec_db.connect(autocommit=False) as two:
        assert one.execute("SELECT ensure_month('analytics', '2031-05-01')").fetchone() == (True,)
        two.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            two.execute("SELECT ensure_month('analytics', '2031-05-01')")
        two.rollback()
        one.commit()
        assert two.execute("SELECT ensure_month('analytics', '2031-05-01')").fetchone() == (False,)
        two.rollback()


def test_a_row_in_a_month_is_found_by_pruning(world):
    plan = "\n".join(
        world.values(
            "EXPLAIN SELECT * FROM analytics WHERE user_id = 13"
            " AND created_at >= '2026-03-01+00' AND created_at < '2026-04-01+00'"
        )
    )
    assert "analytics_2026_03" in plan
    assert "analytics_2026_04" not in plan
    assert "analytics_default" not in plan


def test_the_same_id_may_stand_in_two_months_but_not_twice_in_one(world):
    insert = (
        "INSERT INTO analytics (id, user_id, metric_type_id, value, created_at) VALUES (5000, %s, 1, 1, %s)"
    )
    world.conn.execute(insert, [CAI, START])
    world.conn.execute(insert, [CAI, START + timedelta(days=31)])
    with world.refused(psycopg.errors.UniqueViolation):
        world.conn.execute(insert, [CAI, START])


def test_create_months_ahead_covers_all_three(world):
    made = world.value("SELECT create_months_ahead(5)")
    assert made == 6, "two more months for each of the three tables"
    assert world.value("SELECT create_months_ahead(5)") == 0
