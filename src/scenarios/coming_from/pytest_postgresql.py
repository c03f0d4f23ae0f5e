"""pytest-postgresql's fixture factories on databases of ours: one import is changed, and one line added.

::

    from scenarios.coming_from import pytest_postgresql as factories

    postgresql_proc = factories.postgresql_proc(load=[Path("schema.sql"), "tests.rows:people"])
    postgresql = factories.postgresql("postgresql_proc")
    scenario_schema = factories.scenario_schema("postgresql_proc")

A test keeps its open connection and its commits. What ``load`` makes is built once, into a template; a test's
changes are undone instead of a database being dropped and cloned, and markers and fixtures of ours work on
the same database. What cannot be kept (a name or a port of one's own) is refused with what takes its place.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.errors import ScenariosError
from scenarios.postgres.schemas import Source, code_digest, digest
from scenarios.postgres.scripts import read_script, run_script

if TYPE_CHECKING:
    import psycopg

    from scenarios.postgres import Database, Server

Load = Callable[..., object] | str | Path
"""What fills a database: a ``.sql`` file, a function given host, port, user, dbname, password and autocommit,
or the import path of one, ``package.module:name`` or ``package.module.name``."""

_OWN_SERVER = (
    "leave it out and ask the fixture; for a server of yours set SCENARIOS_PROVIDER=postgresql://..."
)
_OWN_NAME = "leave it out; postgresql.info.dbname and scenario_db.name say the name of the test's database"
_OUR_FLAGS = "leave it out: the server is started with flags for tests, see scenarios doctor"
_INSTEAD = {
    "executable": "set postgres_bin in [tool.scenarios] to the directory of the binaries",
    "host": _OWN_SERVER,
    "port": f"{_OWN_SERVER}; for a port on 127.0.0.1 set tcp in [tool.scenarios]",
    "user": _OWN_SERVER,
    "password": _OWN_SERVER,
    "dbname": _OWN_NAME,
    "maintenance_dbname": _OWN_SERVER,
    "options": "leave it out; a session can SET what it wants",
    "startparams": _OUR_FLAGS,
    "unixsocketdir": "leave it out; the socket is private, and its directory is the fixture's host",
    "postgres_options": _OUR_FLAGS,
}
"""Arguments of the peer's factories that mean nothing here, and what to do instead."""


@dataclass(frozen=True)
class Process:
    """What a process fixture gives a test: where the server is.

    Attributes:
        name: the fixture's name.
        loads: what fills a database, in its order.
        autocommit: what functions among them are given as ``autocommit``.
    """

    name: str
    server: Server
    loads: tuple[Load, ...] = ()
    autocommit: bool = False
    options: str = ""

    @property
    def host(self) -> str:
        """The directory of the server's socket, or an address where the setting ``tcp`` asks for one."""
        return self._parameters["host"]

    @property
    def port(self) -> int:
        return int(self._parameters["port"])

    @property
    def user(self) -> str:
        return self._parameters["user"]

    @property
    def password(self) -> str | None:
        return self._parameters.get("password")

    @property
    def version(self) -> str:
        """The server's version, ``"18.6"``."""
        return str(self.server.version_text)

    @property
    def dbname(self) -> str:
        """There is none: each state has a database of its own.

        Raises:
            ScenariosError: always.
        """
        raise ScenariosError(f"{self.name} has no dbname", hint=_OWN_NAME)

    template_dbname = dbname

    @property
    def _parameters(self) -> dict[str, str]:
        return self.server.parameters("")

    @cached_property
    def schema(self) -> Source:
        """The loads as a schema: a template is built of them, anew when one of them changes."""
        functions = [_function(load) for load in self.loads]
        inputs = {
            f"load {number}": digest(load.read_bytes()) if isinstance(load, Path) else code_digest(function)
            for number, (load, function) in enumerate(zip(self.loads, functions, strict=True), 1)
        }

        def build(connection: psycopg.Connection[Any], url: str) -> None:
            info = connection.info
            where = {
                "host": info.host,
                "port": info.port,
                "user": info.user,
                "dbname": info.dbname,
                "password": info.password or None,
                "autocommit": self.autocommit,
            }
            for load, function in zip(self.loads, functions, strict=True):
                if isinstance(load, Path):
                    run_script(connection, read_script(load), str(load), home=load.parent)
                else:
                    function(**where)

        own = tuple(function for function in functions if function is not run_script)
        return Source(f"loads of {self.name} in {Path.cwd()}", inputs, build, functions=own)


