"""What it costs to hand rows to COPY: our text, our checked binary, and psycopg's own two formats, in turns.

The same messages (six columns, one user) into the same table without index, constraint or trigger, so that
what differs is the format alone.

    python -m benchmarks.encoding [--rows N] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from scenarios.domains.dev_coach import ChatMessage
from scenarios.graph.binary import Binary
from scenarios.graph.encoding import blocks, encoder
from scenarios.postgres import start_server
from scenarios.values import DEFAULT_ANCHOR, Seeded

COLUMNS = ("id", "user_id", "role", "content", "timestamp", "test_scenario_id")
TYPES = ("uuid", "uuid", "varchar", "text", "timestamptz", "uuid")
TABLE = (
    "CREATE UNLOGGED TABLE copied (id uuid, user_id uuid, role varchar(32), content text,"
    " timestamp timestamptz, test_scenario_id uuid)"
)


def rows(count: int) -> list[tuple[Any, ...]]:
    seeded = Seeded("encoding")
    owner, scope = seeded.id("user"), seeded.id("scope")
    return [
        (
            seeded.id(f"m{number}"),
            owner,
            ("COACH", "USER")[number % 2],
            seeded.at(f"m{number}").text("dev_coach.texts.visualizations"),
            DEFAULT_ANCHOR + timedelta(seconds=number),
            scope,
        )
        for number in range(count)
    ]


def ours(copy: psycopg.Copy, given: Sequence[tuple[Any, ...]]) -> None:
    for block in blocks([encoder(ChatMessage.__table__.columns[name]) for name in COLUMNS], given):
        copy.write(block)


def ours_binary(copy: psycopg.Copy, given: Sequence[tuple[Any, ...]]) -> None:
    columns = [ChatMessage.__table__.columns[name] for name in COLUMNS]
    oids = {name: psycopg.adapters.types[kind].oid for name, kind in zip(COLUMNS, TYPES, strict=True)}
    way = Binary.of(columns, [encoder(column) for column in columns], oids)
    assert way is not None
    way.write(copy, given)


def text(copy: psycopg.Copy, given: Sequence[tuple[Any, ...]]) -> None:
    for row in given:
        copy.write_row(row)


def binary(copy: psycopg.Copy, given: Sequence[tuple[Any, ...]]) -> None:
    copy.set_types(TYPES)
    for row in given:
        copy.write_row(row)


WAYS: dict[str, tuple[str, Callable[[psycopg.Copy, Sequence[tuple[Any, ...]]], None]]] = {
    "our text, column by column": ("text", ours),
    "our binary, values looked at": ("binary", ours_binary),
    "psycopg write_row, text": ("text", text),
    "psycopg write_row, binary": ("binary", binary),
}


def measure(conn: psycopg.Connection[Any], format_: str, way: Any, given: Any) -> tuple[float, float]:
    """Return client CPU and wall time in microseconds a row."""
    conn.execute("TRUNCATE copied")
    statement = psycopg.sql.SQL("COPY copied FROM STDIN (FORMAT {})").format(psycopg.sql.SQL(format_))
    wall, processor = time.perf_counter(), time.process_time()
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        way(copy, given)
    spent = time.process_time() - processor, time.perf_counter() - wall
    return spent[0] / len(given) * 1e6, spent[1] / len(given) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    given = rows(arguments.rows)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with start_server("embedded") as server, server.database() as database, database.connect() as conn:
        conn.execute(TABLE)
        for _ in range(arguments.rounds):
            for name, (format_, way) in WAYS.items():
                samples[name].append(measure(conn, format_, way, given))
    found = {}
    for name, each in samples.items():
        client, wall = (statistics.median(column) for column in zip(*each, strict=True))
        found[name] = {"client_us": round(client, 2), "wall_us": round(wall, 2), "runs": len(each)}
        print(f"{name:30} {client:6.2f} us of client CPU a row, {wall:6.2f} us in all")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
