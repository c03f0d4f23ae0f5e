"""`scenarios schema`: in agreement as they are, and each kind of drift is found and said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scenarios.cli.schema import register
from scenarios.domain import domain_names, get_domain
from scenarios.domains.dev_coach.maintenance import normalise, rebuild_recent_messages_index
from scenarios.errors import SchemaDriftError
from scenarios.postgres import Database, Server
from scenarios.resources import resource
from scenarios.schema import drift

DEV_COACH = get_domain("dev_coach")


@pytest.fixture
def live(server: Server) -> Iterator[Database]:
    """A Dev Coach database that somebody uses."""
    with server.database(DEV_COACH) as database:
        yield database


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the kept files, to be spoiled."""
    return Path(shutil.copytree(resource("schema") / "dev_coach", tmp_path / "dev_coach"))


def _invoke(*arguments: str) -> Any:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["schema", *arguments])


@pytest.mark.parametrize("system", domain_names())
def test_the_kept_files_are_what_the_models_give(system: str) -> None:
    assert drift.stale_files(get_domain(system)) == []


def test_everything_agrees(server: Server, live: Database) -> None:
    report = drift.check(DEV_COACH, server, live=live.url, normalise=normalise)
    assert report.compared[:5] == ["create_all", "schema.sql", "migrations", "alembic check", "kept files"]
    assert report.findings == {subject: [] for subject in report.compared}
    assert len(report.compared) == 6
    assert not report


def test_a_live_database_that_lost_a_trigger_is_found_out(server: Server, live: Database) -> None:
    with live.connect() as conn:
        conn.execute("DROP TRIGGER chat_messages_chatmessage_inherit_scope ON chat_messages_chatmessage")
        conn.execute("CREATE TABLE somebodys_notes (id integer)")
    report = drift.check(DEV_COACH, server, live=live.url)
    assert report
    (found,) = [lines for subject, lines in report.findings.items() if subject.startswith("postgresql")]
    trigger = "public.chat_messages_chatmessage.chat_messages_chatmessage_inherit_scope"
    assert f"trigger {trigger} is missing" in found
    assert "table public.somebodys_notes should not be there" in found


def test_the_moved_index_is_no_drift(server: Server, live: Database) -> None:
    with live.connect() as conn:
        rebuild_recent_messages_index(conn)
    assert drift.check(DEV_COACH, server, live=live.url)
    assert not drift.check(DEV_COACH, server, live=live.url, normalise=normalise)


def test_stale_files_are_found_and_written_anew(server: Server, directory: Path) -> None:
    script = directory / "schema.sql"
    script.write_text(script.read_text().replace("version > 0", "version >= 0"))
    (directory / "diagram.mmd").unlink()
    report = drift.check(DEV_COACH, server, directory=directory)
    assert len(report.findings["kept files"]) == 2
    (wrong,) = report.findings["schema.sql"]
    assert wrong.startswith(
        "constraint public.prompts_prompt.prompts_prompt_version_check is [CHECK ((version >= 0))]"
    )
    assert {path.name for path in drift.write_kept_files(DEV_COACH, directory)} == {
        "schema.sql",
        "diagram.mmd",
    }
    assert drift.write_kept_files(DEV_COACH, directory) == []
    assert not drift.check(DEV_COACH, server, directory=directory)


def test_models_that_went_ahead_of_the_migrations_are_found_out(server: Server) -> None:
    ahead = replace(
        DEV_COACH, ddl=lambda: DEV_COACH.ddl() + "CREATE INDEX forgotten ON users_user (first_name);\n"
    )
    report = drift.check(ahead, server)
    assert report.findings["migrations"] == ["index public.forgotten is missing"]
    assert report.findings["create_all"] == ["index public.forgotten is missing"]
    assert report.as_dict()["clean"] is False


def test_a_database_that_cannot_be_reached_is_said_without_its_password(server: Server) -> None:
    with pytest.raises(SchemaDriftError) as refused:
        drift.check(DEV_COACH, server, live="postgresql://me:hush@127.0.0.1:1/nowhere")
    assert "hush" not in str(refused.value)
    assert "127.0.0.1:1/nowhere" in str(refused.value)


def test_the_commands(tmp_path: Path) -> None:
    assert _invoke("ddl", "dev_coach").output == DEV_COACH.ddl()
    assert _invoke("diagram", "dev_coach").output.startswith("---\ntitle: Dev Coach")
    target = tmp_path / "d.mmd"
    assert _invoke("diagram", "dev_coach", "--out", str(target)).exit_code == 0
    assert target.read_text() == (resource("schema") / "dev_coach" / "diagram.mmd").read_text()


def test_the_write_command_leaves_alone_what_is_fresh() -> None:
    if stale := drift.stale_files(
        DEV_COACH
    ):  # or the command would repair the checkout behind the tests' back
        pytest.fail(f"stale: {stale}")
    assert _invoke("write", "dev_coach").output == "nothing changed\n"


def test_what_a_live_database_has_besides_can_be_allowed(live: Database) -> None:
    with live.connect() as conn:
        conn.execute("CREATE TABLE django_migrations (id integer PRIMARY KEY)")
    strict = _invoke("check", "dev_coach", "--url", live.url)
    assert strict.exit_code == 1
    assert "table public.django_migrations should not be there" in strict.output
    assert _invoke("check", "dev_coach", "--url", live.url, "--allow-extra").exit_code == 0
    with live.connect() as conn:
        conn.execute("DROP INDEX users_user_last_login_idx")
    lacking = _invoke("check", "dev_coach", "--url", live.url, "--allow-extra")
    assert lacking.exit_code == 1
    assert "index public.users_user_last_login_idx is missing" in lacking.output


def test_the_check_command(live: Database) -> None:
    good = _invoke("check", "dev_coach", "--url", live.url, "--json")
    assert good.exit_code == 0, good.output
    assert json.loads(good.output)["clean"] is True
    with live.connect() as conn:
        conn.execute("ALTER TABLE users_user DROP CONSTRAINT users_user_email_check")
    bad = _invoke("check", "dev_coach", "--url", live.url)
    assert bad.exit_code == 1
    assert "constraint public.users_user.users_user_email_check is missing" in bad.output
    assert "migrations: as the models say" in bad.output
