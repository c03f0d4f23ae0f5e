"""A schema that Alembic's migrations make, whatever the project's ``env.py`` connects to.

An unchanged ``env.py`` is enough: see `scenarios.postgres.redirection`. What goes wrong inside is told by the
file and the revision it went wrong in, since a traceback of a library does not say which of 200 it was.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from scenarios.errors import ScenariosError, TemplateError
from scenarios.postgres import connections, redirection, urls
from scenarios.postgres.project_files import files_under, project_root
from scenarios.postgres.schemas import Source, digest

if TYPE_CHECKING:
    import psycopg
    from alembic.config import Config

_ONE_AT_A_TIME = threading.RLock()
"""Alembic keeps the environment it runs in one place of the process, and so do we while it runs."""
_READ_ONLY_TRANSACTION = "25006"


def alembic_source(config: Config) -> Source:
    """Return the schema that the migrations of *config* make, up to all heads.

    Raises:
        TemplateError: there are no migrations where *config* says.
    """
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        directory = ScriptDirectory.from_config(config)
        homes = [Path(directory.dir), *map(Path, directory.version_locations)]
    except CommandError as error:
        raise TemplateError(
            "there are no migrations where Alembic's configuration says",
            where=str(config.config_file_name or "the Config that was given"),
            why=str(error),
            hint="mend script_location; a relative path counts from the working directory, "
            "%(here)s/migrations from the .ini file",
        ) from error
    inputs = {"alembic.ini": digest(*_options(config))}
    files = sorted({found for home in homes for found in files_under(home)})
    for file in files:
        inputs[f"file {os.path.relpath(file, directory.dir)}"] = digest(file.read_bytes())

    def build(conn: psycopg.Connection[Any], url: str) -> None:
        with _ONE_AT_A_TIME:
            before = _relations(conn)
            _upgrade(config, homes, url, connections.like(conn))
            _end_others(conn)
        if directory.get_heads() and _relations(conn) == before:
            raise TemplateError(
                "the migrations made nothing in the template",
                where=f"{directory.dir}/env.py",
                why="it ran to its end and opened no connection",
                hint=redirection.LINES_FOR_ENV,
            )

    return Source(
        f"Alembic {Path(directory.dir).resolve()}",
        inputs,
        build,
        files=tuple(files),
        follow=tuple(files),
        root=project_root(Path(directory.dir).resolve()),
    )


def _options(config: Config) -> list[str]:
    section = config.get_section(config.config_ini_section, {}) or {}
    return [
        f"{name}={value}" for name, value in sorted(section.items()) if name not in {"sqlalchemy.url", "here"}
    ]


def _upgrade(config: Config, homes: Sequence[Path], place: str, parameters: Mapping[str, str]) -> None:
    from alembic import command
    from sqlalchemy import create_engine

    url = redirection.given_url(urls.parameters_of(place))
    engine = create_engine(url)
    before = config.get_main_option("sqlalchemy.url")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    try:
        with redirection.only_to(parameters), engine.connect() as connection, _explained(homes):
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")
            if connection.in_transaction():
                connection.commit()
    finally:
        config.attributes.pop("connection", None)
        if before is not None:
            config.set_main_option("sqlalchemy.url", before.replace("%", "%%"))
        engine.dispose()


def _relations(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace"
        " WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')"
    ).fetchone()
    return int(row[0]) if row else 0


def _end_others(conn: psycopg.Connection[Any]) -> None:
    """End what env.py left connected; a database that somebody is connected to can be no template."""
    conn.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


@contextmanager
def _explained(homes: Sequence[Path]) -> Iterator[None]:
    """Turn what Alembic, env.py or a migration raises into an error that says where."""
    try:
        yield
    except (Exception, SystemExit) as error:
        for cause in _causes(error):
            if isinstance(cause, ScenariosError):
                raise cause from None
        place = _place(error, homes)
        raise TemplateError(
            f"a migration failed{place.of}" if place.revision else "the migrations could not be run",
            where=place.file or str(homes[0] / "env.py"),
            why=_why(error, place, homes),
            hint=_hint(error, place),
        ) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it went wrong: the innermost line of the migrations' own files; empty where it was in none."""

    file: str = ""
    revision: str = ""

    @property
    def of(self) -> str:
        return f", revision {self.revision}"


def _place(error: BaseException, homes: Sequence[Path]) -> _Place:
    real = [Path(os.path.realpath(home)) for home in homes]
    found = _Place()
    for cause in _causes(error):
        for frame, line in walk_tb(cause.__traceback__):
            file = Path(os.path.realpath(frame.f_code.co_filename))
            if any(file.is_relative_to(home) for home in real):
                revision = frame.f_globals.get("revision", "") if "down_revision" in frame.f_globals else ""
                found = _Place(f"{file}, line {line}", str(revision))
        if found.file:
            break
    return found


def _why(error: BaseException, place: _Place, homes: Sequence[Path]) -> str:
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError):
        statement = " ".join((error.statement or "").split())
        return f"{str(error.orig).strip()} [{statement[:200]}]" if statement else str(error.orig).strip()
    if isinstance(error, KeyError) and not place.revision:
        # A down_revision that is not there: Alembic raises its bare name, and names no file.
        naming = [file for home in homes for file in files_under(home) if _names(file, str(error.args[0]))]
        if naming:
            return f"there is no revision {error}, which is named in {', '.join(map(str, naming))}"
    return f"{type(error).__name__}: {error}"


def _names(file: Path, revision: str) -> bool:
    text = file.read_text("utf-8", "replace") if file.suffix == ".py" else ""
    return "down_revision" in text and re.search(rf"""['"]{re.escape(revision)}['"]""", text) is not None


def _hint(error: BaseException, place: _Place) -> str:
    if any(getattr(cause, "sqlstate", None) == _READ_ONLY_TRANSACTION for cause in _causes(error)):
        return (
            "a connection that is opened without SQLAlchemy's engine is read-only while migrations run,\n"
            "         since it may lead to another database; use op.get_bind(), or "
            + redirection.LINES_FOR_ENV
        )
    if isinstance(error, KeyError) and not place.revision:
        return (
            "set what env.py asks for, or mend the migration;\n"
            "         whatever URL there is, only the template is connected to"
        )
    return "mend env.py or the migration; the half-built template was dropped"
