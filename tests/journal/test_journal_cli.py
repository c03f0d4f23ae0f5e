"""The commands, as a person types them."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from scenarios import journal
from scenarios.cli.snapshot import register
from scenarios.errors import JournalError, SnapshotFileError


@pytest.fixture
def shop(bench):
    bench.ddl("CREATE TABLE a (id serial PRIMARY KEY, v text); INSERT INTO a (v) VALUES ('x'), ('y')")
    return bench


def run(*arguments: str) -> str:
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_snapshots_from_the_command_line(shop, tmp_path):
    url = shop.database.url
    before = journal.contents(shop.control)
    assert "snapshot first" in run("snapshot", "save", "first", "--db", url)
    shop.ddl("DELETE FROM a WHERE id = 1")
    run("snapshot", "save", "second", "--db", url)
    shop.ddl("UPDATE a SET v = 'z'")
    listed = json.loads(run("snapshot", "list", "--db", url, "--json"))
    assert [one["name"] for one in listed] == ["first", "second"]
    between = json.loads(run("diff", "first", "second", "--db", url, "--json"))
    assert between["counts"] == {"public.a": {"inserted": 0, "updated": 0, "deleted": 1}}
    assert "y" in run("diff", "second", "--db", url)
    file = str(tmp_path / "x.scn")
    assert "1 tables" in run("snapshot", "export", file, "--db", url)
    assert "rows in 1 tables" in run("snapshot", "restore", "first", "--db", url)
    assert journal.contents(shop.control) == before
    assert json.loads(run("diff", url, file, "--json"))["counts"]["public.a"]["deleted"] == 1
    assert "now holds" in run("snapshot", "import", file, "--db", url)
    assert "no differences" in run("diff", file, url)


def test_mistakes_are_explained(shop):
    url = shop.database.url
    with pytest.raises(JournalError, match="there is no snapshot 'nowhere'"):
        run("snapshot", "restore", "nowhere", "--db", url)
    with pytest.raises(SnapshotFileError, match="cannot read"):
        run("snapshot", "import", "none.scn", "--db", url)
    with pytest.raises(SystemExit) as wrong_usage:
        run("diff", "none.scn", url)
    assert wrong_usage.value.code == 2
