"""What it costs to get a server, and a database on it: embedded, container, template, script, journal.

    python -m benchmarks.servers [--quick] [--json PATH]

A server's time ends when it has answered `SELECT 1`; a database's when a new connection to it has, and it
includes giving it back. A container needs an engine with the image `postgres:17`; where none answers, its
rows say so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.figures import Unavailable, in_turns, timed
from scenarios.domain import get_domain
from scenarios.errors import ScenariosError
from scenarios.postgres import Server, start_server
from scenarios.settings import Settings

IMAGE = "postgres:17"


def answered(server: Server) -> None:
    with server.connect() as conn:
        conn.execute("SELECT 1")


# -- servers


def fresh(cache: Path | None) -> float:
    """A server of its own, with the cluster from *cache*, or from `initdb` when there is none yet."""
    with (
        tempfile.TemporaryDirectory(prefix="scn-", dir=_memory(), ignore_cleanup_errors=True) as run,
        tempfile.TemporaryDirectory(prefix="scn-", ignore_cleanup_errors=True) as empty,
    ):
        for each in (run, empty):
            Path(each).chmod(0o755)  # Run as root, the server has a user of its own.
        settings = Settings({"runtime_dir": run, "cache_dir": str(cache or empty)})
        begun = time.perf_counter()
        with start_server("embedded", settings=settings) as server:
            answered(server)
            return (time.perf_counter() - begun) * 1000


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def joined() -> float:
    """What a second process pays while a first one has the server running."""
    with start_server("embedded") as first:
        answered(first)

        def join() -> None:
            with start_server("embedded") as second:
                answered(second)

        return timed(join)


def our_container() -> float:
    with tempfile.TemporaryDirectory(prefix="scn-", ignore_cleanup_errors=True) as run:
        Path(run).chmod(0o755)
        begun = time.perf_counter()
        try:
            server = start_server("container", settings=Settings({"runtime_dir": run, "image": IMAGE}))
        except ScenariosError as error:
            raise Unavailable(str(error).splitlines()[0]) from error
        with server:
            answered(server)
            return (time.perf_counter() - begun) * 1000


def testcontainers() -> float:
    """`PostgresContainer` as its page shows it, but without the reaper, which needs a second image."""
    from testcontainers.core.config import testcontainers_config

    try:
        import docker
        from testcontainers.community.postgres import PostgresContainer

        docker.from_env().images.get(IMAGE)
    except Exception as error:
        raise Unavailable(f"no container engine with {IMAGE} answers") from error
    testcontainers_config.ryuk_disabled = True
    begun = time.perf_counter()
    with PostgresContainer(IMAGE, driver=None) as container:
        with psycopg.connect(container.get_connection_url()) as conn:
            conn.execute("SELECT 1")
        return (time.perf_counter() - begun) * 1000


# -- databases


@contextmanager
def databases(server: Server) -> Iterator[dict[str, Callable[[], float]]]:
    """A database with the Dev Coach schema, empty, from the wish to the end of its life."""
    domain = get_domain("dev_coach")
    template = server.template(domain)
    script = domain.ddl()
    numbers = iter(range(1_000_000))

    def use(name: str) -> None:
        with server.connect(name) as conn:
            conn.execute("SELECT 1")

    def ours() -> float:
        def work() -> None:
            with server.database(template=template) as database:
                use(database.name)

        return timed(work)

    def peer() -> float:
        try:
            from pytest_postgresql.janitor import DatabaseJanitor
        except ImportError as error:
            raise Unavailable("pytest-postgresql is not installed") from error
        given = server.parameters("postgres")

        def work() -> None:
            with DatabaseJanitor(
                user=given["user"],
                password=given["password"],
                host=given["host"],
                port=given["port"],
                dbname=f"bench_janitor_{next(numbers)}",
                template_dbname=template.name,
            ) as janitor:
                use(janitor.dbname)

        return timed(work)

    def scripted() -> float:
        name = f"bench_script_{next(numbers)}"

        def work() -> None:
            control.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            with server.connect(name) as conn:
                conn.execute(script.encode())
            use(name)
            control.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

        return timed(work)

    def restored() -> float:
        with kept.connect() as conn:
            conn.execute(
                "INSERT INTO users_user (email, password, first_name, last_name)"
                " VALUES ('maya@example.com', 'x', 'Maya', 'Okafor')"
            )
        # A connection of its own is charged here too, although a pool would have kept it.
        return timed(lambda: (kept.restore(tag), use(kept.name)))

    with server.connect() as control, server.database(template=template) as kept:
        tag = kept.snapshot()
        yield {
            "**ours: `server.database()`, a clone of a template**": ours,
            "pytest-postgresql: `DatabaseJanitor`, a clone of the same template": peer,
            "CREATE DATABASE and the schema's script": scripted,
            "**ours: `restore` after one inserted row, and a connection**": restored,
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    rounds = 2 if options.quick else 9
    found: dict[str, Any] = {}
    with start_server("embedded") as server:
        found["server"] = server.version_text
        found["settings"] = dict(server.settings_read_back)
        with databases(server) as contenders:
            found["databases"] = in_turns(contenders, rounds if options.quick else 30)
    with tempfile.TemporaryDirectory(prefix="scn-") as cache:
        Path(cache).chmod(0o755)
        fresh(Path(cache))
        found["servers"] = in_turns(
            {
                "**embedded, the first on this machine (`initdb`)**": lambda: fresh(None),
                "**embedded, later (a copy of that cluster)**": lambda: fresh(Path(cache)),
                "**embedded, already running for another process**": joined,
                f"**our container provider, `{IMAGE}`**": our_container,
                f"testcontainers `PostgresContainer`, `{IMAGE}`": testcontainers,
            },
            rounds,
        )
    for kind in ("servers", "databases"):
        for name, each in found[kind].items():
            print(f"{name:70} {each.get('why') or format(each['median'], '9.1f') + ' ms'}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
