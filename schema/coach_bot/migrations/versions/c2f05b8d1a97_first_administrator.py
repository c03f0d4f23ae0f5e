"""The first administrator, as reference data on a branch of its own.

The branch is labelled ``reference_data`` and needs the tables as of a41d7c09e3b6. The row is made only where
there is no user yet, and taken away again only while it is as it was made and has no chats.

Revision: c2f05b8d1a97, after nothing, needs a41d7c09e3b6
"""

from __future__ import annotations

from alembic import op

revision = "c2f05b8d1a97"
down_revision = None
branch_labels = ("reference_data",)
depends_on = "a41d7c09e3b6"


def upgrade() -> None:
    op.execute(
        "INSERT INTO users (id, username, email)"
        " SELECT '0b4c6c1e-52a5-5d0c-9d6e-3f7f5a1c2e00', 'admin', 'admin@example.com'"
        " WHERE NOT EXISTS (SELECT FROM users)"
    )


def downgrade() -> None:
    op.execute(
        "DELETE FROM users WHERE id = '0b4c6c1e-52a5-5d0c-9d6e-3f7f5a1c2e00'"
        " AND username = 'admin' AND email = 'admin@example.com'"
        " AND NOT EXISTS (SELECT FROM chats WHERE chats.user_id = users.id)"
    )
