"""What it costs to fill a database: factory_boy as usual, our factories, the builder, volume, and bare COPY.

Everything runs in one process against one server, on the same tables with the same indexes, one after the
other, so that the ratios mean something on a noisy machine; absolute numbers are this machine's, today.

    python benchmarks/populate.py             all, a million messages included (some minutes)
    python benchmarks/populate.py --quick     smaller numbers, half a minute
    python benchmarks/populate.py --json PATH the same as JSON
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import factory
import psycopg
from factory.alchemy import SQLAlchemyModelFactory
from sqlalchemy import insert
from sqlalchemy.orm import Session

from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import DOMAIN, ChatMessage, CoachingPhase, MessageRole, User
from scenarios.factories import factory_context
from scenarios.factories.dev_coach import ChatMessageFactory, UserFactory
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server, start_server
from scenarios.values import DEFAULT_ANCHOR, Seeded
from scenarios.volume import generate
from scenarios.volume.generation import _write
from scenarios.volume.indexes import built_afterwards
from scenarios.volume.parts import parts, recipe

TARGETS = {
    "generated / create_batch with flush": 25.0,
    "generated / create_batch with commit": 60.0,
    "stretches / create_batch with flush": 25.0,
    "stretches / create_batch with commit": 60.0,
    "our factories / create_batch with flush": 8.0,
    "generated / COPY of the same rows": 0.75,
    "million messages, rows a second": 60_000.0,
    "million messages, peak MB (at most)": 300.0,
}


@dataclass
class Measured:
    """One way of filling tables."""

    name: str
    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


Contender = tuple[Callable[..., Measured], tuple[Any, ...]]
"""A way of filling tables, and its arguments after the server."""


@contextmanager
def empty(server: Server) -> Iterator[Database]:
    with server.database(DOMAIN) as database:
        yield database


def timed(action: Callable[[], int]) -> tuple[int, float]:
    gc.collect()  # what one contender left behind is not another's to clear away
    began = time.perf_counter()
    rows = action()
    return rows, time.perf_counter() - began


# -- the usual way


class UsualMessages(SQLAlchemyModelFactory):
    """A factory as projects write them: Faker for texts, a parent given, the session on Meta."""

    class Meta:
        model = ChatMessage
        sqlalchemy_session_persistence = "flush"

    role = factory.Iterator([MessageRole.COACH, MessageRole.USER])
    content = factory.Faker("sentence", nb_words=14)
    timestamp = factory.Sequence(lambda n: DEFAULT_ANCHOR + timedelta(seconds=n))


def usual(server: Server, count: int, persistence: str) -> Measured:
    with empty(server) as db, Session(db.engine) as session:
        user = User(email="maya@example.com", password="x", first_name="Maya", last_name="Okafor")
        session.add(user)
        session.commit()
        UsualMessages._meta.sqlalchemy_session = session
        UsualMessages._meta.sqlalchemy_session_persistence = persistence

        def action() -> int:
            UsualMessages.create_batch(count, user_id=user.id)
            session.commit()
            return count

        rows, seconds = timed(action)
    return Measured(f"factory_boy create_batch with {persistence}", rows, seconds)


def core_insert(server: Server, count: int) -> Measured:
    with empty(server) as db, db.engine.begin() as connection:
        rows = messages(count)
        connection.execute(insert(User).values(rows[0]["user"]))
        done, seconds = timed(
            lambda: (
                connection.execute(
                    insert(ChatMessage), [{k: v for k, v in row.items() if k != "user"} for row in rows]
                )
                and count
            )
        )
    return Measured("SQLAlchemy Core insert of ready rows", done, seconds)


def messages(count: int) -> list[dict[str, Any]]:
    seeded = Seeded("benchmark")
    user = {
        "id": seeded.at("user").uuid(),
        "email": "maya@example.com",
        "password": "x",
        "first_name": "Maya",
        "last_name": "Okafor",
    }
    return [
        {
            "user": user,
            "user_id": user["id"],
            "id": seeded.at(f"m{n}").uuid(),
            "role": (MessageRole.COACH, MessageRole.USER)[n % 2],
            "content": seeded.at(f"m{n}").text("dev_coach.texts.visualizations"),
            "timestamp": DEFAULT_ANCHOR + timedelta(seconds=n),
        }
        for n in range(count)
    ]


# -- ours


def our_factories(server: Server, count: int) -> Measured:
    with empty(server) as db, db.connect() as conn:
        graph = Graph()
        with factory_context("benchmark", seed="benchmark", graph=graph):
            user = UserFactory.create()

            def action() -> int:
                ChatMessageFactory.create_batch(count, user=user)
                return write(conn, graph, domain=DOMAIN).tables["chat_messages_chatmessage"]

            rows, seconds = timed(action)
    return Measured("our factories through the writer", rows, seconds)


def stretches(server: Server, users: int, turns: int) -> Measured:
    with empty(server) as db:

        def action() -> int:
            scenario: Any = a_scenario("benchmark")
            for number in range(users):
                scenario = scenario.user(f"user{number}").in_phase(CoachingPhase.INTEGRATION)
                scenario = scenario.conversation(turns=turns)
            return int(scenario.build().load(db).written.rows)

        rows, seconds = timed(action)
        assert total(db) == rows
    return Measured("the builder's generated stretches", rows, seconds)


def total(db: Database) -> int:
    count = psycopg.sql.SQL("SELECT count(*) FROM {}")
    with db.connect() as conn:
        rows = [conn.execute(count.format(psycopg.sql.Identifier(name))) for name in DOMAIN.metadata.tables]
        return sum(row[0] for row in (each.fetchone() for each in rows) if row is not None)


def generated(server: Server, users: int, after: bool) -> Measured:
    with empty(server) as db:
        done = generate("dev_coach", users, db.dsn, seed="benchmark", indexes_after=after)
    return Measured(
        f"volume generation, indexes {'built after' if after else 'in place'}", done.rows, done.seconds
    )


def copied(server: Server, users: int, after: bool) -> Measured:
    """psycopg COPY of the rows that `generated` makes, ready in memory, under the same rules."""
    made = recipe("dev_coach")
    todo = parts("benchmark", users, DEFAULT_ANCHOR)
    ready = [(part, made.make(part)) for part in todo]
    rows = sum(table.rows for _, data in ready for table in data)
    with empty(server) as db, psycopg.connect(db.dsn, autocommit=True) as conn:
        owner = made.owner(todo[0])
        _write(conn, made, todo[0], [owner], False)
        tables = {table.table for _, data in ready for table in data}
        names = [psycopg.sql.Identifier(name) for name in sorted(tables)]

        def action() -> int:
            with built_afterwards(conn, names, after):
                for part, data in ready:
                    _write(conn, made, part, data, after)
            return rows

        rows, seconds = timed(action)
    return Measured(f"COPY of the same rows, indexes {'built after' if after else 'in place'}", rows, seconds)


def in_turns(server: Server, contenders: Sequence[Contender], rounds: int = 3) -> list[Measured]:
    """Measure all contenders in turns, several times: a busy minute of the machine hits them all."""
    tries = [[measure(server, *given) for measure, given in contenders] for _ in range(rounds)]
    found = []
    for same in zip(*tries, strict=True):
        same[0].seconds = statistics.median(each.seconds for each in same)
        show(same[0])
        found.append(same[0])
    return found


def show(found: Measured) -> None:
    print(f"{found.name:52} {found.rows:>9,} rows {found.seconds:8.2f} s {found.rate:>10,.0f} rows/s")


MILLION = """
import json, resource, sys
from scenarios.volume import generate
done = generate("dev_coach", int(sys.argv[2]), sys.argv[1], seed="benchmark")
print(json.dumps({
    "messages": done.tables["chat_messages_chatmessage"], "rows": done.rows, "seconds": done.seconds,
    "index_seconds": done.index_seconds,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def million(server: Server, users: int) -> dict[str, Any]:
    """Generate in a process of its own, so that its memory is its own."""
    with empty(server) as db:
        result = subprocess.run(
            [sys.executable, "-c", MILLION, db.dsn, str(users)], capture_output=True, text=True, check=True
        )
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    quick = arguments.quick
    few, some, users = (300, 2_000, 300) if quick else (1_000, 5_000, 800)
    with start_server("embedded") as server:
        with empty(server):
            pass  # the template is built once, before anything is measured

        results = in_turns(
            server,
            [
                (usual, (few, "commit")),
                (usual, (few, "flush")),
                (core_insert, (some,)),
                (our_factories, (some,)),
                (stretches, (4 if quick else 10, 500)),
                (generated, (users, False)),
                (copied, (users, False)),
                # What `generate` does by default in a database of ours.
                (generated, (users, True)),
                (copied, (users, True)),
            ],
        )
        commit, flush, _, ours, builder, _, _, volume, copy = results
        large = million(server, 600 if quick else 5_700)
        version = server.version_text
    found = {
        "generated / create_batch with flush": volume.rate / flush.rate,
        "generated / create_batch with commit": volume.rate / commit.rate,
        "stretches / create_batch with flush": builder.rate / flush.rate,
        "stretches / create_batch with commit": builder.rate / commit.rate,
        "our factories / create_batch with flush": ours.rate / flush.rate,
        "generated / COPY of the same rows": volume.rate / copy.rate,
        "million messages, rows a second": large["rows"] / large["seconds"],
        "million messages, peak MB (at most)": large["peak_mb"],
    }
    print()
    print(f"{large['messages']:,} messages, {large['rows']:,} rows, {large['seconds']:.1f} s,", end=" ")
    print(f"of which indexes {large['index_seconds']:.1f} s")
    for name, value in found.items():
        at_most = "at most" in name
        met = value <= TARGETS[name] if at_most else value >= TARGETS[name]
        print(f"{name:45} {value:>12,.2f}   wanted {TARGETS[name]:>9,.2f}   {'met' if met else 'MISSED'}")
    if arguments.json:
        report = {
            "python": platform.python_version(),
            "postgres": version,
            "quick": quick,
            "measured": [asdict(each) | {"rate": each.rate} for each in results],
            "large": large,
            "found": found,
            "targets": TARGETS,
            "peak_mb_of_this_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
