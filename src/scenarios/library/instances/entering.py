"""The fast way back into a state: a snapshot of it is restored where it was loaded before.

Loading a scenario costs ten milliseconds, a restore a fraction of one. A database can hold one such state at
a time, so two snapshots are kept: of the empty database, and on it of the state that was entered last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from scenarios.errors import SafetyError
from scenarios.journal import Snapshot
from scenarios.library.instances.instance import Instance
from scenarios.library.instances.load import load

if TYPE_CHECKING:
    from scenarios.library.definition import ScenarioDefinition
    from scenarios.postgres import Database


@dataclass(slots=True)
class _Entered:
    """What a database of ours was put into last.

    Attributes:
        empty: a snapshot from before anything was loaded.
        state: the clock and the parameters of the state it is in, None while it is empty.
        snapshot: of that state.
        instance: of that state.
    """

    empty: Snapshot
    state: tuple[Any, ...] | None = None
    snapshot: Snapshot | None = None
    instance: Instance | None = None

    def holds(self, definition: ScenarioDefinition, state: tuple[Any, ...]) -> bool:
        """Return whether the database is in this very state of *definition*."""
        return self.state == state and self.instance is not None and self.instance.definition is definition


_ENTERED: WeakKeyDictionary[Database, _Entered] = WeakKeyDictionary()


def enter(
    definition: ScenarioDefinition,
    db: Database,
    *,
    now: datetime | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Instance:
    """Put a throwaway database into a state; see `ScenarioDefinition.enter`."""
    if not db.owned:
        raise SafetyError(
            f"will not put {db.name} back into the state of {definition.name}",
            where=db.safe_url,
            why="the database was not made by this project, and everything written since would be lost",
            hint="use load(), which adds an instance, or a database of start_server()",
        )
    values = definition.parameters(parameters or {})
    moment = definition.head.anchor.at(now)
    state = (moment, repr(sorted(values.items())))
    entered = _ENTERED.get(db)
    if entered is None:
        entered = _ENTERED[db] = _Entered(db.snapshot())
    elif entered.holds(definition, state):
        assert entered.snapshot is not None
        assert entered.instance is not None
        db.restore(entered.snapshot)
        return entered.instance
    else:
        entered.state = None
        db.restore(entered.empty)
    instance = load(definition, db, now=moment, parameters=values)
    entered.state, entered.snapshot, entered.instance = state, db.snapshot(), instance
    return instance
