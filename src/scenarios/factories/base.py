"""The base of all factories: seeded values, stable ids, shared parents, and no state on the class.

Without it each system's factories would solve these again, and each would leak: factory_boy's sequences count
across tests, its ``SubFactory`` makes a new parent for every child (one test, ninety users), and its Faker
declarations give another name when a field is added before them.

How to write the factories of a system (``factories/shop.py``)::

    class StudentFactory(RowFactory[Student]):
        class Meta:
            model = Student

        id = RowId()                                      # stable per handle and instance
        first_name = Value(lambda row: row.first_name())  # seeded by handle and field: no order, no state
        email = LazyAttribute(lambda o: f"{o.handle}@example.com")
        created_at = Ago(days=30)                         # from the scenario clock

        class Params:
            verified = Trait(verified_at=Ago(days=29))    # traits, maybes, lazies: all of factory_boy

    class EssayFactory(RowFactory[Essay]):
        class Meta:
            model = Essay

        student = Parent(StudentFactory)                  # reuses the student built last, else makes one
        title = Value(lambda row: row.choice("title", TITLES))

Every factory has the parameter ``handle``: the row's name in its scenario, counted per factory when not
given. ``build()`` is typed as the model and touches no database; ``create()`` gives the row to the session or
graph of the open `scenarios.factories.factory_context`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import factory
from factory.declarations import BaseDeclaration

from scenarios.factories.context import current_context
from scenarios.factories.engine import RowBuilder, RowOptions, context_of
from scenarios.values import Row

T = TypeVar("T")
V = TypeVar("V")

if TYPE_CHECKING:
    from factory.builder import BuildStep, Resolver

    Declaration = BaseDeclaration[Any, V]
    # What a factory's attributes are declared with, without a type argument each.
    LazyAttribute = factory.LazyAttribute[Any, Any]
    LazyFunction = factory.LazyFunction[Any]
    Trait = factory.Trait[Any]
else:  # generic to type checkers only
    LazyAttribute = factory.LazyAttribute
    LazyFunction = factory.LazyFunction
    Trait = factory.Trait

    class Declaration(BaseDeclaration, Generic[V]):
        pass


class Handle(Declaration[str]):
    """The default of ``handle``: the factory's word and a number."""

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> str:
        made_by = step.builder.factory_meta.factory
        word = made_by.__name__.removesuffix("Factory").lower() if made_by is not None else "row"
        return f"{word}-{context_of(step).count(word)}"


class RowId(Declaration[Any]):
    """A UUID that is the same whenever the same handle is built in the same instance."""

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> Any:
        return context_of(step).id(instance.handle)


class Value(Declaration[V]):
    """A value seeded by the row's handle.

    Args:
        make: gets the row's source of values; two declarations of one factory must name different fields.
    """

    def __init__(self, make: Callable[[Row], V]) -> None:
        super().__init__()
        self.make = make

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> V:
        return self.make(context_of(step).row(instance.handle))


class Ago(Declaration[Any]):
    """A time before the scenario clock's now, given in the words of `datetime.timedelta`."""

    def __init__(self, **ago: float) -> None:
        super().__init__()
        self.ago = timedelta(**ago)

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> Any:
        return context_of(step).clock.now - self.ago


class Parent(Declaration[V]):
    """A parent that siblings share: the one built last in the context, else a new one.

    ``EssayFactory(student=None)`` and ``EssayFactory(student=maya)`` say otherwise; ``student__name="Maya"``
    asks for a new parent with that name.

    Args:
        made_by: the parent's factory, or its dotted name.
        fits: says whether the parent built last can be this row's; gets the parent and the row's resolver.
        defaults: arguments for a new parent; factory_boy declarations are evaluated for this row.
    """

    UNROLL_CONTEXT_BEFORE_EVALUATION = False

    def __init__(
        self,
        made_by: str | type[RowFactory[V]],
        *,
        fits: Callable[[V, Resolver[Any]], bool] | None = None,
        **defaults: Any,
    ) -> None:
        super().__init__()
        self.wrapped: Any = factory.SubFactory(made_by)
        self.fits = fits
        self.parent_defaults = defaults

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> V:
        parents = self.wrapped.get_factory()
        context = context_of(step)
        if not extra:
            latest: V | None = context.latest(parents._meta.get_model_class())
            if latest is not None and (self.fits is None or self.fits(latest, instance)):
                return latest
            name = parents.__name__
            context.cascade[name] = context.cascade.get(name, 0) + 1
        defaults = {
            key: default(instance) if callable(default) else default
            for key, default in self.parent_defaults.items()
        }
        return step.recurse(parents, {**defaults, **extra})  # type: ignore[arg-type,return-value]


class OwnerOf(Parent[V]):
    """The owner of a row that is linked by way of another one: an action's user is its message's user.

    Args:
        link: the attribute that, when given in the call, decides the owner.
        made_by: the owner's factory, used when the link is not given.
        attribute: the linked row's attribute with the owner.
    """

    def __init__(
        self, link: str, made_by: str | type[RowFactory[V]], *, attribute: str = "user", **defaults: Any
    ) -> None:
        super().__init__(made_by, **defaults)
        self.link = link
        self.attribute = attribute

    def evaluate(self, instance: Resolver[Any], step: BuildStep[Any], extra: dict[str, Any]) -> V:
        linked = step.builder.extras.get(self.link)
        if linked is not None and not extra:
            return cast(V, getattr(linked, self.attribute))
        return super().evaluate(instance, step, extra)


class RowFactory(factory.Factory[T], Generic[T]):
    """The base of a system's factories; see the module for how to write one."""

    _options_class = RowOptions

    if TYPE_CHECKING:
        # Each factory has its own; to a type checker these would be overrides of the base's.
        Meta: Any
        Params: Any
    else:

        class Meta:
            abstract = True
            strategy = "build"

        class Params:
            handle = Handle()

    @classmethod
    def _generate(cls, strategy: Any, params: dict[str, Any]) -> Any:
        if cls._meta.abstract:  # type: ignore[attr-defined]  # Meta's option
            return super()._generate(strategy, params)
        return RowBuilder(cls._meta, params, strategy).build()

    @classmethod
    def complete(cls, made: T, step: BuildStep[T]) -> None:
        """Make what belongs to a whole row besides itself; ``step.recurse`` keeps build and create apart."""

    @classmethod
    def create(cls, **kwargs: Any) -> T:
        """Build a row and hand it to the session (then flushed) or the graph of the open context.

        Raises:
            FactoryError: there is neither.
        """
        made = super().create(**kwargs)
        session = current_context().session
        if session is not None:
            session.flush()
        return made

    @classmethod
    def create_batch(cls, size: int, **kwargs: Any) -> list[T]:
        """Create *size* rows and flush them once."""
        made = cls._several("create", size, kwargs)
        session = current_context().session
        if session is not None:
            session.flush()
        return made

    @classmethod
    def build_batch(cls, size: int, **kwargs: Any) -> list[T]:
        """Build *size* rows."""
        return cls._several("build", size, kwargs)

    @classmethod
    def _several(cls, strategy: Any, size: int, kwargs: dict[str, Any]) -> list[T]:
        if cls._meta.abstract:  # type: ignore[attr-defined]  # Meta's option
            return [cls._generate(strategy, kwargs) for _ in range(size)]
        builder = RowBuilder(cls._meta, kwargs, strategy)
        return [builder.build() for _ in range(size)]
