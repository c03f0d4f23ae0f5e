"""A project's own schema as a system, so that scenario files can be written, loaded and frozen for it.

What the built-in systems say of themselves by hand is read here from whatever the project has: a declarative
base, a ``MetaData``, or, where there is only SQL or migrations, the database they make. Without it a project
would have isolation but no scenarios, until it had written a description of what it has written already. The
tests and the command line ask here, so that a file which a test loads can be loaded by a person as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.domain import Domain
from scenarios.errors import SettingsError
from scenarios.importing import importable, remedy_of
from scenarios.library import Library

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from scenarios.library.sections import Sections
    from scenarios.postgres import Database
    from scenarios.settings import Settings

    Clone = Callable[[], AbstractContextManager[Database]]
    """Gives a database of the schema, for as long as its tables are read."""

NAME = "project"
"""What a scenario file calls the project's schema, if it calls it anything."""


# --- where the schema is


def named_schema(settings: Settings) -> object:
    """Return what the setting ``schema`` names, None where it names nothing.

    Returns:
        an object of a module for ``package.module:name``, an Alembic ``Config`` for the path of an ``.ini``
        file, and any other path as it is, counted from the directory of ``pyproject.toml``.

    Raises:
        SettingsError: the module cannot be imported, or there is no such object or file.
    """
    setting = settings.get("schema")
    text = str(setting.value)
    if not text:
        return None
    home = settings.home
    module, colon, name = text.partition(":")
    if not colon or "/" in text:
        return _schema_in(home / text, setting.source)
    try:
        with importable(home):
            return attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"the setting schema is {text!r}, which cannot be imported",
            where=setting.source,
            why=str(error),
            remedy=remedy_of(error, home)
            or "write package.module:name, as it would be imported in the directory of pyproject.toml",
        ) from error


def _schema_in(path: Path, source: str) -> object:
    if not path.exists():
        raise SettingsError(
            f"the setting schema names {path.name!r}, which is not there",
            where=f"{path} (from {source})",
            remedy="name a .sql file, a directory of them, an alembic.ini, or package.module:name",
        )
    if path.suffix != ".ini":
        return path
    from alembic.config import Config

    return Config(str(path))


def template_source(schema: object) -> object:
    """Return what a template of *schema* is built from: of a declarative base, its metadata."""
    metadata = getattr(schema, "metadata", None)
    return metadata if metadata is not None and not hasattr(schema, "ddl") else schema


# --- what can be said in its scenario files


def project_library(settings: Settings, schema: object, clone: Clone) -> Library:
    """Return the library of a project: its own directories, then the built-in scenarios.

    Args:
        settings: the run's.
        schema: what the project gave.
        clone: makes a database of that schema, to read its tables from where no metadata says them.

    Raises:
        LibraryError: a directory does not exist.
        TemplateError: the schema cannot be built.
    """
    if isinstance(schema, Domain):
        return Library(settings=settings, domains=[schema])
    if schema is None or not settings["library"]:
        return Library(settings=settings)
    return Library(settings=settings, project=project_sections(schema, clone))


def project_sections(schema: object, clone: Clone) -> Sections:
    """Return the sections of *schema*: rows by table, and by model where models are known."""
    from scenarios.library.planning.sections import mappers_of
    from scenarios.library.sections import Sections, sections_of

    if isinstance(schema, Domain):
        return sections_of(schema)
    metadata: Any = getattr(schema, "metadata", schema)
    if hasattr(metadata, "sorted_tables"):
        tables: MetaData = metadata
    else:
        with clone() as database:
            tables = reflected(database)
    classes = mappers_of(schema) if hasattr(schema, "registry") else {}
    domain = Domain(NAME, "the project", tables, _no_script, schema=template_source(schema))
    return Sections(domain, classes=classes)


def own_sections(settings: Settings) -> Sections:
    """Return the sections of the schema that the setting ``schema`` names.

    Where only a database can tell its tables, one is made for a moment on the project's server.

    Raises:
        SettingsError: the setting is wrong.
        TemplateError: the schema cannot be built.
    """
    schema = named_schema(settings)

    @contextmanager
    def clone() -> Iterator[Database]:
        from scenarios.postgres import start_server

        with start_server(settings=settings) as server, server.database(template_source(schema)) as database:
            yield database

    return project_sections(schema, clone)


def own_domains(settings: Settings, database: Database) -> Mapping[str, Domain]:
    """Return the project's system by name, for instances found in *database*; empty where it has none."""
    schema = named_schema(settings)
    if schema is None:
        return {}

    domain = project_sections(schema, lambda: nullcontext(database)).domain
    return {domain.name: domain}


def _no_script() -> str:
    raise NotImplementedError("the project's schema is built from what it gave, not from a script of ours")


def reflected(database: Database) -> MetaData:
    """Return the tables of *database*.

    Words of enumerations and CHECK constraints are read as well, since files are checked against them.
    """
    import warnings

    from sqlalchemy import CheckConstraint, MetaData, inspect
    from sqlalchemy.exc import SAWarning

    with database.engine.connect() as connection, warnings.catch_warnings():
        # A type that SQLAlchemy does not know is read and written as PostgreSQL's text.
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
        inspector: Any = inspect(connection)
        default = inspector.default_schema_name
        metadata = MetaData()
        for namespace in inspector.get_schema_names():
            if namespace == "information_schema" or namespace.startswith(("pg_", "scenarios_")):
                continue
            where = None if namespace == default else namespace
            metadata.reflect(connection, schema=where)
            for name in inspector.get_table_names(schema=where):
                table = metadata.tables[name if where is None else f"{where}.{name}"]
                for check in inspector.get_check_constraints(name, schema=where):
                    table.append_constraint(CheckConstraint(check["sqltext"], name=check["name"]))
    return metadata
