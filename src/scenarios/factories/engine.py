"""The build step of `RowFactory`, for the common case: no double underscores, no post-generation.

factory_boy parses all declarations anew for each object and asks each trait of each column whether it is on:
about 120 microseconds for a message, twice what writing its row costs. Which traits are on is known when the
call is made, so what remains of the declarations is found once for each combination and kept. Whatever is not
common goes through factory_boy's own step, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from factory.base import FactoryOptions
from factory.builder import BuildStep, StepBuilder
from factory.declarations import SKIP, BaseDeclaration, LazyAttribute, Maybe, SelfAttribute, Trait
from factory.enums import BuilderPhase, get_builder_phase
from factory.errors import CyclicDefinitionError
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper

from scenarios.factories.context import FactoryContext, current_context
from scenarios.graph.mapped import plain_attributes

if TYPE_CHECKING:
    Options = FactoryOptions[Any]
    Step = BuildStep[Any]
    Builder = StepBuilder[Any]
else:
    Options = FactoryOptions
    Step = BuildStep
    Builder = StepBuilder


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute of a row: a plain value, or what makes it.

    ``direct`` says that ``make`` takes the resolver alone, otherwise it takes resolver and step.
    """

    value: Any = None
    make: Callable[..., Any] | None = None
    direct: bool = False


Entries = dict[str, Entry]


class RowStep(Step):
    """One row being built; its sequence number is counted only when something asks for it."""

    def __init__(self, builder: RowBuilder, parent_step: Any) -> None:
        # Not super().__init__(): it would set the number.
        self.builder = builder
        self.parent_step = parent_step
        self.attributes = {}
        self.stub: Any = None
        self.context: FactoryContext = current_context()
        self._number: int | None = None

    if TYPE_CHECKING:
        sequence: int
    else:  # an attribute in factory_boy

        @property
        def sequence(self) -> int:
            """The factory's next number, the same for the whole row."""
            if self._number is None:
                self._number = self.builder.factory_meta.next_sequence()
            return self._number

        @sequence.setter
        def sequence(self, number: int) -> None:
            self._number = number


def context_of(step: BuildStep[Any]) -> FactoryContext:
    """Return the context a row is built in."""
    return step.context if isinstance(step, RowStep) else current_context()


class RowResolver:
    """What a declaration sees of the row: each attribute is evaluated when first asked for, and kept."""

    # Beside the row's own attributes, which are the instance's dictionary and nothing else.
    __slots__ = ("__dict__", "_entries", "_pending", "_step")

    def __init__(self, entries: Entries, step: RowStep) -> None:
        self._entries = entries
        self._step = step
        self._pending: list[str] = []

    @property
    def factory_parent(self) -> Any:
        """The resolver of the row this one is a parent of."""
        parent = self._step.parent_step
        return parent.stub if parent else None

    def __getattr__(self, name: str) -> Any:
        entry = self._entries.get(name)
        if entry is None:
            raise AttributeError(f"The parameter {name!r} is unknown; known are {', '.join(self._entries)}")
        value = entry.value
        if entry.make is not None:
            pending = self._pending
            if name in pending:
                raise CyclicDefinitionError(f"Cyclic lazy attribute definition for {name!r} in {pending!r}.")
            pending.append(name)
            try:
                value = entry.make(self) if entry.direct else entry.make(self, self._step)
            finally:
                pending.pop()
        self.__dict__[name] = value
        return value


