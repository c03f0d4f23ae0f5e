"""Privacy, as the documents ask for it: forgotten, anonymised, kept for a time, asked for consent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from scenarios.domain import get_domain
from scenarios.errors import LibraryError
from scenarios.library.privacy.forget import anonymise, forget, inactive, known


def test_a_person_is_forgotten_and_told_where_they_are_still_named(coach, built_in):
    instance = built_in["to_be_forgotten"].load(coach)
    beatriz = instance["beatriz"]
    with coach.connect() as conn:
        jons = conn.execute(
            "SELECT count(*) FROM chat_messages_chatmessage WHERE user_id = %s", [instance["jon"].id]
        )
        before = jons.fetchone()
        report = forget(coach, beatriz.email)
        left = conn.execute("SELECT count(*) FROM users_user WHERE id = %s", [beatriz.id]).fetchone()
        messages = conn.execute("SELECT count(*) FROM chat_messages_chatmessage").fetchone()
    assert left == (0,)
    assert messages == before != (0,)
    assert report.rows["users_user"] == 1
    assert any("chatmessage" in place for place in report.mentions)


@pytest.mark.parametrize("action", [forget, anonymise])
def test_only_names_and_addresses_of_a_person_are_looked_for_in_texts_of_others(coach, built_in, action):
    """What else their row holds (true, a number, a language) is in everybody's texts."""
    instance = built_in["to_be_forgotten"].load(coach)
    beatriz, jon = instance["beatriz"], instance["jon"]
    with coach.connect() as conn:
        conn.execute(
            "UPDATE chat_messages_chatmessage SET content = 'true and false and 1' WHERE user_id = %s",
            [jon.id],
        )
        (user,) = conn.execute("SELECT to_jsonb(u) FROM users_user u WHERE id = %s", [beatriz.id]).fetchone()
    assert True in user.values(), "there is something to find by mistake"
    report = action(coach, str(beatriz.id))
    assert "chat_messages_chatmessage.content" not in report.mentions
    instance = built_in["to_be_forgotten"].load(coach, as_name="again")
    with coach.connect() as conn:
        conn.execute(
            "UPDATE chat_messages_chatmessage SET content = 'ask ' || %s WHERE user_id = %s",
            [instance["beatriz"].email.upper(), instance["jon"].id],
        )
        (count,) = conn.execute(
            "SELECT count(*) FROM chat_messages_chatmessage WHERE user_id = %s", [instance["jon"].id]
        ).fetchone()
    report = action(coach, str(instance["beatriz"].id))
    assert report.mentions["chat_messages_chatmessage.content"] == count > 0


def test_the_system_that_is_named_counts_and_not_what_is_found(coach):
    nobody = replace(get_domain("dev_coach"), owner=None)
    for action in (
        lambda: forget(coach, "1", domain=nobody),
        lambda: anonymise(coach, "1", domain=nobody),
        lambda: known(coach, ["1"], domain=nobody),
    ):
        with pytest.raises(LibraryError, match="has no people"):
            action()


def test_a_person_is_made_nobody_in_particular(coach, built_in):
    instance = built_in["to_be_forgotten"].load(coach)
    beatriz = instance["beatriz"]
    report = anonymise(coach, beatriz.email, key="docs")
    with coach.connect() as conn:
        (found,) = conn.execute("SELECT * FROM users_user WHERE id = %s", [beatriz.id]).fetchall()
        (messages,) = conn.execute(
            "SELECT string_agg(content, ' ') FROM chat_messages_chatmessage WHERE user_id = %s", [beatriz.id]
        ).fetchone()
    assert beatriz.email not in map(str, found)
    assert "Salgado" not in map(str, found)
    assert beatriz.email not in messages
    assert report.rows["users_user"] == 1


@pytest.mark.parametrize(
    ("days", "due"), [(365, {"tomas", "greta", "akin"}), (1000, {"greta", "akin"}), (2000, set())]
)
def test_who_is_beyond_a_retention_limit(coach, built_in, days, due):
    instance = built_in["retention_and_consent"].load(coach)
    found = inactive(coach, instance.anchor - timedelta(days=days))
    assert set(found) == {str(instance[name].id) for name in due}


def test_consents_are_part_of_a_state(coach, built_in):
    instance = built_in["retention_and_consent"].load(coach)
    with coach.connect() as conn:
        rows = conn.execute(
            "SELECT user_id FROM users_userprofile WHERE email_notifications AND push_notifications"
        ).fetchall()
    agreed = {row[0] for row in rows}
    assert instance["ines"].id in agreed
    assert instance["greta"].id not in agreed
    assert instance["tomas"].id not in agreed
