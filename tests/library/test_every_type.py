"""Every type PostgreSQL has, with values that Python has no form for: loaded, frozen, loaded again."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from scenarios.errors import GraphError
from scenarios.exact import interval
from scenarios.library import InvalidScenario, Library
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.changed import changed
from scenarios.library.instances.load import load
from scenarios.library.instances.start import forget_start
from scenarios.projects import project_sections

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'it''s "fine"');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE address AS (street text, number int);
CREATE SCHEMA "Odd Names";
CREATE TABLE "Odd Names"."Every Type" (
    "Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "select" text, feeling mood, feelings mood[], count positive, plain timestamp, zoned timestamptz,
    day date, clock time, zoned_clock timetz, span interval, spans interval[], exact numeric,
    approximate float8, single real, bytes bytea, json json, jsonb jsonb, numbers int[], grid text[],
    moments timestamptz[],
    range tstzrange, ranges int4multirange, network inet, networks inet[], hardware macaddr,
    bits bit varying(8), point point, home address, big bigint, padded char(5), words tsvector, object oid,
    money money
);
CREATE TABLE keyless (name text, number int);
CREATE TABLE membership (parent uuid NOT NULL REFERENCES "Odd Names"."Every Type", name text);
"""

VALUES = {
    "select": ["", "'", "${x}", "\\", "null", "1", "𝄞"],
    "feeling": ["sad", 'it\'s "fine"'],
    "feelings": ['{sad,"it\'s \\"fine\\"",NULL}', "{}"],
    "count": ["3"],
    "plain": [
        "2024-02-29 12:00:00.000001", "infinity", "-infinity", "0044-03-15 12:00:00 BC",
        "12024-01-01 00:00:00",
    ],
    "zoned": [
        "2024-02-29 12:00:00.000001+00", "infinity", "-infinity", "0044-03-15 12:00:00+00 BC",
        "12024-01-01 00:00:00+00",
    ],
    "day": ["2024-02-29", "infinity", "-infinity", "0044-03-15 BC", "12024-01-01"],
    "clock": ["23:59:59.999999", "24:00:00"],
    "zoned_clock": ["10:00:00+02", "10:00:00-09:30"],
    "span": [
        "1 mon", "30 days", "1 day", "24:00:00", "-1 years -2 mons +3 days -04:05:06.000007", "00:00:00",
        "-00:00:01", "1 day -02:00:00", "100000 years", "P1Y2M",
    ],
    "spans": ['{"1 mon","1 day",NULL}', '{{"1 mon","1 day"}}', '{{"2 days"}}'],
    "exact": ["NaN", "Infinity", "-Infinity", "1.500", "123456789012345678901234567890.123456789"],
    "approximate": ["NaN", "Infinity", "-Infinity", "0.1", "1e-300"],
    "single": ["0.1", "NaN", "3.4e38"],
    "bytes": ["\\xdeadbeef", "\\x"],
    "json": ['{"a": [1, null, "${x}"]}', '"text"'],
    "jsonb": ['{"a": {"b": []}}', "12345678901234567890123", "false"],
    "numbers": ["{1,NULL,3}", "{{1,2},{3,4}}", "{{{1}}}"],
    "grid": ['{{a,"b c"},{NULL,""}}', "{}"],
    "moments": [
        '{infinity,"2024-02-29 12:00:00+00"}', '{{"2024-02-29 12:00:00+00",NULL}}',
        '{{"2024-02-29 12:00:00+00"},{-infinity}}',
    ],
    "range": ['["2020-01-01 00:00:00+00",infinity)', "empty"],
    "ranges": ["{[1,3),[7,9)}", "{}"],
    "network": ["10.0.0.1", "2001:db8::/32"],
    "networks": ["{10.0.0.1,::1}"],
    "hardware": ["08:00:2b:01:02:03"],
    "bits": ["101", ""],
    "point": ["(1,2)"],
    "home": ['("x, ""y""",3)', '("",)'],
    "big": ["-9223372036854775808", "9007199254740993"],
    "padded": ["a", "abcde"],
    "words": ["'cat':2 'fat':1"],
    "object": ["4294967295"],
    "money": ["$12.34"],
}  # fmt: skip
TABLE = sql.Identifier("Odd Names", "Every Type")


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    script = tmp_path_factory.mktemp("every_type") / "schema.sql"
    script.write_text(SCHEMA, "utf-8")
    with server.database(script) as made:
        sections = project_sections(str(script), lambda: nullcontext(made))
        (script.parent / "first.yaml").write_text("scenario: first\nrows: {}\n", "utf-8")
        # The first that is remembered makes a table for it, which no restore takes away again.
        load(Library(script.parent, project=sections)["first"], made, remember=True).unload()
        yield made, sections