class RowOptions(Options):
    """factory_boy's options with counters and registration moved to the context."""

    undeclared: Mapping[str, str] = {}
    """Columns whose names cannot be attributes of a factory, and the parameter that has their values."""
    drawn: str = ""

    def next_sequence(self) -> int:
        """Return the next number of this factory's sequence in the open context, from 0."""
        reference = self.counter_reference
        name = reference.factory.__name__ if reference is not None and reference.factory is not None else "?"
        return current_context().count(f"sequence:{name}") - 1

    def reset_sequence(self, value: int | None = None, force: bool = False) -> None:
        """Do nothing: a new context counts from the start."""

    @cached_property
    def trait_names(self) -> frozenset[str]:
        """The traits of the factory."""
        return frozenset(name for name, each in self.parameters.items() if isinstance(each, Trait))

    @cached_property
    def row_plans(self) -> dict[Any, RowPlan | None] | None:
        """The plan for each combination of traits; None where the factory needs factory_boy's own step."""
        overridden = {name for kind in self._own_classes() for name in vars(kind)}
        special = self.post_declarations.as_dict() or self.exclude or self.rename or self.inline_args  # type: ignore[attr-defined]  # Meta's options
        return None if self.factory is None or "_adjust_kwargs" in overridden or special else {}

    def _own_classes(self) -> list[type]:
        mro = self.factory.__mro__ if self.factory is not None else ()
        return [kind for kind in mro if isinstance(getattr(kind, "_meta", None), RowOptions)]

    @cached_property
    def handle_is_column(self) -> bool:
        """Whether the model has an attribute of that name, which then gets the row's handle."""
        return hasattr(self.get_model_class(), "handle")

    @cached_property
    def plain(self) -> frozenset[str]:
        """The model's attributes that an object on its way to the writer can be given straight away."""
        try:
            mapper = inspect_mapped(self.get_model_class())
        except NoInspectionAvailable:
            return frozenset()
        overridden = any("_build" in vars(kind) for kind in self._own_classes())
        return plain_attributes(mapper) if isinstance(mapper, Mapper) and not overridden else frozenset()

    def instantiate(self, step: BuildStep[Any], args: Any, kwargs: Any) -> Any:
        """Make the object, remember it under its handle, and hand it on when it is created."""
        strategy = step.builder.strategy
        if strategy == "stub":
            return super().instantiate(step, args, kwargs)
        made_by: Any = self.factory
        model = self.get_model_class()
        context = context_of(step)
        handle = step.attributes["handle"]
        for name, drawn in self.undeclared.items():
            if name not in kwargs and name in step.attributes[drawn]:
                kwargs = {**kwargs, name: step.attributes[drawn][name]}
        if self.handle_is_column:
            kwargs = {**kwargs, "handle": handle}
        if strategy == "create" and context.session is None and self.plain:
            # No session will ask what was set and when: the graph's writer takes the values as they are.
            plain = self.plain
            made = made_by._build(model, *args, **{k: v for k, v in kwargs.items() if k not in plain})
            made.__dict__.update({k: v for k, v in kwargs.items() if k in plain})
        else:
            made = made_by._build(model, *args, **kwargs)
        context.remember(handle, made)
        if strategy == "create":
            context.save(handle, made)
        made_by.complete(made, step)
        return made


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What remains of a factory's declarations once it is known which traits are on.

    Attributes:
        entries: every attribute.
        fixed: the plain values among them.
        made: the others, in the order in which they are declared: name, what makes it, whether directly.
    """

    entries: Entries
    fixed: dict[str, Any]
    made: tuple[tuple[str, Callable[..., Any], bool], ...]

    @classmethod
    def of(cls, entries: Entries) -> RowPlan:
        """Return the plan of *entries*."""
        fixed = {name: entry.value for name, entry in entries.items() if entry.make is None}
        made = [(name, entry.make, entry.direct) for name, entry in entries.items() if entry.make is not None]
        return cls(entries, fixed, tuple(made))


class RowBuilder(Builder):
    """factory_boy's builder with a shorter way for rows; it can build any number of them."""

    @cached_property
    def plan(self) -> RowPlan | None:
        """What is to be evaluated, or None where only factory_boy's own step will do."""
        if self.strategy == "stub" or self.force_init_sequence is not None:
            return None
        return _plan_for(cast(RowOptions, self.factory_meta), self.extras)

    @cached_property
    def given(self) -> dict[str, Any]:
        """The plain values of the call."""
        return {name: value for name, value in self.extras.items() if get_builder_phase(value) is None}

    def build(self, parent_step: Any = None, force_sequence: int | None = None) -> Any:
        """Build a row."""
        plan = self.plan
        if plan is None:
            return super().build(parent_step=parent_step, force_sequence=force_sequence)
        step = RowStep(self, parent_step)
        if force_sequence is not None:
            step.sequence = force_sequence
        resolver = RowResolver(plan.entries, step)
        step.stub = resolver
        step.attributes = values = resolver.__dict__
        values.update(plan.fixed)
        values.update(self.given)
        for name, make, direct in plan.made:
            if name not in values:
                values[name] = make(resolver) if direct else make(resolver, step)
        meta: Any = self.factory_meta
        parameters = meta.parameters
        arguments = {
            name: value for name, value in values.items() if name not in parameters and value is not SKIP
        }
        made = meta.instantiate(step, (), arguments)
        # Resolver and step refer to each other: a million rows would be left to the garbage collector.
        step.stub = None
        return made


