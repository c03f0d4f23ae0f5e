"""The same test module under pytest-postgresql itself and under its replacement."""

from __future__ import annotations

import pytest

from scenarios.coming_from import pytest_postgresql as factories
from scenarios.errors import ScenariosError

LOADED = {
    "rows": """
        import psycopg


        def people(**where):
            with psycopg.connect(**where) as connection:
                connection.execute("INSERT INTO member VALUES (1, 'Ada')")
                connection.commit()


        def more(autocommit, **where):
            with psycopg.connect(**where) as connection:
                connection.execute("INSERT INTO member VALUES (2, 'Bob')")
        """,
    "test_members": """
        import psycopg
        import pytest


        @pytest.mark.parametrize("again", range(2))
        def test_a_commit_is_gone_in_the_next_test(postgresql, again):
            with postgresql.cursor() as cursor:
                cursor.execute("INSERT INTO member VALUES (3, 'Cy')")
                postgresql.commit()
                cursor.execute("SELECT count(*) FROM member")
                assert cursor.fetchone() == (3,)


        @pytest.mark.parametrize("again", range(2))
        def test_from_another_connection(postgresql, again):
            info = postgresql.info
            where = {"host": info.host, "port": info.port, "user": info.user, "password": info.password}
            with psycopg.connect(dbname=info.dbname, **where) as other:
                assert other.execute("SELECT name FROM member ORDER BY id").fetchall() == [("Ada",), ("Bob",)]
                other.execute("DELETE FROM member")
            assert postgresql.execute("SELECT count(*) FROM member").fetchone() == (0,)


        @pytest.mark.parametrize("again", range(2))
        def test_ddl(postgresql, again):
            postgresql.execute("CREATE TABLE other (id int)")
            postgresql.commit()


        def test_what_is_not_committed_is_not_written(postgresql):
            postgresql.execute("DELETE FROM member")


        def test_it_was_not(postgresql):
            assert postgresql.execute("SELECT count(*) FROM member").fetchone() == (2,)


        def test_the_process(postgresql_proc, postgresql):
            assert postgresql_proc.port == postgresql.info.port
            assert postgresql_proc.user == postgresql.info.user


        def test_the_level(serializable):
            assert serializable.execute("SHOW transaction_isolation").fetchone() == ("serializable",)
        """,
}
SCHEMA = "CREATE TABLE member (id integer PRIMARY KEY, name text NOT NULL);\n"

THERE = """
    import os
    from pathlib import Path

    import psycopg
    from psycopg import IsolationLevel
    from pytest_postgresql import factories
    from rows import more

    info = psycopg.conninfo.conninfo_to_dict(os.environ["PEER"])
    postgresql_proc = factories.postgresql_noproc(
        host=info["host"], port=info["port"], user=info["user"], password=info.get("password"),
        dbname="members_of_the_peer", load=[Path("schema.sql"), "rows:people", more],
    )
    postgresql = factories.postgresql("postgresql_proc")
    serializable = factories.postgresql("postgresql_proc", isolation_level=IsolationLevel.SERIALIZABLE)
    """
HERE = """
    from pathlib import Path

    from psycopg import IsolationLevel
    from rows import more
    from scenarios.coming_from import pytest_postgresql as factories

    postgresql_proc = factories.postgresql_noproc(load=[Path("schema.sql"), "rows:people", more])
    postgresql = factories.postgresql("postgresql_proc")
    serializable = factories.postgresql("postgresql_proc", isolation_level=IsolationLevel.SERIALIZABLE)
    scenario_schema = factories.scenario_schema("postgresql_proc")
    """


def test_the_tests_of_the_peer_pass_as_they_are(project):
    (project.home / "schema.sql").write_text(SCHEMA, "utf-8")
    environ = {"PYTHONPATH": "."}
    there = project(plugins=("postgresql",), conftest=THERE, environ=environ, **LOADED)
    assert there.outcomes == {"passed": 10}, there.text
    for plugins in ((), ("postgresql",)):
        here = project(plugins=plugins, conftest=HERE, environ=environ)
        assert here.outcomes == {"passed": 10}, here.text
        assert "scenarios: 10 tests isolated" in here.text


