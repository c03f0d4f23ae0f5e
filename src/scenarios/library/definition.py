"""A scenario ready to be planned and loaded, whether it came from a file or from a Python function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.domain import Domain
from scenarios.errors import LibraryError
from scenarios.library.files.compose import Composed, to_template
from scenarios.library.files.error_list import ErrorList, InvalidScenario, shown, suggest
from scenarios.library.files.head import Head, Parameter
from scenarios.library.planning.plan import Plan
from scenarios.library.planning.planner import Planner
from scenarios.library.planning.sections import Sections
from scenarios.values.seeded import Seeded

if TYPE_CHECKING:
    from scenarios.library.instances.instance import Instance
    from scenarios.postgres import Database

TEMPLATE_FORMAT = 1
"""The format of the template kept with an instance."""
_KEPT = 8
"""For so many values of its parameters a scenario written in Python is kept."""


@dataclass(frozen=True)
class ScenarioDefinition:
    """A named, versioned description of a state.

    Attributes:
        composed: its rows with everything it is made of.
        sections: how its system's rows are arranged.
        path: its file, None for one that was never in a file.
        seed: the seed of its generated values when its head names none.
        locale: the locale of generated names.
        again: composes it anew for values of its parameters, where a part of it is written in Python and
            makes other rows of them; None where *composed* holds for all values.
    """

    composed: Composed
    sections: Sections
    path: Path | None = None
    seed: str = "scenarios"
    locale: str = "en_US"
    again: Callable[[Mapping[str, Any]], Composed] | None = field(default=None, repr=False, compare=False)
    _plans: dict[Any, Plan] = field(default_factory=dict, repr=False, compare=False)
    _composed: dict[str, Composed] = field(default_factory=dict, repr=False, compare=False)

    @property
    def head(self) -> Head:
        """What it says of itself."""
        return self.composed.head

    @property
    def name(self) -> str:
        """Its name."""
        return self.composed.head.name

    @property
    def domain(self) -> Domain:
        """Its system."""
        return self.sections.domain

    @property
    def source(self) -> str:
        """Where it comes from, for messages."""
        return shown(self.path) if self.path else f"scenario {self.name}"

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every parameter, *given* over defaults.

        Raises:
            LibraryError: one is unknown, of the wrong type or out of bounds.
        """
        known: Mapping[str, Parameter] = self.head.parameters
        values = {name: parameter.default for name, parameter in known.items()}
        for name, value in given.items():
            parameter = known.get(name)
            value = value.value if isinstance(value, Enum) else value
            if parameter is None:
                raise LibraryError(
                    f"{self.name} has no parameter {name!r}",
                    where=self.source,
                    hint=suggest(name, known) or "it has none",
                )
            if isinstance(value, str) and parameter.type != "text":
                value = parameter.parse(value)
            problem = parameter.problem(value)
            if problem:
                raise LibraryError(
                    f"the parameter {name} of {self.name} cannot be {value!r}",
                    where=self.source,
                    why=problem[0],
                    hint=problem[1],
                )
            values[name] = value
        return values

    def made_of(self, values: Mapping[str, Any]) -> Composed:
        """Return its rows for *values* of its parameters.

        Raises:
            InvalidScenario: a part that is written in Python fails for them.
        """
        if self.again is None or values == self.parameters({}):
            return self.composed
        key = repr(sorted(values.items()))
        if key not in self._composed:
            while len(self._composed) >= _KEPT:
                del self._composed[next(iter(self._composed))]
            self._composed[key] = self.again(values)
        return self._composed[key]

    def seeded(self) -> Seeded:
        """Return the source of its generated values."""
        return Seeded(self.head.seed or self.seed, self.name, self.locale)

    def plan(
        self,
        *,
        instance: str | None = None,
        now: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        made: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Plan:
        """Return the rows of the instance *instance* (by default called like the scenario).

        Args:
            instance: its name.
            now: what the clock shows.
            parameters: values of the scenario's parameters.
            made: what the model's own functions made when it was loaded, as its template has it.

        Raises:
            InvalidScenario: the rows are wrong; every error is listed.
            LibraryError: a parameter is wrong.
        """
        values = self.parameters(parameters or {})
        ready = self._plans.pop(
            (instance or self.name, self.head.anchor.at(now), repr(sorted(values.items()))), None
        )
        if ready is not None and not made:
            return ready
        composed = self.made_of(values)
        errors = ErrorList()
        planner = Planner(
            self.sections,
            instance=instance or self.name,
            anchor=self.head.anchor.at(now),
            seeded=self.seeded(),
            parameters=values,
            errors=errors,
            made=made,
        )
        plan = planner.make(composed.tree)
        if errors.found:
            raise InvalidScenario(self.source, errors.found)
        return plan

    def check(self) -> None:
        """Plan the scenario with its defaults, and keep the plan for the first who asks for it.

        Raises:
            InvalidScenario: the rows are wrong; every error is listed.
        """
        plan = self.plan()
        key = (plan.instance, plan.anchor, repr(sorted(self.parameters({}).items())))
        if self.head.anchor.moment is not None:
            self._plans[key] = plan

    def template(self, plan: Plan, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept with an instance: enough to load it again without the file."""
        head = self.head
        return {
            "format": TEMPLATE_FORMAT,
            "scenario": self.name,
            "system": self.domain.name,
            "version": head.version,
            "title": head.title,
            "seed": head.seed or self.seed,
            "locale": self.locale,
            "anchor": plan.anchor.isoformat(),
            "parameters": dict(parameters),
            **({"functions": plan.made} if plan.made else {}),
            **to_template(self.made_of(parameters)),
        }

    def load(
        self,
        db: Database,
        *,
        as_name: str | None = None,
        now: datetime | None = None,
        connection: Any = None,
        **parameters: Any,
    ) -> Instance:
        """Load an instance into *db*, in one transaction.

        Args:
            db: where to.
            as_name: the instance's name; by default the scenario's, with a number when that is taken.
            now: the moment that the scenario's clock shows; by default the file's.
            connection: a psycopg connection to use instead of one of *db*'s; a transaction open on it is kept
                open, and the instance is part of it.
            parameters: values of the scenario's parameters.

        Raises:
            InvalidScenario: the rows are wrong; nothing was loaded.
            LibraryError: a parameter is wrong, or the name is taken.
            GraphError: the database refused a row; nothing was loaded.
        """
        from scenarios.library.instances.load import load

        return load(self, db, as_name=as_name, now=now, connection=connection, parameters=parameters)

    def enter(self, db: Database, *, now: datetime | None = None, **parameters: Any) -> Instance:
        """Put the throwaway database *db* into this state: restore a snapshot when it was loaded before.

        Everything written since is undone, as with `Database.restore`.

        Raises:
            SafetyError: *db* is not a throwaway database of ours.
        """
        from scenarios.library.instances.entering import enter

        return enter(self, db, now=now, parameters=parameters)
