"""Databases with rules of their own for new tables and drops: they do not hold for the journal's."""

from __future__ import annotations

import psycopg
import pytest

from scenarios import journal
from scenarios.journal import CannotRestoreInPlace

AUDIT = """
    CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.audit_log (t) VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
    CREATE FUNCTION auto_audit() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
        FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE' LOOP
            EXECUTE format('CREATE TRIGGER audited AFTER INSERT OR UPDATE ON %s FOR EACH STATEMENT'
                           ' EXECUTE FUNCTION public.audit()', r.objid::regclass);
        END LOOP; END $$;
    CREATE EVENT TRIGGER auto_audit ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
        EXECUTE FUNCTION auto_audit();
    CREATE TABLE t (id integer PRIMARY KEY);
"""
FROZEN = """
    CREATE TABLE t (id integer PRIMARY KEY);
    CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'the schema is frozen'; END $$;
    CREATE EVENT TRIGGER frozen ON {event} EXECUTE FUNCTION frozen();
"""
KEYS = """
    CREATE FUNCTION keyed() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
        FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
            IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = r.objid AND indisprimary) THEN
                RAISE EXCEPTION '% has no primary key', r.object_identity;
            END IF;
        END LOOP; END $$;
    CREATE EVENT TRIGGER keyed ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION keyed();
    CREATE TABLE t (id integer PRIMARY KEY);
"""
WRITE = "INSERT INTO t VALUES (1)"
RULES = {
    "audits new tables": (AUDIT, WRITE),
    "audits new tables, always": (AUDIT + "ALTER EVENT TRIGGER auto_audit ENABLE ALWAYS", WRITE),
    "forbids DDL": (FROZEN.format(event="ddl_command_start"), WRITE),
    "forbids DDL, for replicas": (
        FROZEN.format(event="ddl_command_end") + "ALTER EVENT TRIGGER frozen ENABLE REPLICA",
        WRITE,
    ),
    "wants keys": (KEYS, WRITE),
    "publishes all": (
        "CREATE TABLE t (id integer PRIMARY KEY); CREATE PUBLICATION cdc FOR ALL TABLES",
        WRITE,
    ),
}


@pytest.mark.postgres_matrix
@pytest.mark.filterwarnings("ignore:wal_level")
@pytest.mark.parametrize(("schema", "write"), RULES.values(), ids=RULES)
def test_a_template_and_every_restore(any_server, schema, write):
    with (
        any_server.database(lambda conn: conn.execute(schema)) as database,
        database.connect() as app,
        database.connect() as control,
    ):
        rules = app.execute("SELECT evtname, evtenabled FROM pg_event_trigger ORDER BY 1").fetchall()
        before = journal.contents(control)
        taken = journal.snapshot(control)
        app.execute(write)
        assert journal.restore(control, taken).in_place
        assert journal.contents(control) == before
        assert app.execute("SELECT evtname, evtenabled FROM pg_event_trigger ORDER BY 1").fetchall() == rules
        journal.uninstall(control)


def test_dropping_is_forbidden_to_the_application_alone(bench):
    bench.ddl(FROZEN.format(event="sql_drop"))
    taken = journal.snapshot(bench.control)
    bench.ddl("ALTER TABLE t ADD COLUMN a integer")
    with pytest.raises(psycopg.Error, match="frozen"):
        bench.ddl("DROP TABLE t")
    with pytest.raises(CannotRestoreInPlace, match="the schema was changed"):
        journal.restore(bench.control, taken)
    bench.cycle("INSERT INTO t VALUES (1, 2)")


def test_nothing_of_ours_is_published(bench):
    bench.ddl("CREATE TABLE t (id integer PRIMARY KEY)")
    bench.cycle("INSERT INTO t VALUES (1)")
    bench.ddl("CREATE PUBLICATION cdc FOR ALL TABLES")  # in the middle, which is DDL
    bench.cycle("INSERT INTO t VALUES (1)")
    published = bench.app.execute("SELECT schemaname, tablename FROM pg_publication_tables").fetchall()
    assert published == [("public", "t")]


def test_a_crash_where_nothing_is_published(bench):
    bench.ddl("CREATE TABLE t (id integer PRIMARY KEY); CREATE PUBLICATION cdc FOR ALL TABLES")
    taken = journal.snapshot(bench.control)
    # What a crash does to unlogged tables.
    bench.ddl("TRUNCATE scenarios_journal.touched, scenarios_journal.snapshots, scenarios_journal.ddl,"
              " scenarios_journal.state, scenarios_journal.members, scenarios_journal.tracked")  # fmt: skip
    with pytest.raises(CannotRestoreInPlace, match="crashed"):
        journal.restore(bench.control, taken)
    bench.cycle("INSERT INTO t VALUES (1)")
