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

from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import factory
from sqlalchemy import Table
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import instance_state

from scenarios.errors import FactoryError
from scenarios.factories.base import Declaration, RowFactory
from scenarios.factories.context import current_context
from scenarios.factories.drawing import Draw
from scenarios.factories.reading import read
from scenarios.factories.rows import TableRow
from scenarios.graph.mapped import constructor_of

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver


M = TypeVar("M")

_SKIP: Any = factory.declarations.SKIP


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
    plan = read(target)
    attributes = {*plan.keys.values(), *(f.relationship for f in plan.foreign if f.relationship)}
    for name in fill:
        if name not in attributes:
            raise FactoryError(
                f"{plan.label} has no column {name!r} to fill",
                hint=f"it has {', '.join(sorted(attributes))}",
            )
    drawn = "drawn"
    while drawn in attributes:
        drawn += "_"
    # Names that mean something to a factory, or to factory_boy: no attributes of the class.
    unlucky = {
        name for name in attributes if "__" in name or hasattr(RowFactory, name) or name in {"Meta", "Params"}
    }
    body: dict[str, Any] = {name: _Drawn(name, drawn) for name in attributes - unlucky}
    declared = {name: value for name, value in fill.items() if factory.enums.get_builder_phase(value)}
    body.update({name: value for name, value in declared.items() if name not in unlucky})
    said = {name: value for name, value in fill.items() if name not in declared}
    body["Meta"] = type("Meta", (), {"model": plan.model or TableRow})
    body["Params"] = type("Params", (), {drawn: Draw(plan, said, declared, nulls, _factory_of)})
    if plan.model is None:
        columns = plan.columns
        body["_build"] = classmethod(
            lambda cls, model, /, **values: TableRow(
                plan.table, {k: v for k, v in values.items() if k in columns}
            )
        )
    else:
        body["complete"] = classmethod(_refer)
        if constructor_of(plan.model) is not None:
            body["_build"] = classmethod(lambda cls, model, **values: _constructed(model, values))
    if plan.model is not None:
        # The attribute of that name takes the row's handle; see RowOptions.
        body.pop("handle", None)
    name = (plan.model.__name__ if plan.model is not None else plan.table.name) + "Factory"
    # Not type(): the metaclass of factory_boy reads the body.
    made = cast(Any, type(RowFactory))(name, (RowFactory,), body)
    for each in sorted(unlucky):
        if "__" not in each:
            declaration = {each: declared.get(each, _Drawn(each, drawn))}
            made._meta.base_declarations.update(declaration)
            made._meta.pre_declarations.update(declaration)
    made._meta.drawn = drawn
    made._meta.undeclared = {
        each: drawn
        for each in unlucky | ({"handle"} & attributes if plan.model is None else set())
        if each not in declared
    }
    return made


def _refer(cls: Any, made: Any, step: BuildStep[Any]) -> None:
    """Tell the graph of the parents that no relationship leads to."""
    graph = current_context().graph
    if graph is not None and step.builder.strategy == "create":
        for key, parent, attribute in step.attributes[cls._meta.drawn].references:
            graph.refer(made, key, parent, attribute)


def _constructed(model: type[Any], values: dict[str, Any]) -> Any:
    """Return an object of a class with a constructor of its own (a dataclass, say) that has *values*.

    The constructor gets what it takes, and nothing for what it insists on and the schema leaves open; the
    rest is set afterwards. Where it asks for something else altogether, the object is made as a session makes
    those it loads, without it.
    """
    mapper: Mapper[Any] = inspect_mapped(model)
    parameters = signature(constructor_of(model) or model.__init__).parameters.values()
    anything = any(each.kind is each.VAR_KEYWORD for each in parameters)
    names = [
        each for each in list(parameters)[1:] if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    taken = {
        name: value for name, value in values.items() if anything or name in {each.name for each in names}
    }
    made: Any = None
    for each in names:
        if each.default is each.empty and each.name not in taken:
            if each.name in mapper.relationships:
                relationship = mapper.relationships[each.name]
                taken[each.name] = (relationship.collection_class or list)() if relationship.uselist else None
            elif each.name in mapper.attrs:
                taken[each.name] = None
            else:
                made = mapper.class_manager.new_instance()
                mapper.class_manager.dispatch.init(instance_state(made), (), {})
                taken = {}
                break
    if made is None:
        made = model(**taken)
    for name, value in values.items():
        if name not in taken:
            setattr(made, name, value)
    return made


class _Drawn(Declaration[Any]):
    """One column of what `Draw` drew; nothing where the database fills it."""

    def __init__(self, name: str, drawn: str) -> None:
        super().__init__()
        self.name = name
        self.drawn = drawn

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> Any:
        return getattr(instance, self.drawn).get(self.name, _SKIP)


_factories: dict[Any, type[RowFactory[Any]]] = {}


def _factory_of(target: Any) -> type[RowFactory[Any]]:
    if target not in _factories:
        _factories[target] = factory_for(target)
    return _factories[target]
