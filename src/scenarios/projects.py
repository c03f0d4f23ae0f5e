"""A project's own schema as a system, so that scenario files can be written, loaded and frozen for it.

What the built-in systems say of themselves by hand is read here from whatever the project has: a declarative
base, a ``MetaData``, or, where there is only SQL or migrations, the database they make. Without it a project
would have isolation but no scenarios, until it had written a description of what it has written already. The
tests and the command line ask here, so that a file which a test loads can be loaded by a person as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.domain import Domain, domain_names, get_domain
from scenarios.errors import DomainError, SettingsError
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
            hint=remedy_of(error, home)
            or "write package.module:name, as it would be imported in the directory of pyproject.toml",
        ) from error


def _schema_in(path: Path, source: str) -> object:
    if not path.exists():
        raise SettingsError(
            f"the setting schema names {path.name!r}, which is not there",
            where=f"{path} (from {source})",
            hint="name a .sql file, a directory of them, an alembic.ini, or package.module:name",
        )
    if path.suffix == ".py":
        raise SettingsError(
            f"the setting schema names {path.name!r}, which is code and not SQL",
            where=f"{path} (from {source})",
            hint=f'name what is in it, as it would be imported: schema = "{path.stem}:Base"',
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
    """Return the library of a project: its own directories; where it names no schema, also the built-in one.

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
    return Library(settings=settings, project=project_sections(schema, clone, settings))


def project_sections(schema: object, clone: Clone, settings: Settings | None = None) -> Sections:
    """Return the sections of *schema*: rows by table, and by model where models are known."""
    from scenarios.library.planning.sections import mappers_of
    from scenarios.library.sections import Sections, sections_of
    from scenarios.settings import Settings

    if isinstance(schema, Domain):
        return sections_of(schema)
    metadata: Any = getattr(schema, "metadata", schema)
    if hasattr(metadata, "sorted_tables"):
        tables: MetaData = metadata
    else:
        with clone() as database:
            tables = reflected(database)
    from scenarios.library.privacy.classification import classify

    said = (settings or Settings()).table("personal")
    classify(tables.tables.values(), said.value, said.source)
    classes = mappers_of(schema) if hasattr(schema, "registry") else {}
    domain = Domain(NAME, "the project", tables, lambda: script(schema), schema=template_source(schema))
    return Sections(domain, classes=classes)


def own_sections(settings: Settings, database: Database | None = None) -> Sections:
    """Return the sections of the schema that the setting ``schema`` names.

    Where only a database can tell its tables, *database* does, or one is made for a moment on the project's
    server.

    Raises:
        SettingsError: the setting is wrong.
        TemplateError: the schema cannot be built.
    """
    schema = named_schema(settings)

    @contextmanager
    def clone() -> Iterator[Database]:
        if database is not None:
            yield database
            return
        from scenarios.postgres import start_server

        with start_server(settings=settings) as server, server.database(template_source(schema)) as made:
            yield made

    return project_sections(schema, clone, settings)


def own_name(settings: Settings) -> str:
    """Return what the project's system is called, in files, lists and commands alike.

    A schema that cannot be imported has no say in it: lists of files are shown all the same.
    """
    if ":" not in settings["schema"]:
        return NAME
    try:
        schema = named_schema(settings)
    except SettingsError:
        return NAME
    return schema.name if isinstance(schema, Domain) else NAME


def choose_system(settings: Settings, name: str | None = None, database: Database | None = None) -> Domain:
    """Return the system *name*; by default the project's own, else the only one that fits.

    Args:
        settings: the run's.
        name: what was asked for.
        database: the database it is for, whose tables tell which of the registered systems it has.

    Raises:
        DomainError: there is no such system; or none was named and several fit, or none.
        SettingsError: the setting ``schema`` is wrong.
    """
    from scenarios.library.systems import system_in

    if settings["schema"] and (name is None or name == own_name(settings)):
        return own_sections(settings, database).domain
    if name is not None:
        return get_domain(name)
    if database is not None:
        return system_in(database)
    known = domain_names()
    if len(known) == 1:
        return get_domain(known[0])
    raise DomainError(
        "it is not known which system is meant",
        why="none was named, and the project names no schema of its own",
        hint=f"name one: {', '.join(known)}; or say in [tool.scenarios] where your own tables are: schema",
    )


def own_domains(settings: Settings, database: Database) -> Mapping[str, Domain]:
    """Return the project's system by name, for instances found in *database*; empty where it has none."""
    schema = named_schema(settings)
    if schema is None:
        return {}

    domain = own_sections(settings, database).domain
    return {domain.name: domain}


