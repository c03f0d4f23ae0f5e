"""Indexes on the foreign keys, and one address for one person whatever its case.

Revision: e7b3a2645c18, after d86e91f3b540
"""

from __future__ import annotations

from alembic import op

revision = "e7b3a2645c18"
down_revision = "d86e91f3b540"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_chats_user_id", "chats", ["user_id"]),
    ("ix_messages_chat_id_timestamp_id", "messages", ["chat_id", "timestamp", "id"]),
    ("ix_messages_sender_id", "messages", ["sender_id"]),
    ("ix_logs_chat_id_timestamp_id", "logs", ["chat_id", "timestamp", "id"]),
    ("ix_logs_user_id", "logs", ["user_id"]),
)

# Said before the index is tried, whose own message shows one address of one pair. In SQL, so that the script
# made offline says it too, and without a percent sign, which offline would come out doubled.
REFUSE_DUPLICATES = """
DO $$
DECLARE
    pairs text;
BEGIN
    SELECT string_agg(ids, '; ') INTO pairs FROM (
        SELECT string_agg(id::text, ', ' ORDER BY created_at, id) AS ids
        FROM users GROUP BY lower(email) HAVING count(*) > 1
    ) AS duplicates;
    IF pairs IS NOT NULL THEN
        RAISE EXCEPTION USING
            MESSAGE = 'users share an e-mail address but for its case: ' || pairs,
            HINT = 'Change or delete all but one of each, then upgrade again.',
            ERRCODE = 'unique_violation';
    END IF;
END
$$
"""


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    op.execute(REFUSE_DUPLICATES)
    op.execute("CREATE UNIQUE INDEX users_email_lower_key ON users (lower(email))")


def downgrade() -> None:
    op.drop_index("users_email_lower_key", table_name="users")
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
