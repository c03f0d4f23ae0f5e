"""Factories nobody wrote: `factory_for` reads a model or a table and builds rows the database accepts.

Most tables of a project have no factory, and writing one for each is what keeps people from starting. What a
row must look like is in the schema already: types, lengths, enums, CHECKs, unique and foreign keys. A column
that the schema does not explain is named in an error, with how to explain it; it is never filled with a
guess.

    OrderFactory = factory_for(Order)                                  # or a reflected Table
    OrderFactory.build(total=Decimal("9.90"))
    factory_for(Order, code=lambda row: f"A-{row.integer('code', 0, 9999)}")   # explains a column
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import factory
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import Integer, TypeDecorator, Uuid

from scenarios.errors import FactoryError
from scenarios.factories.base import Declaration, Parent, RowFactory, Value
from scenarios.factories.context import FactoryContext, current_context
from scenarios.factories.demands import Demands
from scenarios.factories.kinds import WIDE, CannotFill, Kind, kind_of
from scenarios.factories.rows import TableRow

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver

    from scenarios.factories.checks import Check

M = TypeVar("M")

_TURNS = 400
_SKIP: Any = factory.declarations.SKIP
_ALONE = (
    factory.SubFactory,
    factory.Iterator,
    factory.Sequence,
    factory.LazyFunction,
    factory.Faker,
    Parent,
    Value,
)


@dataclass(slots=True)
class _Foreign:
    """A foreign key and the relationship that stands for it."""

    columns: tuple[str, ...]
    target: Table
    remote: tuple[str, ...]
    relationship: str | None
    required: bool
    itself: bool


@dataclass(slots=True)
class _Unique:
    """A unique key: its columns, and when it applies."""

    name: str
    columns: tuple[str, ...]
    nulls_too: bool
    where: Check | None


@dataclass(slots=True)
class _Plan:
    """What was read of one model or table."""

    label: str
    model: type[Any] | None
    table: Table
    keys: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Column[Any]] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    constants: dict[str, Any] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    foreign: list[_Foreign] = field(default_factory=list)
    uniques: list[_Unique] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    unread: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)


@overload
def factory_for(target: type[M], /, *, nulls: float = ..., **fill: Any) -> type[RowFactory[M]]: ...
@overload
def factory_for(target: Table, /, *, nulls: float = ..., **fill: Any) -> type[RowFactory[TableRow]]: ...
def factory_for(target: Any, /, *, nulls: float = 0.25, **fill: Any) -> Any:
    """Return a factory for a mapped class or a table, derived from its schema.

    Args:
        target: a mapped class; its factory builds objects. Or a `Table`, reflected for instance; its factory
            builds `TableRow` mappings, which a context's graph and session take too.
        nulls: how often a nullable column without a default stays empty, 0 to 1.
        fill: how to fill columns (or relationships) the schema does not explain: a value, a function of the
            row's source of values, or a factory_boy declaration.

    Raises:
        FactoryError: *target* is neither, or has no column of a name in *fill*.
    """
    plan = _read(target)
    attributes = {*plan.keys.values(), *(f.relationship for f in plan.foreign if f.relationship)}
    for name in fill:
        if name not in attributes:
            raise FactoryError(
                f"{plan.label} has no column {name!r} to fill",
                remedy=f"it has {', '.join(sorted(attributes))}",
            )
    body: dict[str, Any] = {name: _Drawn(name) for name in attributes}
    declared = {name: value for name, value in fill.items() if factory.enums.get_builder_phase(value)}
    body.update(declared)
    said = {name: value for name, value in fill.items() if name not in declared}
    body["Meta"] = type("Meta", (), {"model": plan.model or TableRow})
    body["Params"] = type("Params", (), {"drawn": _Draw(plan, said, declared, nulls)})
    if plan.model is None:
        columns = plan.columns
        body["_build"] = classmethod(
            lambda cls, model, **values: TableRow(
                plan.table, {k: v for k, v in values.items() if k in columns}
            )
        )
    # The column of that name takes the row's handle; see RowOptions.
    body.pop("handle", None)
    name = (plan.model.__name__ if plan.model is not None else plan.table.name) + "Factory"
    # Not type(): the metaclass of factory_boy reads the body.
    return cast(Any, type(RowFactory))(name, (RowFactory,), body)


class _Drawn(Declaration[Any]):
    """One column of what `_Draw` drew; nothing where the database fills it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> Any:
        return instance.drawn.get(self.name, _SKIP)


