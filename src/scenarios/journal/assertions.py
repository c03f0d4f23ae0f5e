"""An assertion about everything that changed, not only about what somebody thought of.

`assert session.get(State, 1).phase == ...` passes as well when the code under test wrote to other tables.
Here whatever is not named must not have happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from scenarios.journal.changes import Change, Changes, Op, changes, matcher
from scenarios.journal.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Expected:
    """So many rows of one table, inserted, updated or deleted, with these values."""

    op: Op
    count: int
    values: Mapping[str, Any] = field(default_factory=dict)
    exactly: bool = False

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self.count} {self.op}{' with ' + values if values else ''}"

    def fits(self, change: Change) -> bool:
        row = (change.old if self.op == "deleted" else change.new) or {}
        if not all(name in row and _equal(row[name], value) for name, value in self.values.items()):
            return False
        return not self.exactly or set(change.columns) <= set(self.values)


def _equal(found: Any, wanted: Any) -> bool:
    return _same(found, wanted) or _same(found, getattr(wanted, "value", wanted))


def _same(found: Any, wanted: Any) -> bool:
    """Equal, and not only because Python takes true for 1, which the columns of a row, or JSON, do not."""
    if isinstance(found, dict) and isinstance(wanted, Mapping):
        return found.keys() == wanted.keys() and all(_same(found[name], wanted[name]) for name in found)
    if isinstance(found, list) and isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def inserted(count: int = 1, /, **values: Any) -> Expected:
    """*count* inserted rows, each with these values in these columns."""
    return Expected("inserted", count, values)


def updated(count: int = 1, /, *, exactly: bool = False, **values: Any) -> Expected:
    """*count* updated rows, each now with these values; *exactly*: no other column changed."""
    return Expected("updated", count, values, exactly)


def deleted(count: int = 1, /, **values: Any) -> Expected:
    """*count* deleted rows, each of which had these values."""
    return Expected("deleted", count, values)


def _assigned(fitting: Sequence[Sequence[int]], counts: Sequence[int]) -> dict[int, int]:
    """Give as many rows as possible to expectations they fit; which is named first does not matter.

    Args:
        fitting: for each expectation, the rows that fit it.
        counts: how many rows each wants.

    Returns:
        the expectation of each row that was given away.
    """
    taken: dict[int, int] = {}

    def give(number: int, asked: set[int]) -> bool:
        # A row nobody has, or one whose holder can do with another.
        for place in fitting[number]:
            if place not in taken:
                taken[place] = number
                return True
        for place in fitting[number]:
            holder = taken[place]
            if holder not in asked:
                asked.add(holder)
                if give(holder, asked):
                    taken[place] = number
                    return True
        return False

    for number, count in enumerate(counts):
        free = [place for place in fitting[number] if place not in taken][:count]
        taken.update(dict.fromkeys(free, number))
        for _ in range(count - len(free)):
            if not give(number, {number}):
                break
    return taken


class HasChanges(Protocol):
    """A `Database`, or whatever else can tell what changed."""

    def changes(self, since: Any) -> Changes: ...


def assert_changes(
    db: HasChanges | psycopg.Connection[Any] | Changes,
    since: Snapshot | str | None,
    expected: Mapping[Any, Expected | Sequence[Expected]],
) -> Changes:
    """Assert that exactly *expected* changed since a snapshot, in any table of the database.

    Args:
        db: a `Database`, a connection, or the `Changes` themselves (then *since* is None).
        since: the snapshot.
        expected: by mapped class, table or name: what `inserted`, `updated` and `deleted` describe, one or
            several. Several of one kind are matched row by row. What is not named must not occur.

    Returns:
        the changes, for further questions.

    Raises:
        AssertionError: listing what was missing, what was not expected, and every change there was.
    """
    __tracebackhide__ = True
    if isinstance(db, Changes):
        found = db
    elif isinstance(db, psycopg.Connection):
        found = changes(db, since if since is not None else "")
    else:
        found = db.changes(since)
    wanted: list[tuple[str, Expected]] = []
    fitting: list[list[int]] = []
    for what, expectation in expected.items():
        matches = matcher(what)
        name = what if isinstance(what, str) else getattr(what, "__name__", str(what))
        for one in [expectation] if isinstance(expectation, Expected) else expectation:
            wanted.append((name, one))
            fitting.append(
                [
                    place
                    for place, row in enumerate(found.rows)
                    if matches(row.table) and row.op == one.op and one.fits(row)
                ]
            )
    taken = _assigned(fitting, [one.count for _, one in wanted])
    got = Counter(taken.values())
    missing = [
        f"{name}: expected {one}, found {got[number]}"
        for number, (name, one) in enumerate(wanted)
        if got[number] < one.count
    ]
    left = [row for place, row in enumerate(found.rows) if place not in taken]
    if not missing and not left and not found.notes:
        return found
    lines = [f"the changes since snapshot {found.since} are not the expected ones"]
    lines += [f"  - missing     {line}" for line in missing]
    lines += [f"  + unexpected  {row}" for row in left]
    lines += [f"  + unexpected  {note}" for note in found.notes]
    others = [row for row in found.rows if all(row is not one for one in left)]
    lines += [f"    as expected {row}" for row in others]
    raise AssertionError("\n".join(lines))
