"""EssayCoach: essays, the AI's feedback on them, and what a school learns from both.

It is the schema with everything a real PostgreSQL schema has: tenants kept apart by row-level security,
roles, partitions, materialized views, an append-only audit trail, triggers and functions. `models` holds the
tables, `sql/` the rest, `ddl` puts them together; `DOMAIN` is how the framework knows it.
"""

from __future__ import annotations

from scenarios.domain import Domain
from scenarios.domains.essay_coach.ddl import ddl
from scenarios.domains.essay_coach.loading import after_load, before_load
from scenarios.domains.essay_coach.models import Base

DOMAIN = Domain(
    name="essay_coach",
    title="EssayCoach",
    metadata=Base.metadata,
    ddl=ddl,
    owner="users",
    reference=frozenset({"roles", "categories", "feedback_types", "metric_types"}),
    append_only=frozenset({"audit_log"}),
    before_load=before_load,
    after_load=after_load,
    parts={
        "builder": "scenarios.builders.essay_coach",
        "sections": "scenarios.domains.essay_coach.sections",
        "validators": "scenarios.domains.essay_coach.validators",
        "health": "scenarios.domains.essay_coach.health",
        "as_code": "scenarios.domains.essay_coach.as_code",
        "volume": "scenarios.domains.essay_coach.volume.recipe",
    },
)

__all__ = ["DOMAIN"]