class _Draw(Declaration[Mapping[str, Any]]):
    """Draws all columns of a row together, since constraints speak of several at once."""

    def __init__(
        self, plan: _Plan, said: Mapping[str, Any], declared: Mapping[str, Any], nulls: float
    ) -> None:
        super().__init__()
        self.plan = plan
        self.said = said
        self.declared = frozenset(declared)
        self.declarations = declared
        self.nulls = nulls

    def evaluate(
        self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]
    ) -> Mapping[str, Any]:
        return _Drawing(self, instance, step).values()


class _Drawing:
    """One row being drawn."""

    def __init__(self, draw: _Draw, resolver: Resolver[Any], step: BuildStep[Any]) -> None:
        handle: str = resolver.handle
        self.draw = draw
        self.plan = draw.plan
        self.handle = handle
        self.step = step
        self.context: FactoryContext = current_context()
        self.row = self.context.row(f"{self.plan.table.name}/{handle}")
        self.given: dict[str, Any] = {
            name: value(self.row) if callable(value) else value for name, value in draw.said.items()
        }
        self.declared = set(draw.declared)
        for name, value in step.builder.extras.items():
            if factory.enums.get_builder_phase(value):
                self.declared.add(name)
            elif "__" not in name:
                self.given[name] = value
                self.declared.discard(name)
        for name in self.declared:
            declaration = step.builder.extras.get(name, draw.declarations.get(name))
            # A declaration that looks at other columns waits for these; the others can be known first.
            if isinstance(declaration, _ALONE) and not isinstance(declaration, factory.LazyAttributeSequence):
                self.given[name] = getattr(resolver, name)
        self.parent_of: dict[str, Any] = {}
        # What the call gives goes to the object by itself; what the class says is passed on from here.
        self.made: dict[str, Any] = {
            name: self.given[name] for name in draw.said if name not in step.builder.extras
        }
        # Column name -> value, for the constraints; a column the database fills is missing.
        self.known: dict[str, Any] = {}
        self.drawn: list[str] = []
        # Drawn again for a CHECK (anew) or for a unique key (the next of the space).
        self.salts: dict[str, int] = {}
        self.turns: dict[str, int] = {}

    def values(self) -> Mapping[str, Any]:
        """Return values by attribute."""
        plan = self.plan
        for name, key in plan.keys.items():
            if key in self.given:
                self.known[name] = self.given[key]
        self._parents()
        for name, key in plan.keys.items():
            if key == "handle":
                self._set(name, self.handle)
            if name in self.known or key in self.made or key in self.declared:
                continue
            self._column(name)
        self._satisfy()
        return self.made

    # -- columns ---------------------------------------------------------------------------------------

    def _column(self, name: str) -> None:
        plan = self.plan
        if name in plan.constants:
            self._set(name, plan.constants[name])
        elif name in plan.counted:
            # A session has the database number the row at once; else above what a sequence reaches in a test.
            if self.context.session is None or self.step.builder.strategy != "create":
                self._set(name, self._counted(plan.columns[name]))
        elif name in plan.kinds:
            self.drawn.append(name)
            self._draw(name, 0)
        elif name in plan.reasons:
            if name in plan.optional:
                self._set(name, None)
            else:
                self._refuse(name, plan.reasons[name])

    def _counted(self, column: Column[Any]) -> int:
        number = self.context.count(f"key of {self.plan.table.fullname}")
        return number if "SMALL" in str(column.type).upper() else 1_000_000_000 + number

    def _draw(self, name: str, turn: int) -> None:
        salt = self.salts.get(name, 0)
        field = f"{name}~{salt}" if salt else name
        if name in self.plan.optional and self.row.chance(f"{field} is null", self.draw.nulls):
            self._set(name, None)
            return
        try:
            self._set(name, self.plan.kinds[name].draw(self.row, field, turn))
        except CannotFill as error:
            self._refuse(name, str(error))

    def _set(self, name: str, value: Any) -> None:
        self.known[name] = value
        self.made[self.plan.keys[name]] = value

    def _refuse(self, name: str, why: str) -> None:
        key = self.plan.keys[name]
        raise FactoryError(
            f"a factory cannot fill {self.plan.table.fullname}.{name}",
            where=f"row {self.handle!r}",
            why=why,
            remedy=f"say how: factory_for({self.plan.label}, {key}=...), a value or a function of the row; "
            f"or build({key}=...)",
        )

    # -- constraints -----------------------------------------------------------------------------------

    def _satisfy(self) -> None:
        plan = self.plan
        for name, text, columns in plan.unread:
            if not all(plan.keys.get(c) in self.given for c in columns):
                missing = ", ".join(sorted(c for c in columns if plan.keys.get(c) not in self.given))
                first = plan.keys.get(next(iter(sorted(columns)), ""), "...")
                raise FactoryError(
                    f"a factory cannot satisfy the CHECK {name} of {plan.table.fullname}",
                    where=f"row {self.handle!r}, columns {missing}",
                    why=f"it cannot be read: {text}",
                    remedy=f"say how to fill them: factory_for({plan.label}, {first}=...)",
                )
        broken: Check | None = None
        for _ in range(_TURNS):
            broken = next((check for check in plan.checks if not self._holds(check)), None)
            if broken is None:
                break
            loose = [name for name in self.drawn if name in broken.columns]
            if not loose:
                return  # only what was given is involved: the database will say so
            # One column a round, in turn, so that the others keep what they would be without this CHECK.
            name = loose[sum(self.salts.get(each, 0) for each in loose) % len(loose)]
            self.salts[name] = self.salts.get(name, 0) + 1
            self._draw(name, 0)
        else:
            assert broken is not None  # the loop ends without break only on a broken check
            raise FactoryError(
                f"a factory found no row that satisfies the CHECK {broken.name} of {plan.table.fullname}",
                where=f"row {self.handle!r}",
                why=f"{broken.text}, after {_TURNS} tries",
                remedy=f"say how to fill {', '.join(sorted(broken.columns))}: factory_for({plan.label}, ...)",
            )
        for unique in plan.uniques:
            self._unique(unique)

    def _holds(self, check: Check) -> bool:
        from scenarios.factories.checks import Unreadable

        if not check.columns <= self.known.keys():
            return True
        try:
            return check.holds(self.known)
        except Unreadable as error:
            if all(self.plan.keys.get(column) in self.given for column in check.columns):
                return True
            raise FactoryError(
                f"a factory cannot satisfy the CHECK {check.name} of {self.plan.table.fullname}",
                where=f"row {self.handle!r}, columns {', '.join(sorted(check.columns))}",
                why=f"it cannot be read: {error}",
                remedy=f"say how to fill them: factory_for({self.plan.label}, ...)",
            ) from error

    def _unique(self, unique: _Unique) -> None:
        if not set(unique.columns) <= self.known.keys():
            return
        loose = [name for name in self.drawn if name in unique.columns]
        space = 1
        for name in loose:
            space = min(WIDE, space * self.plan.kinds[name].size)
        start = {name: self.turns.get(name, 0) for name in loose}
        label = f"{self.plan.table.fullname} {unique.name}"
        for turn in range(max(1, min(space, 100_000))):
            rest = turn
            for name in loose:
                size = self.plan.kinds[name].size
                rest, own = divmod(rest, size)
                if turn:
                    self.turns[name] = start[name] + own
                    self._draw(name, self.turns[name])
            if turn and not all(self._holds(check) for check in self.plan.checks):
                continue
            if unique.where is not None and not self._applies(unique.where):
                return
            value = tuple(
                id(self.parent_of[name]) if name in self.parent_of else _hashable(self.known[name])
                for name in unique.columns
            )
            if None in value and not unique.nulls_too:
                return
            if self.context.claim(label, value):
                return
            if not loose:
                return  # given or inherited: the database will say so
        raise FactoryError(
            f"{self.plan.table.fullname} has no more unique values for {', '.join(loose)}",
            where=f"row {self.handle!r}, constraint {unique.name}",
            why=f"the space holds {space:,} and {space + 1:,} were asked for",
            remedy="build fewer rows, or give the values yourself",
        )

    def _applies(self, where: Check) -> bool:
        from scenarios.factories.checks import Unreadable

        try:
            return where.holds(self.known)
        except Unreadable:
            return True

    # -- parents ---------------------------------------------------------------------------------------

    def _parents(self) -> None:
        plan = self.plan
        chosen: dict[int, Any] = {}
        for place, foreign in enumerate(plan.foreign):
            keys = [plan.keys[name] for name in foreign.columns]
            if foreign.relationship is not None and (
                foreign.relationship in self.given or foreign.relationship in self.declared
            ):
                parent = self.given.get(foreign.relationship)
                if parent is not None:
                    self._adopt(foreign, parent)
                elif foreign.relationship in self.given:
                    for name in foreign.columns:
                        self.known.setdefault(name, None)
                continue
            if all(key in self.given for key in keys) or all(name in self.known for name in foreign.columns):
                continue
            if not foreign.required:
                for name in foreign.columns:
                    if plan.columns[name].nullable and name not in self.known:
                        self._set(name, None)
                continue
            if foreign.itself:
                self._refuse(foreign.columns[0], "it refers to its own table and cannot be empty")
            parent = self._parent(foreign, fresh=False)
            chosen[place] = parent
            self._adopt(foreign, parent)
        self._part_siblings(chosen)

    def _part_siblings(self, chosen: dict[int, Any]) -> None:
        """Give the row a parent of its own where a unique key consists of parents alone."""
        for unique in self.plan.uniques:
            places = [
                place for place in chosen if set(self.plan.foreign[place].columns) & set(unique.columns)
            ]
            inherited = {name for place in places for name in self.plan.foreign[place].columns}
            if not places or not set(unique.columns) <= inherited | self.known.keys() - set(self.plan.kinds):
                continue
            label = f"{self.plan.table.fullname} {unique.name} parents"
            identity = tuple(
                _hashable(self.known[name]) if self.known.get(name) is not None else id(chosen[places[-1]])
                for name in unique.columns
            )
            if self.context.claim(label, identity):
                continue
            foreign = self.plan.foreign[places[-1]]
            for name in foreign.columns:
                self.known.pop(name, None)
                self.made.pop(self.plan.keys[name], None)
            parent = self._parent(foreign, fresh=True)
            self._adopt(foreign, parent)
            self.context.claim(
                label,
                tuple(
                    _hashable(self.known[name]) if self.known.get(name) is not None else id(parent)
                    for name in unique.columns
                ),
            )

    def _parent(self, foreign: _Foreign, *, fresh: bool) -> Any:
        target = _target(self.plan, foreign)
        fixed = {
            remote: self.known[name]
            for name, remote in zip(foreign.columns, foreign.remote, strict=True)
            if self.known.get(name) is not None
        }
        if not fresh:
            latest = self.context.latest_of(target)
            if latest is not None and all(_get(latest, foreign, r) == value for r, value in fixed.items()):
                return latest
        with _within(self.context, self.plan, foreign):
            parents = _factory_of(target)
            keys = _keys(target)
            self.context.cascade[foreign.target.name] = self.context.cascade.get(foreign.target.name, 0) + 1
            return self.step.recurse(parents, {keys[remote]: value for remote, value in fixed.items()})  # type: ignore[arg-type]  # a mapping is what it takes

    def _adopt(self, foreign: _Foreign, parent: Any) -> None:
        for name, remote in zip(foreign.columns, foreign.remote, strict=True):
            value = _get(parent, foreign, remote)
            if value is not None and name not in self.known:
                self._set(name, value)
        if foreign.relationship is not None and foreign.relationship not in self.given:
            self.made[foreign.relationship] = parent
        for name in foreign.columns:
            if name not in self.known:
                # The writer or the session takes it from the parent when the database has numbered that.
                self.known[name] = None
                self.parent_of[name] = parent


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _get(parent: Any, foreign: _Foreign, remote: str) -> Any:
    if isinstance(parent, TableRow):
        return parent.get(remote)
    mapper: Mapper[Any] = inspect_mapped(type(parent))
    return getattr(parent, mapper.get_property_by_column(foreign.target.columns[remote]).key)


