"""Drawing a row that a schema accepts: columns within their types, together within CHECKs, keys and parents.

Each column drawn by itself would break what binds them: a CHECK of two columns, a unique key, a foreign key
that shares a column with another one. So a row is drawn as a whole, in turns, until all holds; what cannot be
filled is named with its reason and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import factory
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.orm import Mapper
from sqlalchemy.schema import Column

from scenarios.errors import FactoryError
from scenarios.factories.asking import asked
from scenarios.factories.base import Declaration, Parent, RowFactory, Value
from scenarios.factories.context import FactoryContext, current_context
from scenarios.factories.demands import CannotFill
from scenarios.factories.kinds import WIDE
from scenarios.factories.reading import Foreign, Plan, Unique, read
from scenarios.factories.rows import TableRow
from scenarios.graph.mapped import attribute_of, column_named

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver

    from scenarios.factories.checks import Check


_TURNS = 400
_PARENTS = 6
"""How many parents a row tries for one foreign key: those it does not take stay, and are written as well."""
_ALONE = (
    factory.SubFactory,
    factory.Iterator,
    factory.Sequence,
    factory.LazyFunction,
    factory.Faker,
    Parent,
    Value,
)


class Draw(Declaration[Mapping[str, Any]]):
    """Draws all columns of a row together, since constraints speak of several at once.

    Args:
        plan: what the schema says.
        said: how to fill columns it does not explain.
        declared: declarations that fill columns, which are factory_boy's to evaluate.
        nulls: how often a nullable column stays empty.
        factory_of: returns the factory that makes a parent of a mapped class or table.
    """

    def __init__(
        self,
        plan: Plan,
        said: Mapping[str, Any],
        declared: Mapping[str, Any],
        nulls: float,
        factory_of: Callable[[Any], type[RowFactory[Any]]],
    ) -> None:
        super().__init__()
        self.plan = plan
        self.factory_of = factory_of
        self.said = said
        self.declared = frozenset(declared)
        self.declarations = declared
        self.nulls = nulls

    def evaluate(
        self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]
    ) -> Mapping[str, Any]:
        return Drawing(self, instance, step).values()


class Drawn(dict[str, Any]):
    """Values by attribute.

    Attributes:
        references: attributes without a relationship whose value is a parent's number, which the database
            will say: the attribute, the parent, its attribute.
    """

    def __init__(self, values: Mapping[str, Any], references: Sequence[tuple[str, Any, str]]) -> None:
        super().__init__(values)
        self.references = references


class Drawing:
    """One row being drawn."""

    def __init__(self, draw: Draw, resolver: Resolver[Any], step: BuildStep[Any]) -> None:
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
        # Columns whose value a parent gave, and which parents were chosen anew for a CHECK, how often.
        self.adopted: set[str] = set()
        self.relinked: dict[int, int] = {}
        self.references: list[tuple[str, Any, str]] = []
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
        inherited = {name for foreign in plan.foreign for name in foreign.columns}
        for name in sorted(plan.referred - inherited):
            self._fill(name)  # before the parents: the row may be one of them, or theirs
        self._parents()
        for name in plan.keys:
            self._fill(name)
        self._satisfy()
        for foreign in plan.foreign:
            # Two foreign keys of one column: both parents have to be there.
            others = {name for other in plan.foreign if other is not foreign for name in other.columns}
            columns = set(foreign.columns)
            if columns <= others and columns & self.adopted and not self._is_there(foreign):
                self._parent(foreign, fresh=False)
        return Drawn(self.made, self.references)

    def _fill(self, name: str) -> None:
        key = self.plan.keys[name]
        if key == "handle" and self.plan.model is not None:
            self._set(name, self.handle)
        if not (name in self.known or key in self.made or key in self.declared):
            self._column(name)

    # -- columns ---------------------------------------------------------------------------------------

    def _column(self, name: str) -> None:
        plan = self.plan
        if name in plan.constants:
            self._set(name, plan.constants[name])
        elif name in plan.identity_keys:
            # A session has the database number the row at once; else above what a sequence reaches in a test.
            if (
                self.context.session is None
                or self.step.builder.strategy != "create"
                or name in plan.referred
            ):
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
        return self.context.number(
            f"key of {self.plan.table.fullname}", small=column.name in self.plan.narrow
        )

    def _draw(self, name: str, turn: int) -> None:
        salt = self.salts.get(name, 0)
        field = f"{name}~{salt}" if salt else name
        needed = (self.plan.table.fullname, name) in self.context.needed
        if name in self.plan.optional and not needed and self.row.chance(f"{field} is null", self.draw.nulls):
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
            hint=f"say how: factory_for({self.plan.label}, {key}=...), a value or a function of the row; "
            f"or build({key}=...)",
        )

    # -- constraints -----------------------------------------------------------------------------------

    def _satisfy(self) -> None:
        plan = self.plan
        broken: Check | None = None
        for _ in range(_TURNS):
            broken = next((check for check in plan.checks if not self._holds(check)), None)
            if broken is None:
                break
            loose = [name for name in self.drawn if name in broken.columns]
            links = self._loose_links(broken)
            if not loose and not links:
                return  # only what was given is involved: the database will say so
            # One column a round, in turn, so that the others keep what they would be without this CHECK.
            turn = sum(self.salts.get(each, 0) for each in loose)
            turn += sum(self.relinked.get(each, 0) for each in links)
            place = turn % (len(loose) + len(links))
            if place < len(links):
                self._relink(links[place])
                continue
            name = loose[place - len(links)]
            self.salts[name] = self.salts.get(name, 0) + 1
            self._draw(name, 0)
        else:
            assert broken is not None  # the loop ends without break only on a broken check
            raise FactoryError(
                f"a factory found no row that satisfies the CHECK {broken.name} of {plan.table.fullname}",
                where=f"row {self.handle!r}",
                why=f"{broken.text}, after {_TURNS} tries",
                hint=f"say how to fill {', '.join(sorted(broken.columns))}: factory_for({plan.label}, ...)",
            )
        for unique in plan.uniques:
            self._unique(unique)

    def _holds(self, check: Check) -> bool:
        from scenarios.factories.checks import Unreadable

        if not check.columns <= self.known.keys():
            return True
        try:
            return check.holds({**self.known, **self.parent_of})
        except Unreadable as error:
            if all(self.plan.keys.get(column) in self.given for column in check.columns):
                return True
            if check.columns & self.parent_of.keys():
                return True  # the number is the database's, which will say so
            connection = self.context.asked()
            if connection is not None:
                return asked(connection, self.plan.table, check.text, self.known)
            raise FactoryError(
                f"a factory cannot satisfy the CHECK {check.name} of {self.plan.table.fullname}",
                where=f"row {self.handle!r}, columns {', '.join(sorted(check.columns))}",
                why=f"it cannot be read: {error}",
                hint="open factory_context(connection=...) with a database of the schema, which is asked; "
                f"or say how to fill them: factory_for({self.plan.label}, ...)",
            ) from error

    def _unique(self, unique: Unique) -> None:
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
            hint="build fewer rows, or give the values yourself",
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
            needed = any((plan.table.fullname, name) in self.context.needed for name in foreign.columns)
            if not foreign.required and not needed:
                for name in foreign.columns:
                    if plan.columns[name].nullable and name not in self.known:
                        self._set(name, None)
                continue
            if foreign.itself:
                self._adopt_itself(foreign)
                continue
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
            self._part_from(foreign)
            parent = self._parent(foreign, fresh=True)
            self._adopt(foreign, parent)
            self.context.claim(
                label,
                tuple(
                    _hashable(self.known[name]) if self.known.get(name) is not None else id(parent)
                    for name in unique.columns
                ),
            )

    def _part_from(self, foreign: Foreign) -> None:
        """Forget the parent, but for what other parents say of the same columns."""
        shared = {name for other in self.plan.foreign if other is not foreign for name in other.columns}
        if set(foreign.columns) <= shared:
            shared = set()
        for name in foreign.columns:
            if name not in shared:
                self.known.pop(name, None)
                self.made.pop(self.plan.keys[name], None)
                self.parent_of.pop(name, None)
        if foreign.relationship is not None:
            self.made.pop(foreign.relationship, None)

    def _loose_links(self, broken: Check) -> list[int]:
        """Return the foreign keys that a CHECK speaks of and the call does not."""
        return [
            place
            for place, foreign in enumerate(self.plan.foreign)
            if set(foreign.columns) & broken.columns
            and self.relinked.get(place, 0) < _PARENTS
            and not any(self.plan.keys[name] in self.given for name in foreign.columns)
            and foreign.relationship not in self.given.keys() | self.declared
        ]

    def _relink(self, place: int) -> None:
        """Give the row a parent where it has none, none where it may have none, or another."""
        foreign = self.plan.foreign[place]
        times = self.relinked[place] = self.relinked.get(place, 0) + 1
        linked = any(self.known.get(name) is not None or name in self.parent_of for name in foreign.columns)
        self._part_from(foreign)
        if linked and not foreign.required and times % 2 == 0:
            for name in foreign.columns:
                if self.plan.columns[name].nullable and name not in self.known:
                    self._set(name, None)
        elif foreign.itself:
            self._adopt_itself(foreign)
        else:
            self._adopt(foreign, self._parent(foreign, fresh=linked))

    def _adopt_itself(self, foreign: Foreign) -> None:
        """Let the row be its own parent."""
        for name, remote in zip(foreign.columns, foreign.remote, strict=True):
            if name not in self.known:
                if self.known.get(remote) is None:
                    self._refuse(name, "it refers to its own table and cannot be empty")
                self._set(name, self.known[remote])

    def _is_there(self, foreign: Foreign) -> bool:
        """Return whether a parent with the row's values was made in this context, or a value is missing."""
        target = _target(self.plan, foreign)
        pairs = [
            (self.known[name], remote) for name, remote in zip(foreign.columns, foreign.remote, strict=True)
        ]
        if foreign.itself or any(value is None for value, _ in pairs):
            return True
        return any(
            (made.table if isinstance(made, TableRow) else type(made)) is target
            and all(_get(made, foreign, remote) == value for value, remote in pairs)
            for made in self.context.handles.values()
        )

    def _parent(self, foreign: Foreign, *, fresh: bool) -> Any:
        target = _target(self.plan, foreign)
        fixed = {
            remote: self.known[name]
            for name, remote in zip(foreign.columns, foreign.remote, strict=True)
            if self.known.get(name) is not None
        }
        if not fresh:
            latest = self.context.latest_of(target)
            if (
                latest is not None
                and all(_get(latest, foreign, r) == value for r, value in fixed.items())
                and not (
                    isinstance(latest, TableRow) and any(latest.get(r, 0) is None for r in foreign.remote)
                )
            ):
                return latest
        waiting = self.context.drawing.get(foreign.target.fullname)
        known = waiting is not None and all(waiting.get(remote) is not None for remote in foreign.remote)
        if self.plan.model is None and waiting is not None and known:
            # A parent that needs this row in turn: what is known of it will do, one statement writes both.
            return TableRow(foreign.target, waiting)
        self.context.needed.update((foreign.target.fullname, remote) for remote in foreign.remote)
        with _within(self.context, self.plan, foreign, self.known):
            parents = self.draw.factory_of(target)
            keys = _keys(target)
            self.context.cascade[foreign.target.name] = self.context.cascade.get(foreign.target.name, 0) + 1
            return self.step.recurse(parents, {keys[remote]: value for remote, value in fixed.items()})  # type: ignore[arg-type]  # a mapping is what it takes

    def _adopt(self, foreign: Foreign, parent: Any) -> None:
        for name, remote in zip(foreign.columns, foreign.remote, strict=True):
            value = _get(parent, foreign, remote)
            if value is None and foreign.relationship is None and not isinstance(parent, TableRow):
                value = self._numbered(name, foreign, parent, remote)
            if value is not None and name not in self.known:
                self._set(name, value)
                self.adopted.add(name)
        if foreign.relationship is not None and foreign.relationship not in self.given:
            self.made[foreign.relationship] = parent
        for name in foreign.columns:
            if name not in self.known:
                # The writer or the session takes it from the parent when the database has numbered that.
                self.known[name] = None
                self.parent_of[name] = parent

    def _numbered(self, name: str, foreign: Foreign, parent: Any, remote: str) -> Any:
        """Return the number of a parent that no relationship leads to; None where the writer will give it."""
        create = self.step.builder.strategy == "create"
        if create and self.context.session is not None:
            self.context.session.flush()
            return _get(parent, foreign, remote)
        attribute = _attribute(parent, foreign, remote)
        if create:
            self.references.append((self.plan.keys[name], parent, attribute))
            return None
        number = self._counted(column_named(foreign.target, remote))
        setattr(parent, attribute, number)
        return number


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _get(parent: Any, foreign: Foreign, remote: str) -> Any:
    if isinstance(parent, TableRow):
        return parent.get(remote)
    return getattr(parent, _attribute(parent, foreign, remote))


