#!/usr/bin/env bash
# Django 5.2.19: installing psycopg 3 beside psycopg2 changes the driver of every project in that environment.
#
# The backend `django.db.backends.postgresql` imports psycopg 3 where it can and psycopg2 otherwise; no setting says
# which. A tool that brings psycopg 3 along therefore makes a suite test another driver than before, without a word.
. "$(dirname "$0")/common.bash"
install django==5.2.19 psycopg2-binary==2.9.13
cat >"$work/run.py" <<'PY'
import django
from django.db.backends.postgresql.base import Database

print("Django", django.__version__, "uses", Database.__name__, Database.__version__.split()[0])
PY
seen() {
    "$python" "$work/run.py"
    install psycopg[binary]==3.3.9
    "$python" "$work/run.py"
}
seen | expect "$(cat <<'SEEN'
Django 5.2.19 uses psycopg2 2.9.13
Django 5.2.19 uses psycopg 3.3.9
SEEN
)"
