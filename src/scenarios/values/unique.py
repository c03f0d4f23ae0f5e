"""Values that cannot repeat, and a clear message when there are no more of them.

Drawing until a fresh value turns up slows down as a space fills and then fails with "could not find a unique
value after 1,000 attempts", which names neither the column nor the reason. Here a seeded permutation walks
the space: the n-th pick differs from all others by construction, and a space that runs out says how large it
was, for which column and constraint, and how many were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

from scenarios.errors import ValuesError

T = TypeVar("T")

_ROUNDS = 6


class Permutation:
    """A seeded bijection of ``range(size)`` onto itself.

    A balanced Feistel network over the next even power of two, with cycle walking back into range (Black
    and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). It needs no memory, so a space of 10**18
    costs what one of ten does.
    """

    __slots__ = ("_half", "_mask", "_states", "size")

    def __init__(self, size: int, key: bytes) -> None:
        if size < 1:
            raise ValuesError(f"a permutation of {size} values does not exist")
        self.size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1
        self._states = [blake2b(bytes([turn]), key=key[:64], digest_size=8) for turn in range(_ROUNDS)]

    def __getitem__(self, index: int) -> int:
        """Return the position of *index*.

        Raises:
            IndexError: it is outside ``range(size)``.
        """
        if not 0 <= index < self.size:
            raise IndexError(index)
        while True:
            index = self._once(index)
            if index < self.size:
                return index

    def _once(self, value: int) -> int:
        half, mask = self._half, self._mask
        left, right = value >> half, value & mask
        width = (half + 7) // 8
        for state in self._states:
            turn = state.copy()
            turn.update(right.to_bytes(width, "little"))
            left, right = right, left ^ int.from_bytes(turn.digest(), "little") & mask
        return left << half | right


class UniqueSpace(Generic[T]):
    """A finite space of values from which each is taken at most once.

    Args:
        values: the space; any sequence, also a computed one such as ``range``.
        key: its key; see `Seeded.key`.
        column: the column it is for, for the message.
        constraint: the constraint that asks for uniqueness, for the message.
    """

    def __init__(
        self, values: Sequence[T], key: bytes, *, column: str = "", constraint: str = "", reserve: int = 0
    ) -> None:
        self.column = column
        self.constraint = constraint
        self._values = values
        self._order = Permutation(len(values), key) if len(values) else None
        self._claims: dict[str, int] = {}
        self._taken: set[int] = set()
        self._key = key
        if reserve > len(values):
            raise self._exhausted(reserve)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> T:
        """Return the *index*-th pick; different indexes give different positions of the space.

        Raises:
            ValuesError: the space is smaller.
        """
        if self._order is None or index >= self._order.size:
            raise self._exhausted(index + 1)
        return self._values[self._order[index]]

    def __iter__(self) -> Iterator[T]:
        return (self[index] for index in range(len(self._values)))

    def claim(self, handle: str) -> T:
        """Return the value of *handle*, one that no other handle has.

        A handle's value depends on the handle alone unless another one claimed it before; asking again gives
        the same.

        Raises:
            ValuesError: every value is taken.
        """
        place = self._claims.get(handle)
        if place is None:
            place = self._free_place(handle)
            self._claims[handle] = place
            self._taken.add(place)
        return self._values[place]

    def _free_place(self, handle: str) -> int:
        size = len(self._values)
        if self._order is None or len(self._taken) >= size:
            raise self._exhausted(len(self._taken) + 1)
        digest = blake2b(handle.encode("utf-8", "surrogatepass"), key=self._key[:64], digest_size=16).digest()
        start = int.from_bytes(digest, "little") % size
        # Neighbours in permuted order: a nearly full space is searched in one pass, not by luck.
        for step in range(size):
            place = self._order[(start + step) % size]
            if place not in self._taken:
                return place
        raise self._exhausted(size + 1)

    def _exhausted(self, asked: int) -> ValuesError:
        column = self.column or "a unique column"
        needs = f" ({self.constraint})" if self.constraint else ""
        size = len(self._values)
        return ValuesError(
            f"{column} has no more unique values",
            where=column + needs,
            why=f"its space holds {size:,} value{'' if size == 1 else 's'} and {asked:,} were asked for",
            hint="ask for fewer rows, widen the space, or give the values yourself",
        )
