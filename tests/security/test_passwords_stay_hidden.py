"""A password that was typed where none can be read is not printed, whatever is wrong around it."""

from __future__ import annotations

import os

import pytest

from forks import run_module
from scenarios.errors import hidden, redact

SECRET = "s3cret"
MISTYPED = [
    "postgresql://u:p@s3cret@127.0.0.1:1/db",
    "postgresql://u:a/s3cret@127.0.0.1:1/db",
    "postgresql://u:s3cret@127.0.0.1:abc/db",
    "postgresql://u:%zzs3cret@h/db",
    "postgresql:/u:s3cret@h/db",
    "u:s3cret@host/db",
    "postgresql+psycopg://u:s3cret@127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?password=s3cret",
    "host=/nowhere password='a s3cret'",
]


def scenarios(*arguments, **environment):
    return run_module("scenarios", *arguments, env={**os.environ, "COLUMNS": "120", **environment})


@pytest.mark.parametrize("url", MISTYPED)
def test_a_password_is_never_printed_however_it_was_typed(url):
    for done in (
        scenarios("instances", "--in", url),
        scenarios("diff", url, "--db", url),
        scenarios("up", SCENARIOS_PROVIDER=url),
    ):
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode in (1, 2)


def test_a_password_with_an_at_sign_is_explained():
    said = scenarios("instances", "--in", MISTYPED[0]).stderr
    assert "postgresql://u:***@127.0.0.1:1/db" in said
    assert "write an @ in the password as %40" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see postgresql://u:p@q@h/db, port 5432", "see postgresql://u:***@h/db, port 5432"),
        (
            "'postgresql://u:p@h/db' and 'postgresql://v:q@i/db'",
            "'postgresql://u:***@h/db' and 'postgresql://v:***@i/db'",
        ),
        ("postgresql://u@h:5432/db", "postgresql://u@h:5432/db"),
        ("mail maya@example.com at 9:30", "mail maya@example.com at 9:30"),
    ],
)
def test_redacting_keeps_what_is_no_password(text, shown):
    assert redact(text) == shown
    assert hidden("u:p@h/db") == "***@h/db"
