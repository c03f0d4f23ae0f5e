"""Who is asking, which status may follow which, months as partitions, and the audit trail."""

from __future__ import annotations

from scenarios.schema.migrations import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL next to this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
