"""A value for every kind of column: drawn from the row's key, within what the column and its CHECKs allow.

Without it a derived factory could fill integers and texts and would leave the interesting half (enums,
arrays, ranges, numerics with a scale, JSON) to the reader. A `Kind` knows how to draw, and how many
different values there are, so that a unique column is walked through and not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.schema import Column

from scenarios.column_types import type_of
from scenarios.factories.demands import CannotFill, Demands
from scenarios.factories.named_texts import WORDS, marked, matching, named
from scenarios.graph.encoding import DIALECT
from scenarios.values import Row, Seeded

WIDE = 1 << 62
"""The size of a space nobody exhausts."""

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


Step = Callable[[Row, str, int], tuple[Any, Any]]
"""Gives the two ends of a range; another turn gives another one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How to fill one column.

    Attributes:
        draw: gets the row, the column's field name and a turn; another turn gives another value.
        size: how many different values there are.
    """

    draw: Callable[[Row, str, int], Any]
    size: int = WIDE


Draw = Callable[[Any, str, Demands, bool], Kind]
"""Gets a column's type, its name, its demands and whether it is unique, and returns how to fill it."""


def kind_of(column: Column[Any], demands: Demands, *, unique: bool = False) -> Kind:
    """Return how to fill *column* within *demands*.

    Raises:
        CannotFill: nothing is known of its type, or its demands leave nothing.
    """
    return _kind(column.type, column.name, demands, unique)


