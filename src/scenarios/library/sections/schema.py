"""The JSON Schema of scenario files, so that editors complete and check while one types.

It follows from the sections and the metadata that the reader itself uses; written by hand it would lag behind
the first new column.
"""

from __future__ import annotations

import re
from typing import Any

from scenarios.library.files.head import HANDLE
from scenarios.library.planning.columns import specs
from scenarios.library.planning.sections import EXTRA, Form, Section, Sections, any_rows, visible

_END = r"\Z"
"""Python's end of a text, which JSON Schema writes as a dollar."""
_HANDLE = {"type": "string", "description": "a handle: a row of this person, or person.row"}
_EXPRESSION = {"type": "string", "pattern": r"^\$\{[A-Za-z][\w.]*\}$"}
_WHEN = {"type": ["string", "boolean"], "description": "a parameter, or a comparison: identities >= 5"}


def schema_of(sections: Sections) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the scenario files of a system."""
    definitions: dict[str, Any] = {}
    properties = _head(sections)
    for section in sections.sections:
        properties[section.key] = _section(section, sections, definitions, section.key)
    properties[EXTRA] = {
        "type": "object",
        "description": "Rows of any table, by table and handle.",
        "properties": _any_table(sections, definitions),
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A test scenario of {sections.domain.title}",
        "type": "object",
        "required": ["scenario"],
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _any_table(sections: Sections, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what may stand under `rows`: of each table, by its names, rows by handle or in a list."""
    found: dict[str, Any] = {}
    known: dict[str, str] = {}
    for name, table in sorted(sections.tables().items()):
        if table not in known:
            known[table] = f"table_{len(known) + 1}_{re.sub(r'[^A-Za-z0-9]+', '_', table)}"
            definitions[known[table]] = {"anyOf": [_rows_of(table, form, sections) for form in _FORMS]}
        found[name] = {"$ref": f"#/$defs/{known[table]}"}
    return found


_FORMS: tuple[Form, ...] = ("named", "list")


def _rows_of(table: str, form: Form, sections: Sections) -> dict[str, Any]:
    row = _row(any_rows(table, table, form), sections, {}, table)
    if form == "list":
        return {"type": "array", "items": row}
    pattern = f"^{HANDLE.pattern.replace(_END, '$')}"
    return {"type": "object", "patternProperties": {pattern: row}, "additionalProperties": False}


