"""The four tables as Coach Bot first had them.

It has the identifier, the names and the types of the original's only revision, so a database of that time can
be upgraded from here.

Revision: 5c80e2d2ca9c, after nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5c80e2d2ca9c"
down_revision = None
branch_labels = ("core",)
depends_on = None


def key() -> sa.Column[object]:
    """The key, made by the application."""
    return sa.Column("id", sa.Uuid(), primary_key=True)


def moment(name: str) -> sa.Column[object]:
    """A time with zone that defaults to the transaction's."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def parent(name: str, table: str, of: str) -> list[object]:
    """A column that refers to *table* and goes with it."""
    return [
        sa.Column(name, sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint([name], [f"{table}.id"], name=f"{of}_{name}_fkey", ondelete="CASCADE"),
    ]


def upgrade() -> None:
    op.create_table(
        "users",
        key(),
        sa.Column("username", sa.String(255), nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        moment("created_at"),
        moment("updated_at"),
        sa.UniqueConstraint("email", name="users_email_key"),
    )
    op.create_table(
        "chats", key(), *parent("user_id", "users", "chats"), moment("created_at"), moment("updated_at")
    )
    op.create_table(
        "messages",
        key(),
        *parent("chat_id", "chats", "messages"),
        *parent("sender_id", "users", "messages"),
        sa.Column("content", sa.Text(), nullable=False),
        moment("timestamp"),
    )
    op.create_table(
        "logs",
        key(),
        *parent("user_id", "users", "logs"),
        *parent("chat_id", "chats", "logs"),
        sa.Column("action", sa.String(255), nullable=False),
        sa.Column("details", sa.Text()),
        moment("timestamp"),
    )


def downgrade() -> None:
    for table in ("messages", "logs", "chats", "users"):
        op.drop_table(table)
