"""Instances found again from what their database remembers, long after the process that loaded them.

A colleague who lists, resets and unloads has neither the file nor its version from then. What the database
keeps with an instance is enough to plan it again, so nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scenarios.errors import LibraryError
from scenarios.library.files.error_list import suggest
from scenarios.library.instances.instance import Instance
from scenarios.library.instances.locking import alone
from scenarios.library.instances.registry import Record, is_scenario

if TYPE_CHECKING:
    import psycopg

    from scenarios.postgres import Database


def instances(db: Database, *, connection: Any = None) -> list[Record]:
    """Return the instances in *db*, of whatever system its schema is, the oldest first."""
    from scenarios.library.instances.registry import OwnRegistry, ScopeRegistry
    from scenarios.postgres.connections import transaction

    with transaction(db, connection) as conn:
        found = OwnRegistry().find(conn)
        for registry in ScopeRegistry.found_in(conn):
            found += [record for record in registry.find(conn) if is_scenario(record.template)]
    return sorted(found, key=lambda record: (record.created_at, record.name))


def open_instance(
    db: Database, name: str, *, domains: Mapping[str, Any] | None = None, connection: Any = None
) -> Instance:
    """Return the instance *name* of *db*, from what the database remembers of it; no file is needed.

    Raises:
        LibraryError: there is none of that name.
    """
    records = instances(db, connection=connection)
    record = next((each for each in records if each.name == name), None)
    if record is None:
        raise LibraryError(
            f"there is no instance {name!r}",
            where=db.safe_url,
            hint=suggest(name, [each.name for each in records])
            or "none is loaded; scenarios load NAME loads one",
        )
    return from_record(db, record, domains=domains)


@contextmanager
def hold(
    db: Database, name: str, *, domains: Mapping[str, Any] | None = None
) -> Iterator[tuple[psycopg.Connection[Any], Instance]]:
    """Yield a transaction that has the instance *name* of *db* to itself, and the instance.

    Raises:
        LibraryError: there is none of that name.
        InstanceBusy: somebody else is at it, or has its rows locked.
    """
    with alone(db, name) as conn:
        yield conn, open_instance(db, name, domains=domains, connection=conn)


def from_record(db: Database, record: Record, *, domains: Mapping[str, Any] | None = None) -> Instance:
    """Return the instance that *record* describes."""
    from scenarios.domain import get_domain
    from scenarios.library.definition import TEMPLATE_FORMAT, ScenarioDefinition
    from scenarios.library.files.compose import Composed, from_template
    from scenarios.library.files.error_list import Place
    from scenarios.library.files.head import Anchor, Head, Parameter
    from scenarios.library.sections import sections_of

    template = record.template
    if template.get("format") != TEMPLATE_FORMAT:
        raise LibraryError(
            f"the instance {record.name!r} was loaded by another version of pg-scenarios",
            where=db.safe_url,
            why=f"its format is {template.get('format')}, this version reads {TEMPLATE_FORMAT}",
            hint="unload it with the version that loaded it, or remove its row by hand",
        )
    system = str(template["system"])
    domain = (domains or {}).get(system) or get_domain(system)
    source = f"instance {record.name}"
    anchor = datetime.fromisoformat(str(template["anchor"]))
    kinds = {bool: "boolean", int: "integer", float: "number"}
    parameters = {
        name: Parameter(name, kinds.get(type(value), "text"), value, Place(source))
        for name, value in template["parameters"].items()
    }
    head = Head(
        name=str(template["scenario"]),
        place=Place(source),
        system=system,
        version=int(template["version"]),
        title=str(template.get("title", "")),
        anchor=Anchor(anchor),
        seed=str(template["seed"]),
        parameters=parameters,
    )
    composed = Composed(head, from_template(template, source))
    definition = ScenarioDefinition(
        composed, sections_of(domain), None, str(template["seed"]), str(template["locale"])
    )
    plan = definition.plan(instance=record.name, now=anchor, made=template.get("functions"))
    found = Instance(db, definition, plan, template, keys=record.rows)
    if record.rows:
        found.plan = found.planned_again()
    return found
