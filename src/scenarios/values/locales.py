"""Picks from Faker's own locale data, without the cost of Faker's generators.

``Faker().name()`` takes some 65 microseconds, nearly all of it in parsing formats and in bookkeeping. The
data behind it are plain tuples and weighted dictionaries on provider classes; read once, a pick from them
is one bisection. What a locale computes instead of listing (a city made of a prefix and a name, a job with
a suffix) is expanded from its own formats, or sampled once from Faker with a fixed seed.

The values depend on the installed Faker's data: another Faker release may name a row differently.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from itertools import accumulate
from typing import Any

from scenarios.errors import ValuesError

_SAMPLES = 500
_TOKEN = re.compile(r"{{\s*(\w+)\s*}}")
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1

_ATTRIBUTES = {
    "first_name": ("person", ("first_names",)),
    "last_name": ("person", ("last_names",)),
    "city_name": ("address", ("city_names", "cities")),
    "city_prefix": ("address", ("city_prefixes",)),
    "city_suffix": ("address", ("city_suffixes",)),
    "job": ("job", ("jobs",)),
}
_FORMATS = {"city": ("address", "city_formats")}


class Weighted:
    """Texts with weights; a pick maps 64 bits to one of them."""

    __slots__ = ("_limits", "texts")

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.texts = tuple(weights)
        total = sum(weights.values())
        # Integer limits: comparing floats built in another order could differ in the last bit.
        self._limits = [int(mark / total * (1 << 53)) for mark in accumulate(weights.values())][:-1]

    def pick(self, word: int) -> str:
        return self.texts[bisect_right(self._limits, word >> 11)]


class LocaleData:
    """Everything that can be picked in one Faker locale. Obtain it with `locale_data`."""

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self._sources: dict[str, Weighted] = {}

    def pick(self, what: str, word: int) -> str:
        """Return the text of kind *what* (a Faker method's name) at the 64-bit *word*.

        Raises:
            ValuesError: Faker gives no such text in this locale.
        """
        source = self._sources.get(what)
        if source is None:
            source = self._sources[what] = self._load(what)
        text = source.pick(word)
        return self._expand(text, word) if "{{" in text else text

    def texts(self, what: str) -> tuple[str, ...]:
        """Return all texts of kind *what*, with formats unexpanded."""
        self.pick(what, 0)
        return self._sources[what].texts

    def _expand(self, text: str, word: int) -> str:
        def part(match: re.Match[str]) -> str:
            nonlocal word
            # The next word of a Weyl sequence, mixed: parts of one format must not move together.
            word = (word + _SPREAD) & _MASK
            mixed = (word ^ word >> 31) * 0xBF58476D1CE4E5B9 & _MASK
            return self.pick(match[1], mixed ^ mixed >> 29)

        return _TOKEN.sub(part, text)

    def _load(self, what: str) -> Weighted:
        if what in _FORMATS:
            name, attribute = _FORMATS[what]
            provider = self._provider(name)
            formats = _strings(getattr(provider, attribute, None))
            tokens = {token for text in formats or () for token in _TOKEN.findall(text)}
            # A locale with a method of its own ignores the formats it inherits.
            own = getattr(provider, what, None) is not getattr(_base(name), what, None)
            if formats and not own and all(self._listed(token) for token in tokens):
                return Weighted(formats)
        elif what in _ATTRIBUTES and (listed := self._listed(what)):
            return Weighted(listed)
        return Weighted(dict.fromkeys(self._sampled(what), 1.0))

    def _listed(self, what: str) -> dict[str, float] | None:
        if what not in _ATTRIBUTES:
            return None
        provider, attributes = _ATTRIBUTES[what]
        for attribute in attributes:
            if found := _strings(getattr(self._provider(provider), attribute, None)):
                return found
        return None

    def _provider(self, name: str) -> type[Any]:
        default: str = getattr(import_module(f"faker.providers.{name}"), "default_locale", "en_US")
        for candidate in (self.locale, default):
            module = f"faker.providers.{name}.{candidate}"
            try:
                found: type[Any] = import_module(module).Provider
            except ModuleNotFoundError as error:
                if error.name != module:
                    raise
            else:
                return found
        return _base(name)

    @cached_property
    def _generator(self) -> Any:
        from faker import Faker

        try:
            return Faker(self.locale)
        except AttributeError as error:
            raise ValuesError(
                f"Faker has no locale {self.locale!r}",
                where="setting locale",
                why=str(error),
                hint="name one of Faker's locales, en_US or de_DE for instance",
            ) from error

    def _sampled(self, what: str) -> list[str]:
        method = getattr(self._generator, what, None)
        if method is None or what.startswith("_"):
            raise ValuesError(
                f"Faker has no {what!r} in locale {self.locale!r}",
                hint="name a method of Faker's standard providers that returns a text",
            )
        self._generator.seed_instance(0)
        return sorted({str(method()) for _ in range(_SAMPLES)})


def _base(name: str) -> type[Any]:
    provider: type[Any] = import_module(f"faker.providers.{name}").Provider
    return provider


def _strings(data: object) -> dict[str, float] | None:
    """Return *data* as weights where it is a list of texts or a dictionary of weights, else None."""
    if isinstance(data, Mapping):
        weights = {str(text): float(weight) for text, weight in data.items() if isinstance(text, str)}
        return weights if len(weights) == len(data) and sum(weights.values()) > 0 else None
    if isinstance(data, (list, tuple, set, frozenset)) and data and all(isinstance(x, str) for x in data):
        counted: dict[str, float] = {}
        for text in sorted(data) if isinstance(data, (set, frozenset)) else data:
            counted[text] = counted.get(text, 0.0) + 1.0
        return counted
    return None


@lru_cache(maxsize=32)
def locale_data(locale: str) -> LocaleData:
    """Return the data of a Faker *locale*.

    Raises:
        ValuesError: Faker does not know the locale.
    """
    from faker.config import AVAILABLE_LOCALES

    if locale not in AVAILABLE_LOCALES:
        raise ValuesError(
            f"Faker has no locale {locale!r}",
            where="setting locale",
            hint="name one of Faker's locales, en_US or de_DE for instance",
        )
    return LocaleData(locale)
