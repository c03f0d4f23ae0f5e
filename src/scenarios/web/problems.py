"""Errors as answers: the status that fits, and the texts the commands print.

A tester who reads "500" learns nothing. Every error made for people says what, where, why and what to do;
it says the same here, in HTML for people and as problem details (RFC 9457) for programs.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import psycopg

from scenarios import errors
from scenarios.database_errors import as_error
from scenarios.library.files.error_list import InvalidScenario

log = logging.getLogger("scenarios.web")


class Answer(Exception):
    """An error with the status it is answered with."""

    def __init__(self, status: int, error: errors.ScenariosError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


_STATUS: tuple[tuple[type[errors.ScenariosError], int], ...] = (
    (errors.SafetyError, 403),
    (errors.ServerError, 503),
    (errors.DatabaseError, 503),
    (errors.SettingsError, 500),
    (errors.TemplateError, 500),
    (errors.InstanceBusy, 503),
    (errors.RowsInTheWay, 409),
    (errors.LibraryError, 422),
    (errors.GraphError, 422),
    (errors.ScenariosError, 422),
)


def as_answer(error: BaseException) -> Answer | None:
    """Return *error* as an answer, None for one that nobody foresaw."""
    if isinstance(error, Answer):
        return error
    if isinstance(error, errors.ScenariosError):
        return Answer(next(status for kind, status in _STATUS if isinstance(error, kind)), error)
    told = as_error(error)
    if told is None:
        return None
    busy = isinstance(error, psycopg.errors.LockNotAvailable) or isinstance(told, errors.ServerError)
    return Answer(503 if busy else 422, told)


def unforeseen(error: BaseException) -> Answer:
    """Return the answer to an error nobody foresaw; its details go to the log, not to the page."""
    log.error("unforeseen error", exc_info=error)
    return Answer(
        500,
        errors.ScenariosError(
            "something went wrong that nobody foresaw",
            why=type(error).__name__,
            hint="the terminal where scenarios serve runs shows the details",
        ),
    )


def problem(answer: Answer) -> dict[str, Any]:
    """Return *answer* as problem details."""
    error = answer.error
    found: dict[str, Any] = {
        "type": f"urn:scenarios:{type(error).__name__}",
        "title": HTTPStatus(answer.status).phrase,
        "status": answer.status,
        "detail": str(error),
        "what": error.what,
    }
    for key in ("where", "why", "hint"):
        value = getattr(error, key, None)
        if value:
            found[key] = value
    if isinstance(error, InvalidScenario):
        found["errors"] = [error.as_dict() for error in error.errors]
    if isinstance(error, errors.RowsInTheWay):
        found["rows"] = [row.as_dict() for row in error.rows]
    return found
