"""Rows that are not lists: made while they are written, or several stretches seen as one.

A generated conversation of a thousand turns kept as a list is made before the server hears of it and held
until it has taken it. Made on the way it is half the time, since client and server work at once, and no
memory. Unlike an iterator it can be gone through again, which a load must be able to do that tries the quick
way first (`scenarios.graph.bulk_load`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any, overload

Row = Sequence[Any]


class LazyRows(Sequence[Row]):
    """Rows made anew each time they are gone through.

    Args:
        count: how many there are.
        make: begins them; what it yields must be the same each time, whatever happened in between.
    """

    __slots__ = ("_count", "_make")

    def __init__(self, count: int, make: Callable[[], Iterable[Row]]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return iter(self._make())

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(self._count)[index]
        return next(islice(self, place, None))


class JoinedRows(Sequence[Row]):
    """The rows of several stretches, one after the other, none of them copied."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Sequence[Row]]) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self)[index]
        place = range(len(self))[index]
        starts = list(accumulate(map(len, self._parts), initial=0))
        part = bisect_right(starts, place) - 1
        return self._parts[part][place - starts[part]]