def _plan_for(meta: RowOptions, extras: dict[str, Any]) -> RowPlan | None:
    plans = getattr(meta, "row_plans", None)
    if plans is None:
        return None
    traits = meta.trait_names
    flags: list[tuple[str, bool]] = []
    declared: list[str] = []
    for name, value in extras.items():
        if "__" in name:
            return None
        phase = get_builder_phase(value)
        if phase is not None:
            if phase is not BuilderPhase.ATTRIBUTE_RESOLUTION or name in traits:
                return None
            declared.append(name)
        elif name in traits:
            flags.append((name, bool(value)))
    key = frozenset(flags)
    if key not in plans:
        plans[key] = _plan(meta, dict(flags))
    plan: RowPlan | None = plans[key]
    if plan is None or not declared:
        return plan
    return RowPlan.of({**plan.entries, **{name: _entry(extras[name], {}) for name in declared}})


def _plan(meta: RowOptions, flags: dict[str, bool]) -> RowPlan | None:
    found: Entries = {}
    for name in meta.pre_declarations:
        declaration = meta.pre_declarations[name]
        value = _without_traits(declaration.declaration, meta, flags)
        if value is _UNKNOWN or (isinstance(value, BaseDeclaration) and _captures(value)):
            return None
        if name in flags:
            value = flags[name]
        found[name] = _entry(value, declaration.context)
    return RowPlan.of(found)


_UNKNOWN = object()


def _captures(declaration: Any) -> bool:
    return bool(declaration.CAPTURE_OVERRIDES)


def _entry(value: Any, context: dict[str, Any]) -> Entry:
    if not isinstance(value, BaseDeclaration):
        return Entry(value)
    kind = type(value)
    plain = (
        not context
        and not vars(value).get("_defaults")
        and kind.evaluate_pre is BaseDeclaration.evaluate_pre
        and kind.unroll_context is BaseDeclaration.unroll_context
    )
    if plain and kind is LazyAttribute and isinstance(value, LazyAttribute):
        # factory_boy logs each evaluation, which costs as much as most of the functions.
        return Entry(make=value.function, direct=True)
    evaluate = value.evaluate
    if plain:
        return Entry(make=lambda row, step: evaluate(row, step, {}))
    evaluate_pre = value.evaluate_pre
    return Entry(make=lambda row, step: evaluate_pre(row, step, context))


def _without_traits(value: Any, meta: RowOptions, flags: dict[str, bool]) -> Any:
    """Return *value* with every question about a trait answered."""
    while isinstance(value, Maybe):
        decider = value.decider
        if not isinstance(decider, SelfAttribute) or decider.depth > 1:
            return value
        name = decider.attribute_name
        if name not in meta.trait_names:
            return value
        on = _flag(name, meta, flags)
        if on is None:
            return _UNKNOWN
        value = value.yes if on else value.no
    return value


def _flag(name: str, meta: RowOptions, flags: dict[str, bool]) -> bool | None:
    """Return whether a trait is on, by the call or by another trait; None where that is not certain."""
    if name in flags:
        return flags[name]
    if name not in meta.pre_declarations:
        return False
    value = _without_traits(meta.pre_declarations[name].declaration, meta, flags)
    if value is SKIP:
        return False
    return None if value is _UNKNOWN or isinstance(value, BaseDeclaration) else bool(value)
