"""What a restore costs, counted in pages and bytes: a clock would tell how busy the machine is.

The two-thousandth restore touches what the first did, a large table costs no more than a small one, and one
row put back does not make the server read a table from end to end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from statistics import median
from typing import Any

import psycopg
import pytest

from scenarios import journal

pytestmark = pytest.mark.postgres_matrix

TABLES = """
    CREATE TABLE a (id integer PRIMARY KEY, owner integer, v text, note text); CREATE INDEX ON a (owner);
    CREATE TABLE b (LIKE a INCLUDING ALL); CREATE TABLE c (LIKE a INCLUDING ALL);
"""
FILL = "INSERT INTO {0} SELECT g, g % 10, 'v' || g, repeat('x', 50) FROM generate_series(1, {1}) g;"
SEVEN_ROWS = """
    INSERT INTO a VALUES (-1, 1, 'new'), (-2, 2, 'new');
    UPDATE b SET v = 'seen' WHERE id IN (3, 7);
    UPDATE c SET owner = 99 WHERE id = 5; DELETE FROM c WHERE id IN (8, 9)
"""


@dataclass(frozen=True)
class Cost:
    """Pages that one restore looked at, and the bytes it wrote to the log."""

    pages: int
    wal: int


def cost_of_restore(conn: psycopg.Connection[Any], taken: journal.Snapshot) -> Cost:
    row = conn.execute(
        "EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING OFF, FORMAT JSON)"
        " SELECT * FROM scenarios_journal.restore(%s, 5000, 1000000)",
        [taken.number],
        prepare=False,
    ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return Cost(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], plan["WAL Bytes"])


def pages_of_everything(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "SELECT sum(pg_total_relation_size(c.oid) / 8192)::bigint FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
        " AND (n.nspname IN ('public', 'scenarios_journal') OR c.relname IN ('pg_class', 'pg_attribute',"
        " 'pg_proc', 'pg_trigger', 'pg_depend', 'pg_statistic', 'pg_type'))"
    ).fetchone()
    assert row is not None
    return int(row[0])


def ready(bench: Any, rows: int) -> journal.Snapshot:
    bench.ddl(TABLES + "".join(FILL.format(table, rows) for table in "abc"))
    journal.dedicate(bench.control)
    bench.control.execute("VACUUM ANALYZE a, b, c")
    taken = journal.snapshot(bench.control)
    for _ in range(3):  # The plans of the session are made.
        bench.ddl(SEVEN_ROWS)
        journal.restore(bench.control, taken)
    return taken


@pytest.mark.thorough("two thousand restores")
def test_the_two_thousandth_restore_touches_what_the_first_did(bench):
    taken = ready(bench, 300)
    costs, sizes = [], []
    for number in range(1, 2001):
        bench.ddl(SEVEN_ROWS)
        if number % 100 == 50:  # Half-way between two tidyings.
            costs.append(cost_of_restore(bench.control, taken))
            sizes.append(pages_of_everything(bench.control))
        else:
            journal.restore(bench.control, taken)
    # Wear would show in each of the late ones; an autovacuum has the session read the catalogue again in one.
    early, late = costs[:5], costs[-5:]
    assert median(cost.pages for cost in late) <= 1.3 * median(cost.pages for cost in early)
    assert median(cost.wal for cost in late) <= 1.3 * median(cost.wal for cost in early)
    assert max(sizes) <= 1.1 * sizes[0]


def test_a_large_table_costs_no_more_than_a_small_one(any_bench, any_server):
    with any_server.database() as database:
        large = type(any_bench)(database)
        pages = []
        for bench, rows in ((any_bench, 50), (large, 20_000)):
            taken = ready(bench, rows)
            costs = []
            for _ in range(3):
                bench.ddl(SEVEN_ROWS)
                costs.append(cost_of_restore(bench.control, taken).pages)
            pages.append(median(costs))
        table = large.control.execute("SELECT pg_relation_size('c') / 8192").fetchone()
        large.close()
    # An index of a large table is a level or two deeper, and that is all.
    assert pages[1] <= 2 * pages[0]
    assert table is not None
    assert table[0] > pages[1]


def test_what_was_not_written_costs_next_to_nothing(any_bench):
    taken = ready(any_bench, 50)
    nothing = [cost_of_restore(any_bench.control, taken) for _ in range(5)]
    any_bench.ddl("UPDATE a SET v = 'x' WHERE id = 1")
    one = cost_of_restore(any_bench.control, taken)
    any_bench.ddl("UPDATE a SET v = 'x' WHERE id = 1; DELETE FROM b WHERE id < 10; DELETE FROM c")
    many = cost_of_restore(any_bench.control, taken)
    # A page of the catalogue that is tidied when it is read is a record in the log, and happens once.
    assert min(cost.wal for cost in nothing) == 0
    assert median(cost.pages for cost in nothing) < one.pages < many.pages


MANY = """DO $$ BEGIN FOR g IN 1 .. 150 LOOP
    EXECUTE format('CREATE TABLE m%s (id integer PRIMARY KEY, v text UNIQUE)', g);
