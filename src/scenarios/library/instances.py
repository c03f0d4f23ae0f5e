"""One loading of a scenario: its handles, its people, and the ways to put it back or take it away.

The row somebody means by "maya" has another key in every instance; whoever looks it up by e-mail breaks when
the instance is loaded a second time. A handle gives the row, the sign-in sheet tells people which address is
whose, and reset and unload touch what belongs to the instance and say what they had to leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString, cast
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql

from scenarios.errors import LibraryError
from scenarios.library.faults import suggest
from scenarios.library.objects import row_object
from scenarios.library.plan import Plan, key_columns
from scenarios.library.reach import Name, Reach, foreign_keys, links_from_outside, name_of, reach_of, shown
from scenarios.library.registry import Record, is_scenario, registry_of

if TYPE_CHECKING:
    from scenarios.graph import Written
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.sheet import SignInSheet
    from scenarios.postgres import Database


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What an unload did.

    Attributes:
        rows: rows removed, by table.
        added: how many of them were not part of the scenario: the application wrote them.
        left: what was left, as sentences.
    """

    name: str
    rows: Mapping[str, int]
    added: int
    left: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "instance": self.name,
            "removed": dict(self.rows),
            "added_by_others": self.added,
            "left": list(self.left),
        }


@dataclass
class Instance:
    """A scenario in a database.

    Attributes:
        db: the database.
        definition: the scenario.
        plan: its rows as loaded.
        template: what the database remembers of it.
        written: what the load wrote, None for one that was found.
    """

    db: Database
    definition: ScenarioDefinition
    plan: Plan
    template: Mapping[str, Any]
    written: Written | None = None
    keys: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    _objects: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its name in the database."""
        return self.plan.instance

    @property
    def id(self) -> UUID | None:
        """The key of its row in the scope table; None for systems without one."""
        return self.plan.scope_id

    @property
    def scenario(self) -> str:
        """The name of the scenario."""
        return self.definition.name

    @property
    def anchor(self) -> datetime:
        """The moment its clock shows."""
        return self.plan.anchor

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of its parameters."""
        found: Mapping[str, Any] = self.template["parameters"]
        return found

    @property
    def handles(self) -> list[str]:
        """The handles of all rows."""
        return list(self.plan.by_handle)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by table, as loaded."""
        return self.plan.counts

    def __getitem__(self, handle: str) -> Any:
        """Return the row *handle* as it was loaded: a detached object of its model, or a plain row.

        Add it to a session to read on from it (``session.add(instance["maya"])``).

        Raises:
            LibraryError: nothing has that handle.
        """
        found = self._objects.get(handle)
        if found is None:
            row = self.plan.by_handle.get(handle)
            if row is None:
                raise LibraryError(
                    f"{self.name} has no handle {handle!r}",
                    where=self.definition.source,
                    remedy=suggest(handle, [each.handle for each in self.plan.rows if each.named]),
                )
            found = self._objects[handle] = row_object(row, self.definition.sections)
        return found

    def __contains__(self, handle: object) -> bool:
        return handle in self.plan.by_handle

    def __iter__(self) -> Iterator[str]:
        return iter(self.plan.by_handle)

    def __repr__(self) -> str:
        return f"<Instance {self.name!r} of {self.scenario} in {self.db.name}>"

    def key(self, handle: str) -> tuple[Any, ...]:
        """Return the primary key of the row *handle*."""
        row = self.plan.by_handle[handle]
        return tuple(row.values[column] for column in key_columns(row.table))

    def roots(self) -> dict[tuple[str, str], sql.Composable]:
        """Return the conditions that select its topmost rows, by table."""
        domain = self.definition.domain
        if self.definition.sections.scoped and domain.scope is not None:
            table = domain.table(domain.scope.table)
            return {name_of(table): sql.SQL("name = {}").format(sql.Literal(self.name))}
        return _roots_by_key(self)

    def sign_in_sheet(self) -> SignInSheet:
        """Return who exists and how to sign in."""
        from scenarios.library.sheet import sheet_of

        return sheet_of(self)

    def reset(self, *, connection: Any = None) -> Unloaded:
        """Put the instance back into the state in which it was loaded: same keys, same addresses, same times.

        Rows that the application added to it are removed. Everything happens in one transaction.

        Raises:
            LibraryError: it is no longer there.
        """
        from scenarios.library.load import transaction, write_plan

        with transaction(self.db, connection) as conn:
            report = _remove(conn, self)
            plan = self._again()
            registry = registry_of(self.definition.sections)
            if self.definition.sections.scoped:
                registry.add(
                    conn,
                    Record(self.name, self.template, plan.anchor, plan.scope_id),
                    self.definition.head.title,
                )
            write_plan(conn, plan, without=self.definition.domain.append_only)
            self.plan = plan
            self._objects.clear()
        return report

    def _again(self) -> Plan:
        """Return the plan anew, with the numbers the database counted the first time."""
        plan = self.definition.plan(instance=self.name, now=self.plan.anchor, parameters=self.parameters)
        counted: dict[str, list[list[Any]]] = {table: list(keys) for table, keys in self.keys.items()}
        for row in plan.rows:
            keys = counted.get(row.table.fullname)
            if keys:
                own = keys.pop(0)
                for column, value in zip(key_columns(row.table), own, strict=True):
                    if isinstance(value, int):
                        row.values[column] = value
        return plan

    def unload(self, *, connection: Any = None) -> Unloaded:
        """Remove the instance with everything that hangs on it, also what the application added.

        Raises:
            LibraryError: it is no longer there, or something outside needs one of its rows;
                nothing is removed then.
        """
        from scenarios.library.load import transaction

        with transaction(self.db, connection) as conn:
            return _remove(conn, self, forget=True)


def _remove(conn: psycopg.Connection[Any], instance: Instance, *, forget: bool = False) -> Unloaded:
    sections = instance.definition.sections
    domain = sections.domain
    registry = registry_of(sections)
    name = instance.name
    if sections.scoped and not registry.find(conn, name):
        raise LibraryError(
            f"there is no instance {name!r}",
            where=instance.db.safe_url,
            remedy="scenarios instances lists them",
        )
    roots = instance.roots()
    keys = foreign_keys(conn)
    for table in domain.append_only:
        # Whoever wrote it down, it cannot be taken back.
        roots.pop(name_of(domain.table(table)), None)
    reach = reach_of(roots, keys)
    rows = reach.count(conn)
    links = links_from_outside(conn, reach, keys)
    left = [
        f"{count} row{'' if count == 1 else 's'} of {shown(key.child)} "
        f"referred to it by {', '.join(key.columns)}; "
        f"{'the link was emptied' if count == 1 else 'the links were emptied'}"
        for key, count in links
        if key.on_delete in "nd"
    ]
    for table in sorted(domain.append_only):
        history = len(instance.plan.of(table))
        if history and forget:
            left.append(
                f"{history} row{'' if history == 1 else 's'} of {table} stay: nothing is removed from it"
            )
    refusing: dict[Name, str] = {}
    try:
        if sections.scoped:
            registry.remove(conn, name)
        else:
            refusing = _delete_by_key(conn, reach)
            if forget:
                _forget(conn, name)
    except psycopg.errors.IntegrityError as error:
        diagnosis = error.diag
        raise LibraryError(
            f"cannot remove the instance {name!r}; nothing was removed",
            where=f"{instance.db.safe_url}, table {diagnosis.table_name}",
            why=(diagnosis.message_detail or diagnosis.message_primary or str(error)).strip(),
            remedy=f"remove the rows that need it first (constraint {diagnosis.constraint_name})",
        ) from error
    for refused, why in refusing.items():
        count = rows.pop(shown(refused), 0)
        if count:
            left.append(f"{count} row{'' if count == 1 else 's'} of {shown(refused)} stay: {why}")
    for table in sorted(domain.reference):
        kept = len(instance.plan.of(table))
        if kept and forget:
            left.append(f"{kept} row{'' if kept == 1 else 's'} of {table} stay: instances share them")
    own = instance.plan.counts
    scope_table = domain.scope.table if sections.scoped and domain.scope else None
    recorded = {handles.table for handles in sections.handles}
    added = sum(
        max(0, count - own.get(table, 0))
        for table, count in rows.items()
        if table != scope_table and table not in recorded
    )
    return Unloaded(name, rows, added, tuple(left))


def _forget(conn: psycopg.Connection[Any], name: str) -> None:
    from scenarios.library.registry import OwnRegistry

    registry = OwnRegistry()
    if registry.exists(conn):
        registry.remove(conn, name)


def _roots_by_key(instance: Instance) -> dict[tuple[str, str], sql.Composable]:
    found: dict[tuple[str, str], sql.Composable] = {}
    metadata = instance.definition.domain.metadata
    for name, keys in instance.keys.items():
        table = metadata.tables[name]
        columns = key_columns(table)
        if not columns or not keys:
            continue
        types = [sql.SQL(_text_type(table.columns[column])) for column in columns]
        tuples = sql.SQL(", ").join(
            sql.SQL("({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{}::{}").format(sql.Literal(str(value)), kind)
                    for value, kind in zip(key, types, strict=True)
                )
            )
            for key in keys
        )
        found[name_of(table)] = sql.SQL("({}) IN ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), tuples
        )
    return found


def _text_type(column: sa.Column[Any]) -> LiteralString:
    """Return the type of *column* as CREATE TABLE would write it."""
    from sqlalchemy.dialects import postgresql

    text: Any = column.type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # its own
    return cast(LiteralString, text)


def _delete_by_key(conn: psycopg.Connection[Any], reach: Reach) -> dict[Name, str]:
    """Delete what is within reach; return the tables that refuse, with what they say.

    One statement, at whose end foreign keys are checked, so that circles go. Where a table is append-only,
    each table is tried alone, children first, and the refusing ones stay.
    """
    order = list(reversed(reach.conditions.items()))
    parts = [
        sql.SQL("{} AS (DELETE FROM {} WHERE {})").format(
            sql.Identifier(f"part_{number}"), sql.Identifier(*table), condition
        )
        for number, (table, condition) in enumerate(order)
    ]
    try:
        with conn.transaction():
            conn.execute(sql.SQL("WITH {} SELECT 1").format(sql.SQL(", ").join(parts)))
    except psycopg.errors.InsufficientPrivilege:
        refusing: dict[Name, str] = {}
        for table, condition in order:
            try:
                with conn.transaction():
                    conn.execute(sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*table), condition))
            except psycopg.errors.InsufficientPrivilege as error:
                refusing[table] = str(error.diag.message_primary)
        return refusing
    return {}


def instances(db: Database, *, connection: Any = None) -> list[Record]:
    """Return the instances in *db*, of whatever system its schema is, the oldest first."""
    from scenarios.library.load import transaction
    from scenarios.library.registry import OwnRegistry, ScopeRegistry

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
            remedy=suggest(name, [each.name for each in records])
            or "none is loaded; scenarios load NAME loads one",
        )
    return from_record(db, record, domains=domains)


def from_record(db: Database, record: Record, *, domains: Mapping[str, Any] | None = None) -> Instance:
    """Return the instance that *record* describes."""
    from scenarios.domain import get_domain
    from scenarios.library.compose import Composed, from_template
    from scenarios.library.definition import TEMPLATE_FORMAT, ScenarioDefinition
    from scenarios.library.faults import Place
    from scenarios.library.head import Anchor, Head, Parameter
    from scenarios.library.sections import sections_of

    template = record.template
    if template.get("format") != TEMPLATE_FORMAT:
        raise LibraryError(
            f"the instance {record.name!r} was loaded by another version of pg-scenarios",
            where=db.safe_url,
            why=f"its format is {template.get('format')}, this version reads {TEMPLATE_FORMAT}",
            remedy="unload it with the version that loaded it, or remove its row by hand",
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
    plan = definition.plan(instance=record.name, now=anchor)
    found = Instance(db, definition, plan, template, keys=record.rows)
    if record.rows:
        found.plan = found._again()
    return found
