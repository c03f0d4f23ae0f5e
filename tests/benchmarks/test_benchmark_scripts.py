"""Each script explains itself, and each contender does what it is timed for, on sizes that take no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import ROOT, SCRIPTS, main, run
from benchmarks.figures import Unavailable, figures, in_turns

from benchmarks import library, makers, populate, pytest_overhead, restore, servers
from scenarios.settings import Settings

pytestmark = pytest.mark.thorough("each benchmark runs once")


@pytest.mark.parametrize("script", [*(f"benchmarks.{name}" for name in SCRIPTS), "benchmarks"])
def test_help(script):
    done = subprocess.run(
        [sys.executable, "-m", script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert "usage:" in done.stdout


def test_every_script_is_run_by_make_bench():
    helpers = {"__init__", "__main__", "figures", "machine", "plots", "promises", "report"}
    experiments = {"encoding"}  # the measurement behind one decision, quoted where the decision is explained
    of_others = {"fill_share"}  # measures schemas that whoever runs it has at hand
    found = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert found - helpers - experiments - of_others == set(SCRIPTS)


def test_median_p95_and_a_contender_that_is_not_here():
    assert figures([5, 1, 2, 3, 4]) == {"median": 3, "p95": 5, "runs": 5}

    def absent():
        raise Unavailable("not installed")

    turns = iter(range(6))
    found = in_turns({"a": lambda: next(turns), "b": absent, "c": lambda: next(turns)}, 3)
    assert found["a"]["median"] == 2, "contenders take turns"
    assert found["c"]["median"] == 3
    assert found["b"] == {"why": "not installed"}


def test_makers_make_what_they_are_timed_for(server):
    found = in_turns(makers.contenders(server, 6), 1)
    assert all(each.get("median", 0) > 0 for each in found.values()), found
    assert sum(name.startswith("**") for name in found) == 2


def test_a_maker_that_makes_too_little_is_caught(server):
    with makers.with_user(server) as (database, user):
        makers.core_insert(database, user, 5)
        makers.made(database, 5)
        with pytest.raises(RuntimeError, match="6 messages were to be made, 5 are there"):
            makers.made(database, 6)


def test_files_hold_the_same_rows(server, tmp_path):
    path = tmp_path / "rows.json"
    with server.database(makers.DOMAIN) as database:
        makers.scenarios.Library()[makers.FILE].load(database)
        written = makers.as_seed_file(database, path)
        before = populate.total(database)
    assert written == before
    with server.database(makers.DOMAIN) as database:
        makers.seed_from(database, path)
        assert populate.total(database) == before


def test_databases(server):
    with servers.databases(server) as contenders:
        found = in_turns(contenders, 1)
    assert sum(name.startswith("**") for name in found) == 2
    for name, each in found.items():
        assert each.get("median", 0) > 0 or each["why"] == "pytest-postgresql is not installed", name


def test_a_server_of_its_own_and_one_that_is_joined():
    assert servers.fresh(None) > 0
    assert servers.joined() > 0


def test_populate(server):
    for found in (
        populate.usual(server, 4, "flush"),
        populate.core_insert(server, 4),
        populate.our_factories(server, 4),
        populate.stretches(server, 1, 6),
        populate.generated(server, 9, False),
        populate.copied(server, 9, True),
    ):
        assert found.rows >= 4, found.name
        assert found.rate > 0, found.name
    assert populate.million(server, 9)["rows"] > 9


def test_restore(server):
    template = server.template(restore.schema(3, 12), key="bench-test")
    with server.database(template=template) as database, server.database(template=template) as fresh:
        found = restore.measure_journal(database, fresh, 20)
    assert found["checksums equal after all cycles"]
    assert found["restore"]["runs"] == 20
    with server.database(template=template) as database:
        assert restore.measure_rollback(database, 3)["median"] > 0
        assert restore.measure_reload(database, 3, 2)["median"] > 0
    assert restore.measure_clone(server, template, 2)["runs"] == 2
    before = os.sched_getaffinity(0)
    triggers = restore.measure_triggers(server, template, 5)
    assert set(triggers) == {"session", "bare statements", "on one processor"}
    assert os.sched_getaffinity(0) == before


def test_pytest_overhead(tmp_path):
    with pytest_overhead.start_server("embedded", settings=Settings({"tcp": "on"})) as reachable:
        bench = pytest_overhead.Bench(tmp_path, reachable)
        ours = pytest_overhead.NAMED[pytest_overhead.RESTORE_NAME]
        assert bench.per_test(ours, 4) > 0
        for name in (pytest_overhead.RESTORE_NAME, pytest_overhead.RECIPE_NAME):
            cost = bench.cost(
                pytest_overhead.NAMED[name], 40, *pytest_overhead.XDIST, compute_ms=pytest_overhead.LONGER_MS
            )
            assert cost.ms > pytest_overhead.LONGER_MS / 2
            assert cost.pytest_ms >= pytest_overhead.LONGER_MS / 2
        with pytest.raises(RuntimeError, match=ours.name):
            bench.run(ours, 2, "--no-such-option")


def test_library(capsys, monkeypatch, tmp_path):
    target = tmp_path / "library.json"
    monkeypatch.setattr(sys, "argv", ["library", "--quick", "--json", str(target)])
    library.main()
    found = json.loads(target.read_text("utf-8"))
    assert all(0 < each["ms"] <= each["p95_ms"] for each in found["measured"].values())
    assert "load it" in capsys.readouterr().out


def test_a_script_that_fails_is_kept_as_failed(tmp_path, capfd):
    assert run("no_such_script", tmp_path, True) == {"failed": "it ended with status 1"}
    assert json.loads((tmp_path / "no_such_script.json").read_text("utf-8")) == {
        "failed": "it ended with status 1"
    }
    assert "No module named benchmarks.no_such_script" in capfd.readouterr().err


def test_an_unknown_script_is_a_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--only", "makers,speed", "--to", str(tmp_path), "--results", str(tmp_path)])
    assert ended.value.code == 2
    assert "there is no benchmark 'speed'" in capsys.readouterr().err


def test_the_page_is_written_again_from_kept_results(stored, tmp_path, capsys):
    kept, docs = tmp_path / "kept", tmp_path / "docs"
    kept.mkdir()
    for name, found in {**stored["results"], "machine": stored["machine"]}.items():
        (kept / f"{name}.json").write_text(json.dumps(found), "utf-8")
    assert main(["--only", "", "--to", str(docs), "--results", str(kept)]) == 0
    text = Path(docs / "performance.md").read_text("utf-8")
    assert "2026-01-05 09:00 UTC" in text
    assert "performance.md written" in capsys.readouterr().out
