"""Running a `.sql` file as ``psql -f`` does, and saying where it was refused.

A plain dump, a script of one's own and a migration tool's file are all written for psql: each statement is a
transaction of its own unless the file says otherwise, rows of COPY stand in the file, commands begin with a
backslash. So each statement is sent by itself. Unlike psql, the first error ends it: a template is whole or
not there.

A script runs in the database it is given and changes no other: what psql would do to other databases or to
the server is refused, but for ``CREATE DATABASE`` and ``\\connect`` of the one database a file is meant for,
which is the template.
"""

from __future__ import annotations

import codecs
import os
import re
import selectors
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from scenarios.errors import TemplateError
from scenarios.postgres.connections import renew_session
from scenarios.postgres.psql_reader import Command, Reader, Statement, arguments

_NAME = r'(?:"(?:[^"]|"")+"|[^\s;,"(]+)'
_ROWS_FOLLOW = re.compile(r"\bFROM\s+STDIN\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_OF_DATABASE = re.compile(
    rf"(?P<verb>CREATE|DROP|ALTER(?:\s+(?:ROLE|USER)\b.*?\bIN)?|COMMENT\s+ON|GRANT\b.*?\bON|REVOKE\b.*?\bON|SECURITY\s+LABEL\b.*?\bON)\s+DATABASE\s+"
    rf"(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})",
    re.IGNORECASE | re.DOTALL,
)
_MEANT_FOR = re.compile(rf"^\s*\\c(?:onnect)?[ \t]+(?P<name>{_NAME})", re.IGNORECASE | re.MULTILINE)
_OF_SERVER = re.compile(r"(ALTER\s+SYSTEM|(CREATE|DROP|ALTER)\s+TABLESPACE)\b", re.IGNORECASE)
_NEW_ROLE = re.compile(r"CREATE\s+(ROLE|USER|GROUP)\s+(?!MAPPING\b)", re.IGNORECASE)
_SCHEMA_PUBLIC = re.compile(r'CREATE\s+SCHEMA\s+"?public"?\s*\Z', re.IGNORECASE)
_NEWER_SETTING = re.compile(r"SET\s+transaction_timeout\b", re.IGNORECASE)
_OF_ROLES = re.compile(
    r"(GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES|ALTER\s+.*\bOWNER\s+TO|REASSIGN|CREATE\s+SCHEMA\b.*AUTHORIZATION)\b",
    re.IGNORECASE | re.DOTALL,
)
_MISSING_ROLE = re.compile(r'role "(.*)" does not exist')
_COPY_FILE = re.compile(
    r"(?P<what>.+?)\s+(?P<way>from|to)\s+(?P<file>'(?:[^']|'')*'|\S+)(?P<options>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_SHOW = re.compile(
    r"d\S*|l\+?|z|s[fv]\+?|echo|qecho|warn|timing|pset|x|a|t|f|H|C|T|conninfo|copyright|errverbose|h|help|\?|s"
    r"|o|out|p|print|restrict|unrestrict|setenv|if|elif|else|endif"
)
_TRUE = ("on", "true", "yes", "1")
_FALSE = ("off", "false", "no", "0")
_DEEPEST = 50
_ORDINARY = re.compile(
    r"(INSERT|UPDATE|DELETE|COMMENT|GRANT|REVOKE|SET|(CREATE|ALTER|DROP)\s+(?!ROLE\b|USER\b|GROUP\b|DATABASE\b))",
    re.IGNORECASE,
)
_MOST_AT_ONCE, _MOST_BYTES, _LONGEST = 100, 32_000, 8_000
"""Of statements on their way: so few that neither side waits for the other to read."""


