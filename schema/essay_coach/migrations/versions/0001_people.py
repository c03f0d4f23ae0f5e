"""Institutions, roles, users, profiles and refresh tokens, and the roles of the cluster."""

from __future__ import annotations

from scenarios.schema.migrations import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL next to this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
