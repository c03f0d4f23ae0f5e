"""Which rows of a live database are frozen: those asked for, what hangs on them, and what all of these need.

How far that goes is nobody's guess. It is said by foreign key, in words that can be looked up and changed:
``down`` takes the rows that refer by it to one that was asked for, or hangs on such; ``up`` takes only what a
taken row refers to, which then comes alone; ``stop`` takes neither and empties the link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from scenarios.errors import FreezeError
from scenarios.library.closure.extract import without_rows
from scenarios.library.closure.parents import add_parents
from scenarios.library.closure.reach import (
    ForeignKey,
    Key,
    Name,
    Reach,
    asked,
    foreign_keys,
    name_of,
    reach_of,
    shown,
)
from scenarios.library.files.error_list import suggest
from scenarios.library.planning.columns import key_columns

if TYPE_CHECKING:
    import sqlalchemy as sa

    from scenarios.library.planning.sections import Sections

Direction = Literal["down", "up", "stop"]
DIRECTIONS: tuple[Direction, ...] = ("down", "up", "stop")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be frozen, as it was asked for.

    Attributes:
        rows: ``table:key``; of a key of several columns, its values with commas between.
        where: ``table: condition`` in SQL.
        queries: ``table: SELECT`` of keys of that table.
        percent: ``table:5``, that share of its rows, in percent, the same ones each time.
        links: how far to go, by foreign key: ``table.column`` or the constraint's name.
        limits: by table, how many of the rows that hang on others are taken at most.
        shared: tables whose rows every database has: they are not taken, and referred to by key.
    """

    rows: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    percent: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.where or self.queries or self.percent)

    def following(self, given: Mapping[str, Any], where: str) -> Selection:
        """Return the selection with what ``[tool.scenarios.freeze]`` says, as far as it does not itself.

        Raises:
            FreezeError: something there cannot be used.
        """
        limits, shared = given.get("limits", {}), given.get("shared", [])
        links = {name: value for name, value in given.items() if name not in ("limits", "shared")}
        if not isinstance(limits, dict) or not all(type(each) is int for each in limits.values()):
            raise FreezeError("limits are numbers of rows by table", where=where)
        if not isinstance(shared, list) or not all(isinstance(each, str) for each in shared):
            raise FreezeError("shared is a list of tables", where=where)
        for name, value in links.items():
            if value not in DIRECTIONS:
                raise FreezeError(
                    f"{name} cannot be {value!r}", where=where, hint=f"write {', '.join(DIRECTIONS)}"
                )
        return replace(
            self,
            links={**links, **self.links},
            limits={**limits, **self.limits},
            shared=(*shared, *self.shared),
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """Which rows would be taken, and by which foreign keys; counted before anything is read.

    Attributes:
        reach: the rows.
        needed: those among them that come only since others refer to them, with what led there.
        directions: the foreign keys at which there was something to decide.
        shared: tables whose rows every database has.
    """

    reach: Reach
    needed: Mapping[Name, Mapping[Key, ForeignKey]]
    directions: Mapping[ForeignKey, Direction]
    shared: frozenset[str]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.reach.rows.values()))

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        tables: dict[str, dict[str, int]] = {}
        for name, keys in self.reach.rows.items():
            counts = tables.setdefault(shown(name), {})
            for key, by in keys.items():
                way = "asked for" if by is None else f"down by {label(by)}"
                if key in self.needed.get(name, ()) and by is not None:
                    way = f"needed by {label(by)}"
                counts[way] = counts.get(way, 0) + 1
        return {
            "rows": self.total,
            "tables": tables,
            "left": {
                shown(name): len(cut - self.reach.rows.get(name, {}).keys())
                for name, cut in self.reach.cut.items()
                if cut - self.reach.rows.get(name, {}).keys()
            },
            "directions": {label(key): direction for key, direction in self.directions.items()},
        }

    def lines(self) -> list[str]:
        """Return the plan as people read it."""
        plan = self.as_dict()
        found = []
        for table, ways in plan["tables"].items():
            how = ", ".join(f"{count} {way}" for way, count in ways.items())
            left = plan["left"].get(table)
            found.append(f"{table}: {how}{f'; {left} left out by its limit' if left else ''}")
        not_taken = [f"{name} ({way})" for name, way in plan["directions"].items() if way != "down"]
        if not_taken:
            found.append(f"not followed down: {', '.join(not_taken)}")
        return found


def label(key: ForeignKey) -> str:
    """Return what people call a foreign key."""
    return f"{shown(key.child)}.{','.join(key.columns)}"


def survey(conn: psycopg.Connection[Any], sections: Sections, selection: Selection) -> Survey:
    """Return which rows *selection* comes to in the database of *conn*; nothing is written.

    Raises:
        FreezeError: a table, row, foreign key or direction is unknown, or cannot be as asked.
    """
    tables = {name_of(table): table for table in sections.domain.metadata.tables.values()}
    keys = foreign_keys(conn)
    directions = _directions(keys, selection.links)
    shared = frozenset(_table(each, sections).fullname for each in selection.shared)
    absent = {name for name, table in tables.items() if table.fullname in shared | without_rows(sections)}
    limits = {name_of(_table(each, sections)): most for each, most in selection.limits.items()}
    roots = _roots(conn, sections, selection)
    down = [replace(key, on_delete="c") for key in keys if directions[key] == "down"]
    reach = reach_of(conn, roots, down, limits=limits)
    hanging = set(reach.rows)
    up = {(key.name, key.child) for key in keys if directions[key] != "stop"}
    needed = add_parents(conn, reach, keys, follow=lambda key: (key.name, key.child) in up, without=absent)
    for name in absent:
        reach.rows.pop(name, None)
    decided: dict[ForeignKey, Direction] = {
        key: directions[key]
        for key in keys
        if key.parent in reach.tables and reach.tables[key.parent].root in hanging
    }
    return Survey(reach, needed, decided, shared)