@contextmanager
def _within(context: FactoryContext, plan: _Plan, foreign: _Foreign) -> Iterator[None]:
    """Notice parents that need each other."""
    trail = context.trail
    if foreign.target.fullname in trail:
        raise FactoryError(
            f"a factory cannot fill {plan.table.fullname}.{', '.join(foreign.columns)}",
            why="its parent needs it in turn: "
            + " -> ".join([*trail, plan.table.fullname, foreign.target.fullname]),
            remedy=f"give one: factory_for({plan.label}, {foreign.relationship or foreign.columns[0]}=...)",
        )
    trail.append(plan.table.fullname)
    try:
        yield
    finally:
        trail.pop()


_factories: dict[Any, type[RowFactory[Any]]] = {}


def _factory_of(target: Any) -> type[RowFactory[Any]]:
    if target not in _factories:
        _factories[target] = factory_for(target)
    return _factories[target]


def _keys(target: Any) -> Mapping[str, str]:
    return _read(target).keys


def _target(plan: _Plan, foreign: _Foreign) -> Any:
    if plan.model is not None:
        mapper: Mapper[Any] = inspect_mapped(plan.model)
        for other in mapper.registry.mappers:
            if other.local_table is foreign.target:
                return other.class_
    return foreign.target


# -- reading the schema ----------------------------------------------------------------------------------

