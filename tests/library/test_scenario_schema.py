"""The published JSON Schema is the reader's own, and every file of the library keeps it."""

from __future__ import annotations

import json

import jsonschema
import pytest

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.tree import read_tree, to_plain
from scenarios.library.sections import sections_of
from scenarios.library.sections.schema import schema_of
from scenarios.resources import resource

SYSTEMS = ("dev_coach", "coach_bot", "essay_coach")
FILES = [entry for entry in Library().entries() if entry.path.suffix == ".yaml"]


def published(system: str) -> dict:
    return json.loads((resource("schema") / f"scenario-file.{system}.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_published_schema_is_not_stale(system):
    current = json.loads(json.dumps(schema_of(sections_of(get_domain(system)))))
    renew = f"scenarios file-schema {system} --out schema/scenario-file.{system}.schema.json"
    assert published(system) == current, f"renew it: {renew}"


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_schema_is_one(system):
    jsonschema.Draft202012Validator.check_schema(published(system))


@pytest.mark.parametrize("entry", FILES, ids=[entry.name for entry in FILES])
def test_every_file_keeps_the_schema(entry):
    tree = read_tree(entry.path.read_text("utf-8"), entry.name, ErrorList())
    assert tree is not None
    validator = jsonschema.Draft202012Validator(published(entry.system))
    assert [error.message[:300] for error in validator.iter_errors(to_plain(tree))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("users", "a", "frist_name"), "A"),
        (("users", "a", "state"), {"phase": "NOWHERE"}),
        (("users", "a", "is_staff"), "perhaps"),
        (("users", "a", "conversation"), [{"text": "x"}]),
        (("tittle",), "x"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(path, value):
    data: dict = {"scenario": "x", "system": "dev_coach", "users": {"a": {}}}
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not jsonschema.Draft202012Validator(published("dev_coach")).is_valid(data)


def test_rows_of_any_table_are_completed_and_checked():
    validator = jsonschema.Draft202012Validator(published("dev_coach"))

    def errors(rows: dict) -> list[str]:
        return [error.message for error in validator.iter_errors({"scenario": "x", "rows": rows})]

    good = {"email": "a@example.com", "password": "x", "last_login": "-1d"}
    assert (
        errors(
            {
                "users_user": {"a": good},
                "identities_identity": [{"user": "a", "name": "N", "category": "SPIRITUAL"}],
            }
        )
        == []
    )
    assert errors({"User": [good | {"as": "a"}]}) == []
    assert errors({"users_user": {"a": good | {"emial": "x"}}})
    assert errors({"users_user": [{"email": "a@example.com"}]}), "a list's row says all that has no default"
    assert errors({"users_usr": {}})