@pytest.fixture
def shelf_of_one(made, tmp_path):
    """Write one scenario and return it as the library has it."""
    database, sections = made
    before = database.snapshot()

    def one(text: str, name: str = "odd"):
        (tmp_path / f"{name}.yaml").write_text(
            text if "scenario:" in text else f"scenario: {name}\n{text}", "utf-8"
        )
        return Library(tmp_path, project=sections)[name]

    yield one
    database.restore(before)


@pytest.fixture
def database(made):
    return made[0]


def rows(database) -> list[str]:
    """Every row but its key, as PostgreSQL writes it."""
    with database.connect() as conn:
        names = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in VALUES]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), TABLE)
        return conn.execute(query).fetchall()


@pytest.mark.parametrize(("column", "value"), [(name, each) for name in VALUES for each in VALUES[name]])
def test_a_value_of_any_type_comes_back_as_it_was(shelf_of_one, database, column, value, caplog):
    scenario = shelf_of_one('rows:\n  "Odd Names.Every Type":\n    one: {}\n')
    instance = load(scenario, database, remember=True)
    with database.connect() as conn:
        conn.execute(sql.SQL("UPDATE {} SET {} = %s").format(TABLE, sql.Identifier(column)), [value])
    wanted = rows(database)
    frozen = freeze(database, name="again", instance=instance)
    assert (frozen.notes, caplog.messages) == ((), [])
    instance.unload()
    again = load(shelf_of_one(frozen.text, "again"), database, remember=True)
    assert rows(database) == wanted
    assert changed(again).rows == ()
    again.reset()
    assert rows(database) == wanted
    assert (
        freeze(database, name="again", instance=again).text.replace("instance again", "instance odd")
        == frozen.text
    )


WRITTEN_OTHERWISE = {
    "range": "[2020-01-01,2021-01-01]",
    "ranges": "{[7,8],[1,2]}",
    "padded": "ab",
    "words": "fat cat",
    "money": "12.3",
    "network": "10.0.0.1",
    "networks": ["10.0.0.1"],
    "hardware": "08002b010203",
    "point": "1,2",
    "home": "( x,3)",
    "span": "P1M",
    "exact": "1.50",
    "jsonb": {"b": 1.0, "a": []},
}


def test_what_a_file_writes_otherwise_than_the_database_has_not_changed(shelf_of_one, database):
    row = json.dumps(WRITTEN_OTHERWISE)
    instance = load(shelf_of_one(f'rows:\n  "Odd Names.Every Type":\n    one: {row}\n'), database)
    forget_start(instance)  # the journal would not have to compare
    found = changed(instance)
    assert (found.how, found.rows) == ("comparison", ())
    with database.connect() as conn:
        conn.execute(sql.SQL("UPDATE {} SET padded = 'abc', range = 'empty'").format(TABLE))
    [change] = changed(instance).rows
    assert set(change.as_dict()["columns"]) == {"padded", "range"}


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (
            "[0.12345678901234567890, 0.5]",
            "a number in JSON has more digits than a file keeps, and is rounded",
        ),
        (
            "[0.12345678901234567891, -0.1e-400]",
            "a number in JSON has more digits than a file keeps, and is rounded (2 times)",
        ),
        ("null", "the null of JSON is taken for no value"),
    ],
)
def test_what_a_file_cannot_hold_is_told(shelf_of_one, database, value, note):
    scenario = shelf_of_one('rows:\n  "Odd Names.Every Type":\n    one: {}\n')
    instance = load(scenario, database, remember=True)
    with database.connect() as conn:
        conn.execute(sql.SQL("UPDATE {} SET json = %s").format(TABLE), [value])
    assert freeze(database, name="again", instance=instance).notes == (f"Odd Names.Every Type: {note}",)


