"""Alembic's environment for EssayCoach."""

from __future__ import annotations

from scenarios.domain import get_domain
from scenarios.schema.migrations import run_environment

run_environment(get_domain("essay_coach"))