def run_script(
    conn: psycopg.Connection[Any],
    script: str,
    name: str,
    *,
    home: Path | None = None,
    ignore_missing_roles: bool = False,
) -> None:
    """Run *script* on the autocommit connection *conn*.

    Args:
        conn: a connection to the database the script is for.
        script: its text, see `read_script`.
        name: what to call it in errors, its path by preference.
        home: where files of ``\\ir`` are, and those of ``\\i`` that are not in the working directory.
        ignore_missing_roles: pass over what gives rights or objects to a role that is not there.

    Raises:
        TemplateError: a statement was refused, a command is one that makes no sense here, or the script would
            change something else than the database.
    """
    # A build is not waited for to be on disk; the tag on the finished template is.
    conn.execute("SET synchronous_commit = off")
    variables = {"DBNAME": conn.info.dbname, "USER": conn.info.user, "ENCODING": "UTF8"}
    run = _Run(conn, variables, _database_meant(script, name), ignore_missing_roles)
    run.script(script, name, home)
    if conn.info.transaction_status != TransactionStatus.IDLE:
        conn.rollback()
        raise TemplateError(
            "a script ends inside a transaction",
            where=name,
            why="it has a BEGIN without a COMMIT, so PostgreSQL would keep nothing of what comes after it",
            hint="end the transaction with COMMIT",
        )


