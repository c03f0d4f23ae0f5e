"""Schemas as files: rendered DDL, diagrams, migrations, and proof that they all say the same.

The centre is `rendering`: from metadata and the objects metadata cannot express (functions, triggers, views)
to one executable script. `catalogue` compares two databases, `diagrams` draws, `migrations` runs Alembic.
"""

from __future__ import annotations

from scenarios.schema.rendering import SqlObject, attach, render, sql_objects

__all__ = ["SqlObject", "attach", "render", "sql_objects"]
