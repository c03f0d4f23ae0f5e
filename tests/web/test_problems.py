"""Errors as answers: which status, and what a program reads in them."""

from __future__ import annotations

import psycopg
import pytest

from scenarios import errors
from scenarios.library.files.error_list import ErrorDetails, InvalidScenario, Place
from scenarios.library.instances.ownership import InTheWay
from scenarios.web.problems import Answer, as_answer, problem, unforeseen


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.SafetyError, 403),
        (errors.ServerError, 503),
        (errors.DatabaseError, 503),
        (errors.InstanceBusy, 503),
        (errors.SettingsError, 500),
        (errors.TemplateError, 500),
        (errors.LibraryError, 422),
        (errors.FreezeError, 422),
        (errors.GraphError, 422),
        (errors.JournalError, 422),
    ],
)
def test_each_error_has_its_status(kind: type[errors.ScenariosError], status: int) -> None:
    """Who cannot know better tries again at 503, mends the request at 422, and the installation at 500."""
    answer = as_answer(kind("what", where="where", why="why", hint="hint"))
    assert answer is not None
    assert answer.status == status
    said = problem(answer)
    assert said["type"] == f"urn:scenarios:{kind.__name__}"
    assert (said["status"], said["what"], said["where"], said["why"], said["hint"]) == (
        status, "what", "where", "why", "hint",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (psycopg.errors.LockNotAvailable("said"), 503),
        (psycopg.OperationalError("said"), 503),
        (psycopg.errors.UniqueViolation("said"), 422),
    ],
)
def test_what_a_driver_says_is_an_error_of_ours(error: psycopg.Error, status: int) -> None:
    answer = as_answer(error)
    assert answer is not None
    assert answer.status == status
    assert isinstance(answer.error, errors.ScenariosError)
    assert "said" in str(answer.error)


def test_what_is_listed_in_an_error_is_listed_in_the_answer() -> None:
    row = InTheWay("public.rental", {"id": "7"}, "rental_customer", ("customer_id",), "public.customer")
    in_the_way = errors.RowsInTheWay("rows of others hang on it")
    in_the_way.rows = (row,)
    answer = as_answer(in_the_way)
    assert answer is not None
    assert answer.status == 409
    assert problem(answer)["rows"] == [row.as_dict()]

    wrong = ErrorDetails(Place("some.yaml", 3, 5), "users.maya", "is unknown")
    answer = as_answer(InvalidScenario("some", [wrong]))
    assert answer is not None
    assert answer.status == 422
    assert problem(answer)["errors"] == [wrong.as_dict()]


def test_an_answer_stays_and_what_nobody_foresaw_is_none() -> None:
    answer = Answer(404, errors.LibraryError("there is none"))
    assert as_answer(answer) is answer
    assert as_answer(KeyError("x")) is None


def test_what_nobody_foresaw_keeps_its_details_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    said = problem(unforeseen(KeyError("postgresql://u:secret@h/d")))
    assert said["status"] == 500
    assert said["why"] == "KeyError"
    assert "secret" not in str(said)
    assert "unforeseen error" in caplog.text
    assert "errors" not in said
    assert "rows" not in said
