"""The build step of `RowFactory`, for the common case: no double underscores, no post-generation.

factory_boy parses all declarations anew for each object and asks each trait of each column whether it is on:
about 120 microseconds for a message, twice what writing its row costs. Which traits are on is known when the
call is made, so what remains of the declarations is found once for each combination and kept. Whatever is not
common goes through factory_boy's own step, with the same result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from factory.builder import BuildStep, StepBuilder
from factory.declarations import SKIP, BaseDeclaration, LazyAttribute, Maybe, SelfAttribute, Trait
from factory.enums import BuilderPhase, get_builder_phase
from factory.errors import CyclicDefinitionError

from scenarios.factories.context import FactoryContext, current_context

if TYPE_CHECKING:
    from scenarios.factories.base import RowOptions

    Step = BuildStep[Any]
    Builder = StepBuilder[Any]
else:
    Step = BuildStep
    Builder = StepBuilder

_DIRECT: dict[str, Any] = {}
"""In place of a context: the value is a function of the resolver."""

Entries = dict[str, tuple[Any, dict[str, Any] | None, bool]]
"""By attribute: a value or declaration, its context, and whether it is a declaration."""


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


class RowResolver:
    """What a declaration sees of the row: each attribute is evaluated when first asked for, and kept."""

    def __init__(self, entries: Entries, step: RowStep) -> None:
        self.__dict__["_entries"] = entries
        self.__dict__["_step"] = step
        self.__dict__["_pending"] = []

    @property
    def factory_parent(self) -> Any:
        """The resolver of the row this one is a parent of."""
        parent = self._step.parent_step
        return parent.stub if parent else None

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__
        entry = values["_entries"].get(name)
        if entry is None:
            raise AttributeError(
                f"The parameter {name!r} is unknown; known are {', '.join(values['_entries'])}"
            )
        value, context, declared = entry
        if declared:
            pending: list[str] = values["_pending"]
            if name in pending:
                raise CyclicDefinitionError(f"Cyclic lazy attribute definition for {name!r} in {pending!r}.")
            pending.append(name)
            try:
                if context is _DIRECT:
                    value = value(self)
                elif context is None:
                    value = value.evaluate(self, values["_step"], {})
                else:
                    value = value.evaluate_pre(self, values["_step"], context)
            finally:
                pending.pop()
        values[name] = value
        return value


class RowBuilder(Builder):
    """factory_boy's builder with a shorter way for rows."""

    def build(self, parent_step: Any = None, force_sequence: int | None = None) -> Any:
        """Build the row."""
        meta: Any = self.factory_meta
        entries = None if self.strategy == "stub" else _entries(meta, self.extras)
        if entries is None or self.force_init_sequence is not None:
            return super().build(parent_step=parent_step, force_sequence=force_sequence)
        step = RowStep(self, parent_step)
        if force_sequence is not None:
            step.sequence = force_sequence
        resolver = RowResolver(entries, step)
        step.stub = resolver
        values = resolver.__dict__
        for name, value in self.extras.items():
            if get_builder_phase(value) is None:
                values[name] = value
        for name in entries:
            if name not in values:
                getattr(resolver, name)
        step.attributes = values
        parameters = meta.parameters
        arguments = {
            name: value
            for name, value in values.items()
            if name not in parameters and name not in _OWN and value is not SKIP
        }
        return meta.instantiate(step, (), arguments)


_OWN = frozenset({"_entries", "_step", "_pending"})


def _entries(meta: RowOptions, extras: dict[str, Any]) -> Entries | None:
    """Return what is to be evaluated, or None where only factory_boy's own step will do."""
    plans: dict[Any, Entries | None] | None = getattr(meta, "row_plans", None)
    if plans is None:
        return None
    traits: frozenset[str] = meta.trait_names
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
    entries = plans[key]
    if entries is None or not declared:
        return entries
    return {**entries, **{name: _entry(extras[name], {}) for name in declared}}


def _plan(meta: RowOptions, flags: dict[str, bool]) -> Entries | None:
    found: Entries = {}
    for name in meta.pre_declarations:
        declaration = meta.pre_declarations[name]
        value = _without_traits(declaration.declaration, meta, flags)
        if value is _UNKNOWN or (isinstance(value, BaseDeclaration) and _captures(value)):
            return None
        if name in flags:
            value = flags[name]
        found[name] = _entry(value, declaration.context)
    return found


_UNKNOWN = object()


def _captures(declaration: Any) -> bool:
    return bool(declaration.CAPTURE_OVERRIDES)


def _entry(value: Any, context: dict[str, Any]) -> tuple[Any, dict[str, Any] | None, bool]:
    if not isinstance(value, BaseDeclaration):
        return value, None, False
    kind = type(value)
    plain = (
        not context
        and not vars(value).get("_defaults")
        and kind.evaluate_pre is BaseDeclaration.evaluate_pre
        and kind.unroll_context is BaseDeclaration.unroll_context
    )
    if plain and kind is LazyAttribute and isinstance(value, LazyAttribute):
        # factory_boy logs each evaluation, which costs as much as most of the functions.
        return value.function, _DIRECT, True
    return value, None if plain else context, True


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


def trait_names(parameters: dict[str, Any]) -> frozenset[str]:
    """Return the names of the traits among a factory's parameters."""
    return frozenset(name for name, parameter in parameters.items() if isinstance(parameter, Trait))