def _head(sections: Sections) -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string"}}
    scalar = {"type": ["string", "number", "boolean", "null"]}
    return {
        "scenario": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]{0,79}$",
            "description": "Its name; the file is called so, too.",
        },
        "system": {
            "const": sections.domain.name,
            "description": "The system; by default what the directory is called.",
        },
        "version": {"type": "integer", "minimum": 1, "description": "Counts up when the state changes."},
        "title": {"type": "string", "description": "One line for lists."},
        "description": {"type": "string", "description": "What is special about the state, and what for."},
        "tags": {**texts, "description": "Words by which it is found."},
        "owner": {"type": "string", "description": "The team that looks after it."},
        "clock": {
            "description": "What offsets count from; --now takes its place.",
            "anyOf": [
                {"type": "string", "description": "now, or a moment in ISO 8601"},
                {
                    "type": "object",
                    "properties": {
                        "anchor": {"type": "string", "description": "A moment in ISO 8601."},
                        "weekday": {"type": "string", "description": "The last such day before the anchor."},
                        "time": {"type": "string", "description": "The time of that day, 16:00."},
                    },
                    "additionalProperties": False,
                },
            ],
        },
        "seed": {
            "type": ["string", "integer"],
            "description": "Of generated values; by default the setting.",
        },
        "parameters": {
            "type": "object",
            "description": "What can be chosen at loading: each with a default, and type, min, max, choices.",
            "additionalProperties": {
                "anyOf": [
                    scalar,
                    {
                        "type": "object",
                        "required": ["default"],
                        "properties": {
                            "type": {"enum": ["integer", "number", "text", "boolean"]},
                            "default": scalar,
                            "min": {"type": "number"},
                            "max": {"type": "number"},
                            "choices": {"type": "array"},
                            "description": {"type": "string"},
                        },
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "extends": {"type": "string", "description": "The scenario this one continues."},
        "include": {
            "type": "array",
            "description": "Scenarios whose rows join this one's.",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "required": ["scenario"],
                        "properties": {
                            "scenario": {"type": "string"},
                            "only": texts,
                            "rename": {"type": "object", "additionalProperties": {"type": "string"}},
                            "parameters": {"type": "object"},
                        },
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "remove": {**texts, "description": "Rows of the scenario it is made of to leave out: users.omar"},
        "breaks": {**texts, "description": "Rules of the system it breaks on purpose."},
    }


def _section(section: Section, sections: Sections, definitions: dict[str, Any], path: str) -> dict[str, Any]:
    name = path.replace(".", "_")
    definitions[name] = _row(section, sections, definitions, path)
    row: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
    found: dict[str, Any]
    short = [] if section.short is None else [{"type": ["string", "number", "boolean"]}]
    if section.form == "named":
        handle = HANDLE.pattern.replace(_END, "$")
        pattern = f"^(?!generate$){handle}" if section.generate is not None else f"^{handle}"
        found = {
            "type": ["object", "null"],
            "patternProperties": {pattern: {"anyOf": [row, {"type": "null"}, *short]}},
            "additionalProperties": False,
        }
        if section.generate is not None:
            found["properties"] = {"generate": _generate(section)}
    elif section.form == "one":
        empty = [{"type": "null"}] if section.always else []
        found = {"anyOf": [row, *empty, *short]}
    else:
        choices = [row, *short]
        if section.form == "turns":
            choices.append(_only("pause", {"type": "string", "description": "a length of time: 2d"}))
        if section.generate is not None:
            choices.append(_only("generate", _generate(section)))
        found = {"type": "array", "items": choices[0] if len(choices) == 1 else {"anyOf": choices}}
    return {**found, "description": section.title}


def _only(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [key], "properties": {key: value}, "additionalProperties": False}


def _generate(section: Section) -> dict[str, Any]:
    options = {
        key: {name: value for name, value in option.items() if name not in ("required", "example")}
        for key, option in section.options.items()
    }
    return {
        "type": "object",
        "description": "Rows made from the text corpora; the same each time.",
        "required": [key for key, option in section.options.items() if option.get("required")],
        "properties": {
            **{key: {"anyOf": [option, _EXPRESSION]} for key, option in options.items()},
            "when": _WHEN,
        },
        "additionalProperties": False,
    }


def _row(section: Section, sections: Sections, definitions: dict[str, Any], path: str) -> dict[str, Any]:
    table = sections.domain.metadata.tables[section.table]
    properties: dict[str, Any] = {"when": _WHEN}
    if section.form in ("list", "turns"):
        properties["as"] = {"type": "string", "description": "the row's handle"}
    required = []
    for label, spec in visible(section, table, sections, keys=section.keys).items():
        parser = spec.parser.schema() if spec.target is None else {**_HANDLE, "type": ["string", "object"]}
        choices = [parser, _EXPRESSION] if parser else []
        if spec.column.nullable and choices:
            choices.append({"type": "null"})
        properties[label] = {"anyOf": choices} if choices else {}
        if isinstance(spec.column.type.python_type, type) and spec.column.type.python_type is list:
            properties[f"{label}+"] = properties[label]
        if spec.required and spec.name not in section.defaults:
            required.append(label)
    if section.form == "turns":
        text = specs(table)[section.text].parser.schema()
        for speaker in section.speakers:
            properties[speaker] = text
    for inner in section.inner:
        properties[inner.key] = _section(inner, sections, definitions, f"{path}.{inner.key}")
        if inner.form in ("list", "turns"):
            properties[f"{inner.key}+"] = properties[inner.key]
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    # A continued scenario may say of a row only what is different, so nothing is required here but what a
    # single file could never leave out.
    if required and section.form in ("list", "turns"):
        found["required"] = required
    if section.form == "turns":
        found["anyOf"] = [{"required": [speaker]} for speaker in section.speakers]
    return found