def test_a_state_by_name_stands_beside_what_is_loaded(project):
    (project.home / "schema.sql").write_text(SCHEMA, "utf-8")
    (project.home / "states").mkdir()
    (project.home / "states" / "dot.yaml").write_text(
        "scenario: dot\nrows: {member: {dot: {id: 7, name: Dot}}}\n", "utf-8"
    )
    run = project(
        conftest=HERE,
        rows=LOADED["rows"],
        test_state="""
        import pytest


        @pytest.mark.scenario("dot")
        def test_both(postgresql, scenario, scenario_changes):
            assert postgresql.execute("SELECT name FROM member ORDER BY id").fetchall()[-1] == ("Dot",)
            postgresql.execute("DELETE FROM member WHERE id = %s", [scenario["dot"].id])
            postgresql.commit()
            assert scenario_changes().counts["public.member"]["deleted"] == 1
        """,
        environ={"PYTHONPATH": ".", "SCENARIOS_LIBRARY": "states"},
    )
    assert run.outcomes == {"passed": 1}, run.text


def test_a_changed_load_makes_a_new_template(project):
    def said(*names):
        (project.home / "schema.sql").write_text(SCHEMA, "utf-8")
        run = project(
            conftest=f"""
            from pathlib import Path

            from scenarios.coming_from import pytest_postgresql as factories

            first = factories.postgresql_proc(load=[Path("schema.sql")])
            second = factories.postgresql_proc(load={list(names)}, depends_on="first")
            members = factories.postgresql("second")
            later = factories.postgresql_async("second")
            scenario_schema = factories.scenario_schema("second")
            """,
            rows=LOADED["rows"],
            test_names="""
            import os

            import pytest

            COUNT = "SELECT count(*) FROM member"
            ROWS = (int(os.environ["ROWS"]),)


            def test_names(members):
                assert members.execute(COUNT).fetchone() == ROWS


            @pytest.mark.asyncio
            async def test_later(later):
                found = await later.execute(COUNT)
                assert await found.fetchone() == ROWS
            """,
            environ={"PYTHONPATH": ".", "ROWS": str(len(names))},
        )
        assert run.outcomes == {"passed": 2}, run.text
        return run.text

    assert "(first build)" in said("rows:people")
    assert "reused" in said("rows:people")
    assert "load 3" in said("rows:people", "rows.more")


def test_a_forgotten_line_and_a_wrong_load_are_said(project):
    (project.home / "schema.sql").write_text(SCHEMA, "utf-8")
    forgotten = "\n".join(line for line in HERE.splitlines() if "scenario_schema" not in line)
    run = project("-k", "level", conftest=forgotten, environ={"PYTHONPATH": "."}, **LOADED)
    assert run.outcomes == {"error": 1}
    assert 'scenario_schema = factories.scenario_schema("postgresql_proc")' in run.text
    for load, what in (('"rows:peple"', "has no attribute 'peple'"), ('Path("no.sql")', "is not there")):
        run = project(
            "-k", "level", conftest=HERE.replace('"rows:people"', load), environ={"PYTHONPATH": "."}
        )
        assert run.outcomes == {"error": 1}
        assert what in run.text


@pytest.mark.parametrize("argument", sorted(factories._INSTEAD))
def test_what_cannot_be_kept_is_refused_with_what_takes_its_place(argument):
    with pytest.raises(ScenariosError, match=f"postgresql_proc\\({argument}=") as caught:
        factories.postgresql_proc(**{argument: "x"})
    assert caught.value.hint


def test_other_refusals():
    with pytest.raises(TypeError, match="unexpected keyword argument 'prot'"):
        factories.postgresql_proc(prot=1)
    with pytest.raises(ScenariosError, match=r"postgresql\(dbname='x'\) cannot be kept"):
        factories.postgresql("postgresql_proc", dbname="x")