def _function(load: Load) -> Callable[..., object]:
    if isinstance(load, Path):
        if not load.is_file():
            raise ScenariosError("a file to load is not there", where=str(load), hint="give its whole path")
        return run_script
    if callable(load):
        return load
    module, name = re.fullmatch(r"(.*?)[.:]?([^.:]*)", load).groups()  # type: ignore[union-attr]  # fits any text
    try:
        found: Callable[..., object] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ScenariosError(
            f"what is to be loaded, {load!r}, cannot be imported",
            why=str(error),
            hint="write package.module:function, or a Path for a .sql file",
        ) from error
    return found


def postgresql_proc(
    *,
    load: Sequence[Load] | None = None,
    load_autocommit: bool | None = None,
    depends_on: str | None = None,
    **others: Any,
) -> Callable[..., Process]:
    """Return a session fixture that says where the server is and what fills a database.

    Args:
        load: files and functions.
        load_autocommit: what functions are given as ``autocommit``; files always run so.
        depends_on: a process fixture whose loads come first.
        others: the peer's further arguments, which are refused.

    Raises:
        ScenariosError: an argument means nothing here; the message says what takes its place.
    """
    for name, value in others.items():
        if name not in _INSTEAD:
            raise TypeError(f"postgresql_proc() got an unexpected keyword argument {name!r}")
        if value is not None:
            raise ScenariosError(
                f"postgresql_proc({name}=...) cannot be kept", where="conftest.py", hint=_INSTEAD[name]
            )

    @pytest.fixture(scope="session")
    def process(request: pytest.FixtureRequest, scenario_server: Server) -> Process:
        """Where the server is, as pytest-postgresql's process fixture says it."""
        first: Process | None = request.getfixturevalue(depends_on) if depends_on else None
        loads = (*(first.loads if first is not None else ()), *(load or ()))
        return Process(str(request.fixturename), scenario_server, loads, bool(load_autocommit))

    return process


postgresql_noproc = postgresql_proc
"""There is one server, whoever started it."""


def scenario_schema(process_fixture_name: str) -> Callable[..., Source]:
    """Return the fixture ``scenario_schema``: the tests' databases are what the process fixture loads."""

    @pytest.fixture(scope="session")
    def schema(request: pytest.FixtureRequest) -> Source:
        """What ``load`` of the process fixture makes."""
        process: Process = request.getfixturevalue(process_fixture_name)
        return process.schema

    return schema


def postgresql(
    process_fixture_name: str,
    dbname: str | None = None,
    isolation_level: psycopg.IsolationLevel | None = None,
) -> Callable[..., Iterator[psycopg.Connection[Any]]]:
    """Return a fixture with an open connection to the test's database.

    Args:
        process_fixture_name: the process fixture.
        dbname: has to be left out.
        isolation_level: of the connection's transactions.

    Raises:
        ScenariosError: a name is given.
    """
    _refuse_name(dbname)

    @pytest.fixture
    def client(
        request: pytest.FixtureRequest, scenario_schema: object, scenario_db: Database
    ) -> Iterator[psycopg.Connection[Any]]:
        """An open connection, as pytest-postgresql's client fixture gives it; what is committed is undone."""
        _require(request, process_fixture_name, scenario_schema)
        with closing(scenario_db.connect(autocommit=False)) as connection:
            connection.isolation_level = isolation_level
            yield connection

    return client


def postgresql_async(
    process_fixture_name: str,
    dbname: str | None = None,
    isolation_level: psycopg.IsolationLevel | None = None,
) -> Callable[..., AsyncIterator[psycopg.AsyncConnection[Any]]]:
    """Return the same for ``async def`` tests under pytest-asyncio.

    Raises:
        ScenariosError: a name is given.
    """
    import pytest_asyncio

    _refuse_name(dbname)

    @pytest_asyncio.fixture
    async def client(
        request: pytest.FixtureRequest, scenario_schema: object, scenario_db: Database
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """An open asynchronous connection; what is committed is undone."""
        import psycopg

        _require(request, process_fixture_name, scenario_schema)
        connection = await psycopg.AsyncConnection.connect(scenario_db.dsn)
        try:
            await connection.set_isolation_level(isolation_level)
            yield connection
        finally:
            await connection.close()

    return client


def _refuse_name(dbname: str | None) -> None:
    if dbname is not None:
        raise ScenariosError(
            f"postgresql(dbname={dbname!r}) cannot be kept", where="conftest.py", hint=_OWN_NAME
        )


def _require(request: pytest.FixtureRequest, name: str, schema: object) -> None:
    process: Process = request.getfixturevalue(name)
    if process.loads and schema is not process.schema:
        pytest.fail(
            f"{name} loads something, but the tests' databases are not made of it\n"
            f'  do:    add to conftest.py: scenario_schema = factories.scenario_schema("{name}")',
            pytrace=False,
        )
