"""The application: routes, and the guard before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from scenarios.errors import ScenariosError
from scenarios.web.api import Api
from scenarios.web.endpoints import Handler, answered, api, page, refusal
from scenarios.web.guard import Door, Guard
from scenarios.web.pages import Site
from scenarios.web.problems import Answer
from scenarios.web.rendering import STATIC, Pages
from scenarios.web.service import Service


def create_app(service: Service, door: Door) -> Starlette:
    """Return the application of *service*, entered through *door*.

    The service's databases are given back when it shuts down.
    """
    pages = Pages(door, service.databases.describe())
    site = Site(service, pages, door)
    programs = Api(service)

    def get(path: str, handler: Handler) -> Route:
        return Route(path, page(handler, door, pages), methods=["GET"])

    def post(path: str, handler: Handler) -> Route:
        return Route(path, page(handler, door, pages), methods=["POST"])

    def call(method: str, path: str, handler: Handler) -> Route:
        return Route(path, api(handler, door), methods=[method])

    one = "/api/instances/{name}"
    routes = [
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
        get("/enter", site.enter),
        get("/", site.home),
        get("/scenarios/{name}", site.scenario),
        get("/scenarios/{name}/conversation/{handle}", site.conversation),
        get("/scenarios/{name}/load", site.load_form),
        post("/scenarios/{name}/load", site.load),
        get("/jobs/{id}", site.job),
        get("/instances", site.instances),
        get("/instances/{name}", site.instance),
        get("/instances/{name}/changes", site.changes),
        get("/instances/{name}/freeze", site.freeze_form),
        post("/instances/{name}/freeze", site.freeze),
        get("/instances/{name}/reset", site.ask),
        get("/instances/{name}/unload", site.ask),
        post("/instances/{name}/reset", site.reset),
        post("/instances/{name}/unload", site.unload),
        get("/frozen/{number}", site.frozen),
        post("/frozen/{number}/save", site.save),
        get("/diff", site.diff),
        get("/doctor", site.doctor),
        call("GET", "/api/health", programs.health),
        call("GET", "/api/openapi.json", programs.openapi),
        call("GET", "/api/scenarios", programs.scenarios),
        call("GET", "/api/scenarios/{name}", programs.scenario),
        call("GET", "/api/instances", programs.instances),
        call("POST", "/api/instances", programs.create),
        call("GET", one, programs.instance),
        call("DELETE", one, programs.delete),
        call("POST", f"{one}/reset", programs.reset),
        call("GET", f"{one}/changes", programs.changes),
        call("POST", f"{one}/freeze", programs.freeze),
    ]

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what = "there is no such page" if error.status_code == 404 else str(error.detail)
        answer = Answer(
            error.status_code,
            ScenariosError(what, where=request.url.path[:200], hint="begin at the catalogue: /"),
        )
        response = answered(pages, request, answer)
        response.headers.update(error.headers or {})
        return response

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        Thread(target=site.catalogue.warm, name="read the library", daemon=True).start()
        try:
            yield
        finally:
            service.close()

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, door=door, refuse=refusal(pages))],
        exception_handlers={HTTPException: missing},
        lifespan=lifespan,
    )
