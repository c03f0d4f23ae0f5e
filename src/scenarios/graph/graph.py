"""The objects and rows of a scenario, before they are in a database.

A session discovers what to write while it writes, one INSERT at a time, in an order it works out anew for
each flush. A graph is plain data instead: objects from factories, builders or plain models, and stretches
of bare rows, each with its handle and the place it came from, so that the writer can order everything once
and an error can say whose row was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Table, event
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.schema import Column

from scenarios.errors import GraphError
from scenarios.graph.mapped import ClassPlan, column_named, plan_of

if TYPE_CHECKING:
    from scenarios.values import Seeded

Source = tuple[str, int]
"""File and line a row came from."""


NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Node:
    """An object on its way to the database."""

    obj: Any
    state: InstanceState[Any]
    plan: ClassPlan
    handle: str | None = None
    source: Source | None = None
    existing: bool = False
    """Somebody said that its row is in the database."""
    stored: bool = False
    """Its row is in the database: somebody said so, or a session knows."""
    assigned: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """Attributes the writer gave a value: keys, foreign keys, defaults; see `assign`."""
    parents: Mapping[str, tuple[Node, str]] = field(default_factory=lambda: NOTHING)
    """Attributes whose value is another node's: attribute -> (node, its attribute). Siblings share it."""

    def assign(self, key: str, value: Any) -> None:
        """Give an attribute a value, without the object hearing of it yet."""
        # Most rows bring all their values: a dictionary for each would be work for the garbage collector.
        if self.assigned is NOTHING:
            self.assigned = {}
        cast("dict[str, Any]", self.assigned)[key] = value

    @property
    def label(self) -> str:
        """What a message calls the row."""
        return repr(self.handle) if self.handle else f"a {type(self.obj).__name__}"


@dataclass(slots=True)
class GeneratedBlock:
    """Bare rows of one table, in the order given."""

    table: Table
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]
    handles: Sequence[str | None] | None = None
    source: Source | None = None


class Graph:
    """A collection of objects and rows to write together.

    Args:
        seeded: where missing UUID keys come from, so that they are stable for a handle; random without it.
    """

    def __init__(self, seeded: Seeded | None = None) -> None:
        self.seeded = seeded
        self._roots: dict[int, Node] = {}
        self._stretches: list[GeneratedBlock] = []
        self._references: list[tuple[Any, str, Any, str]] = []

    def __len__(self) -> int:
        """The number of objects added; what they bring along and stretches of rows do not count."""
        return len(self._roots)

    def __contains__(self, obj: object) -> bool:
        return id(obj) in self._roots

    def add(
        self, obj: Any, handle: str | None = None, source: Source | None = None, *, existing: bool = False
    ) -> None:
        """Add an object of a mapped class; objects it relates to by a save-update cascade come along.

        Args:
            obj: the object. One that a session loaded or wrote counts as a row that exists.
            handle: its name in messages and in the result.
            source: file and line it came from, for messages.
            existing: its row is in the database already; only its key is used.

        Raises:
            GraphError: it is not an object of a mapped class.
        """
        known = self._roots.get(id(obj))
        if known is not None:
            known.handle = handle or known.handle
            known.source = source or known.source
            known.existing = known.existing or existing
            return
        self._roots[id(obj)] = _node(obj, handle, source, existing)

    def add_all(self, objs: Iterable[Any]) -> None:
        """Add objects without handles."""
        for obj in objs:
            self.add(obj)

    @contextmanager
    def gathering(self) -> Iterator[Graph]:
        """Add every object of a mapped class that is made in the block, whether another refers to it or not.

        What a ``RelatedFactory`` of factory_boy builds refers to its parent; where the parent has no
        relationship back, nothing else leads there. Nothing is added when the block fails.
        """
        made: list[Any] = []

        def keep(target: Any, args: Any, kwargs: Any) -> None:
            made.append(target)

        event.listen(Mapper, "init", keep)
        try:
            yield self
        finally:
            event.remove(Mapper, "init", keep)
        self.add_all(made)

    def refer(self, child: Any, key: str, parent: Any, attribute: str) -> None:
        """Let an attribute of *child* be what *parent*'s is when its row is numbered.

        A relationship says that by itself; this is for classes that have a foreign key and no relationship.

        Args:
            child: the object that refers; it and *parent* are added as well.
            key: its attribute.
            parent: the object it refers to.
            attribute: the attribute it refers to.
        """
        self.add(parent)
        self.add(child)
        self._references.append((child, key, parent, attribute))

    def add_rows(
        self,
        table: Table | type[Any],
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        handles: Sequence[str | None] | None = None,
        source: Source | None = None,
    ) -> None:
        """Add bare rows; the fast way for generated stretches.

        Args:
            table: a table or mapped class.
            columns: names of the columns the rows have values for; the database fills the others.
            rows: the rows. Those of an iterator and of `scenarios.graph.LazyRows` are made while they are
                written, without being kept, so they are right for a stretch larger than memory; with an
                iterator the graph can then be written once.
            handles: a handle for each row, or none.
            source: file and line the stretch came from.

        Raises:
            GraphError: the table lacks a column, or a generated one is named.
        """
        target = table if isinstance(table, Table) else _mapper(table).local_table
        if not isinstance(target, Table):
            raise GraphError(f"{table!r} is not mapped to a table")
        for name in columns:
            try:
                column = column_named(target, name)
            except KeyError as error:
                raise GraphError(
                    f"table {target.fullname} has no column {name!r}",
                    hint=f"its columns are {', '.join(each.name for each in target.columns)}",
                ) from error
            if column.computed is not None:
                raise GraphError(f"column {target.fullname}.{name} is generated and takes no values")
        self._stretches.append(GeneratedBlock(target, tuple(columns), rows, handles, source))

    def extend(self, other: Graph) -> None:
        """Add everything of another graph."""
        for node in other._roots.values():
            self.add(node.obj, node.handle, node.source, existing=node.existing)
        self._stretches += other._stretches
        self._references += other._references

    @property
    def stretches(self) -> Sequence[GeneratedBlock]:
        """The stretches of bare rows, in the order they were added."""
        return self._stretches

    def objects(self) -> Iterator[Any]:
        """Yield every object that would be written, those that come along included."""
        return (node.obj for node in collect(self).nodes if not node.stored)

    def roots(self) -> Iterable[Node]:
        """The objects added, with handle and source."""
        return self._roots.values()


