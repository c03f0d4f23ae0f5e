"""The HTTP API: what a browser test needs that is not written in Python."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scenarios import __version__
from scenarios.errors import LibraryError, ScenariosError
from scenarios.json_text import json_text
from scenarios.library.instances.instance import Instance
from scenarios.web.openapi import Freeze, Load, Remove, document
from scenarios.web.problems import Answer
from scenarios.web.service import Loaded, Service

Sent = Mapping[str, Any]
_LOAD_SECONDS = 600
M = TypeVar("M", bound=BaseModel)


class Json(JSONResponse):
    """JSON with the values databases have: moments and keys as texts."""

    def render(self, content: Any) -> bytes:
        return json_text(content).encode()


class Api:
    """The handlers of the HTTP API."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def health(self, request: Request, sent: Sent) -> Response:
        """Whether the page and its databases answer; open to all, and says no more than that."""
        for db in self.service.databases.all():
            with db.connect() as conn:
                conn.execute("SELECT 1")
        return Json({"status": "ok", "version": __version__})

    def openapi(self, request: Request, sent: Sent) -> Response:
        """The OpenAPI document."""
        return Json(document())

    def scenarios(self, request: Request, sent: Sent) -> Response:
        """The catalogue, as ``scenarios list --json`` prints it."""
        return Json([entry.as_dict() for entry in self.service.entries()])

    def scenario(self, request: Request, sent: Sent) -> Response:
        """One scenario, as ``scenarios show --json`` prints it."""
        from scenarios.library.catalogue.view import as_data

        definition = self.service.definition(request.path_params["name"])
        return Json(as_data(definition, self.service.plan(definition)))

    def instances(self, request: Request, sent: Sent) -> Response:
        """The instances, as ``scenarios instances --json`` prints them."""
        return Json([each.as_dict() for each in self.service.loaded()])

    def create(self, request: Request, sent: Sent) -> Response:
        """Load a scenario and wait for it."""
        asked = _read(Load, sent)
        job = self.service.start_load(
            asked.scenario, name=asked.name, now=_moment(asked.now), parameters=asked.parameters
        )
        if not job.done.wait(_LOAD_SECONDS):
            raise Answer(
                504, LibraryError(f"{asked.scenario} is still being loaded", hint="look again later")
            )
        if job.error is not None:
            raise job.error
        assert job.result is not None
        found = self.service.find(job.result)
        response = Json(_described(found, self.service.instance(found)), 201)
        response.headers["location"] = f"/api/instances/{quote(job.result, safe='')}"
        return response

    def instance(self, request: Request, sent: Sent) -> Response:
        """One instance with its sign-in sheet."""
        found = self.service.find(request.path_params["name"])
        return Json(_described(found, self.service.instance(found)))

    def reset(self, request: Request, sent: Sent) -> Response:
        """Put an instance back, as ``scenarios reset --json`` reports it."""
        asked = _read(Remove, sent)
        name = request.path_params["name"]
        report, instance = self.service.reset(name, with_added=asked.with_added, dry_run=asked.dry_run)
        if asked.dry_run:
            return Json(report.as_dict())
        sheet = instance.sign_in_sheet().as_dict()
        return Json({**report.as_dict(), "rows": sum(instance.counts.values()), **sheet})

    def delete(self, request: Request, sent: Sent) -> Response:
        """Unload an instance, as ``scenarios unload --json`` reports it."""
        asked = _read(Remove, sent)
        name = request.path_params["name"]
        report = self.service.unload(name, with_added=asked.with_added, dry_run=asked.dry_run)
        return Json(report.as_dict())

    def changes(self, request: Request, sent: Sent) -> Response:
        """What changed in an instance since it was loaded."""
        return Json(self.service.changes(request.path_params["name"]).as_dict())

    def freeze(self, request: Request, sent: Sent) -> Response:
        """Freeze an instance; with ``save`` into the library."""
        asked = _read(Freeze, sent)
        _, frozen = self.service.freeze(
            request.path_params["name"],
            as_name=asked.name,
            anonymise=asked.anonymise,
            with_added=asked.with_added,
            title=asked.title,
        )
        path = self.service.save(frozen) if asked.save else None
        return Json(
            {
                "scenario": frozen.definition.name,
                "file": str(path) if path else None,
                "rows": dict(frozen.rows),
                "notes": list(frozen.notes),
                "text": frozen.text,
            }
        )


def _described(found: Loaded, instance: Instance) -> dict[str, Any]:
    sheet = instance.sign_in_sheet().as_dict()
    return {**found.as_dict(), "id": instance.id, "rows": instance.counts, "people": sheet["people"]}


def _read(model: type[M], sent: Sent) -> M:
    """Return what was sent as *model*.

    Raises:
        Answer: it is not what the model says.
    """
    try:
        return model.model_validate(dict(sent))
    except ValidationError as error:
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        key = first["loc"][0]
        if first["type"] == "extra_forbidden":
            hint = f"it may have {', '.join(model.model_fields)}"
            raise Answer(422, ScenariosError(f"the request has no {key!r}", hint=hint)) from None
        if first["type"] == "missing":
            raise Answer(422, ScenariosError(f"the request lacks {key!r}")) from None
        wanted = {"bool_type": "true or false", "dict_type": "an object"}.get(first["type"], "a text")
        raise Answer(422, ScenariosError(f"{key!r} has to be {wanted}")) from None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if text == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Answer(422, ScenariosError(f"{text[:60]!r} is not a moment", why=str(error))) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
