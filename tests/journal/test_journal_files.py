"""Snapshot files: what goes in comes out, elsewhere as well, and nothing half-way."""

from __future__ import annotations

import hashlib
import threading

import pytest
from sqlalchemy import MetaData, Table

from scenarios import journal
from scenarios.errors import JournalError, SafetyError, SnapshotFileError
from scenarios.journal.files import file_lines

SCHEMA = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, m mood, f float8, b bytea,
        up text GENERATED ALWAYS AS (upper(v)) STORED);
    CREATE TABLE "Odd name" (
        "the key" integer PRIMARY KEY, a_id bigint REFERENCES a, at timestamptz, j jsonb);
    CREATE TABLE part (id integer, n integer) PARTITION BY LIST (n);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
    CREATE TABLE part_2 PARTITION OF part DEFAULT;
    CREATE TABLE base (id integer);
    CREATE TABLE derived (extra text) INHERITS (base);
    CREATE TABLE seen (n integer);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.seen VALUES (1); RETURN NULL; END $$;
    CREATE TRIGGER see AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION see();
    CREATE TRIGGER always AFTER INSERT ON base FOR EACH ROW EXECUTE FUNCTION see();
    ALTER TABLE base ENABLE ALWAYS TRIGGER always;
    CREATE SEQUENCE lone;
    CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM a;
    CREATE MATERIALIZED VIEW more AS SELECT n + 1 AS n FROM total;
    CREATE MATERIALIZED VIEW blank AS SELECT 1 AS n WITH NO DATA;
"""
DATA = """
    INSERT INTO a (v, m, f, b) VALUES ('one' || chr(9) || 'tab', 'sad', 0.1::float8 + 0.2, '\\x00ff'),
        (E'line\\nbreak \\\\ back', 'happy', 'NaN', NULL), ('', NULL, '-0', ''), (NULL, NULL, NULL, NULL);
    INSERT INTO a (v) SELECT repeat(md5(g::text), 500) FROM generate_series(1, 200) g;
    INSERT INTO "Odd name" VALUES
        (1, 1, '2024-03-31 02:30+02', '{"a": [1, "\\\\n"]}'), (2, NULL, 'infinity', NULL);
    INSERT INTO part VALUES (1, 1), (2, 2), (2, 2);
    INSERT INTO base VALUES (1); INSERT INTO derived VALUES (2, 'x');
    SELECT nextval('lone'), nextval('lone');
    REFRESH MATERIALIZED VIEW total; REFRESH MATERIALIZED VIEW more;
