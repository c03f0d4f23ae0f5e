#!/usr/bin/env bash
# sqlglot 30.30.0 (postgres): a condition that begins with a column named like a command is parsed as that command.
#
# `comment IS NOT NULL` and `show > 0` are conditions PostgreSQL itself writes out of a CHECK; the parser returns a
# Command (with a warning in the log) instead of a comparison, so a reader of conditions sees nothing to check.
. "$(dirname "$0")/common.bash"
install sqlglot==30.30.0
cat >"$work/run.py" <<'PY'
import logging
import sqlglot

logging.disable(logging.CRITICAL)
print("sqlglot", sqlglot.__version__)
for text in "comment IS NOT NULL", "show > 0", "set = 1", "load < 5", "call IS NULL", "label IS NOT NULL":
    try:
        print(f"{text:20}", type(sqlglot.parse_one(text, dialect="postgres")).__name__)
    except sqlglot.errors.ParseError as error:
        print(f"{text:20}", type(error).__name__)
PY
seen() {
    "$python" "$work/run.py"
}
seen | expect "$(cat <<'SEEN'
sqlglot 30.30.0
comment IS NOT NULL  Command
show > 0             Command
set = 1              Command
load < 5             Command
call IS NULL         Command
label IS NOT NULL    Is
SEEN
)"