_plans: dict[Any, _Plan] = {}


def _read(target: Any) -> _Plan:
    if target not in _plans:
        _plans[target] = _plan(target)
    return _plans[target]


def _plan(target: Any) -> _Plan:
    if isinstance(target, Table):
        plan = _Plan(target.name, None, target)
        plan.keys = {column.name: column.name for column in target.columns}
        plan.columns = {column.name: column for column in target.columns}
    else:
        mapper = _mapper(target)
        table = mapper.local_table
        if not isinstance(table, Table):
            raise FactoryError(f"{target.__name__} is not mapped to a table", remedy="give the table")
        plan = _Plan(target.__name__, target, table)
        for each in mapper.tables:
            for column in each.columns:
                # Of a column that inherited tables share, the attribute is the same.
                if not isinstance(column, Column) or column is mapper.polymorphic_on:
                    continue
                if mapper.columns.contains_column(column):
                    plan.keys.setdefault(column.name, mapper.get_property_by_column(column).key)
                    plan.columns.setdefault(column.name, column)
    _read_foreign(plan)
    demands = _read_checks(plan)
    _read_uniques(plan)
    _read_columns(plan, demands)
    return plan


def _mapper(target: Any) -> Mapper[Any]:
    try:
        mapper = inspect_mapped(target)
    except NoInspectionAvailable:
        mapper = None
    if not isinstance(mapper, Mapper):
        raise FactoryError(
            f"a factory can be derived from a mapped class or a Table, not from {target!r}",
            remedy="use the SQLAlchemy model, or reflect the table: Table(..., autoload_with=engine)",
        )
    mapper.registry.configure()
    return mapper


