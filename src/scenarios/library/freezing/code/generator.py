"""What the speakers of all systems share: a plan's rows, and what of each was not said yet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from scenarios.domain import PERSONAL
from scenarios.library.freezing.code.words import Code, NotExpressible, Variables, call, moment, offset
from scenarios.library.planning.columns import specs
from scenarios.library.planning.plan import Plan
from scenarios.library.planning.rows import Row

_USED = ("scene", "now", "at", "a_scenario", "scenario", "datetime", "date", "UTC", "Clock")


class CodeGenerator(ABC):
    """Says a plan in calls of a system's builder.

    Args:
        name: the scenario's name.
        plan: its rows.

    Attributes:
        tables: those the builder has words for.
        vocabulary: the enumerations of the system that statements may name.
        vocabulary_in: the module that has them.
        as_given: whether the builder has to be told to add nothing of its own.
    """

    tables: ClassVar[frozenset[str]]
    vocabulary: ClassVar[tuple[str, ...]] = ()
    vocabulary_in: ClassVar[str] = ""
    as_given: ClassVar[bool] = True

    def __init__(self, name: str, plan: Plan) -> None:
        self.name = name
        self.plan = plan
        self.anchor = plan.anchor
        self.variables = Variables((*_USED, *self.vocabulary, name))
        self.clocked = False

    @abstractmethod
    def statements(self) -> Iterable[str]:
        """Yield the statements between the beginning and ``return scene``; an empty one is a pause.

        Raises:
            NotExpressible: the builder has no words for a row.
        """

    def body(self) -> str:
        """Return the body of the function that builds the plan.

        Raises:
            NotExpressible: the builder has no words for it.
        """
        for row in self.plan.rows:
            if row.table.fullname not in self.tables:
                raise NotExpressible(f"it has no words for rows of {row.table.fullname}")
        said = list(self.statements())
        lines = [f"now = {moment(self.anchor)}"]
        if self.clocked:
            lines.append("at = Clock(now).at")
        as_given = Code("True") if self.as_given else None
        lines += [
            "scene = " + call("a_scenario", self.name, now=Code("now"), as_given=as_given),
            *said,
            "return scene",
        ]
        return "\n".join(f"    {line}" if line else "" for line in lines) + "\n"

    def of(self, table: str, **wanted: Any) -> list[Row]:
        """Return the rows of *table* with these values."""
        return [
            row
            for row in self.plan.of(table)
            if all(str(row.values.get(name)) == str(value) for name, value in wanted.items())
        ]

    def rest(self, row: Row, *said: str) -> dict[str, Any]:
        """Return the columns of *row* not in *said* that are not what they are by default, by attribute."""
        mapper = self.plan.sections.classes.get(row.table.fullname)
        found: dict[str, Any] = {}
        for name, spec in specs(row.table).items():
            hidden = spec.column.info.get(PERSONAL) == "secret" or name in _KEYS
            if hidden or name in said or spec.target is not None or name not in row.values:
                continue
            value = row.values[name]
            if value != spec.default or type(value) is not type(spec.default):
                key = mapper.get_property_by_column(spec.column).key if mapper is not None else name
                found[key] = self.value(value)
        return found

    def value(self, value: Any) -> Any:
        """Return a value as code, a time by the scenario's clock."""
        if isinstance(value, datetime):
            if value == self.anchor:
                return Code("now")
            when = offset(value, self.anchor)
            self.clocked = True
            return Code(f"at({when})" if isinstance(when, Code) else f'at("{when}")')
        return value

    def when(self, value: Any) -> Any:
        """Return a time as the steps of the builder take it."""
        return None if value is None else offset(value, self.anchor)

    def unsuffixed(self, row: Row, name: str) -> Any:
        """Return a column as the file says it, without what keeps instances apart."""
        value = row.values.get(name)
        suffix = row.section.suffixed.get(name)
        return suffix.strip(value, self.plan.instance) if suffix and isinstance(value, str) else value


_KEYS = ("id", "test_scenario_id")


def word_of(row: Row) -> str:
    """Return the last word of a row's handle."""
    return row.handle.rpartition(".")[2]
