"""The OpenAPI document of the HTTP API; a test holds every answer against it."""

from __future__ import annotations

from typing import Any

from scenarios import __version__

_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    name: str,
    summary: str,
    schema: dict[str, Any],
    *,
    status: str = "200",
    body: dict[str, Any] | None = None,
    named: bool = True,
    described: str = "",
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            status: {"description": "Done.", "content": _json(schema)},
            "default": {
                "description": "It could not be done; the texts are those of the command line.",
                "content": {"application/problem+json": {"schema": _ref("Problem")}},
            },
        },
    }
    if described:
        found["description"] = described
    if named:
        found["parameters"] = [_NAME]
    if body is not None:
        found["requestBody"] = {"required": True, "content": _json(body)}
    return found


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_STRING: dict[str, Any] = {"type": "string"}
_MAYBE: dict[str, Any] = {"type": ["string", "null"]}
_ANY: dict[str, Any] = {"type": "object"}
_STRINGS: dict[str, Any] = {"type": "array", "items": _STRING}

_SCHEMAS: dict[str, Any] = {
    "Problem": _object(
        "type title status detail what",
        type=_STRING,
        title=_STRING,
        status={"type": "integer"},
        detail=_STRING,
        what=_STRING,
        where=_STRING,
        why=_STRING,
        hint=_STRING,
        errors={"type": "array", "items": _ANY},
        rows={"type": "array", "items": _ref("InTheWay")},
    ),
    "InTheWay": _object(
        "table key foreign_key columns refers_to instance",
        table=_STRING,
        key={"type": "object", "additionalProperties": _STRING},
        foreign_key=_STRING,
        columns=_STRINGS,
        refers_to=_STRING,
        instance=_MAYBE,
    ),
    "Entry": _object(
        "name system title tags parameters file errors",
        name=_STRING,
        system=_STRING,
        title=_STRING,
        description=_STRING,
        tags=_STRINGS,
        owner=_STRING,
        version={"type": ["integer", "null"]},
        parameters=_ANY,
        file=_STRING,
        errors={"type": "array", "items": _ANY},
    ),
    "Scenario": _object(
        "scenario system version title rows state parameters",
        scenario=_STRING,
        system=_STRING,
        version={"type": "integer"},
        title=_STRING,
        rows=_COUNTS,
        parameters=_ANY,
        state=_ANY,
    ),
    "Instance": _object(
        "name scenario system clock loaded_at database",
        name=_STRING,
        scenario=_STRING,
        system=_STRING,
        version={"type": "integer"},
        parameters=_ANY,
        clock=_STRING,
        loaded_at=_STRING,
        database=_STRING,
    ),
    "InstanceDetails": {
        "allOf": [
            _ref("Instance"),
            _object(
                "id rows people", id=_MAYBE, rows=_COUNTS, people={"type": "array", "items": _ref("Person")}
            ),
        ]
    },
    "Person": _object(
        "handle name email password counts",
        handle=_STRING,
        name=_STRING,
        email=_STRING,
        password=_MAYBE,
        counts=_COUNTS,
    ),
    "Removed": _object(
        "instance removed added_by_others left in_the_way",
        instance=_STRING,
        removed=_COUNTS,
        added_by_others={"type": "integer"},
        left=_STRINGS,
        in_the_way={"type": "array", "items": _ref("InTheWay")},
    ),
    "Reset": {
        "allOf": [
            _ref("Removed"),
            _object("", rows={"type": "integer"}, people={"type": "array", "items": _ref("Person")}),
        ]
    },
    "Changes": _object(
        "how total counts notes rows",
        how={"enum": ["journal", "comparison"]},
        total={"type": "integer"},
        counts={"type": "object", "additionalProperties": _COUNTS},
        notes=_STRINGS,
        rows={
            "type": "array",
            "items": _object(
                "table op handle key columns",
                table=_STRING,
                op={"enum": ["inserted", "updated", "deleted"]},
                handle=_MAYBE,
                key=_ANY,
                columns={"type": "object", "additionalProperties": _object("old new", old={}, new={})},
            ),
        },
    ),
    "Frozen": _object(
        "scenario file rows notes text",
        scenario=_STRING,
        file=_MAYBE,
        rows=_COUNTS,
        notes=_STRINGS,
        text=_STRING,
    ),
    "Health": _object("status version", status={"const": "ok"}, version=_STRING),
}


def document() -> dict[str, Any]:
    """Return the document."""
    load = _object(
        "scenario",
        scenario={**_STRING, "description": "The scenario's name."},
        name={**_STRING, "description": "The instance's name; by default the scenario's."},
        now={**_STRING, "description": "What the clock shows: ISO 8601, or now."},
        parameters={**_ANY, "description": "Values of the scenario's parameters."},
    )
    frozen = _object(
        "name",
        name={**_STRING, "description": "The new scenario's name."},
        title=_STRING,
        anonymise={"type": "boolean", "description": "Replace personal data by pseudonyms."},
        save={"type": "boolean", "description": "Save it into the library."},
        with_added={"type": "boolean", "description": "Take rows that may be somebody else's, too."},
    )
    removing = _object(
        "",
        with_added={"type": "boolean", "description": "Remove rows of others that hang on it, too."},
        dry_run={"type": "boolean", "description": "Only tell what would be removed."},
    )
    health = _operation("health", "Whether the server and its databases answer", _ref("Health"), named=False)
    health["security"] = []
    items = {"type": "array", "items": _ref("Instance")}
    one = "/api/instances/{name}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pg-scenarios",
            "version": __version__,
            "description": "Puts a PostgreSQL database into named states, and back into them.",
        },
        "security": [{"token": []}],
        "paths": {
            "/api/health": {"get": health},
            "/api/openapi.json": {"get": _operation("openapi", "This document", _ANY, named=False)},
            "/api/scenarios": {
                "get": _operation(
                    "listScenarios", "The catalogue", {"type": "array", "items": _ref("Entry")}, named=False
                )
            },
            "/api/scenarios/{name}": {
                "get": _operation("showScenario", "A scenario's state", _ref("Scenario"))
            },
            "/api/instances": {
                "get": _operation("listInstances", "The loaded instances", items, named=False),
                "post": _operation(
                    "createInstance",
                    "Load a scenario",
                    _ref("InstanceDetails"),
                    status="201",
                    body=load,
                    named=False,
                    described="One transaction: the whole instance is there, or nothing is.",
                ),
            },
            one: {
                "get": _operation("showInstance", "An instance and who can sign in", _ref("InstanceDetails")),
                "delete": _operation("deleteInstance", "Unload an instance", _ref("Removed"), body=removing),
            },
            f"{one}/reset": {
                "post": _operation(
                    "resetInstance",
                    "Put an instance back into the state in which it was loaded",
                    _ref("Reset"),
                    body=removing,
                    described="Same keys, same addresses, same times; what was added is removed. "
                    "Where rows of others hang on it, nothing is done and 409 names them.",
                )
            },
            f"{one}/changes": {
                "get": _operation("showChanges", "What changed since it was loaded", _ref("Changes"))
            },
            f"{one}/freeze": {
                "post": _operation(
                    "freezeInstance", "Make a scenario of an instance", _ref("Frozen"), body=frozen
                )
            },
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