def _directions(keys: Iterable[ForeignKey], chosen: Mapping[str, str]) -> dict[ForeignKey, Direction]:
    found: dict[ForeignKey, Direction] = {}
    names: dict[str, list[ForeignKey]] = {}
    for key in keys:
        found[key] = "down" if key.owns else "up"
        for name in {label(key), key.name, f"{shown(key.child)}.{key.name}"}:
            names.setdefault(name, []).append(key)
    for name, direction in chosen.items():
        if direction not in DIRECTIONS:
            raise FreezeError(f"{name} cannot be {direction!r}", hint=f"write {', '.join(DIRECTIONS)}")
        if name not in names:
            raise FreezeError(
                f"there is no foreign key {name!r}",
                hint=suggest(name, list(names)) or "write table.column, as in rental.customer_id",
            )
        for key in names[name]:
            if direction == "stop" and key.required:
                raise FreezeError(
                    f"{name} cannot be left out: it may not be empty",
                    where=f"{shown(key.child)}.{key.columns[0]} is NOT NULL",
                    hint=f"write up: the row of {shown(key.parent)} comes along, alone",
                )
            found[key] = direction
    return found


def _table(name: str, sections: Sections) -> sa.Table:
    tables = sections.domain.metadata.tables
    found = next((each for each in tables.values() if name in (each.fullname, shown(name_of(each)))), None)
    if found is None:
        raise FreezeError(
            f"{sections.domain.title} has no table {name!r}",
            hint=suggest(name, list(tables)) or "write it as TABLE:KEY, as in customer:1",
        )
    return found


def _split(text: str) -> tuple[str, str]:
    table, colon, rest = text.partition(":")
    if not colon or not rest.strip():
        raise FreezeError(f"{text!r} names no table and what of it", hint="write TABLE:.., as in customer:1")
    return table.strip(), rest.strip()


def _values(table: sa.Table, text: str) -> list[str]:
    columns = key_columns(table)
    values = [text] if len(columns) == 1 else [each.strip() for each in text.split(",")]
    if not columns or len(values) != len(columns):
        raise FreezeError(
            f"{text!r} is not a key of {table.fullname}",
            why=f"its key is ({', '.join(columns)})" if columns else "it has no key",
            hint=f"write {table.fullname}:{','.join(columns)}" if columns else "choose rows by --where",
        )
    return values


def _roots(
    conn: psycopg.Connection[Any], sections: Sections, selection: Selection
) -> dict[Name, sql.Composable]:
    conditions: dict[Name, list[sql.Composable]] = {}

    def add(table: sa.Table, condition: sql.Composable) -> None:
        conditions.setdefault(name_of(table), []).append(sql.SQL("({})").format(condition))

    def add_given(table: sa.Table, text: str) -> None:
        probe = sql.SQL("SELECT FROM {} WHERE ({}) LIMIT %s").format(
            sql.Identifier(*name_of(table)), _given(text.replace("%", "%%"))
        )
        conn.execute(probe, [0])  # with parameters it can only be one statement
        add(table, _given(text))

    for each in selection.rows:
        table, value = _table(_split(each)[0], sections), _split(each)[1]
        pairs = zip(key_columns(table), _values(table, value), strict=True)
        condition = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(wanted)) for name, wanted in pairs
        )
        found = sql.SQL("SELECT FROM {} WHERE {}").format(sql.Identifier(*name_of(table)), condition)
        if not asked(conn, found):
            names = ", ".join(key_columns(table))
            raise FreezeError(f"there is no row {names} = {value} in {table.fullname}")
        add(table, condition)
    for each in selection.where:
        add_given(_table(_split(each)[0], sections), _split(each)[1])
    for each in selection.queries:
        table = _table(_split(each)[0], sections)
        own = sql.SQL(", ").join(map(sql.Identifier, key_columns(table))).as_string(conn)
        select = _split(each)[1].rstrip("; \n")
        add_given(table, f"({own}) IN ({select})")
    for each in selection.percent:
        table = _table(_split(each)[0], sections)
        try:
            share = float(_split(each)[1].rstrip("% "))
        except ValueError:
            raise FreezeError(f"{each!r} is no share of a table", hint="write customer:5 for 5 %") from None
        columns = sql.SQL(", ").join(map(sql.Identifier, key_columns(table) or ["ctid"]))
        # Not TABLESAMPLE, which takes others each time.
        add(
            table,
            sql.SQL("(hashtextextended(ROW({})::text, 0) & 1048575) < {}").format(
                columns, sql.Literal(round(share / 100 * 1048576))
            ),
        )
    return {name: sql.SQL(" OR ").join(each) for name, each in conditions.items()}


def _given(text: str) -> sql.SQL:
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]  # SQL of whoever asks, with their own rights