def _attribute(parent: Any, foreign: Foreign, remote: str) -> str:
    mapper: Mapper[Any] = inspect_mapped(type(parent))
    return attribute_of(mapper, column_named(foreign.target, remote))


@contextmanager
def _within(
    context: FactoryContext, plan: Plan, foreign: Foreign, known: Mapping[str, Any]
) -> Iterator[None]:
    """Notice parents that need each other."""
    trail = context.trail
    if foreign.target.fullname in trail:
        raise FactoryError(
            f"a factory cannot fill {plan.table.fullname}.{', '.join(foreign.columns)}",
            why="its parent needs it in turn: "
            + " -> ".join([*trail, plan.table.fullname, foreign.target.fullname]),
            hint=f"give one: factory_for({plan.label}, {foreign.relationship or foreign.columns[0]}=...)",
        )
    trail.append(plan.table.fullname)
    context.drawing[plan.table.fullname] = known
    try:
        yield
    finally:
        del context.drawing[trail.pop()]


def _keys(target: Any) -> Mapping[str, str]:
    return read(target).keys


def _target(plan: Plan, foreign: Foreign) -> Any:
    if plan.model is not None:
        mapper: Mapper[Any] = inspect_mapped(plan.model)
        for other in mapper.registry.mappers:
            if other.local_table is foreign.target:
                return other.class_
    return foreign.target