"""


@pytest.fixture
def file(bench, tmp_path):
    bench.ddl(SCHEMA)
    bench.ddl(DATA)
    journal.save(bench.control, tmp_path / "x.scn")
    return tmp_path / "x.scn"


@pytest.mark.postgres_matrix
def test_a_file_opens_under_any_version(bench, file, any_server):
    saved = journal.contents(bench.control)
    with any_server.database() as database, database.connect() as app:
        app.execute(SCHEMA.encode())
        app.execute(b"INSERT INTO a (v) VALUES ('to be replaced')")
        app.execute(b"REFRESH MATERIALIZED VIEW total; REFRESH MATERIALIZED VIEW more")
        start = database.snapshot()
        database.open(file)
        assert journal.contents(app) == saved
        app.execute(b"INSERT INTO a (v) VALUES ('goes on')")
        assert app.execute(b"SELECT max(id) FROM a").fetchone() == (205,)
        # Opening is a write like any other.
        database.restore(start)
        assert app.execute(b"SELECT v FROM a").fetchall() == [("to be replaced",)]
        database.save(file)
    assert journal.read_header(file).server_version == any_server.version


def test_saving_is_repeatable(bench, file, tmp_path):
    again = journal.save(bench.control, tmp_path / "again.scn")
    assert again.fingerprint == journal.check_file(file).fingerprint
    assert not journal.diff(file, tmp_path / "again.scn")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.scn", "x.scn"]


def damage_end(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damage_bit(data: bytes) -> bytes:
    place = len(data) // 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def resigned(data: bytes) -> bytes:
    # Cut short by somebody who could compute a checksum.
    short = data[: len(data) // 2]
    return short + hashlib.sha256(short).digest()


def other_format(data: bytes) -> bytes:
    return data.replace(b"snapshot 1\n", b"snapshot 0\n", 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_end, "checksum"),
        (damage_bit, "checksum"),
        (resigned, "middle of a frame|refuses"),
        (other_format, "format 0"),
        (lambda _: b"", "not a snapshot file"),
        (lambda _: b"PK\x03\x04 something else", "not a snapshot file"),
        (lambda data: data[:24], "damaged"),
    ],
)
def test_a_damaged_file_changes_nothing(bench, file, damage, message):
    file.write_bytes(damage(file.read_bytes()))
    before = journal.contents(bench.control)
    with pytest.raises(SnapshotFileError, match=message) as refused:
        journal.open_file(bench.control, file)
    assert str(file) in str(refused.value)
    assert journal.contents(bench.control) == before


def test_another_schema_changes_nothing(bench, file):
    bench.ddl("ALTER TABLE a ADD COLUMN w integer; DROP TABLE seen; CREATE TABLE fresh (id integer)")
    before = journal.contents(bench.control)
    with pytest.raises(SnapshotFileError) as refused:
        journal.open_file(bench.control, file)
    for words in (
        "public.seen is missing in the database",
        "public.fresh is missing in the file",
        "column w",
    ):
        assert words in str(refused.value)
    assert journal.contents(bench.control) == before


def test_rows_the_database_refuses_change_nothing(bench, file):
    bench.ddl('DELETE FROM "Odd name"; DELETE FROM a; ALTER TABLE a ADD CHECK (length(v) < 3)')
    before = journal.contents(bench.control)
    with pytest.raises(SnapshotFileError, match="check"):
        journal.open_file(bench.control, file)
    assert journal.contents(bench.control) == before


def test_a_missing_file_and_a_missing_directory(bench, tmp_path):
    with pytest.raises(SnapshotFileError, match="cannot read"):
        journal.open_file(bench.control, tmp_path / "none.scn")
    with pytest.raises(SnapshotFileError, match="cannot write"):
        journal.save(bench.control, tmp_path / "none" / "x.scn")


def test_a_file_is_not_opened_in_a_database_of_somebody_else(server, file):
    with server.connect() as admin:
        admin.execute("CREATE DATABASE journal_files_of_others")
        try:
            with server.connect("journal_files_of_others") as foreign, pytest.raises(SafetyError):
                journal.open_file(foreign, file)
        finally:
            admin.execute("DROP DATABASE journal_files_of_others WITH (FORCE)")


def test_an_open_transaction_is_named(bench, file):
    culprit = bench.database.connect(autocommit=False)
    culprit.execute("DELETE FROM part")
    with pytest.raises(JournalError, match=f"pid {culprit.info.backend_pid}"):
        journal.open_file(bench.control, file, wait=0.05)
    culprit.close()


def test_differences_between_databases_and_files(bench, file):
    bench.ddl(
        'UPDATE a SET v = E\'tab\\t back\\\\ new\\n\' WHERE id = 1; DELETE FROM "Odd name" WHERE "the'
        ' key" = 2;'
        "INSERT INTO part VALUES (2, 2), (9, 1)"
    )
    found = journal.diff(file, bench.control)
    assert found.counts == {
        "public.Odd name": {"inserted": 0, "updated": 0, "deleted": 1},
        "public.a": {"inserted": 0, "updated": 1, "deleted": 0},
        "public.part": {"inserted": 2, "updated": 0, "deleted": 0},
    }
    assert found.of("a")[0].columns == {"v": ("one\ttab", "tab\t back\\ new\n")}
    assert journal.diff(bench.control, file).counts["public.part"]["deleted"] == 2
    bench.ddl("CREATE TABLE fresh (id integer)")
    assert journal.diff(file, bench.control).notes == ("public.fresh is only in the second",)


def test_a_file_saved_among_writers_is_one_point_in_time(bench, tmp_path):
    """Each transaction moves one from a to b: their sum is the same in every file, however busy it is."""
    bench.ddl(
        "CREATE TABLE a (n integer); INSERT INTO a VALUES (1000000);"
        "CREATE TABLE between (v text);"
        "INSERT INTO between SELECT repeat(md5(g::text), 99) FROM generate_series(1, 2000) g;"
        "CREATE TABLE z (n integer); INSERT INTO z VALUES (0)"
    )
    stop = threading.Event()

    def writer() -> None:
        with bench.database.connect(autocommit=False) as conn:
            while not stop.is_set():
                conn.execute("UPDATE a SET n = n - 1")
                conn.execute("UPDATE z SET n = n + 1")
                conn.commit()

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        sums = []
        for number in range(5):
            journal.save(bench.control, tmp_path / f"{number}.scn")
            rows = {table["name"]: list(lines) for table, lines in file_lines(tmp_path / f"{number}.scn")}
            sums.append(int(rows["a"][0]) + int(rows["z"][0]))
    finally:
        stop.set()
        thread.join()
    assert sums == [1_000_000] * 5
    assert bench.app.execute("SELECT n > 5 FROM z").fetchone() == (True,)


def test_tables_without_columns_and_names_with_dots(server, bench, tmp_path):
    """Each has its own rows, in a file, in what changed, and in what a restore reports."""
    odd = """
        CREATE TABLE bare (); CREATE TABLE made (n integer GENERATED ALWAYS AS (1 + 1) STORED);
        CREATE SCHEMA a; CREATE SCHEMA "a.b";
        CREATE TABLE a."b.c" (id integer PRIMARY KEY); CREATE TABLE "a.b".c (id integer PRIMARY KEY);
        CREATE TABLE "a.b"."c""d" (id integer PRIMARY KEY);
    """
    bench.ddl(odd)
    bench.ddl(
        "INSERT INTO bare DEFAULT VALUES; INSERT INTO bare DEFAULT VALUES; INSERT INTO made DEFAULT VALUES;"
        'INSERT INTO a."b.c" VALUES (1); INSERT INTO "a.b".c VALUES (2), (3)'
    )
    saved = journal.contents(bench.control)
    assert {'"a"."b.c"', '"a.b"."c"', "public.bare"} <= set(saved)
    path = tmp_path / "odd.scn"
    journal.save(bench.control, path)
    with server.database(lambda conn: conn.execute(odd)) as other, other.connect() as app:
        before = journal.snapshot(app)
        journal.open_file(app, path)
        assert journal.contents(app) == saved
        assert not journal.diff(path, app)
        changed = journal.changes(app, before)
        assert changed.counts['"a.b"."c"']["inserted"] == 2
        assert len(changed.of(Table("b.c", MetaData(), schema="a"))) == 1
        assert len(changed.of(Table("b.c", MetaData()))) == len(changed.of('"a"."b.c"')) == 1
        assert len(changed.of("c")) == 2
        assert journal.restore(app, before).tables == {
            '"a"."b.c"': 1, '"a.b"."c"': 2, "public.bare": 2, "public.made": 1}  # fmt: skip


def test_tables_of_an_extension_stay_unless_they_are_its_configuration(server, bench, tmp_path):
    """What an extension keeps for itself belongs to one database; pg_dump leaves it alone, too."""
    schema = """
        CREATE EXTENSION citext; CREATE TABLE plain (id serial PRIMARY KEY);
        CREATE TABLE inner_state (id serial PRIMARY KEY, v text); CREATE TABLE chosen (id serial PRIMARY KEY);
        ALTER EXTENSION citext ADD TABLE inner_state; ALTER EXTENSION citext ADD TABLE chosen;
        ALTER EXTENSION citext ADD SEQUENCE inner_state_id_seq;
        ALTER EXTENSION citext ADD SEQUENCE chosen_id_seq; SET allow_system_table_mods = on;
        UPDATE pg_extension SET extcondition = '{"",""}',
               extconfig = ARRAY['chosen'::regclass::oid, 'chosen_id_seq'::regclass::oid]
         WHERE extname = 'citext'; RESET allow_system_table_mods;
    """
    bench.ddl(schema)
    bench.ddl(
        "INSERT INTO plain DEFAULT VALUES; INSERT INTO chosen VALUES (DEFAULT), (DEFAULT);"
        "INSERT INTO inner_state (v) VALUES ('here')"
    )
    path = tmp_path / "extension.scn"
    journal.save(bench.control, path)
    with server.database(lambda conn: conn.execute(schema)) as other, other.connect() as app:
        app.execute("INSERT INTO inner_state (v) VALUES ('there'), ('and more')")
        journal.open_file(app, path)
        assert app.execute("SELECT array_agg(v) FROM inner_state").fetchone() == (["there", "and more"],)
        assert app.execute("SELECT nextval('inner_state_id_seq'), nextval('chosen_id_seq')").fetchone() == (
            3,
            3,
        )
        assert app.execute("SELECT (SELECT count(*) FROM plain), count(*) FROM chosen").fetchone() == (1, 2)
        app.execute("SELECT setval('chosen_id_seq', 2)")
        assert not journal.diff(path, app)
