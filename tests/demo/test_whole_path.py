"""The whole path on each PostgreSQL: template, clone, load, snapshot, changes, restore."""

from __future__ import annotations

import pytest

from scenarios import Library, get_domain
from scenarios.postgres import Server


@pytest.mark.postgres_matrix
def test_from_nothing_to_a_proven_restore(any_server: Server) -> None:
    with any_server.database(get_domain("dev_coach")) as db:
        instance = Library()["refinement_in_progress"].load(db)
        before, checksum = db.snapshot("before"), db.checksum()
        with db.connect() as other:
            other.execute("DELETE FROM users_user WHERE id = %s", [instance["omar"].id])
            other.execute("UPDATE users_user SET first_name = 'Someone'")
        assert db.checksum() != checksum
        changes = db.changes(before)
        assert changes.counts["public.users_user"] == {"inserted": 0, "updated": 1, "deleted": 1}
        assert changes.counts["public.chat_messages_chatmessage"]["deleted"] == 5
        restored = db.restore(before)
        assert restored.in_place
        assert db.checksum() == checksum
        assert not db.changes(before)