@dataclass(slots=True)
class Collected:
    """What a graph comes to at the moment of writing."""

    nodes: list[Node]
    pairs: list[tuple[Table, tuple[tuple[Column[Any], Node, str], ...]]]
    """Rows of link tables: (table, ((column, node, its attribute), ...))."""
    wanted: list[tuple[Node, str]]
    """Attributes that are no key and whose value another row needs."""


def collect(graph: Graph) -> Collected:
    """Return nodes for the objects of *graph* and all they bring along, roots first, in a stable order.

    They start clean each time, so a failed write leaves no trace in the graph.
    """
    found = dict(graph._roots)
    nodes = list(found.values())
    for node in nodes:
        # What an earlier attempt assigned counts no more.
        node.assigned = node.parents = NOTHING
    families: dict[Any, Mapping[str, tuple[Node, str]]] = {}
    pairs: dict[Any, tuple[Table, tuple[tuple[Column[Any], Node, str], ...]]] = {}
    # The list grows while it is walked: what an object brings along brings others along.
    for node in nodes:
        state = node.state
        node.stored = node.existing or state.key is not None
        held = state.dict
        for key, link in node.plan.links.items():
            target = held.get(key)
            if target is None:
                continue
            if link.unread:
                target = state.attrs[key].history.added
            for related in _related(target, link.uselist):
                other = found.get(id(related))
                if other is None:
                    if not link.cascades and not link.to_parent:
                        continue
                    other = found[id(related)] = _node(related, None, node.source, False)
                    nodes.append(other)
                if link.secondary is not None:
                    table, here, there = link.secondary
                    row = sorted(
                        [(column, node, attribute) for column, attribute in here]
                        + [(column, other, attribute) for column, attribute in there],
                        key=lambda part: part[0].name,
                    )
                    if not (node.stored and other.state.key is not None):
                        pairs[table, tuple(id(part[1]) for part in row)] = (table, tuple(row))
                elif link.to_parent:
                    family = _family(families, other, link.pairs)
                    if node.parents is not family:
                        node.parents = {**node.parents, **family} if node.parents else family
                else:
                    family = _family(families, node, tuple((own, parent) for parent, own in link.pairs))
                    if other.parents is not family:
                        other.parents = {**family, **other.parents} if other.parents else family
    for child, key, parent, attribute in graph._references:
        node, other = found[id(child)], found[id(parent)]
        node.parents = {**node.parents, **_family(families, other, ((key, attribute),))}
    sources = [source for family in families.values() for source in family.values()]
    sources += [(node, attribute) for _, row in pairs.values() for _, node, attribute in row]
    wanted = [(node, attribute) for node, attribute in sources if attribute not in node.plan.key_attributes]
    return Collected(nodes, list(pairs.values()), wanted)


def _family(
    known: dict[Any, Mapping[str, tuple[Node, str]]], parent: Node, pairs: tuple[tuple[str, str], ...]
) -> Mapping[str, tuple[Node, str]]:
    """Return which attributes of a child are which of *parent*'s; all its children share it."""
    address = (id(parent), pairs)
    family = known.get(address)
    if family is None:
        family = known[address] = {own: (parent, attribute) for own, attribute in pairs}
    return family


def _related(target: Any, uselist: bool) -> Iterable[Any]:
    if not uselist:
        return (target,)
    return target.values() if isinstance(target, dict) else target


def _mapper(cls: Any) -> Mapper[Any]:
    try:
        mapper = inspect_mapped(cls)
    except NoInspectionAvailable:
        mapper = None
    if not isinstance(mapper, Mapper):
        raise GraphError(f"{cls!r} is neither a table nor a mapped class")
    return mapper


def _node(obj: Any, handle: str | None, source: Source | None, existing: bool) -> Node:
    try:
        state = instance_state(obj)
    except AttributeError:
        state = None
    if not isinstance(state, InstanceState):
        hint = "add an object of a SQLAlchemy model, or rows with add_rows"
        if isinstance(getattr(obj, "table", None), Table):
            hint = "create() it in a factory_context(graph=...), which writes the rows it belongs to as well"
        raise GraphError(
            f"{type(obj).__name__} is not a mapped class",
            where=f"{source[0]}:{source[1]}" if source else None,
            hint=hint,
        )
    return Node(obj, state, plan_of(state.mapper), handle, source, existing, False, NOTHING, NOTHING)
