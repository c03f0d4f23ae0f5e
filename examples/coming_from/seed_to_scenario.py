"""Turn a sqlalchemyseed file (JSON or YAML) into a scenario file.

    python seed_to_scenario.py seeds.json my_state > scenarios/my_state.yaml

Understood: a mapping or a list of mappings with ``model``, ``data`` or ``filter``; nested entities under keys
with the reference prefix (``!``), one or several. A handle is made for each row from its table and a number.
A filter names a row by its values; the row must be in the same file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

PREFIX = "!"


class Converter:
    """Collects rows by model, each with a handle."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}

    def entity(self, entity: dict[str, Any], extra: dict[str, str] | None = None) -> list[str]:
        """Add what *entity* describes and return the handles of its rows."""
        model = entity["model"].rpartition(".")[2]
        if "filter" in entity:
            return [self._find(model, wanted) for wanted in _listed(entity["filter"])]
        return [self._row(model, data, extra or {}) for data in _listed(entity["data"])]

    def _row(self, model: str, data: dict[str, Any], extra: dict[str, str]) -> str:
        rows = self.rows.setdefault(model, {})
        handle = f"{model.lower()}_{len(rows) + 1}"
        row = rows[handle] = {
            **{key: value for key, value in data.items() if not key.startswith(PREFIX)},
            **extra,
        }
        for key, nested in data.items():
            if not key.startswith(PREFIX):
                continue
            name = key.removeprefix(PREFIX)
            if isinstance(nested, list) or isinstance(nested.get("data"), list):
                for child in _listed(nested):  # one to many: the children refer to this row
                    self.entity(child, {child.get("back", model.lower()): handle})
            else:
                (row[name],) = self.entity(nested)  # many to one
        return handle

    def _find(self, model: str, wanted: dict[str, Any]) -> str:
        for handle, row in self.rows.get(model, {}).items():
            if all(row.get(key) == value for key, value in wanted.items()):
                return handle
        raise SystemExit(f"no {model} with {wanted} stands before the filter that asks for it")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def convert(seed: Any, name: str) -> str:
    """Return the text of the scenario *name* with the rows of *seed*."""
    converter = Converter()
    for entity in _listed(seed):
        converter.entity(entity)
    return yaml.safe_dump({"scenario": name, "rows": converter.rows}, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    text = source.read_text("utf-8")
    sys.stdout.write(
        convert(json.loads(text) if source.suffix == ".json" else yaml.safe_load(text), sys.argv[2])
    )
