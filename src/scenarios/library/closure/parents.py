"""What the rows within reach refer to: without it another database cannot have them.

Rows found on the way are followed as well, round by round, until nothing that is taken refers to a row that
is not. They come alone: what hangs on them is not followed, or one customer would bring the whole shop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql

from scenarios.library.closure.reach import ForeignKey, Key, Name, Reach, asked


def add_parents(
    conn: psycopg.Connection[Any],
    reach: Reach,
    keys: Sequence[ForeignKey],
    *,
    follow: Callable[[ForeignKey], bool] = lambda key: True,
    without: Collection[Name] = (),
) -> dict[Name, dict[Key, ForeignKey]]:
    """Add to *reach* every row that one within it refers to; return those by table, with what led there.

    Args:
        conn: a connection, in a transaction.
        reach: the rows; parents' tables are put before the others.
        keys: the foreign keys of the database.
        follow: whether to follow a foreign key.
        without: tables whose rows every database has, or none needs.

    Raises:
        LibraryError: the role may not read a table that is referred to.
    """
    known = [key for key in keys if key.child in reach.tables and key.parent in reach.tables and follow(key)]
    ways = [key for key in known if reach.tables[key.parent].root not in without]
    added: dict[Name, dict[Key, ForeignKey]] = {}
    frontier = {name: list(found) for name, found in reach.rows.items() if name not in without}
    while frontier:
        following: dict[Name, list[Key]] = {}
        used = [key for key in ways if frontier.get(reach.tables[key.child].root)]
        if not used:
            break
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT {}, ARRAY[{}] FROM {} AS p WHERE ({}) IN (SELECT {} FROM {} AS c WHERE {})"
            ).format(
                sql.Literal(number),
                reach.tables[key.parent].texts("p"),
                reach.tables[key.parent].source,
                sql.SQL(", ").join(sql.Identifier("p", each) for each in key.referred),
                sql.SQL(", ").join(sql.Identifier("c", each) for each in key.columns),
                reach.tables[key.child].source,
                reach.tables[key.child].among(frontier[reach.tables[key.child].root], "c"),
            )
            for number, key in enumerate(used)
        )
        for number, texts in asked(conn, query):
            root = reach.tables[used[number].parent].root
            row = tuple(texts)
            if row not in reach.rows.setdefault(root, {}):
                reach.rows[root][row] = used[number]
                added.setdefault(root, {})[row] = used[number]
                following.setdefault(root, []).append(row)
        frontier = following
    reach.rows = {
        name: reach.rows[name] for name in dict.fromkeys([*reversed(added), *reach.rows]) if reach.rows[name]
    }
    return added
