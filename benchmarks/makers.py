"""What it costs to make rows: each library in its own idiom, on the same table with the same indexes.

    python -m benchmarks.makers [--quick] [--json PATH]

Everybody fills the Dev Coach conversation table (nine indexes, one of them full text, and triggers) with
messages of one user and commits. Who brings values of their own makes them, as people use them; "ready rows"
are made before the clock starts, so that those lines show what is left for a library to lose.
The second part reads a file: the 157 rows of a scenario, once as our YAML, once as `sqlalchemyseed` JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import factory
import psycopg
import sqlalchemy as sa
from factory.alchemy import SQLAlchemyModelFactory
from sqlalchemy.orm import Session

import scenarios
from benchmarks.figures import Figures, Unavailable, in_turns, timed
from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import DOMAIN, ChatMessage, MessageRole, User
from scenarios.factories import factory_context
from scenarios.factories.dev_coach import ChatMessageFactory, UserFactory
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server, start_server
from scenarios.values import DEFAULT_ANCHOR, Seeded

FILE = "refinement_in_progress"
MESSAGES = ChatMessage.__table__.name


@contextmanager
def with_user(server: Server) -> Iterator[tuple[Database, UUID]]:
    """A database of its own with one user, whose messages are to be made."""
    with server.database(DOMAIN) as database:
        with Session(database.engine) as session:
            user = User(email="maya@example.com", password="x", first_name="Maya", last_name="Okafor")
            session.add(user)
            session.commit()
            key = user.id
        yield database, key


def made(database: Database, count: int) -> None:
    """See that the contender did what it was timed for."""
    with database.connect() as conn:
        found = conn.execute(
            psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(MESSAGES))
        ).fetchone()
    if found is None or found[0] < count:
        raise RuntimeError(f"{count} messages were to be made, {found and found[0]} are there")


def rows(user: UUID, count: int) -> list[dict[str, Any]]:
    seeded = Seeded("benchmark")
    return [
        {
            "id": uuid4(),
            "user_id": user,
            "role": (MessageRole.COACH, MessageRole.USER)[number % 2],
            "content": seeded.at(f"m{number}").text("dev_coach.texts.visualizations"),
            "timestamp": DEFAULT_ANCHOR + timedelta(seconds=number),
        }
        for number in range(count)
    ]


class Messages(SQLAlchemyModelFactory):
    """A factory as projects write them."""

    class Meta:
        model = ChatMessage

    role = factory.Iterator([MessageRole.COACH, MessageRole.USER])
    content = factory.Faker("sentence", nb_words=14)
    timestamp = factory.Sequence(lambda number: DEFAULT_ANCHOR + timedelta(seconds=number))


def factory_boy(database: Database, user: UUID, count: int, persistence: str | None) -> float:
    with Session(database.engine) as session:
        Messages._meta.sqlalchemy_session = session
        Messages._meta.sqlalchemy_session_persistence = persistence

        def work() -> None:
            Messages.create_batch(count, user_id=user)
            session.commit()

        return timed(work)


def polyfactory(database: Database, user: UUID, count: int) -> float:
    try:
        from polyfactory import Use
        from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
    except ImportError as error:
        raise Unavailable("polyfactory is not installed") from error
    numbers = iter(range(count))
    with Session(database.engine) as session:

        class Made(SQLAlchemyFactory[ChatMessage]):
            __model__ = ChatMessage
            __session__ = session
            __set_relationships__ = False
            user_id = user
            test_scenario_id = None
            metadata_ = Use(dict)  # None would be written as a JSON null, which the table refuses
            role = Use(lambda: Made.__random__.choice(list(MessageRole)))
            content = Use(lambda: Made.__faker__.sentence(nb_words=14))
            timestamp = Use(lambda: DEFAULT_ANCHOR + timedelta(seconds=next(numbers)))

        return timed(lambda: Made.create_batch_sync(count))


def orm_objects(database: Database, user: UUID, count: int) -> float:
    ready = rows(user, count)
    with Session(database.engine) as session:

        def work() -> None:
            session.add_all([ChatMessage(**row) for row in ready])
            session.commit()

        return timed(work)


def core_insert(database: Database, user: UUID, count: int) -> float:
    ready = rows(user, count)

    def work() -> None:
        with database.engine.begin() as connection:
            connection.execute(sa.insert(ChatMessage), ready)

    return timed(work)


def executemany(database: Database, user: UUID, count: int) -> float:
    ready = rows(user, count)
    columns = list(ready[0])
    statement = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        psycopg.sql.Identifier(MESSAGES),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns)),
        psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * len(columns)),
    )
    values = [[*row.values()] for row in ready]
    for each in values:
        each[2] = each[2].value
    with database.connect(autocommit=False) as conn:

        def work() -> None:
            conn.cursor().executemany(statement, values)
            conn.commit()

        return timed(work)


def copy(database: Database, user: UUID, count: int) -> float:
    ready = rows(user, count)
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(
        psycopg.sql.Identifier(MESSAGES),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, ready[0])),
    )
    values = [[*row.values()] for row in ready]
    for each in values:
        each[2] = each[2].value
    with database.connect(autocommit=False) as conn:

        def work() -> None:
            with conn.cursor().copy(statement) as stream:
                for row in values:
                    stream.write_row(row)
            conn.commit()

        return timed(work)


def our_factories(database: Database, _user: UUID, count: int) -> float:
    with database.connect() as conn:

        def work() -> None:
            graph = Graph()
            with factory_context("benchmark", seed="benchmark", graph=graph):
                ChatMessageFactory.create_batch(count, user=UserFactory.create())
            write(conn, graph, domain=DOMAIN)

        return timed(work)


def our_builder(database: Database, _user: UUID, count: int) -> float:
    return timed(
        lambda: a_scenario("benchmark").user("omar").conversation(turns=count).build().load(database)
    )


def seeded(database: Database, user: UUID, count: int) -> float:
    """The rows stand in a JSON file, as `sqlalchemyseed` wants them; reading it is part of the work."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "messages.json"
        data = [plain(row) for row in rows(user, count)]
        path.write_text(json.dumps([{"model": dotted(ChatMessage), "data": data}]), "utf-8")
        return seed_from(database, path)


