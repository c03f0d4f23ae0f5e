"""The mixins on all four tables, and the audit trail's details as JSONB.

The rows that are there get their times from ``timestamp``; a free text becomes ``{"text": …}``, and a text
that is a JSON object already becomes that object. Going back, every detail becomes a text again from which
the next upgrade makes the same JSON. What the going back cannot keep is a ``created_at`` or ``updated_at`` of
messages and logs that differs from ``timestamp``.

Revision: a41d7c09e3b6, after 5c80e2d2ca9c
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "a41d7c09e3b6"
down_revision = "5c80e2d2ca9c"
branch_labels = None
depends_on = None

TABLES = ("users", "chats", "messages", "logs")
WITHOUT_MIXIN = ("messages", "logs")

# PostgreSQL 15 has no IS JSON, so the conversion tries. pg_temp: gone with the session that migrated.
AS_OBJECT = """
CREATE FUNCTION pg_temp.as_json_object(content text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    result jsonb;
BEGIN
    result := content::jsonb;
    RETURN CASE WHEN jsonb_typeof(result) = 'object' THEN result END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$
"""
TO_JSON = "coalesce(pg_temp.as_json_object(details), jsonb_build_object('text', details))"
TO_TEXT = """
CASE
    WHEN details - 'text' = '{}'::jsonb AND jsonb_typeof(details -> 'text') = 'string'
         AND pg_temp.as_json_object(details ->> 'text') IS NULL
    THEN details ->> 'text'
    ELSE details::text
END
"""
DROP_AS_OBJECT = "DROP FUNCTION pg_temp.as_json_object(text)"

TOUCH = """
CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- An UPDATE that sets the column itself (a fixture, a migration, a restore) keeps its value.
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    for table in WITHOUT_MIXIN:
        for column in ("created_at", "updated_at"):
            op.add_column(
                table,
                sa.Column(column, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=True),
            )
        rows = sa.table(table, *(sa.column(name) for name in ("timestamp", "created_at", "updated_at")))
        op.execute(rows.update().values(created_at=rows.c.timestamp, updated_at=rows.c.timestamp))
        for column in ("created_at", "updated_at"):
            op.alter_column(table, column, nullable=False)
        op.alter_column(table, "timestamp", server_default=sa.text("clock_timestamp()"))

    op.execute(AS_OBJECT)
    op.alter_column(
        "logs",
        "details",
        type_=JSONB(),
        existing_type=sa.Text(),
        postgresql_using=f"CASE WHEN details IS NOT NULL THEN {TO_JSON} END",
    )
    op.execute(DROP_AS_OBJECT)

    op.execute(TOUCH)
    for table in TABLES:
        op.alter_column(table, "id", server_default=sa.text("gen_random_uuid()"))
        op.execute(
            f"CREATE TRIGGER {table}_touch_updated_at BEFORE UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_touch_updated_at ON {table}")
        op.alter_column(table, "id", server_default=None)
    op.execute("DROP FUNCTION touch_updated_at()")

    op.execute(AS_OBJECT)
    op.alter_column("logs", "details", type_=sa.Text(), existing_type=JSONB(), postgresql_using=TO_TEXT)
    op.execute(DROP_AS_OBJECT)

    for table in WITHOUT_MIXIN:
        op.alter_column(table, "timestamp", server_default=sa.text("now()"))
        op.drop_column(table, "updated_at")
        op.drop_column(table, "created_at")
