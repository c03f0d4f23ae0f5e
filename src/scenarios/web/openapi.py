"""The OpenAPI document of the HTTP API, made from the models of what is sent and answered.

A test holds every answer against it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from scenarios import __version__

Counts = dict[str, int]


class _Sent(BaseModel):
    """The body of a request; nothing is read into a value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Load(_Sent):
    scenario: str = Field(description="The scenario's name.")
    name: str | None = Field(None, description="The instance's name; by default the scenario's.")
    now: str | None = Field(None, description="What the clock shows: ISO 8601, or now.")
    parameters: dict[str, Any] = Field({}, description="Values of the scenario's parameters.")


class Freeze(_Sent):
    name: str = Field(description="The new scenario's name.")
    title: str = ""
    anonymise: bool = Field(False, description="Replace personal data by pseudonyms.")
    save: bool = Field(False, description="Save it into the library.")
    with_added: bool = Field(False, description="Take rows that may be somebody else's, too.")


class Remove(_Sent):
    with_added: bool = Field(False, description="Remove rows of others that hang on it, too.")
    dry_run: bool = Field(False, description="Only tell what would be removed.")


class InTheWay(BaseModel):
    table: str
    key: dict[str, str]
    foreign_key: str
    columns: list[str]
    refers_to: str
    instance: str | None


class Problem(BaseModel):
    type: str
    title: str
    status: int
    detail: str
    what: str
    where: str = ""
    why: str = ""
    hint: str = ""
    errors: list[dict[str, Any]] = []
    rows: list[InTheWay] = []


class Entry(BaseModel):
    name: str
    system: str
    title: str
    tags: list[str]
    parameters: dict[str, Any]
    file: str
    errors: list[dict[str, Any]]
    description: str = ""
    owner: str = ""
    version: int | None = None


class Scenario(BaseModel):
    scenario: str
    system: str
    version: int
    title: str
    rows: Counts
    state: dict[str, Any]
    parameters: dict[str, Any]


class Instance(BaseModel):
    name: str
    scenario: str
    system: str
    clock: str
    loaded_at: str
    database: str
    version: int = 1
    parameters: dict[str, Any] = {}


class Person(BaseModel):
    handle: str
    name: str
    email: str
    password: str | None
    counts: Counts


class InstanceDetails(Instance):
    id: str | None
    rows: Counts
    people: list[Person]


class Removed(BaseModel):
    instance: str
    removed: Counts
    added_by_others: int
    left: list[str]
    in_the_way: list[InTheWay]


class Reset(Removed):
    rows: int = 0
    people: list[Person] = []


class Values(BaseModel):
    old: Any
    new: Any


class Changed(BaseModel):
    table: str
    op: Literal["inserted", "updated", "deleted"]
    handle: str | None
    key: dict[str, Any]
    columns: dict[str, Values]


class Changes(BaseModel):
    how: Literal["journal", "comparison"]
    total: int
    counts: dict[str, Counts]
    notes: list[str]
    rows: list[Changed]


class Frozen(BaseModel):
    scenario: str
    file: str | None
    rows: Counts
    notes: list[str]
    text: str


class Health(BaseModel):
    status: Literal["ok"]
    version: str


class _Schemas(GenerateJsonSchema):
    """Without titles made from names, and without defaults: what an answer lacks is not there."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


_ONE, _ALL = "/api/instances/{name}", "/api/instances"
_ANSWERS: dict[tuple[str, str], tuple[str, str, type[BaseModel] | None, type[BaseModel] | None, str]] = {
    ("get", "/api/health"): ("health", "Whether the server and its databases answer", Health, None, ""),
    ("get", "/api/openapi.json"): ("openapi", "This document", None, None, ""),
    ("get", "/api/scenarios"): ("listScenarios", "The catalogue", Entry, None, ""),
    ("get", "/api/scenarios/{name}"): ("showScenario", "A scenario's state", Scenario, None, ""),
    ("get", _ALL): ("listInstances", "The loaded instances", Instance, None, ""),
    ("post", _ALL): (
        "createInstance",
        "Load a scenario",
        InstanceDetails,
        Load,
        "One transaction: the whole instance is there, or nothing is.",
    ),
    ("get", _ONE): ("showInstance", "An instance and who can sign in", InstanceDetails, None, ""),
    ("delete", _ONE): ("deleteInstance", "Unload an instance", Removed, Remove, ""),
    ("post", f"{_ONE}/reset"): (
        "resetInstance",
        "Put an instance back into the state in which it was loaded",
        Reset,
        Remove,
        "Same keys, same addresses, same times; what was added is removed. "
        "Where rows of others hang on it, nothing is done and 409 names them.",
    ),
    ("get", f"{_ONE}/changes"): ("showChanges", "What changed since it was loaded", Changes, None, ""),
    ("post", f"{_ONE}/freeze"): ("freezeInstance", "Make a scenario of an instance", Frozen, Freeze, ""),
}
"""For each route its name, what it does, what it answers, what is sent to it, and more about it."""


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _operation(method: str, path: str) -> dict[str, Any]:
    name, summary, answer, sent, described = _ANSWERS[method, path]
    schema = {"type": "object"} if answer is None else _ref(answer)
    if name.startswith("list"):
        schema = {"type": "array", "items": schema}
    problem = {"application/problem+json": {"schema": _ref(Problem)}}
    found: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "201" if name == "createInstance" else "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": schema}},
            },
            "default": {
                "description": "It could not be done; the texts are those of the command line.",
                "content": problem,
            },
        },
    }
    if described:
        found["description"] = described
    if "{name}" in path:
        found["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    if sent is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(sent)}}}
    if name == "health":
        found["security"] = []
    return found


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    models: set[type[BaseModel]] = {Problem}
    for _, _, answer, sent, _ in _ANSWERS.values():
        models |= {model for model in (answer, sent) if model is not None}
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    paths: dict[str, dict[str, Any]] = {}
    for method, path in _ANSWERS:
        paths.setdefault(path, {})[method] = _operation(method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pg-scenarios",
            "version": __version__,
            "description": "Puts a PostgreSQL database into named states, and back into them.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
