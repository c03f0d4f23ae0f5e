"""The tables and the reference data come together: one head again.

Revision: d86e91f3b540, after a41d7c09e3b6 and c2f05b8d1a97
"""

from __future__ import annotations

revision = "d86e91f3b540"
down_revision = ("a41d7c09e3b6", "c2f05b8d1a97")
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing to do: a merge joins two lines of history."""


def downgrade() -> None:
    """Nothing to undo."""
