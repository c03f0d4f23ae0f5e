"""What a template is made from: each kind of schema, what must be hashed of it, and how it is built.

A template named by less than everything that goes into it is stale without anyone noticing: the helper a
migration imports changed, the server was upgraded, an extension was added. So each source gives its inputs
by name, and a rebuilt template can say which of them differs.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import psycopg
from psycopg import sql

from scenarios.errors import TemplateError
from scenarios.postgres.asked_extensions import in_text
from scenarios.postgres.connections import like, renew_session
from scenarios.postgres.project_files import project_root
from scenarios.postgres.script_files import scripts_in, upward_half
from scenarios.postgres.scripts import read_script, run_script
from scenarios.settings import Settings

if TYPE_CHECKING:
    import alembic.config
    from sqlalchemy import MetaData


@runtime_checkable
class Described(Protocol):
    """What a template needs of a `scenarios.domain.Domain`."""

    @property
    def name(self) -> str: ...

    @property
    def extensions(self) -> tuple[str, ...]: ...

    @property
    def ddl(self) -> Callable[[], str]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A schema that can be hashed and built.

    Attributes:
        label: its name for people; templates with the same label are versions of one another.
        inputs: name of each input to its hash.
        build: creates the schema in the empty database behind the autocommit connection.
        extensions: extensions to create first.
        asked: extensions it asks for besides those that its files name.
        files: those of the project that are among the inputs already.
        follow: modules of the project that are run; what they import counts as well.
        functions: the same of functions; what they use counts as well.
        root: the directory of the project, by which its files are named.
    """

    label: str
    inputs: Mapping[str, str]
    build: Callable[[psycopg.Connection[Any], str], None]
    extensions: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()
    follow: tuple[Path, ...] = ()
    functions: tuple[Callable[..., object], ...] = ()
    root: Path = field(default_factory=lambda: project_root(Path.cwd()))


def read_source(schema: object) -> Source:
    """Return *schema* as a `Source`.

    Args:
        schema: a Domain, a SQLAlchemy ``MetaData``, the path of a ``.sql`` file or of a directory of them, an
            Alembic ``Config``, a callable that is given a psycopg connection, a `Source`, which says itself
            what it depends on, or None for an empty database.

    Raises:
        TemplateError: it is something else, or cannot be read.
    """
    if schema is None:
        return Source("empty", {}, lambda conn, url: None)
    if isinstance(schema, Source):
        return schema
    if isinstance(schema, Described):
        made_from = getattr(schema, "schema", None)
        return _from_domain(schema) if made_from is None else read_source(made_from)
    if isinstance(schema, str | Path):
        return _from_path(Path(schema))
    home = type(schema).__module__.partition(".")[0]
    if home == "alembic" or hasattr(schema, "config_file_name"):
        from scenarios.postgres.alembic_schema import alembic_source

        return alembic_source(cast("alembic.config.Config", schema))
    if hasattr(schema, "sorted_tables"):
        return _from_metadata(cast("MetaData", schema))
    if callable(schema):
        return _from_callable(schema)
    raise TemplateError(
        f"cannot make a database from a {type(schema).__name__}",
        hint="give a Domain, a MetaData, a path to .sql, an Alembic Config, a callable, or None",
    )


def digest(*parts: str | bytes) -> str:
    """Return a short hash of *parts*, each with its length, so that no two lists of parts look the same."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode())
        total.update(raw)
    return total.hexdigest()[:20]


def _from_domain(domain: Described) -> Source:
    ddl = domain.ddl()
    inputs = {"ddl": digest(ddl), "extensions": digest(*domain.extensions)}

    def build(conn: psycopg.Connection[Any], url: str) -> None:
        run_script(conn, ddl, f"the DDL of {domain.name}")

    return Source(domain.name, inputs, build, tuple(domain.extensions), in_text(ddl))


def _from_metadata(metadata: MetaData) -> Source:
    from sqlalchemy import create_engine

    def build(conn: psycopg.Connection[Any], url: str) -> None:
        engine = create_engine(url, connect_args=like(conn))
        try:
            with engine.begin() as connection:
                for name in sorted({table.schema for table in metadata.tables.values() if table.schema}):
                    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
                metadata.create_all(connection)
        finally:
            engine.dispose()

    tables = ", ".join(sorted(metadata.tables)[:3])
    # Sorted, since a table's indexes are a set and come in another order in every process.
    inputs = {"tables": digest(*sorted(_rendered(metadata)))}
    return Source(f"metadata of {tables or 'no tables'}", inputs, build)


def _rendered(metadata: MetaData) -> list[str]:
    """Return what ``create_all`` sends; the listeners' code where those need a real connection."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.engine.mock import MockConnection
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = make_url("postgresql+psycopg://").get_dialect()()
    sent: list[str] = []

    def note(statement: Any, *args: object, **kwargs: object) -> None:
        sent.append(statement if isinstance(statement, str) else str(statement.compile(dialect=dialect)))

    class Recorder(MockConnection):
        def exec_driver_sql(self, statement: str, *args: object, **kwargs: object) -> None:
            note(statement)

        def execution_options(self, **kwargs: object) -> Recorder:
            return self

    try:
        metadata.create_all(Recorder(dialect, note), checkfirst=False)
    except Exception:  # noqa: BLE001  # whatever a listener does with an answer that is not there
        sent = []
        for table in metadata.sorted_tables:
            note(CreateTable(table))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                note(CreateIndex(index))
        for target in (metadata, *metadata.sorted_tables):
            for event in ("before_create", "after_create"):
                sent += [code_digest(listener) for listener in getattr(target.dispatch, event)]
    return sent