def _tables(plan: _Plan) -> Sequence[Table]:
    if plan.model is None:
        return (plan.table,)
    return [table for table in _mapper(plan.model).tables if isinstance(table, Table)]


def _read_foreign(plan: _Plan) -> None:
    own = _tables(plan)
    for table in own:
        for constraint in table.constraints:
            if not isinstance(constraint, ForeignKeyConstraint):
                continue
            target = constraint.referred_table
            if target in own and target is not table:
                continue  # the link of joined inheritance
            columns = tuple(element.parent.name for element in constraint.elements)
            if not set(columns) <= plan.keys.keys():
                continue
            plan.foreign.append(
                _Foreign(
                    columns,
                    target,
                    tuple(element.column.name for element in constraint.elements),
                    _relationship(plan, columns, target),
                    all(not plan.columns[name].nullable for name in columns),
                    target is table,
                )
            )
    # The widest first: what it says of shared columns binds the narrower ones.
    plan.foreign.sort(key=lambda foreign: (not foreign.required, -len(foreign.columns), foreign.columns))


def _relationship(plan: _Plan, columns: tuple[str, ...], target: Table) -> str | None:
    if plan.model is None:
        return None
    for relationship in _mapper(plan.model).relationships:
        local = {column.name for column in relationship.local_columns}
        if (
            relationship.direction.name == "MANYTOONE"
            and not relationship.viewonly
            and relationship.mapper.local_table is target
            and local <= set(columns)
        ):
            return relationship.key
    return None


def _condition(text: Any) -> str:
    if isinstance(text, ClauseElement):
        dialect: Any = pg.dialect  # untyped in SQLAlchemy
        compiled = text.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
        # The compiler doubles per cent signs for the driver.
        return str(compiled).replace("%%", "%")
    return str(text)


