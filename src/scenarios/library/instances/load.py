"""Plan to database: one transaction that leaves a whole instance, or nothing.

A state built row by row is half there whenever something fails, and two people who load the same scenario at
once collide on its name and addresses. Here the rows are complete before the database is touched, names are
taken under a lock, and everything is written by one COPY per table in a single transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from scenarios.errors import LibraryError
from scenarios.library.instances import ownership
from scenarios.library.instances.became import BECAME, became
from scenarios.library.instances.instance import Instance
from scenarios.library.instances.locking import alone, take
from scenarios.library.instances.registry import Record, registry_of
from scenarios.library.instances.start import remember_start
from scenarios.library.instances.writing import MADE, keys_of, made_of, to_make, write_plan
from scenarios.library.progress import Progress, Stages

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.postgres import Database

NAME_LIMIT = 200
"""Characters of an instance's name, so that with its handles it fits where names are kept."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*\Z")


def load(
    definition: ScenarioDefinition,
    db: Database,
    *,
    as_name: str | None = None,
    now: datetime | None = None,
    connection: Any = None,
    parameters: Mapping[str, Any] | None = None,
    remember: bool | None = None,
    progress: Progress | None = None,
) -> Instance:
    """Load an instance; see `ScenarioDefinition.load`.

    Args:
        progress: is told what is being done.
        remember: keep a record of the instance in a schema that has no place for one; by default only in
            databases that are not ours.
    """
    stages = Stages(progress, 3)
    values = definition.parameters(parameters or {})
    if as_name is not None:
        _check_name(as_name)
    registry = registry_of(definition.sections)
    base = as_name or definition.name
    stages.begin("waiting for its turn")
    with alone(db, base, connection) as conn:
        _require_schema(conn, definition, db)
        taken = registry.names(conn, base)
        name = base
        if as_name is None:
            # The scenario's own name is waited for first, a counted one after it: never the other way round.
            while name in taken:
                name = _free(base, taken)
                take(conn, name)
                taken = registry.names(conn, base)
        if name in taken:
            raise LibraryError(
                f"an instance called {name!r} is loaded already",
                where=db.safe_url,
                hint=f"choose another name, or remove it: scenarios unload {name}",
            )
        # Planned when the name is known, since ids and unique values follow from it.
        stages.begin("planning the rows")
        plan = definition.plan(instance=name, now=now, parameters=values)
        template = definition.template(plan, values)
        # Before the first row is written: whatever is counted from here on came later.
        template[ownership.COUNTED] = ownership.counted_so_far(conn, definition.domain, plan)
        record = Record(name, template, plan.anchor, plan.scope_id)
        if definition.sections.scoped:
            registry.add(conn, record, definition.head.title or definition.head.description)
        stages.begin(f"writing {len(plan.rows):,} rows")
        planned = to_make(plan)
        written = write_plan(conn, plan)
        keys = keys_of(plan)
        if not definition.sections.scoped:
            template[MADE] = made_of(plan, planned)
            template[BECAME] = became(conn, plan)
        remembered = definition.sections.scoped or (remember if remember is not None else not db.owned)
        if remembered and not definition.sections.scoped:
            registry.add(conn, Record(name, template, plan.anchor, None, keys), definition.head.title)
    made = Instance(db, definition, plan, template, written=written, keys=keys, remembered=remembered)
    ownership.remember(made)
    if connection is None:
        remember_start(made)
    return made


def _free(base: str, taken: set[str]) -> str:
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def _check_name(name: str) -> None:
    if len(name) > NAME_LIMIT or not _NAME.match(name):
        raise LibraryError(
            f"{name[:60]!r} is not an instance's name",
            hint=f"use letters, digits, spaces, . _ and -, at most {NAME_LIMIT} characters",
        )


def _require_schema(conn: psycopg.Connection[Any], definition: ScenarioDefinition, db: Database) -> None:
    domain = definition.domain
    scope = domain.scope.table if domain.scope is not None else next(iter(domain.metadata.tables))
    table = domain.metadata.tables[scope]
    row = conn.execute(
        "SELECT to_regclass(%s) IS NOT NULL",
        [sql.Identifier(*([table.schema] if table.schema else []), table.name).as_string(conn)],
    ).fetchone()
    if row is None or not row[0]:
        raise LibraryError(
            f"this is not a database of {domain.title}",
            where=db.safe_url,
            why=f"it has no table {table.fullname}",
            hint=f"create the schema first: scenarios schema ddl {domain.name} | psql ...",
        )