def _from_path(path: Path) -> Source:
    files = scripts_in(path) if path.is_dir() else [path]
    scripts = {file: read_script(file) for file in files}
    home = path.resolve() if path.is_dir() else path.resolve().parent
    ignore = bool(Settings(project=home)["ignore_missing_roles"])

    def build(conn: psycopg.Connection[Any], url: str) -> None:
        for number, (file, script) in enumerate(scripts.items()):
            if number:
                # As with psql: what one file has set is not set for the next.
                renew_session(conn)
            text = upward_half(script)
            run_script(conn, text, str(file), home=file.parent, ignore_missing_roles=ignore)

    named = {file: os.path.relpath(file, path) if path.is_dir() else file.name for file in files}
    inputs = {f"file {named[file]}": digest(_raw(script)) for file, script in scripts.items()}
    if ignore:
        inputs["roles that are missing"] = "ignored"
    return Source(f"SQL {path.resolve()}", inputs, build, files=tuple(files), root=project_root(home))


def _raw(script: str) -> bytes:
    return script.encode("utf-8", "surrogateescape")


def _from_callable(function: Callable[..., object]) -> Source:
    def build(conn: psycopg.Connection[Any], url: str) -> None:
        function(conn)

    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", "")
    file = _file_of(function)
    return Source(
        f"{module}.{name}",
        {f"code of {name}": code_digest(function)},
        build,
        functions=(function,),
        root=project_root(Path.cwd() if file is None else file.resolve().parent),
    )


def code_digest(function: Callable[..., object]) -> str:
    """Return a hash of what *function* does, as far as Python can tell.

    It covers the function's code, its defaults, the values it closes over, and the file it stands in, since
    that is where its helpers are.
    """
    if isinstance(function, functools.partial):
        given = repr((function.args, sorted(function.keywords.items())))
        return digest(code_digest(function.func), given)
    inner = inspect.unwrap(function)
    code = _code_of(inner)
    parts: list[str | bytes] = [*_code_parts(code)] if code is not None else [repr(inner)]
    parts.append(repr(getattr(inner, "__defaults__", None)))
    for cell in getattr(inner, "__closure__", None) or ():
        value = cell.cell_contents
        parts.append(code_digest(value) if callable(value) else _stable(value))
    file = _file_of(function)
    if file is not None:
        parts.append(file.read_bytes())
    return digest(*parts)


def _code_of(function: Callable[..., object]) -> CodeType | None:
    for each in (function, getattr(function, "__func__", None), vars(type(function)).get("__call__")):
        code = getattr(each, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def _file_of(function: Callable[..., object]) -> Path | None:
    """Return the file *function* stands in, None where Python does not know or it is not there."""
    if isinstance(function, functools.partial):
        return _file_of(function.func)
    inner = inspect.unwrap(function)
    try:
        file = inspect.getsourcefile(_code_of(inner) or inner)
    except TypeError:
        return None
    return Path(file) if file is not None and Path(file).is_file() else None


def _stable(value: object) -> str:
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _code_parts(code: CodeType) -> list[str | bytes]:
    parts: list[str | bytes] = [code.co_code, repr(code.co_names)]
    for constant in code.co_consts:
        parts += _code_parts(constant) if isinstance(constant, CodeType) else [repr(constant)]
    return parts
