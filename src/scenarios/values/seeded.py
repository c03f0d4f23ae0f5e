"""A value is a seeded hash of (seed, scenario, row handle, field), and of nothing else.

Where values come from a stream of random numbers, one more field, row, worker or test shifts every value
after it: golden files churn, and two pytest-xdist workers disagree about the same row. Here each value has
an address, so nothing but its own address can change it. No state is kept, so there is nothing to seed, to
lock or to reset, and the order in which values are asked for does not matter.

A word costs one ``copy``, ``update`` and ``digest`` of a prepared BLAKE2b state: about half a microsecond.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID, SafeUUID

from scenarios.errors import ValuesError
from scenarios.values.corpora import corpus
from scenarios.values.locales import LocaleData, locale_data
from scenarios.values.passwords import password_hash

T = TypeVar("T")

_WORDS = 1 << 64

# The bits RFC 9562 reserves for the version, and for the variant, and what they say for version 4.
_UUID_KEPT = ~(0xF << 76 | 0x3 << 62) & (1 << 128) - 1
_UUID_SET = 0x4 << 76 | 0x2 << 62


def _microseconds(span: timedelta) -> int:
    # Dividing by a timedelta of one takes three times as long.
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _part(text: str) -> bytes:
    # Length first: ("ab", "c") and ("a", "bc") are different addresses.
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "little") + data


def _uuid(digest: bytes) -> UUID:
    """Return 16 bytes as a UUID of version 4: ``UUID(int=...)`` without its checks, in half the time."""
    made = _new(UUID)
    _set(made, "int", int.from_bytes(digest, "big") & _UUID_KEPT | _UUID_SET)
    _set(made, "is_safe", _UNKNOWN)
    return made


# A UUID refuses to be assigned to, and sets itself up in this way.
_new, _set, _UNKNOWN = object.__new__, object.__setattr__, SafeUUID.unknown


class Seeded:
    """A source of deterministic values for one scenario.

    Args:
        seed: the run's seed, any text (the setting ``seed``).
        scenario: the scenario's name; two scenarios share no values.
        locale: a Faker locale for names, cities and jobs.
        instance: the instance's name. It enters ids only, so that two loadings of one scenario have the same
            people with different keys.
    """

    __slots__ = ("_ids", "_locale", "_words", "instance", "locale", "scenario", "seed")

    def __init__(self, seed: str, scenario: str = "", locale: str = "en_US", instance: str = "") -> None:
        self.seed = seed
        self.scenario = scenario
        self.locale = locale
        self.instance = instance
        key = blake2b(_part(seed) + _part(scenario), digest_size=32, person=b"scenarios").digest()
        self._words = blake2b(key=key, digest_size=8, person=b"word")
        self._ids = blake2b(_part(instance), key=key, digest_size=16, person=b"id")
        self._locale: LocaleData | None = None

    def __repr__(self) -> str:
        return f"Seeded(seed={self.seed!r}, scenario={self.scenario!r}, locale={self.locale!r})"

    def at(self, handle: str) -> Row:
        """Return the addresser of the row *handle*."""
        return Row(self, handle)

    def id(self, handle: str) -> UUID:
        """Return the stable UUID of the row *handle*: what ``at(handle).uuid()`` gives, in half the time."""
        state = self._ids.copy()
        state.update(_part(handle) + b"id")
        return _uuid(state.digest())

    def numbered_ids(self, handle: str, count: int, suffix: str = "") -> Iterator[UUID]:
        """Yield the ids, as `id` gives them, of the rows ``handle#1``, ``handle#2`` ..., each with *suffix*.

        What their addresses have in common is hashed once: half the price of an id each.
        """
        head = f"{handle}#".encode("utf-8", "surrogatepass")
        tail = suffix.encode("utf-8", "surrogatepass")
        ending = tail + b"id"
        shared, until = self._ids, 0
        for number in range(1, count + 1):
            if number > until:
                # An address begins with its length: all numbers of as many digits share a beginning.
                digits = len(str(number))
                until = 10**digits - 1
                shared = self._ids.copy()
                shared.update((len(head) + digits + len(tail)).to_bytes(4, "little") + head)
            state = shared.copy()
            state.update(b"%d%b" % (number, ending))
            yield _uuid(state.digest())

    def for_instance(self, instance: str) -> Seeded:
        """Return the same source with the ids of *instance*."""
        return Seeded(self.seed, self.scenario, self.locale, instance)

    @property
    def data(self) -> LocaleData:
        """The locale's names, cities and jobs, loaded when first used."""
        if self._locale is None:
            self._locale = locale_data(self.locale)
        return self._locale

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes for *purpose*: the key of a permutation or of a stretch of generated rows."""
        state = self._words.copy()
        state.update(_part(purpose))
        return blake2b(state.digest(), key=purpose.encode()[:64], digest_size=32, person=b"purpose").digest()


class Row:
    """The values of one row: every method takes the field it is for, and depends on that field alone.

    Calling a method twice with the same field gives the same value twice.
    """

    __slots__ = ("_words", "handle", "seeded")

    def __init__(self, seeded: Seeded, handle: str) -> None:
        self.seeded = seeded
        self.handle = handle
        self._words = seeded._words.copy()
        self._words.update(_part(handle))

    def __repr__(self) -> str:
        return f"<values of {self.handle!r} in {self.seeded!r}>"

    # -- numbers ---------------------------------------------------------------------------------------

    def word(self, field: str) -> int:
        """Return 64 evenly distributed bits for *field*."""
        state = self._words.copy()
        state.update(field.encode())
        return int.from_bytes(state.digest(), "little")

    def words(self, field: str) -> Iterator[int]:
        """Yield 64-bit words for *field* without end; the first few do not depend on how many are taken."""
        count = 0
        while True:
            yield self.word(f"{field}\0{count}")
            count += 1

    def integer(self, field: str, low: int, high: int) -> int:
        """Return an integer from *low* to *high*, both included.

        Raises:
            ValuesError: the range is empty.
        """
        span = high - low + 1
        if span <= 0:
            raise ValuesError(f"no integer lies between {low} and {high}", where=self._where(field))
        if span <= _WORDS:
            return low + (self.word(field) * span >> 64)
        wide = 0
        for word, _ in zip(self.words(field), range(span.bit_length() // 64 + 2), strict=False):
            wide = wide << 64 | word
        return low + wide % span

    def fraction(self, field: str) -> float:
        """Return a float in [0, 1) with 53 random bits."""
        return (self.word(field) >> 11) * 2.0**-53

    def number(self, field: str, low: float, high: float) -> float:
        """Return a float in [*low*, *high*)."""
        return low + (high - low) * self.fraction(field)

    def decimal(self, field: str, low: Decimal | int, high: Decimal | int, places: int = 2) -> Decimal:
        """Return a decimal from *low* to *high* with *places* digits after the point."""
        unit = Decimal(1).scaleb(-places)
        low_units, high_units = int(Decimal(low) / unit), int(Decimal(high) / unit)
        return (Decimal(self.integer(field, low_units, high_units)) * unit).quantize(unit)

    def chance(self, field: str, probability: float) -> bool:
        """Return True with *probability* (0 to 1)."""
        return self.fraction(field) < probability

    def skewed(self, field: str, low: int, high: int, typical: int) -> int:
        """Return an integer whose distribution has a long tail: half of them at most *typical*."""
        if not low <= typical <= high:
            raise ValuesError(f"{typical} does not lie between {low} and {high}", where=self._where(field))
        draw = self.fraction(field)
        if draw < 0.5:
            return low + round((typical - low) * draw * 2)
        # Multiplication only: pow() may differ in the last bit between C libraries.
        tail = (draw - 0.5) * 2
        return min(high, typical + int((high - typical) * tail * tail * tail * tail))

    # -- choices ---------------------------------------------------------------------------------------

    def choice(self, field: str, options: Sequence[T]) -> T:
        """Return one of *options*.

        Raises:
            ValuesError: there are none.
        """
        size = len(options)
        if not size:
            raise ValuesError("nothing to choose from", where=self._where(field))
        return options[self.word(field) * size >> 64]

    def weighted(self, field: str, options: Sequence[tuple[T, float]]) -> T:
        """Return one of *options* given as (value, weight)."""
        total = sum(weight for _, weight in options)
        if not options or total <= 0:
            raise ValuesError("nothing to choose from", where=self._where(field))
        mark = self.fraction(field) * total
        for value, weight in options:
            mark -= weight
            if mark < 0:
                return value
        return options[-1][0]

    def shuffle(self, field: str, options: Iterable[T]) -> list[T]:
        """Return *options* in an order that depends on *field* only."""
        shuffled = list(options)
        for last, word in zip(range(len(shuffled) - 1, 0, -1), self.words(field), strict=False):
            other = word * (last + 1) >> 64
            shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
        return shuffled

    def sample(self, field: str, options: Sequence[T], count: int) -> list[T]:
        """Return *count* different positions of *options*.

        Raises:
            ValuesError: there are fewer.
        """
        if count > len(options):
            raise ValuesError(
                f"cannot take {count} different ones of {len(options)}", where=self._where(field)
            )
        return self.shuffle(field, options)[:count]

    # -- keys and times --------------------------------------------------------------------------------

    def uuid(self, field: str = "id") -> UUID:
        """Return the row's stable UUID: the same for each run, different for each instance.

        It carries the version and variant bits of a random UUID (RFC 9562, section 5.4), as
        ``gen_random_uuid()`` makes them, so code that insists on version 4 accepts it.
        """
        state = self.seeded._ids.copy()
        state.update(_part(self.handle) + field.encode())
        return _uuid(state.digest())

    def token(self, field: str, length: int = 64) -> str:
        """Return *length* hexadecimal characters (verification tokens and the like)."""
        text = ""
        for word in self.words(field):
            text += f"{word:016x}"
            if len(text) >= length:
                return text[:length]
        raise AssertionError("unreachable: words never end")

    def duration(self, field: str, low: timedelta, high: timedelta) -> timedelta:
        """Return a duration from *low* to *high* in whole microseconds."""
        return timedelta(microseconds=self.integer(field, _microseconds(low), _microseconds(high)))

    # -- people and places -----------------------------------------------------------------------------

    def first_name(self, field: str = "first_name") -> str:
        """Return a first name of the locale."""
        return self.seeded.data.pick("first_name", self.word(field))

    def given_name(self, field: str = "first_name") -> str:
        """Return the first name of the person whose row this is: ``Maya`` for the handle ``maya``.

        A handle that was counted (``user_3``) says no name, and one of the locale is drawn.
        """
        word = self.handle.rpartition(".")[2]
        if not word or word[-1].isdigit():
            return self.first_name(field)
        return word.replace("_", " ").title()

    def last_name(self, field: str = "last_name") -> str:
        """Return a last name of the locale."""
        return self.seeded.data.pick("last_name", self.word(field))

    def name(self, field: str = "name") -> str:
        """Return a first and a last name."""
        return f"{self.first_name(field + '.first')} {self.last_name(field + '.last')}"

    def city(self, field: str = "city") -> str:
        """Return a city of the locale."""
        return self.seeded.data.pick("city", self.word(field))

    def job(self, field: str = "job") -> str:
        """Return a job of the locale."""
        return self.seeded.data.pick("job", self.word(field))

    def faker(self, method: str, field: str | None = None) -> str:
        """Return a pick from what Faker's *method* gives in this locale (``"company"``, ``"word"``).

        Raises:
            ValuesError: Faker has no such method in the locale.
        """
        return self.seeded.data.pick(method, self.word(field or method))

    def email(
        self,
        field: str = "email",
        *,
        last_name: str | None = None,
        suffix: str = "",
        domain: str = "example.com",
    ) -> str:
        """Return an address that is unique because the handle is: ``maya.okafor@example.com``.

        The domain is one of those reserved for examples (RFC 2606). *suffix* goes behind a plus sign and
        keeps the instances of one scenario apart.
        """
        family = slug(last_name if last_name is not None else self.last_name(), "") or "user"
        local = f"{handle_slug(self.handle)}.{family.replace('-', '')}"
        tag = f"+{slug(suffix)}" if suffix else ""
        return f"{local[: 64 - len(tag)]}{tag}@{domain}"

    def username(self, field: str = "username", *, suffix: str = "") -> str:
        """Return a user name that is unique because the handle is."""
        return handle_slug(self.handle) + (f"-{slug(suffix)}" if suffix else "")

    def password_hash(self) -> str:
        """Return the run's one cached password hash; see `scenarios.values.password_hash`."""
        return password_hash()

    # -- texts -----------------------------------------------------------------------------------------

    def text(self, name: str, field: str | None = None) -> str:
        """Return a text of the corpus *name* (``"shop.reviews"``).

        Raises:
            ValuesError: there is no such corpus.
        """
        texts = corpus(name)
        return texts[self.word(field or name) * len(texts) >> 64]

    def texts(self, name: str, count: int, field: str | None = None) -> list[str]:
        """Return *count* different texts of the corpus *name*."""
        return self.sample(field or name, corpus(name), count)

    def _where(self, field: str) -> str:
        return f"field {field!r} of {self.handle!r}"


@lru_cache(maxsize=65536)
def slug(text: str, fallback: str = "x") -> str:
    """Return *text* in lower-case ASCII letters, digits and hyphens; *fallback* where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "".join(char if char.isalnum() else " " for char in plain).split()
    return "-".join(words) or fallback


@lru_cache(maxsize=65536)
def handle_slug(handle: str) -> str:
    """Return an address-safe form of *handle*, different for different handles.

    Plain handles (lower-case letters, digits, ``_`` and ``-``, at most 32 characters) stand for themselves;
    others get 60 bits of their hash behind a double hyphen.
    """
    plain = handle.replace("_", "").replace("-", "")
    safe = handle.isascii() and plain.isalnum() and handle == handle.lower()
    if safe and len(handle) <= 32 and "--" not in handle and handle[0] not in "_-" and handle[-1] not in "_-":
        return handle
    mark = blake2b(handle.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()[:15]
    return f"{slug(handle, 'row')[:16].strip('-')}--{mark}"