END LOOP; END $$"""


def test_what_was_not_used_costs_nothing(any_bench, any_server):
    pages = []
    for program in ("", MANY):
        with any_server.database() as database:
            bench = type(any_bench)(database)
            bench.ddl(program)
            taken = ready(bench, 50)
            nothing = [cost_of_restore(bench.control, taken).pages for _ in range(5)]
            costs = []
            for _ in range(5):
                bench.ddl(SEVEN_ROWS)
                costs.append(cost_of_restore(bench.control, taken).pages)
            pages.append((median(nothing), median(costs)))
            bench.close()
    (nothing_before, before), (nothing_after, after) = pages
    assert nothing_after <= nothing_before + 3
    assert after <= before + 10


def test_reading_the_catalogue_is_linear(bench):
    """Whatever statistics say: a part that reads a whole catalogue for each table is quadratic."""
    query = resources.files("scenarios.journal").joinpath("catalogue.sql").read_text("utf-8")
    bench.ddl(
        "CREATE DOMAIN d AS numeric(9, 2); CREATE TABLE tree (id integer, v d) PARTITION BY LIST (id);"
        "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (v d) INHERITS (parent)"
    )
    handled = []
    for first, last in ((1, 30), (31, 120)):
        bench.ddl(
            f"DO $$ BEGIN FOR g IN {first} .. {last} LOOP"
            " EXECUTE format('CREATE TABLE m%s (id integer PRIMARY KEY, v d, w text UNIQUE,"
            " x integer GENERATED ALWAYS AS (id + 1) STORED)', g);"
            " EXECUTE format('CREATE TABLE tree_%s PARTITION OF tree FOR VALUES IN (%s)', g, g);"
            "END LOOP; END $$"
        )
        bench.control.execute("ANALYZE")
        journal.install(bench.control)
        row = bench.control.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}".encode()).fetchone()
        assert row is not None
        handled.append(rows_handled(row[0][0]["Plan"]))
    assert handled[1] < 4.5 * handled[0]


# A single key, one whose parts other indexes have too, none; and what a test may do to rows it has inserted.
GROWING = """
    CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v integer);
    CREATE TABLE pair (tenant integer, n integer, v integer, PRIMARY KEY (tenant, n));
    CREATE INDEX ON pair (tenant); CREATE INDEX ON pair (n);
    CREATE TABLE tree (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (5000);
    CREATE TABLE tree_2 PARTITION OF tree DEFAULT;
    CREATE TABLE bag (n integer, v integer);
"""
GROW = """
    INSERT INTO log (v) SELECT 1 FROM generate_series($from, $to);
    INSERT INTO pair SELECT 1, g, 1 FROM generate_series($from, $to) g;
    INSERT INTO tree SELECT g, 1 FROM generate_series($from, $to) g;
    INSERT INTO bag SELECT g, 1 FROM generate_series($from, $to) g;
"""
CHANGE = "UPDATE log SET v = 2; UPDATE pair SET v = 2; UPDATE tree SET v = 2; UPDATE bag SET v = 2;"
TAKE = "DELETE FROM log; DELETE FROM pair; DELETE FROM tree; DELETE FROM bag;"


def rows_handled(node: dict[str, Any]) -> float:
    """How many rows the nodes of a plan gave on or threw away, each as often as it ran."""
    thrown_away = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    here = (node["Actual Rows"] + thrown_away) * node["Actual Loops"]
    return here + sum(map(rows_handled, node.get("Plans", ())))


@pytest.mark.parametrize("kept", [0, 300])
def test_a_restore_handles_the_rows_it_undoes_whatever_statistics_say(bench, kept):
    bench.ddl(GROWING)
    bench.ddl(GROW.replace("$from", "1").replace("$to", str(kept)))
    journal.dedicate(bench.control)
    plans: list[float] = []
    bench.control.add_notice_handler(
        lambda notice: (
            plans.append(
                rows_handled(json.loads((notice.message_primary or "").partition("plan:")[2])["Plan"])
            )
            if "plan:" in (notice.message_primary or "")
            else None
        )
    )
    bench.control.execute(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;"
        "SET auto_explain.log_timing = off; SET auto_explain.log_nested_statements = on;"
        "SET auto_explain.log_format = json; SET auto_explain.log_level = notice"
    )
    taken = journal.snapshot(bench.control)

    def a_row(program: str, rows: int) -> float:
        bench.ddl(program.replace("$from", str(kept + 1)).replace("$to", str(kept + rows)))
        plans.clear()
        journal.restore(bench.control, taken)
        return sum(plans) / (4 * (rows + kept))

    handled: list[float] = []
    for restores in (1, 10, 10):
        for _ in range(restores):
            bench.ddl(GROW.replace("$from", str(kept + 1)).replace("$to", str(kept + 1)))
            journal.restore(bench.control, taken, tidy_every=10)  # What is empty again is vacuumed.
        handled += [a_row(GROW, 1000), a_row(GROW + CHANGE, 1000), a_row(GROW + CHANGE, 90)]
        if kept:
            handled.append(a_row(CHANGE + TAKE, 0))
    bench.control.execute("VACUUM ANALYZE")
    handled += [a_row(GROW, 5000), a_row(GROW + CHANGE, 5000)]
    # A row passes through a few nodes of a few plans, however many there are of it.
    assert max(handled) < 50