def test_rows_without_a_key_are_left_and_told_and_never_doubled(shelf_of_one, database):
    text = """\
rows:
  "Odd Names.Every Type": {one: {}}
  membership: {m: {parent: one, name: hangs on one}}
  keyless: {k: {name: stands alone}, l: {name: so does this}}
"""
    instance = load(shelf_of_one(text), database, remember=True)

    def count(table: str) -> int:
        with database.connect() as conn:
            return conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()[
                0
            ]

    forget_start(instance)  # the journal would not have to compare
    told = changed(instance)
    assert told.rows == ()
    assert not told, "what was not compared has not changed"
    assert told.notes == (
        "rows of keyless are not compared: the table has no key",
        "rows of membership are not compared: the table has no key",
    )
    left = "2 rows of keyless stay: the table has no key to find them by"
    assert instance.reset().left == (left,)
    assert (count("keyless"), count("membership")) == (2, 1)
    frozen = freeze(database, name="again", instance=instance)
    assert frozen.notes == ("2 rows of keyless left out: the table has no key to find them by",)
    assert "hangs on one" in frozen.text
    gone = instance.unload()
    assert gone.left == (left,)
    assert (count("keyless"), count("membership")) == (2, 0)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("plain: 2025-02-30", "not a moment"),
        ("day: 44-03-15 BC", "not a time"),
        ("span: 1 fortnight", "a length of time"),
        ("span: P", "a length of time"),
        ("span: ''", "a length of time"),
        ("approximate: Inf", "a number"),
        ("clock: '24:00:01'", "a time of day"),
        ("grid: [[a], [b, c]]", "equally long"),
        ("grid: [[a], b]", "has to be a text, not a list"),
        ("count: three", "a whole number"),
    ],
)
def test_what_no_type_holds_is_a_fault(shelf_of_one, row, what):
    with pytest.raises(InvalidScenario, match=what):
        shelf_of_one(f'rows:\n  "Odd Names.Every Type":\n    one: {{{row}}}\n')


def test_what_only_the_database_can_refuse_names_the_row(shelf_of_one, database):
    scenario = shelf_of_one('rows:\n  "Odd Names.Every Type":\n    one: {count: -1}\n')
    with pytest.raises(GraphError, match=r"odd\.yaml:4") as refused:
        load(scenario, database)
    assert "positive_check" in str(refused.value)
    assert rows(database) == []


def test_a_time_without_zone_is_read_back_without_one(shelf_of_one, database):
    instance = load(
        shelf_of_one('rows:\n  "Odd Names.Every Type":\n    one: {plain: -1h, zoned: -1h}\n'), database
    )
    with psycopg.connect(database.dsn) as conn:
        [(plain, zoned)] = conn.execute(sql.SQL("SELECT plain, zoned FROM {}").format(TABLE)).fetchall()
    assert (instance["one"].plain, instance["one"].zoned) == (plain, zoned)
    assert plain == zoned.astimezone(UTC).replace(tzinfo=None)
    assert zoned == datetime(2026, 3, 4, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 day 02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("-3 days", timedelta(days=-3)),
        ("-3 days -00:00:01", "-3 days -00:00:01"),
        ("-00:00:00.000001", "-00:00:00.000001"),
        ("00:00:00", timedelta()),
        ("24:00:00", "24:00:00"),
        ("1 day -00:00:01", "1 day -00:00:01"),
        ("1 mon", "1 mon"),
        ("999999999 days 23:59:59", timedelta(days=999999999, hours=23, minutes=59, seconds=59)),
        ("", ""),
    ],
)
def test_an_interval_stays_text_where_a_day_is_not_24_hours(text, found):
    assert interval(text) == found