def _kind(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    if isinstance(type_, sa.TypeDecorator) and not isinstance(type_, sa.Interval):
        return _decorated(type_, name, demands, unique)
    if isinstance(type_, pg.DOMAIN):
        return _kind(type_.data_type, name, demands, unique)
    if isinstance(type_, sa.ARRAY):
        return _array(type_, name, demands)
    if isinstance(type_, sa.Enum):
        values: list[Any] = list(type_.enum_class) if type_.enum_class is not None else list(type_.enums)
        if demands.options is not None:
            values = [v for v in values if getattr(v, "value", v) in demands.options or v in demands.options]
        return _options(values)
    if demands.options is not None and not isinstance(type_, (pg.JSON, sa.JSON)):
        return _options(demands.options)
    make = type_of(type_).draw
    if make is not None:
        kind: Kind = make(type_, name, demands, unique)
        return kind
    raise CannotFill(
        f"its type {type_!r} is unknown" if not isinstance(type_, sa.NullType) else "its type is unknown"
    )


def _options(values: list[Any]) -> Kind:
    if not values:
        raise CannotFill("its constraints leave no value")
    count = len(values)
    return Kind(lambda row, field, turn: values[(row.word(field) + turn) % count], count)


def _decorated(type_: sa.TypeDecorator[Any], name: str, demands: Demands, unique: bool) -> Kind:
    own = type(type_)
    if own.bind_processor is not sa.TypeDecorator.bind_processor:
        raise CannotFill(f"{own.__name__} decides itself what values it takes")
    inner = type_.impl_instance
    kinds = [_kind(inner, name, demands, unique)]
    if own.process_bind_param is sa.TypeDecorator.process_bind_param:
        return kinds[0]
    if isinstance(inner, sa.DateTime):
        # Some insist on a zone, whatever the column below has.
        kinds.append(_kind(sa.DateTime(timezone=not inner.timezone), name, demands, unique))
    kind = next((each for each in kinds if _takes(type_, each)), None)
    if kind is None:
        raise CannotFill(f"{own.__name__} decides itself what values it takes")
    return kind


def _takes(type_: sa.TypeDecorator[Any], kind: Kind) -> bool:
    """Return whether *type_* takes a value of *kind*, and gives it back."""
    value = kind.draw(Seeded("probe").at("probe"), "probe", 0)
    try:
        stored = type_.process_bind_param(value, DIALECT)
        # A column's own type would have its turn here; what matters is that the two undo each other.
        return bool(type_.process_result_value(stored, DIALECT) == value)
    except Exception:  # noqa: BLE001 - a type of somebody else's: whatever it raises, it did not take it
        return False


def _bounds(demands: Demands, low: Any, high: Any, step: Any) -> tuple[Any, Any]:
    if demands.low is not None:
        low = max(low, demands.low) if demands.low > low or high > demands.low else demands.low
    if demands.above is not None:
        low = max(low, demands.above + step)
    lowest_high = high
    if demands.high is not None:
        lowest_high = min(high, demands.high)
    if demands.below is not None:
        lowest_high = min(lowest_high, demands.below - step)
    return low, lowest_high


def integer(bits: int) -> Draw:
    """Return how to fill integers of so many bits."""
    top = (1 << (bits - 1)) - 1

    def make(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
        given = [int(b) for b in (demands.low, demands.above) if b is not None]
        ceiling = [int(b) for b in (demands.high, demands.below) if b is not None]
        low = max(given) if given else (min(ceiling) - 9999 if ceiling and min(ceiling) < 1 else 1)
        if demands.above is not None and low == demands.above:
            low += 1
        high = min([top, *ceiling]) if ceiling else (top if unique else min(top, max(low, 0) + 9999))
        if demands.below is not None and high == demands.below:
            high -= 1
        low = max(low, -top)
        if low > high:
            raise CannotFill(f"no integer lies between {low} and {high}")
        size = high - low + 1
        return Kind(lambda row, field, turn: low + (row.integer(field, 0, size - 1) + turn) % size, size)

    return make


def numeric(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of numbers."""
    scale = getattr(type_, "scale", None)
    precision = getattr(type_, "precision", None)
    as_float = not getattr(type_, "asdecimal", True) or isinstance(type_, (sa.Float, sa.Double))
    places = 2 if scale is None else int(scale)
    unit = Decimal(1).scaleb(-places)
    top = Decimal(10_000) if precision is None or as_float else Decimal(10) ** (precision - places) - unit
    exact = _as_decimal(demands)
    low, high = _bounds(exact, Decimal(0), min(top, Decimal(10_000)), unit)
    if exact.low is not None and exact.low > high and exact.high is None and exact.below is None:
        high = min(top, exact.low + 10_000)
    first, last = int((low / unit).to_integral_value()), int((high / unit).to_integral_value(ROUND_FLOOR))
    size = last - first + 1
    if size < 1:
        raise CannotFill(f"no number lies between {low} and {high}")

    def draw(row: Row, field: str, turn: int) -> Any:
        number = (Decimal(first + (row.integer(field, 0, size - 1) + turn) % size) * unit).quantize(unit)
        return float(number) if as_float else number

    return Kind(draw, size)


def _as_decimal(demands: Demands) -> Demands:
    def exact(value: Any) -> Any:
        return None if value is None else Decimal(str(value))

    return Demands(exact(demands.low), exact(demands.high), exact(demands.above), exact(demands.below))


def texts(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of texts, by its name."""
    length = getattr(type_, "length", None)
    longest = min(x for x in (length, demands.longest, 10_000) if x is not None)
    shortest = max(demands.shortest or 0, 1 if longest else 0)
    if shortest > longest:
        raise CannotFill(f"no text is at least {shortest} and at most {longest} characters long")

    def draw(row: Row, field: str, turn: int) -> str:
        text = named(row, name, field)
        if unique or turn:
            text = marked(text, f"{row.word(f'{field}.mark') + turn:x}"[-10:], longest)
        text = text[:longest].strip() or "x"
        while len(text) < shortest:
            text += WORDS[len(text) % len(WORDS)][: shortest - len(text)]
        return text.ljust(length) if isinstance(type_, sa.CHAR) and length else text

    if not demands.patterns:
        return Kind(draw, 16 ** min(longest, 10))
    return Kind(lambda row, field, turn: matching(row, field, turn, draw, demands, longest), WIDE)


def moments(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of moments."""
    aware = bool(getattr(type_, "timezone", False))
    low, high = _time_bounds(demands, _EPOCH, _EPOCH + timedelta(days=700))
    span = (high - low) // timedelta(seconds=1)

    def draw(row: Row, field: str, turn: int) -> datetime:
        moment = low + timedelta(seconds=(row.integer(field, 0, span) + turn) % (span + 1))
        return moment if aware else moment.replace(tzinfo=None)

    return Kind(draw, span + 1)


def _time_bounds(demands: Demands, low: datetime, high: datetime) -> tuple[datetime, datetime]:
    def moment(value: Any) -> datetime:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        found = read if isinstance(read, datetime) else datetime.combine(read, time())
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    lows = [moment(b) for b in (demands.low, demands.above) if b is not None]
    highs = [moment(b) for b in (demands.high, demands.below) if b is not None]
    margin = timedelta(days=1)
    if lows and highs:
        margin = min(margin, abs(min(highs) - max(lows)) / 4)
    if lows:
        low = max(lows) + margin
        high = max(high, low + timedelta(days=700))
    if highs:
        high = min(highs) - margin
        low = low if lows else min(low, high - timedelta(days=700))
    if low > high:
        raise CannotFill(f"no time lies between {low} and {high}")
    return low, high


def days(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of days."""
    start = datetime(1975, 1, 1, tzinfo=UTC) if "birth" in name.lower() else _EPOCH
    low, high = _time_bounds(demands, start, start + timedelta(days=9000 if "birth" in name.lower() else 700))
    span = (high - low).days
    first = low.date()
    return Kind(
        lambda row, field, turn: first + timedelta(days=(row.integer(field, 0, span) + turn) % (span + 1)),
        span + 1,
    )


def _array(type_: sa.ARRAY[Any], name: str, demands: Demands) -> Kind:
    inner = Demands(options=demands.options)
    item = _kind(type_.item_type, name, inner, False)
    least = demands.shortest or 0
    most = min(demands.longest if demands.longest is not None else max(3, least), max(item.size, least))
    depth = type_.dimensions or 1

    def draw(row: Row, field: str, turn: int) -> list[Any]:
        count = row.integer(f"{field}.count", least, most)
        made: list[Any] = [item.draw(row, f"{field}.0", turn + place) for place in range(count)]
        for _ in range(depth - 1):
            made = [made]
        return made

    return Kind(draw)


def documents(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of JSON."""

    def draw(row: Row, field: str, turn: int) -> Any:
        word, number = row.choice(field, WORDS), row.integer(f"{field}.value", 0, 99) + turn
        made: dict[str, Any] = {"array": [word, number], "string": word, "number": number}
        return made.get(demands.json or "object", {word: number})

    if demands.json == "boolean":
        return Kind(lambda row, field, turn: (row.word(field) + turn) % 2 == 0, 2)
    return Kind(draw)


def ranges(step: Step, *, many: bool) -> Draw:
    """Return how to fill a column of ranges, or of several each."""

    def make(type_: sa.TypeEngine[Any], name: str, demands: Demands, unique: bool) -> Kind:
        def draw(row: Row, field: str, turn: int) -> Any:
            low, high = step(row, field, turn)
            made = pg.Range(low, high, bounds="[)")
            return [made] if many else made

        return Kind(draw)

    return make


def whole_range(row: Row, field: str, turn: int) -> tuple[int, int]:
    """Return the ends of a range of integers."""
    low = row.integer(field, 0, 1_000_000) + turn * 1000
    return low, low + row.integer(f"{field}.width", 1, 99)


def number_range(row: Row, field: str, turn: int) -> tuple[Decimal, Decimal]:
    """Return the ends of a range of numbers."""
    low, high = whole_range(row, field, turn)
    return Decimal(low) / 100, Decimal(high) / 100


def day_range(row: Row, field: str, turn: int) -> tuple[date, date]:
    """Return the ends of a range of days."""
    low, high = whole_range(row, field, turn)
    first = _EPOCH.date() + timedelta(days=low % 20_000)
    return first, first + timedelta(days=high - low)


def time_range(*, aware: bool) -> Step:
    """Return what gives the ends of a range of moments."""

    def step(row: Row, field: str, turn: int) -> tuple[datetime, datetime]:
        low, high = whole_range(row, field, turn)
        first = _EPOCH + timedelta(minutes=low)
        first = first if aware else first.replace(tzinfo=None)
        return first, first + timedelta(minutes=high - low)

    return step


def simple(draw: Callable[[Row, str, int], Any], size: int = WIDE) -> Draw:
    """Return how to fill a column by *draw*, whatever is demanded of it."""
    return lambda type_, name, demands, unique: Kind(draw, size)


def bits(type_: Any, name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of bits."""
    length = type_.length or 1
    return Kind(lambda row, field, turn: f"{(row.word(field) + turn) % 2**length:0{length}b}", 2**length)


def bytes_of(type_: Any, name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of bytes."""
    least = demands.shortest or 0
    length = max(least, min(16, 16 if demands.longest is None else demands.longest))
    return Kind(
        lambda row, field, turn: bytes.fromhex(row.token(f"{field}.{turn}", 2 * length)[: 2 * length])
    )


def uuids(type_: Any, name: str, demands: Demands, unique: bool) -> Kind:
    """Fill a column of UUIDs."""

    def draw(row: Row, field: str, turn: int) -> Any:
        made = row.uuid(f"{field}.{turn}" if turn else field)
        return made if getattr(type_, "as_uuid", True) else str(made)

    return Kind(draw)
