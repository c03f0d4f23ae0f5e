"""From a function to a route: reading what was sent within bounds, working in a thread, answering errors.

Handlers are plain functions that may wait for the database; each runs in a thread, gets what was sent
already read and checked, and may raise any error made for people.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scenarios.errors import ScenariosError
from scenarios.web.guard import Door
from scenarios.web.problems import Answer, as_answer, problem, unforeseen
from scenarios.web.rendering import Pages

Handler = Callable[[Request, Mapping[str, Any]], Response]
Route = Callable[[Request], Awaitable[Response]]
_FIELDS = 100


def problem_response(answer: Answer) -> Response:
    """Return *answer* as problem details."""
    return JSONResponse(problem(answer), answer.status, media_type="application/problem+json")


def refusal(pages: Pages) -> Callable[[Request, int, str, str, str], Response]:
    """Return what makes the answers of the guard."""

    def refuse(request: Request, status: int, what: str, why: str, hint: str) -> Response:
        return answered(pages, request, Answer(status, ScenariosError(what, why=why, hint=hint)))

    return refuse


def answered(pages: Pages, request: Request, answer: Answer) -> Response:
    """Return *answer* as a page for people, as problem details for programs."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", "text/html"):
        response = problem_response(answer)
    else:
        response = pages.render(
            request, "error.html", status=answer.status, error=answer.error, code=answer.status
        )
    if answer.status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="scenarios"'
    return response


def page(handler: Handler, door: Door, pages: Pages) -> Route:
    """Return the route of a page; what a form sends is read, and its CSRF text checked."""

    async def route(request: Request) -> Response:
        sent: Mapping[str, Any] = request.query_params
        try:
            if request.method == "POST":
                form = await request.form(max_files=0, max_fields=_FIELDS)
                sent = {key: value for key, value in form.items() if isinstance(value, str)}
                session = request.state.session
                if session is None or not door.is_csrf(session, sent.get("csrf", "")):
                    raise Answer(
                        403,
                        ScenariosError(
                            "this form is not ours, or too old", hint="reload the page and press again"
                        ),
                    )
            return await run_in_threadpool(handler, request, sent)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            _pass_on(error)
            return answered(pages, request, as_answer(error) or unforeseen(error))

    return route


def api(handler: Handler, door: Door) -> Route:
    """Return the route of the HTTP API; the body is a JSON object."""

    async def route(request: Request) -> Response:
        try:
            sent: Mapping[str, Any] = request.query_params
            if request.method not in ("GET", "HEAD"):
                session = request.state.session
                if not request.state.bearer and not (
                    session and door.is_csrf(session, request.headers.get("x-csrf-token", ""))
                ):
                    raise Answer(
                        403,
                        ScenariosError(
                            "this request carries neither the API token nor the page's CSRF text",
                            hint="send Authorization: Bearer TOKEN; scenarios serve prints it",
                        ),
                    )
                sent = _object(await request.body())
            return await run_in_threadpool(handler, request, sent)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            _pass_on(error)
            return problem_response(as_answer(error) or unforeseen(error))

    return route


def _pass_on(error: Exception) -> None:
    """Raise what the guard or Starlette has to see: a body that is too large, a form that is malformed."""
    from starlette.exceptions import HTTPException

    from scenarios.web.guard import TooLarge

    if isinstance(error, HTTPException | TooLarge):
        raise error


def _object(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Answer(400, ScenariosError("the body is not JSON", why=str(error)[:200])) from error
    if not isinstance(found, dict):
        raise Answer(400, ScenariosError("the body is not a JSON object", hint='send {"scenario": "NAME"}'))
    return found
