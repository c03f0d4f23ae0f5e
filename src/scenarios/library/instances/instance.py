"""One loading of a scenario: its handles, its people, and the ways to put it back or take it away.

The row somebody means by "maya" has another key in every instance; whoever looks it up by e-mail breaks when
the instance is loaded a second time. A handle gives the row, the sign-in sheet tells people which address is
whose, and reset and unload touch what belongs to the instance and say what they had to leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from scenarios.errors import LibraryError
from scenarios.graph.mapped import column_named
from scenarios.library.closure.reach import name_of
from scenarios.library.files.error_list import suggest
from scenarios.library.instances import ownership
from scenarios.library.instances.became import BECAME, became
from scenarios.library.instances.locking import alone
from scenarios.library.instances.objects import row_object
from scenarios.library.instances.registry import OwnRegistry, Record, ScopeRegistry, registry_of
from scenarios.library.instances.removal import Unloaded, remove, roots_by_key
from scenarios.library.instances.start import forget_start
from scenarios.library.instances.writing import MADE, write_plan
from scenarios.library.planning.columns import key_columns
from scenarios.library.planning.plan import Plan, Serial

if TYPE_CHECKING:
    import psycopg

    from scenarios.graph import Written
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.library.instances.sheet import SignInSheet
    from scenarios.postgres import Database


@dataclass(eq=False)
class Instance:
    """A scenario in a database.

    Attributes:
        db: the database.
        definition: the scenario.
        plan: its rows as loaded.
        template: what the database remembers of it.
        written: what the load wrote, None for one that was found.
        keys: the keys of its rows by table, for systems without a scope table.
        remembered: whether its database keeps a record of it.
        start: the number of the journal's snapshot of it as it was loaded, where there is one.
    """

    db: Database
    definition: ScenarioDefinition
    plan: Plan
    template: Mapping[str, Any]
    written: Written | None = None
    keys: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    remembered: bool = True
    start: int | None = None
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
                    hint=suggest(handle, [each.handle for each in self.plan.rows if each.named]),
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
        return roots_by_key(self)

    def sign_in_sheet(self) -> SignInSheet:
        """Return who exists and how to sign in."""
        from scenarios.library.instances.sheet import sheet_of

        return sheet_of(self)

    def reset(self, *, with_added: bool = False, dry_run: bool = False, connection: Any = None) -> Unloaded:
        """Put the instance back into the state in which it was loaded: same keys, same addresses, same times.

        Rows that were added to it since are removed. Everything happens in one transaction.

        Args:
            with_added: remove rows of others that hang on it, too, except those that another instance loaded.
            dry_run: only tell what would be removed, and which rows of others hang on it.
            connection: a connection to use instead of a new one.

        Raises:
            RowsInTheWay: rows of others hang on it; each is named, and nothing was removed.
            LibraryError: it is no longer there, or another one of its name is.
            InstanceBusy: somebody else is at it, or has its rows locked.
        """
        with alone(self.db, self.name, connection) as conn:
            loaded_at = self._require(conn)
            report = remove(conn, self, with_added=with_added, dry_run=dry_run)
            if dry_run:
                return report
            plan = self.planned_again()
            if self.definition.sections.scoped:
                record = Record(self.name, self.template, plan.anchor, plan.scope_id)
                registry = ScopeRegistry.of(self.definition.domain)
                registry.add(conn, record, self.definition.head.title, loaded_at)
            write_plan(conn, plan, without=self.definition.domain.append_only | report.untouched)
            if BECAME in self.template:
                # What a trigger makes of a row may be another thing each time.
                self.template = {**self.template, BECAME: became(conn, plan)}
                if self.remembered:
                    OwnRegistry().note(conn, self.name, BECAME, self.template[BECAME])
            self.plan = plan
            self._objects.clear()
        return report

    def planned_again(self) -> Plan:
        """Return the plan anew, with the numbers the database counted the first time."""
        plan = self.definition.plan(
            instance=self.name,
            now=self.plan.anchor,
            parameters=self.parameters,
            made=self.template.get("functions"),
        )
        counted: dict[str, list[list[Any]]] = {table: list(keys) for table, keys in self.keys.items()}
        for row in plan.rows:
            keys = counted.get(row.table.fullname)
            if keys:
                own = keys.pop(0)
                for column, value in zip(key_columns(row.table), own, strict=True):
                    if isinstance(row.values.get(column), Serial):
                        row.values[column] = _of_type(column_named(row.table, column), value)
            for column, value in self.template.get(MADE, {}).get(row.handle, {}).items():
                if isinstance(row.values.get(column), Serial):
                    row.values[column] = _of_type(column_named(row.table, column), value)
        plan.follow_counted()
        return plan

    def unload(self, *, with_added: bool = False, dry_run: bool = False, connection: Any = None) -> Unloaded:
        """Remove the instance with everything that was added to it.

        Args:
            with_added: remove rows of others that hang on it, too, except those that another instance loaded.
            dry_run: only tell what would be removed, and which rows of others hang on it.
            connection: a connection to use instead of a new one.

        Raises:
            RowsInTheWay: rows of others hang on it; each is named, and nothing was removed.
            LibraryError: it is no longer there.
            InstanceBusy: somebody else is at it, or has its rows locked.
        """
        with alone(self.db, self.name, connection) as conn:
            self._require(conn)
            report = remove(conn, self, forget=True, with_added=with_added, dry_run=dry_run)
        if not dry_run:
            ownership.forget(self)
            if connection is None:
                forget_start(self)
        return report

    def _require(self, conn: psycopg.Connection[Any]) -> datetime | None:
        """Return when it was loaded; refuse to go on when it is not the one that was opened."""
        if not self.remembered:
            return None
        record = Record(self.name, self.template, self.anchor, self.id, self.keys)
        found = registry_of(self.definition.sections).present(conn, record)
        if found is None:
            raise LibraryError(
                f"there is no instance {self.name!r}",
                where=self.db.safe_url,
                hint="scenarios instances lists them",
            )
        if not found.same:
            raise LibraryError(
                f"the instance {self.name!r} is not the one that was opened",
                where=self.db.safe_url,
                why="it was unloaded since, and another one was loaded under its name",
                hint="open it again",
            )
        return found.loaded_at


def _of_type(column: sa.Column[Any], value: Any) -> Any:
    """Return what a record kept of a value that the database made, as the planner would have it."""
    return UUID(value) if isinstance(column.type, sa.Uuid) and isinstance(value, str) else value