def script(schema: object) -> str:
    """Return one SQL script that creates what *schema* describes in an empty database.

    Raises:
        DomainError: what it describes is code, which only a database can be asked about.
    """
    metadata: Any = getattr(schema, "metadata", schema)
    listeners = getattr(getattr(metadata, "dispatch", None), "after_create", ())
    if hasattr(metadata, "sorted_tables") and not listeners:
        from scenarios.schema.rendering import render

        return render(metadata)
    if isinstance(schema, Path):
        files = sorted(schema.glob("*.sql")) if schema.is_dir() else [schema]
        return "\n".join(file.read_text("utf-8") for file in files)
    raise DomainError(
        "the project's schema is made by code, not by a script that could be shown",
        why=f"the setting schema gives a {type(schema).__name__}",
        hint="make a database of it (scenarios up, scenarios load) and ask that: pg_dump --schema-only",
    )


def reflected(database: Database) -> MetaData:
    """Return the tables of *database*.

    Words of enumerations and CHECK constraints are read as well, since files are checked against them, and
    what a partition takes, as a CHECK.
    """
    import warnings

    from sqlalchemy import CheckConstraint, MetaData, inspect
    from sqlalchemy.exc import SAWarning

    from scenarios.factories.demands import PARTITION

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
        for namespace, name, key in connection.exec_driver_sql(_KEYS_TO_PARTITIONS):
            found = metadata.tables.get(name if namespace == default else f"{namespace}.{name}")
            for constraint in found.foreign_key_constraints if found is not None else ():
                if constraint.name == key:
                    constraint.table.constraints.discard(constraint)
                    for element in constraint.elements:
                        element.parent.foreign_keys.discard(element)
                        constraint.table.foreign_keys.discard(element)
        for namespace, name, takes, example in connection.exec_driver_sql(_PARTITIONS):
            found = metadata.tables.get(name if namespace == default else f"{namespace}.{name}")
            if found is not None and takes:
                # Read only: a table made of this metadata has its bounds from its parent, if any.
                said = CheckConstraint(takes, name=f"partition of {name}", info={PARTITION: example or takes})
                found.append_constraint(said.ddl_if(callable_=lambda *_, **__: False))
    return metadata


# What PostgreSQL keeps for each partition of a table that a foreign key leads to; SQLAlchemy 2.1.9 reflects
# these as keys of their own.
_KEYS_TO_PARTITIONS = """
SELECT n.nspname, c.relname, k.conname
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_constraint AS declared ON declared.oid = k.conparentid AND declared.conrelid = k.conrelid
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype = 'f'
"""

# What a partition takes, and what a partitioned table does: what any of its leaves takes, unless all hashes
# have one. The leaf to draw rows for is not the default one, if there is another.
_PARTITIONS = r"""
SELECT n.nspname, c.relname,
  CASE WHEN c.relkind <> 'p' OR hashed.complete THEN own.takes
       WHEN NOT leaves.bounded THEN own.takes
       ELSE coalesce(leaves.takes, 'false') END,
  CASE WHEN c.relkind = 'p' THEN leaves.example END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_partition_constraintdef(c.oid) AS takes) AS own
CROSS JOIN LATERAL (
  SELECT string_agg('(' || leaf.takes || ')', ' OR ') AS takes,
    coalesce(bool_and(leaf.takes IS NOT NULL), true) AS bounded,
    (array_agg(leaf.takes ORDER BY leaf.bound = 'DEFAULT', leaf.name))[1] AS example
  FROM (
    SELECT p.relname AS name, pg_catalog.pg_get_expr(p.relpartbound, p.oid) AS bound,
      pg_catalog.pg_get_partition_constraintdef(p.oid) AS takes
    FROM pg_catalog.pg_partition_tree(c.oid) AS tree JOIN pg_catalog.pg_class AS p ON p.oid = tree.relid
    WHERE tree.isleaf AND tree.relid <> c.oid AND c.relkind = 'p'
  ) AS leaf
) AS leaves
CROSS JOIN LATERAL (
  SELECT coalesce(sum(1.0 / (regexp_match(
      pg_catalog.pg_get_expr(p.relpartbound, p.oid), 'modulus (\d+)'))[1]::numeric), 0) > 0.999999
    AND bool_and(p.relkind <> 'p') AS complete
  FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS p ON p.oid = i.inhrelid
  WHERE i.inhparent = c.oid AND c.relkind = 'p'
) AS hashed
WHERE c.relispartition OR c.relkind = 'p'
ORDER BY 1, 2
"""
