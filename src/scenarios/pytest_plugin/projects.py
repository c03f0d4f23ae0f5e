"""A project's own schema as a system, so that scenario files can be written for it.

What the built-in systems say of themselves by hand is read here from whatever the project has: a declarative
base, a ``MetaData``, or, where there is only SQL or migrations, the database they make. Without it a project
would have isolation but no scenarios, until it had written a description of what it has written already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scenarios.domain import Domain
from scenarios.library import Library

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from scenarios.library.sections import Sections
    from scenarios.postgres import Database
    from scenarios.settings import Settings

NAME = "project"
"""What a scenario file calls the project's schema, if it calls it anything."""


def project_library(settings: Settings, schema: object, clone: Callable[[], Database]) -> Library:
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


def project_sections(schema: object, clone: Callable[[], Database]) -> Sections:
    """Return the sections of *schema*: rows by table, and by model where models are known."""
    from scenarios.library.planning.sections import mappers_of
    from scenarios.library.sections import Sections

    metadata: Any = getattr(schema, "metadata", schema)
    tables: MetaData = metadata if hasattr(metadata, "sorted_tables") else reflected(clone)
    classes = mappers_of(schema) if hasattr(schema, "registry") else {}
    return Sections(Domain(NAME, "the project", tables, _no_script), classes=classes)


def _no_script() -> str:
    raise NotImplementedError("the project's schema is built from what it gave, not from a script of ours")


def reflected(clone: Callable[[], Database]) -> MetaData:
    """Return the tables of the database that *clone* makes.

    Words of enumerations and CHECK constraints are read as well, since files are checked against them.
    """
    from sqlalchemy import CheckConstraint, MetaData, inspect

    with clone() as database, database.engine.connect() as connection:
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
