"""Ctrl-C in the middle of a load leaves the database as it was; the shell completes scenarios' names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from scenarios.domain import get_domain
from scenarios.resources import resource

WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def test_an_interrupted_load_leaves_nothing(server):
    with server.database(get_domain("dev_coach")) as db, db.connect() as watcher:
        before = db.checksum()
        with db.connect(autocommit=False) as blocker:
            # The load gets as far as its messages, with the people written before, and waits there.
            blocker.execute("LOCK TABLE chat_messages_chatmessage IN ACCESS EXCLUSIVE MODE")
            load = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "scenarios.cli.main",
                    "load",
                    "very_long_conversation",
                    "--to",
                    db.dsn,
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=resource("scenario_library").parent,
            )
            try:
                while watcher.execute(WAITING).fetchone() == (0,):
                    assert load.poll() is None, load.communicate()
                    time.sleep(0.05)
                load.send_signal(signal.SIGINT)
                output, complaint = load.communicate(timeout=60)
            finally:
                load.kill()
            blocker.rollback()
        assert load.returncode not in (0, None)
        assert output == ""
        assert "Traceback" not in complaint
        assert db.checksum() == before


def test_the_shell_completes_the_names_of_scenarios():
    def completed(line: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "scenarios.cli.main"],
            capture_output=True,
            text=True,
            check=False,
            cwd=resource("scenario_library").parent,
            env={
                **os.environ,
                "_SCENARIOS_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(line.count(" ")),
            },
        )
        return done.stdout.split()

    assert completed("scenarios load refinement_") == ["refinement_in_progress", "refinement_stuck"]
    assert "instances" in completed("scenarios ins")