def read_script(path: Path) -> str:
    """Return the text of the script at *path*; bytes that are no UTF-8 are sent as they stand.

    Raises:
        TemplateError: it cannot be read, or is no script.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TemplateError(
            "cannot read the schema",
            where=str(path),
            why=error.strerror,
            hint="give the path of a .sql file, or of a directory of them",
        ) from error
    for beginning, what, hint in (
        (b"PGDMP", "an archive of pg_dump", "write it as a script with: pg_restore -f schema.sql"),
        (b"\x1f\x8b", "compressed", "unpack it with: gunzip"),
        (codecs.BOM_UTF16_LE, "in UTF-16", "save it as UTF-8"),
        (codecs.BOM_UTF16_BE, "in UTF-16", "save it as UTF-8"),
    ):
        if raw.startswith(beginning):
            raise TemplateError(
                "cannot read the schema", where=str(path), why=f"the file is {what}", hint=hint
            )
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _database_meant(script: str, name: str) -> str | None:
    """Return the database that *script* connects to; where it is none of its own, to make one there."""
    names = {_unquoted(match["name"]) for match in _MEANT_FOR.finditer(script)}
    names -= {"-", "postgres", "template1"}
    if len(names) > 1:
        raise TemplateError(
            "a script is for more than one database",
            where=name,
            why=f"it connects to {' and '.join(sorted(names))}",
            hint="give one file for each",
        )
    return names.pop() if names else None


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.strip("'")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Run:
    """A script on its way, with the files it includes."""

    def __init__(
        self,
        conn: psycopg.Connection[Any],
        variables: dict[str, str],
        meant: str | None,
        ignore_missing_roles: bool,
    ) -> None:
        self._conn = conn
        self._cursor = conn.cursor()
        self._variables = variables
        self._meant = meant
        self._ignore = ignore_missing_roles
        self._depth = 0
        self._waiting: list[tuple[Statement, str]] = []
        self._waiting_bytes = 0
        self._branches: list[tuple[bool, bool]] = []
        """For each open \\if: whether this branch runs, and whether one has run already."""

    def script(self, text: str, name: str, home: Path | None) -> None:
        """Run *text*, which stands in the file *name*."""
        outside = self._branches
        self._branches = []
        reader = Reader(text, self._variables)
        for item in reader:
            if isinstance(item, Statement) and self._runs() and self._may_wait(item):
                self._line_up(item, name)
                continue
            self._send_waiting()
            if isinstance(item, Statement):
                if self._runs():
                    self._statement(item, reader, name)
                elif self._takes_rows(item):
                    reader.rows()
            elif not self._command(item, reader, name, home):
                break
        self._send_waiting()
        self._branches = outside

    def _runs(self) -> bool:
        return all(runs for runs, _ in self._branches)

    # --- statements that need not be waited for

    def _may_wait(self, statement: Statement) -> bool:
        text = statement.text
        return (
            statement.plain
            and len(text) < _LONGEST
            and _ORDINARY.match(text) is not None
            and _OF_DATABASE.match(text) is None
            and _OF_SERVER.match(text) is None
            and not self._may_be_passed_over(text)
        )

    def _line_up(self, statement: Statement, name: str) -> None:
        self._waiting.append((statement, name))
        self._waiting_bytes += len(statement.text)
        if len(self._waiting) >= _MOST_AT_ONCE or self._waiting_bytes > _MOST_BYTES:
            self._send_waiting()

    def _send_waiting(self) -> None:
        """Send the statements lined up, each with a transaction of its own, and wait once for all."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not waiting:
            return
        pgconn = self._conn.pgconn
        pgconn.enter_pipeline_mode()
        for statement, _ in waiting:
            pgconn.send_query_params(_bytes(statement.text), None)
            pgconn.pipeline_sync()
        answers = [self._answer() for _ in waiting]
        pgconn.exit_pipeline_mode()
        for (statement, name), answer in zip(waiting, answers, strict=True):
            if answer.status == ExecStatus.FATAL_ERROR:
                error = psycopg.errors.error_from_result(answer, encoding=self._conn.info.encoding)
                raise self._refused(error, statement, name) from error

    def _answer(self) -> PGresult:
        """Return what became of the next statement sent."""
        found: PGresult | None = None
        while True:
            result = self._result()
            if result is None:
                continue  # the end of a statement's results; that of the transaction comes next
            if result.status == ExecStatus.PIPELINE_SYNC:
                assert found is not None
                return found
            found = found or result

    def _result(self) -> PGresult | None:
        pgconn = self._conn.pgconn
        with selectors.DefaultSelector() as ready:
            while pgconn.flush():
                ready.register(pgconn.socket, selectors.EVENT_WRITE)
                ready.select()
                ready.unregister(pgconn.socket)
            while pgconn.is_busy():
                # Waited for here and not in libpq, where no interrupt would reach us.
                if not ready.get_map():
                    ready.register(pgconn.socket, selectors.EVENT_READ)
                ready.select()
                pgconn.consume_input()
        if pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError(pgconn.error_message.decode("utf-8", "replace").strip())
        return pgconn.get_result()

    # --- statements

    def _takes_rows(self, statement: Statement) -> bool:
        return statement.text[:4].upper() == "COPY" and bool(
            _ROWS_FOLLOW.search(_QUOTED.sub(" ", statement.text))
        )

    def _statement(self, statement: Statement, reader: Reader, name: str) -> None:
        text = self._of_this_database(statement, name)
        if text is None:
            return
        if self._takes_rows(statement):
            rows, line = reader.rows()
            self._copy(statement, _bytes(rows), name, line)
            return
        optional = self._may_be_passed_over(text)
        inside = self._conn.info.transaction_status == TransactionStatus.INTRANS
        if optional and inside:
            self._cursor.execute("SAVEPOINT scenarios")
        try:
            self._cursor.execute(_bytes(text), prepare=False)
        except psycopg.Error as error:
            if not optional or not self._is_passed_over(text, error):
                raise self._refused(error, statement, name, unknown=reader.unknown) from error
            if inside:
                self._cursor.execute("ROLLBACK TO SAVEPOINT scenarios")

    def _may_be_passed_over(self, text: str) -> bool:
        first = text[:6].upper()
        if first.startswith(("CREATE", "SET")) and any(
            each.match(text) for each in (_NEW_ROLE, _SCHEMA_PUBLIC, _NEWER_SETTING)
        ):
            return True
        return self._ignore and _OF_ROLES.match(text) is not None

    def _is_passed_over(self, text: str, error: psycopg.Error) -> bool:
        """Whether psql's user would not mind: a role is there from before, as roles belong to the server."""
        state = error.sqlstate
        if _NEW_ROLE.match(text):
            return state == "42710"
        if _SCHEMA_PUBLIC.match(text):
            return state == "42P06"
        if _NEWER_SETTING.match(text):
            return state == "42704"  # of PostgreSQL 17, in every dump its pg_dump writes
        return state == "42704" and _MISSING_ROLE.search(str(error)) is not None

    def _of_this_database(self, statement: Statement, name: str) -> str | None:
        """Return the statement for this database; None for one that the template takes the place of."""
        text = statement.text
        if _OF_SERVER.match(text):
            raise self._stranger(statement, name, "it would change the whole server")
        found = _OF_DATABASE.match(text)
        if found is None:
            return text
        database = _unquoted(found["name"])
        if database == self._conn.info.dbname:
            return text
        if database != self._meant:
            raise self._stranger(
                statement, name, f"the database {database!r} is not the one that is being built"
            )
        if found["verb"].upper() in ("CREATE", "DROP"):
            return None
        here = sql.Identifier(self._conn.info.dbname).as_string(self._conn)
        return text[: found.start("name")] + here + text[found.end("name") :]

    def _stranger(self, statement: Statement, name: str, why: str) -> TemplateError:
        return TemplateError(
            "a script may change its own database only",
            where=f"{name}, line {statement.line}: {_short(statement.text)}",
            why=why,
            hint="take the statement out; of the database itself, say current_database() in a DO block",
        )

    def _copy(self, statement: Statement, rows: bytes, name: str, line: int) -> None:
        try:
            with self._cursor.copy(_bytes(statement.text)) as copy:
                copy.write(rows)
        except psycopg.Error as error:
            raise self._refused(error, statement, name, rows_line=line) from error

    def _refused(
        self,
        error: psycopg.Error,
        statement: Statement,
        name: str,
        *,
        unknown: Set[str] = frozenset(),
        rows_line: int = 0,
    ) -> TemplateError:
        diagnosis = error.diag
        line = statement.line
        if diagnosis.statement_position is not None:
            line += statement.text.count("\n", 0, int(diagnosis.statement_position) - 1)
        of_row = re.search(r", line (\d+)", diagnosis.context or "") if rows_line else None
        if of_row is not None:
            line = rows_line + int(of_row[1]) - 1
        why = f"{diagnosis.sqlstate or ''} {diagnosis.message_primary or error}".strip()
        if diagnosis.context:
            why += f" ({diagnosis.context.splitlines()[0]})"
        return TemplateError(
            "a statement of the schema was refused",
            where=f"{name}, line {line}: {_short(statement.text)}",
            why=why,
            hint=_hint(error, unknown),
        )

    # --- commands

    def _command(self, command: Command, reader: Reader, name: str, home: Path | None) -> bool:
        """Do what *command* says; return whether the script goes on."""
        word = command.name
        if word in ("if", "elif", "else", "endif"):
            self._branch(command, name)
        elif not self._runs():
            pass
        elif word in ("q", "quit"):
            return False
        elif word in ("i", "include", "ir", "include_relative"):
            self._include(command, name, home)
        elif word in ("c", "connect"):
            self._connect(command, name)
        elif word in ("g", "gx", "gset", "gexec"):
            if command.pending is not None:
                reader.take_pending()
                self._send(command, command.pending, reader, name)
        elif word in ("r", "reset"):
            reader.take_pending()
        elif word in ("set", "unset", "getenv", "encoding"):
            self._set(command, name)
        elif word == "copy":
            self._copy_file(command, reader, name, home)
        elif not _ONLY_SHOW.fullmatch(word):
            raise _no_command(command, name)
        return True

    def _branch(self, command: Command, name: str) -> None:
        if command.name == "if":
            runs = self._runs() and self._condition(command, name)
            self._branches.append((runs, runs or not self._runs()))
            return
        if not self._branches:
            raise _no_command(command, name, why="there is no \\if before it")
        _, done = self._branches.pop()
        if command.name == "else":
            self._branches.append((not done, True))
        elif command.name == "elif":
            runs = not done and self._condition(command, name)
            self._branches.append((runs, done or runs))

    def _condition(self, command: Command, name: str) -> bool:
        said = " ".join(arguments(command.rest, self._variables)).lower()
        for value, words in ((True, _TRUE), (False, _FALSE)):
            if said and any(word.startswith(said) for word in words) and said != "o":
                return value
        raise _no_command(command, name, why=f"{said!r} is neither true nor false")

    @contextmanager
    def _found(self, command: Command, given: str, name: str, home: Path | None) -> Iterator[Path]:
        relative = command.name in ("ir", "include_relative")
        places = [home or Path()] if relative else [Path(), *filter(None, [home])]
        path = next((place / given for place in places if (place / given).is_file()), None)
        if path is None:
            raise _no_command(command, name, why=f"there is no file {given!r}", hint="mend the path")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _no_command(command, name, why="the files include one another without end")
        yield path
        self._depth -= 1

    def _include(self, command: Command, name: str, home: Path | None) -> None:
        given = arguments(command.rest, self._variables)
        with self._found(command, given[0].rstrip(";") if given else "", name, home) as path:
            self.script(read_script(path), str(path), path.parent)

    def _connect(self, command: Command, name: str) -> None:
        given = arguments(command.rest, self._variables)
        given = [each.rstrip(";") for each in given]
        users = [each for each in given[1:] if each not in ("", "-", self._conn.info.user)]
        known = (self._meant, self._conn.info.dbname, "postgres", "template1", "-")
        if not given or given[0] not in known or users:
            raise _no_command(command, name, why="a script runs in the one database it is given")
        renew_session(self._conn)
        self._conn.execute("SET synchronous_commit = off")

    def _send(self, command: Command, statement: Statement, reader: Reader, name: str) -> None:
        self._statement(statement, reader, name)
        if command.name not in ("gset", "gexec") or self._cursor.description is None:
            return
        columns = [column.name for column in self._cursor.description]
        rows: Sequence[tuple[Any, ...]] = self._cursor.fetchall()
        if command.name == "gexec":
            for value in [value for row in rows for value in row if value is not None]:
                self._statement(Statement(str(value), statement.line), reader, name)
            return
        prefix = "".join(arguments(command.rest, self._variables)[:1])
        for column, value in zip(columns, rows[0] if len(rows) == 1 else [None] * len(columns), strict=True):
            if value is None:
                self._variables.pop(prefix + column, None)
            else:
                self._variables[prefix + column] = (
                    ("t" if value else "f") if isinstance(value, bool) else str(value)
                )

    def _set(self, command: Command, name: str) -> None:
        given = arguments(command.rest, self._variables)
        if not given:
            return
        if command.name == "set":
            self._variables[given[0]] = "".join(given[1:])
        elif command.name == "unset":
            self._variables.pop(given[0], None)
        elif command.name == "getenv":
            value = os.environ.get(given[1]) if len(given) > 1 else None
            if value is not None:
                self._variables[given[0]] = value
        else:
            statement = Statement(f"SET client_encoding = '{given[0]}'", command.line)
            self._statement(statement, Reader("", {}), name)

    def _copy_file(self, command: Command, reader: Reader, name: str, home: Path | None) -> None:
        found = _COPY_FILE.fullmatch(command.rest.rstrip("; \t\r"))
        if found is None or found["way"].lower() == "to" or found["file"].lower() == "program":
            raise _no_command(command, name)
        statement = Statement(f"COPY {found['what']} FROM STDIN{found['options']}", command.line)
        given = found["file"]
        if given.lower() in ("stdin", "pstdin"):
            rows, line = reader.rows()
            self._copy(statement, _bytes(rows), name, line)
            return
        given = given[1:-1].replace("''", "'") if given.startswith("'") else given
        with self._found(command, given, name, home) as path:
            self._copy(statement, path.read_bytes(), name, 0)


def _short(text: str) -> str:
    words = " ".join(_bytes(text).decode("utf-8", "replace").split())
    return words if len(words) <= 100 else f"{words[:99]}…"


def _no_command(
    command: Command, name: str, why: str | None = None, hint: str | None = None
) -> TemplateError:
    return TemplateError(
        f"cannot run the psql command '\\{command.name}'",
        where=f"{name}, line {command.line}",
        why=why,
        hint=hint or "take it out, or give a callable that runs psql",
    )


def _hint(error: psycopg.Error, unknown: Set[str]) -> str:
    role = _MISSING_ROLE.search(str(error))
    if role is not None:
        return (
            "dump with --no-owner --no-privileges, or create the role in the script\n"
            f"         (CREATE ROLE {role[1]}), or set ignore_missing_roles, which passes over what they get"
        )
    if error.sqlstate == "22021":
        return (
            "save the script as UTF-8, or let it begin with SET client_encoding = 'LATIN1' or what it is in"
        )
    if unknown:
        return f"set psql's variable before it is used: \\set {min(unknown)} 'value'"
    return error.diag.message_hint or "mend the script; nothing of the template was kept"
