"""Alembic's environment for Coach Bot; what it does is in `scenarios.domains.coach_bot.migrations`."""

from __future__ import annotations

from scenarios.domains.coach_bot.migrations import run_environment

run_environment()
