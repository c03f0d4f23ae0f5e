"""A builder for any system whose rows are arranged in sections: it writes what a scenario file would say.

The sections know already where a table's rows stand, what their columns accept and what they become when left
out. A builder that knew it again would fill in other values than a file, and would be weeks of work. Here a
step adds a row by the key of its section, and the value of each column is read at once by the same reader, so
what cannot be is refused at its line; what was said becomes rows where a file's rows do.

The builder of a system is then a class for each kind of row, whose methods say which kind may follow::

    LIBRARY = sections_of(DOMAIN)

    class ScenarioStep(RowStep):
        def member(self, handle: str, *, name: str | None = None, joined: When | None = None) -> MemberStep:
            return self._row(MemberStep, "members", handle, name=name, joined=joined)

    class MemberStep(ScenarioStep):
        def loan(self, handle: str | None = None, *, book: str, due: When | None = None) -> LoanStep:
            return self._row(LoanStep, "loans", handle, book=book, due=due)

    class LoanStep(MemberStep):
        ...

    def a_scenario(name: str, *, now: datetime | None = None) -> ScenarioStep:
        return ScenarioStep(SectionProgram(LIBRARY, name, now=now))

The arguments of a call are the keys a file has. A step finds the section among those under its own row first,
then under the rows above it, then at the top.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from scenarios.builders.base import Program, Rendered, Source, Step, calling_line, did_you_mean
from scenarios.domain import Domain, Statement
from scenarios.errors import BuilderError
from scenarios.factories.context import FactoryContext
from scenarios.graph import Graph, perform_async
from scenarios.graph.steps import Rows, table_name
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import Composed, escape_key
from scenarios.library.files.error_list import ErrorList, InvalidScenario, Place
from scenarios.library.files.expressions import escape
from scenarios.library.files.head import Anchor, Head
from scenarios.library.files.times import format_offset
from scenarios.library.files.tree import Branch, Node, Series, from_plain
from scenarios.library.instances.objects import row_object
from scenarios.library.instances.writing import add_rows, fill
from scenarios.library.planning.columns import ColumnSpec
from scenarios.library.planning.plan import Plan, Serial
from scenarios.library.planning.sections import Section, Sections, visible
from scenarios.values import DEFAULT_ANCHOR, TEST_PASSWORD, password_hash

S = TypeVar("S", bound="RowStep")


@dataclass(slots=True)
class SaidRow:
    """A row that was said: where it stands, and what a file would say of it."""

    handle: str
    section: Section
    content: Branch
    above: SaidRow | None


class SectionProgram(Program):
    """What was said to the builder of a system with sections.

    Args:
        sections: the system's.
        name: the scenario's name; *options* are those of `Program`.
    """

    def __init__(self, sections: Sections, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.sections = sections
        self.rows = Branch({}, _place(self.source))

    @property
    def domain(self) -> Domain:
        """The system the scenario is of."""
        return self.sections.domain

    def tree(self) -> Branch:
        """Return what was said as the tree of a file: its rows, and its clock where one was said."""
        items: dict[str, Node] = dict(self.rows.items)
        if self.now is not None:
            items["clock"] = from_plain(self.now.isoformat(), self.rows.place)
        return Branch(items, self.rows.place, dict(self.rows.keys))

    def definition(self, seed: str, locale: str) -> ScenarioDefinition:
        """Return what was said as a scenario.

        Args:
            seed: of its values, where none was said.
            locale: of names, where none was said.
        """
        head = Head(
            self.name,
            self.rows.place,
            system=self.domain.name,
            description=self.description,
            anchor=Anchor(self.now or DEFAULT_ANCHOR),
            seed=self.seed or "",
        )
        return ScenarioDefinition(Composed(head, self.rows), self.sections, None, seed, self.locale or locale)

    def render(self, context: FactoryContext, instance: str) -> Rendered:
        """Make the rows of *instance*.

        Raises:
            BuilderError: parts of what was said contradict each other.
        """
        definition = self.definition(context.seed, context.locale)
        try:
            plan = definition.plan(instance=instance, now=context.clock.now)
        except InvalidScenario as error:
            first = error.errors[0]
            what = f"{first.path}: {first.what}" if first.path else first.what
            where = f"{first.place.file}:{first.place.line}"
            raise BuilderError(what, where=where, hint=first.hint) from error
        return PlannedRows(plan, definition).rendered()

    def before_write(self, connection: psycopg.Connection[Any], rendered: Rendered) -> None:
        """Take the keys that the database counts, and leave alone shared rows that are there already."""
        planned = _planned(rendered)
        fill(planned.with_instance(rendered.graph), connection, planned.plan)
        planned.forget()

    async def before_write_async(self, connection: Any, rendered: Rendered) -> None:
        """Take the keys that the database counts, over a psycopg or asyncpg asynchronous connection.

        Raises:
            BuilderError: rows are shared by instances, or a value is the database's to make and no sequence
                counts it; `load` can write them.
        """
        planned = _planned(rendered)
        await perform_async(connection, self._counted(planned.plan))
        add_rows(planned.with_instance(rendered.graph), planned.plan, missing=())
        planned.forget()

    def _counted(self, plan: Plan) -> Generator[Statement, Rows, None]:
        waiting: dict[tuple[str, str], list[Serial]] = {}
        for row in plan.rows:
            if row.section.table in self.domain.reference:
                self.refuse(f"{row.handle} is shared by instances", hint="load the scenario with load()")
            for name, value in row.values.items():
                if isinstance(value, Serial) and value.row is row and value.column == name:
                    waiting.setdefault((row.section.table, name), []).append(value)
        for (table, column), serials in waiting.items():
            quoted = table_name(self.domain.table(table)).as_string(None)
            found = yield Statement("SELECT pg_get_serial_sequence($1, $2)", (quoted, column))
            if not found or found[0][0] is None:
                self.refuse(f"no sequence counts {table}.{column}", hint="load the scenario with load()")
            numbers = yield Statement(
                "SELECT nextval($1::text::regclass) FROM generate_series(1, $2::int)",
                (found[0][0], len(serials)),
            )
            for serial, (number,) in zip(serials, numbers, strict=True):
                serial.row.values[serial.column] = number
        plan.follow_counted()


class PlannedRows(MutableMapping[str, Any]):
    """The rows of a plan by handle, each an object when it is first asked for."""

    def __init__(self, plan: Plan, definition: ScenarioDefinition) -> None:
        self.plan = plan
        self.definition = definition
        self._made: dict[str, Any] = {}

    def __getitem__(self, handle: str) -> Any:
        if handle not in self._made:
            self._made[handle] = row_object(self.plan.by_handle[handle], self.plan.sections)
        return self._made[handle]

    def __setitem__(self, handle: str, row: Any) -> None:
        self._made[handle] = row

    def __delitem__(self, handle: str) -> None:
        del self._made[handle]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plan.by_handle)

    def __len__(self) -> int:
        return len(self.plan.by_handle)

    def rendered(self) -> Rendered:
        """Return the rows as what a builder loads; keys that the database counts are not known yet."""
        plan = self.plan
        found = Rendered(Graph(), plan.scope_id or plan.seeded.at("").uuid("instance"), plan.instance)
        found.handles = self
        people = plan.sections.people or plan.sections.domain.owner
        for row in plan.of(people) if people else ():
            known = row.values.get("password") == password_hash()
            entry = {"handle": row.handle, "email": row.values.get("email")}
            entry["password"] = TEST_PASSWORD if known else None
            found.sign_in.append({key: str(value) for key, value in entry.items() if value})
        return found

    def with_instance(self, graph: Graph) -> Graph:
        """Return *graph* with the row of the instance, in a system that has a table of them."""
        scope = self.plan.sections.domain.scope
        if scope is not None and self.plan.sections.scoped:
            columns = ["id", "name", "description", "template"]
            template = self.definition.template(self.plan, {})
            row = [self.plan.scope_id, self.plan.instance, self.definition.head.description, template]
            graph.add_rows(self.plan.sections.domain.table(scope.table), columns, [row])
        return graph

    def forget(self) -> None:
        """Make the rows' objects anew when they are asked for: their values are complete now."""
        self._made.clear()


