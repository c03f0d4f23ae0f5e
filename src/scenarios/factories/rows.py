"""A row of a table without a mapped class.

A plain dictionary would not know its table, and neither a graph nor a session could be handed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table


class TableRow(dict[str, Any]):
    """The values of one row by column name, and the table they belong to."""

    def __init__(self, table: Table, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.table = table

    def __repr__(self) -> str:
        return f"{self.table.name}({super().__repr__()})"