def _read_checks(plan: _Plan) -> dict[str, Demands]:
    found: dict[str, Demands] = {}
    conditions = [
        (str(constraint.name) if constraint.name else None, _condition(constraint.sqltext))
        for table in _tables(plan)
        for constraint in sorted(
            {*table.constraints, *(each for column in table.columns for each in column.constraints)},
            key=lambda c: str(c.name),
        )
        if isinstance(constraint, CheckConstraint)
    ]
    for column in plan.columns.values():
        kind = column.type
        if isinstance(kind, pg.DOMAIN) and kind.check is not None:
            conditions.append((str(kind.name), re.sub(r"\bVALUE\b", column.name, _condition(kind.check))))
    if not conditions:
        return found
    from scenarios.factories.checks import Unreadable, demands, read_check

    for name, text in conditions:
        try:
            check = read_check(name, text)
        except Unreadable:
            mentioned = frozenset(column for column in plan.keys if column in text)
            plan.unread.append((name or text, text, mentioned))
            continue
        plan.checks.append(check)
        for column_name, demand in demands(check).items():
            known = found.setdefault(column_name, Demands())
            for other, value in (
                (">=", demand.low),
                ("<=", demand.high),
                (">", demand.above),
                ("<", demand.below),
            ):
                if value is not None:
                    known.narrow(other, value)
            for other, value in ((">=", demand.shortest), ("<=", demand.longest)):
                if value is not None:
                    known.narrow_length(other, value)
            if demand.options is not None:
                options = demand.options
                known.options = (
                    [o for o in known.options if o in options] if known.options is not None else options
                )
            known.patterns += demand.patterns
            known.json = demand.json or known.json
    return found


def _read_uniques(plan: _Plan) -> None:
    for table in _tables(plan):
        for constraint in sorted(table.constraints, key=lambda c: str(c.name)):
            if isinstance(constraint, (UniqueConstraint, PrimaryKeyConstraint)) and len(constraint.columns):
                columns = tuple(column.name for column in constraint.columns)
                nulls = constraint.dialect_options["postgresql"].get("nulls_not_distinct") is True
                label = str(constraint.name) if constraint.name else f"({', '.join(columns)})"
                if set(columns) <= plan.keys.keys():
                    plan.uniques.append(_Unique(label, columns, nulls, None))
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            if not index.unique:
                continue
            columns = _index_columns(index, plan)
            where = index.dialect_options["postgresql"].get("where")
            check = None
            if where is not None:
                from scenarios.factories.checks import Unreadable, read_check

                try:
                    check = read_check(str(index.name), _condition(where))
                except Unreadable:
                    check = None
            if columns and set(columns) <= plan.keys.keys():
                plan.uniques.append(_Unique(str(index.name), columns, False, check))


def _index_columns(index: Index, plan: _Plan) -> tuple[str, ...]:
    """Return the columns an index is on, those inside expressions such as ``lower(email)`` included."""
    found: dict[str, None] = {}
    for expression in index.expressions:
        if isinstance(expression, Column):
            found[expression.name] = None
        else:
            text = _condition(expression)
            found.update((name, None) for name in plan.keys if re.search(rf"\b{re.escape(name)}\b", text))
    return tuple(found)


def _read_columns(plan: _Plan, demands: Mapping[str, Demands]) -> None:
    inherited = {name for foreign in plan.foreign for name in foreign.columns}
    unique = {name for each in plan.uniques for name in each.columns}
    # The database's default of one column may contradict what is drawn for another: draw both.
    related = {name for check in plan.checks if len(check.columns) > 1 for name in check.columns}
    for name, column in plan.columns.items():
        if name in inherited or column.computed is not None:
            continue
        if column.primary_key and _is_uuid(column):
            plan.kinds[name] = kind_of(column, Demands())
            continue
        if column.primary_key and _numbers_itself(column):
            # An object's number comes from the database; a bare row needs one, for others to refer to.
            if plan.model is None:
                plan.counted.add(name)
            continue
        if column.server_default is not None or column.identity is not None:
            if name not in unique and name not in related:
                continue
        elif column.default is not None and column.default.is_scalar and name not in unique:
            plan.constants[name] = column.default.arg  # type: ignore[attr-defined]  # a scalar default has one
            continue
        if column.nullable and column.server_default is None:
            plan.optional.add(name)
        try:
            plan.kinds[name] = kind_of(column, demands.get(name, Demands()), unique=name in unique)
        except CannotFill as error:
            if column.default is not None or column.server_default is not None:
                continue
            plan.reasons[name] = str(error)


def _is_uuid(column: Column[Any]) -> bool:
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, Uuid)


def _numbers_itself(column: Column[Any]) -> bool:
    table = column.table
    return isinstance(column.type, Integer) and (
        column.identity is not None
        or column.server_default is not None
        or (isinstance(table, Table) and table.autoincrement_column is column)
    )