def _planned(rendered: Rendered) -> PlannedRows:
    assert isinstance(rendered.handles, PlannedRows)
    return rendered.handles


class RowStep(Step[SectionProgram]):
    """Where a builder stands: at the scenario itself, or at a row of it.

    Args:
        program: what was said so far.
        said: the row, None at the scenario.
    """

    def __init__(self, program: SectionProgram, said: SaidRow | None = None) -> None:
        super().__init__(program)
        self.said = said

    def _row(self, step: type[S], key: str, handle: str | None = None, /, **columns: Any) -> S:
        """Add a row to the section *key* and return the step that stands at it.

        Args:
            step: the class of the step.
            key: the section's key in files.
            handle: the row's name; rows of a list are counted without one.
            columns: values by their keys in files; None says nothing.

        Raises:
            BuilderError: the handle is malformed or taken, a column is none, or a value cannot be one.
        """
        program = self.program
        section, above = self._section(key)
        place = _place(calling_line())
        holder = program.rows if above is None else above.content
        prefix = "" if above is None else f"{above.handle}."
        content = Branch({}, place)
        name = self._placed(section, holder, content, prefix, handle, above)
        said = SaidRow(name, section, content, above)
        self._columns(said, {name: value for name, value in columns.items() if value is not None})
        return step(program, said)

    def _generate(self, key: str, /, **options: Any) -> None:
        """Let the section *key* generate rows here, with the options a file has under ``generate``.

        Raises:
            BuilderError: the section generates nothing.
        """
        section, above = self._section(key)
        if section.generate is None:
            self.program.refuse(f"{key} cannot be generated", hint="say its rows one by one")
        holder = self.program.rows if above is None else above.content
        place = _place(calling_line())
        given = {name: value for name, value in options.items() if value is not None}
        block = from_plain(_plain(given), place)
        if section.form == "named":
            named = self._mapping(holder, section.key, place)
            named.items["generate"] = block
        else:
            self._series(holder, section.key, place).items.append(Branch({"generate": block}, place))

    def _section(self, key: str) -> tuple[Section, SaidRow | None]:
        above = self.said
        while True:
            sections = self.program.sections.sections if above is None else above.section.inner
            found = next((section for section in sections if section.key == key), None)
            if found is not None or above is None:
                break
            above = above.above
        if found is None:
            self.program.refuse(f"{self.program.domain.title} has no section {key!r} here")
        return found, above

    def _placed(
        self,
        section: Section,
        holder: Branch,
        content: Branch,
        prefix: str,
        handle: str | None,
        above: SaidRow | None,
    ) -> str:
        """Put *content* where a row of *section* stands, and return the row's full handle."""
        program, place = self.program, content.place
        if section.form == "one":
            if section.key in holder.items:
                program.refuse(f"{prefix.rstrip('.')} has a {section.unit} already", hint="say it once")
            holder.items[section.key] = content
            holder.keys[section.key] = place
            return program.claim(f"{prefix}{section.key}", section.unit)
        if section.form == "named":
            if handle is None:
                handle = program.free_name(f"{prefix}{section.unit}").removeprefix(prefix)
            named = self._mapping(holder, section.key, place)
            named.items[handle] = content
            named.keys[handle] = place
            return program.claim(f"{prefix}{handle}", section.unit)
        series = self._series(holder, section.key, place)
        series.items.append(content)
        if handle is None:
            return f"{prefix}{section.unit}_{len(series.items)}"
        content.items["as"] = from_plain(handle, place)
        root = above
        while root is not None and root.above is not None:
            root = root.above
        return program.claim(handle if root is None else f"{root.handle}.{handle}", section.unit)

    def _mapping(self, holder: Branch, key: str, place: Place) -> Branch:
        found = holder.items.setdefault(key, Branch({}, place))
        assert isinstance(found, Branch)
        return found

    def _series(self, holder: Branch, key: str, place: Place) -> Series:
        found = holder.items.setdefault(key, Series([], place))
        assert isinstance(found, Series)
        return found

    def _columns(self, said: SaidRow, columns: Mapping[str, Any]) -> None:
        program, section, place = self.program, said.section, said.content.place
        table = program.domain.metadata.tables[section.table]
        known = visible(section, table, program.sections)
        for key, value in columns.items():
            spec = known.get(key)
            if spec is None and key not in section.speakers:
                program.refuse(
                    f"a {section.unit} has no {key!r}", hint=did_you_mean(key, [*section.speakers, *known])
                )
            refers = spec is not None and spec.target is not None
            node = from_plain(value if refers and isinstance(value, str) else _plain(value), place)
            if spec is not None and not refers:
                self._check(said, key, spec, node)
            said.content.items[key] = node
            said.content.keys[key] = place

    def _check(self, said: SaidRow, key: str, spec: ColumnSpec, node: Node) -> None:
        errors = ErrorList()
        spec.parser.read(node, key, errors)
        for error in errors.found:
            self.program.refuse(f"{said.handle}: {key}: {error.what}", hint=error.hint)


def _place(source: Source | None) -> Place:
    return Place("a scenario") if source is None else Place(source[0], source[1], 1)


def _plain(value: Any) -> Any:
    """Return *value* as a file would have it."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {escape_key(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, timedelta):
        return format_offset(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value