def contenders(server: Server, count: int) -> dict[str, Callable[[], float]]:
    def own(work: Callable[..., float], *extra: Any) -> Callable[[], float]:
        def measure() -> float:
            with with_user(server) as (database, user):
                spent = work(database, user, count, *extra)
                made(database, count)
                return spent

        return measure

    return {
        "factory_boy, `create_batch` with commit": own(factory_boy, "commit"),
        "factory_boy, `create_batch` with flush": own(factory_boy, "flush"),
        "factory_boy, one commit for all": own(factory_boy, None),
        "polyfactory, `create_batch_sync`": own(polyfactory),
        "sqlalchemyseed, a JSON file of the rows": own(seeded),
        "**our factories, through the writer**": own(our_factories),
        "**our builder, a generated conversation**": own(our_builder),
        "SQLAlchemy ORM `add_all`, ready rows": own(orm_objects),
        "SQLAlchemy Core `insert`, ready rows": own(core_insert),
        "psycopg `executemany`, ready rows": own(executemany),
        "psycopg `COPY`, ready rows": own(copy),
    }


# -- files


def dotted(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values as JSON holds them; the server takes keys and times from text."""
    return {name: _json(value) for name, value in values.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return getattr(value, "value", value)


def seed_from(database: Database, path: Path) -> float:
    """Read *path* with `sqlalchemyseed` and commit what it holds; milliseconds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sqlalchemyseed import Seeder, load_entities_from_json
    except ImportError as error:
        raise Unavailable("sqlalchemyseed is not installed") from error
    with Session(database.engine) as session:

        def work() -> None:
            seeder = Seeder(session)
            seeder.seed(load_entities_from_json(str(path)))
            session.commit()

        return timed(work)


def as_seed_file(database: Database, path: Path) -> int:
    """Write all rows of *database* in `sqlalchemyseed`'s format, parents first; return their number."""
    models = {mapper.local_table: mapper for mapper in User.registry.mappers}
    entities = []
    count = 0
    with Session(database.engine) as session:
        for table in DOMAIN.metadata.sorted_tables:
            mapper = models[table]
            data = []
            for each in session.scalars(sa.select(mapper.class_)):
                values = {
                    attribute.key: getattr(each, attribute.key)
                    for attribute in mapper.column_attrs
                    if attribute.columns[0].computed is None
                }
                data.append(plain(values))
            if data:
                entities.append({"model": dotted(mapper.class_), "data": data})
                count += len(data)
    path.write_text(json.dumps(entities), "utf-8")
    return count


def files(server: Server, rounds: int) -> dict[str, Any]:
    """Both files from the disk to the committed rows, in a database of its own each time."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.json"
        with server.database(DOMAIN) as database:
            scenarios.Library()[FILE].load(database)
            count = as_seed_file(database, path)

        def ours() -> float:
            with server.database(DOMAIN) as database, database.connect() as conn:
                return timed(lambda: scenarios.Library()[FILE].load(database, connection=conn))

        def theirs() -> float:
            with server.database(DOMAIN) as database:
                with database.engine.connect():
                    pass  # Both have their connection before the clock starts.
                spent = seed_from(database, path)
                with database.connect() as conn:
                    found = conn.execute("SELECT count(*) FROM users_user").fetchone()
                if found is None or not found[0]:
                    raise RuntimeError("sqlalchemyseed wrote nothing")
                return spent

        measured = in_turns({"**our scenario file**": ours, "sqlalchemyseed, a JSON file": theirs}, rounds)
        sizes = {"rows": count, "json bytes": path.stat().st_size}
    return {"measured": measured, **sizes}


# -- values


def values(count: int) -> dict[str, Figures]:
    """Microseconds a value, no database: a person's name and a sentence."""
    from faker import Faker

    fake = Faker()
    seeded = Seeded("benchmark")
    handles = [seeded.at(f"row{number}") for number in range(count)]

    def each(work: Callable[[int], object]) -> Callable[[], float]:
        def measure() -> float:
            return timed(lambda: [work(number) for number in range(count)]) * 1000 / count

        return measure

    return in_turns(
        {
            "Faker, `name()`": each(lambda _: fake.name()),
            "Faker, `sentence()`": each(lambda _: fake.sentence()),
            "Faker, `unique.email()`": each(lambda _: fake.unique.email()),
            "**seeded `name()`**": each(lambda number: handles[number].name()),
            "**seeded text from a corpus**": each(
                lambda number: handles[number].text("dev_coach.texts.visualizations")
            ),
            "**seeded `uuid()`**": each(lambda number: handles[number].uuid()),
        },
        5,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="200 rows and two rounds")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    count, rounds = (200, 2) if options.quick else (2_000, 7)
    with start_server("embedded") as server:
        with with_user(server):
            pass  # The template is built before anything is measured.
        found = {
            "server": server.version_text,
            "rows": count,
            "makers": in_turns(contenders(server, count), rounds),
            "files": files(server, rounds),
            "values": values(200 if options.quick else 2_000),
        }
    for name, each in found["makers"].items():
        said = each.get("why") or f"{each['median'] * 1000 / count:9.1f} µs a row"
        print(f"{name:46} {said}", file=sys.stderr)
    for name, each in found["files"]["measured"].items():
        print(f"{name:46} {each.get('why') or format(each['median'], '9.1f') + ' ms'}", file=sys.stderr)
    for name, each in found["values"].items():
        print(f"{name:46} {each['median']:9.2f} µs a value", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
