"""What a freeze must not lose, and what it must not keep."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text

from budgets import examples
from scenarios.domain import Domain, get_domain
from scenarios.errors import FreezeError
from scenarios.library import Library
from scenarios.library.files.emit import to_yaml
from scenarios.library.files.error_list import ErrorList
from scenarios.library.files.times import format_offset, parse_time
from scenarios.library.files.tree import read_tree, to_plain
from scenarios.library.freezing.freeze import freeze
from scenarios.library.privacy.pseudonyms import Pseudonyms


@pytest.fixture
def played(own_db, library):
    """An instance after somebody played with it in every way a tester does."""
    instance = library["refinement_in_progress"].load(own_db)
    maya = instance["maya"].id
    with own_db.connect() as conn:
        conn.execute("UPDATE users_user SET is_staff = true, username = 'maya-now' WHERE id = %s", [maya])
        conn.execute(
            "UPDATE coach_states_coachstate SET proposed_identity_id = %s, metadata = %s WHERE user_id = %s",
            [instance["maya.sister"].id, json.dumps({"about": str(instance["maya.two_calls"].id)}), maya],
        )
        conn.execute(
            "UPDATE identities_identity SET created_at = created_at - interval '1 day'"
            " WHERE name = 'Night Baker'"
        )
        conn.execute(
            "INSERT INTO chat_messages_chatmessage (id, user_id, role, content, timestamp, metadata) VALUES"
            " ('11111111-1111-4111-8111-111111111111', %s, 'USER', 'typed in the browser',"
            " '2026-03-04T17:00:00.123456+00', '{}')",
            [maya],
        )
        conn.execute(
            "INSERT INTO user_notes_usernote (user_id, note, source_message_id, created_at) VALUES"
            " (%s, 'From the browser.', '11111111-1111-4111-8111-111111111111', '2026-03-04T17:00:01+00')",
            [maya],
        )
    return instance


def loaded_again(own_db, frozen):
    return frozen.definition.load(own_db, as_name="again")


def test_the_current_and_the_proposed_identity_stay(own_db, played):
    again = loaded_again(own_db, freeze(own_db, name="x", instance=played.name))
    assert again["maya.state"].current_identity_id == again["maya.lantern"].id
    assert again["maya.state"].proposed_identity_id == again["maya.sister"].id


def test_the_sources_of_notes_stay(own_db, played):
    again = loaded_again(own_db, freeze(own_db, name="x", instance=played.name))
    assert again["maya.two_calls_note"].source_message_id == again["maya.two_calls"].id
    with own_db.connect() as conn:
        row = conn.execute(
            "SELECT m.content FROM user_notes_usernote n"
            " JOIN chat_messages_chatmessage m ON m.id = n.source_message_id"
            " WHERE n.note = 'From the browser.' AND n.test_scenario_id = %s",
            [again.id],
        ).fetchone()
    assert row == ("typed in the browser",)


def test_all_times_stay_to_the_microsecond_and_in_order(own_db, played):
    again = loaded_again(own_db, freeze(own_db, name="x", instance=played.name))
    query = (
        b"SELECT content, timestamp FROM chat_messages_chatmessage"
        b" WHERE test_scenario_id = %s ORDER BY timestamp, content"
    )
    created = (
        b"SELECT name, created_at, updated_at FROM identities_identity"
        b" WHERE test_scenario_id = %s ORDER BY created_at"
    )
    with own_db.connect() as conn:
        for each in (query, created):
            assert conn.execute(each, [again.id]).fetchall() == conn.execute(each, [played.id]).fetchall()
    assert again.plan.of("chat_messages_chatmessage")


def test_ids_inside_json_follow_their_rows(own_db, played):
    frozen = freeze(own_db, name="x", instance=played.name)
    assert "${maya.two_calls.id}" in frozen.text
    again = loaded_again(own_db, frozen)
    assert again["maya.state"].metadata_ == {"about": str(again["maya.two_calls"].id)}
    with own_db.connect() as conn:
        rows = conn.execute(
            "SELECT parameters::text FROM actions_action WHERE test_scenario_id = %s", [again.id]
        ).fetchall()
    old = {str(key[0]) for _, key in frozen.handles.values()}
    assert rows
    assert not old & set(re.findall(r"[0-9a-f-]{36}", " ".join(text for (text,) in rows)))


def test_every_action_keeps_its_message_also_where_texts_are_the_same(own_db, library):
    instance = library["same_words"].load(own_db)
    again = loaded_again(own_db, freeze(own_db, name="x", instance=instance.name))
    query = (
        b"SELECT m.timestamp, a.action_type FROM actions_action a JOIN chat_messages_chatmessage m"
        b" ON m.id = a.coach_message_id WHERE a.test_scenario_id = %s ORDER BY 1, 2"
    )
    with own_db.connect() as conn:
        assert conn.execute(query, [again.id]).fetchall() == conn.execute(query, [instance.id]).fetchall()


def test_several_people_a_missing_state_and_flags_stay(own_db, library):
    instance = library["one_team"].load(own_db)
    again = loaded_again(own_db, freeze(own_db, name="x", instance=instance.name))
    assert again.counts == instance.counts
    assert again["boss"].is_superuser
    assert not again["locked"].is_active
    assert "half_imported.state" not in again


def test_an_identity_without_a_name_or_a_state_freezes(own_db, library):
    instance = library["edge_of_limits"].load(own_db)
    again = loaded_again(own_db, freeze(own_db, name="x", instance=instance.name))
    assert again["longest.empty"].name is None
    assert again["longest.empty"].state is None


def test_freezing_writes_nothing(own_db, played):
    before = own_db.checksum()
    freeze(own_db, name="x", instance=played.name)
    freeze(own_db, name="x", user=played["maya"].email)
    assert own_db.checksum() == before


def test_no_secret_and_no_real_address_is_written(own_db, library):
    instance = library["to_be_forgotten"].load(own_db)
    with own_db.connect() as conn:
        conn.execute(
            "UPDATE users_user SET password = 'pbkdf2$secret-hash', username = 'bsalgado' WHERE id = %s",
            [instance["beatriz"].id],
        )
    frozen = freeze(own_db, name="x", user=instance["beatriz"].email, key="a key")
    for word in ("beatriz", "salgado", "secret-hash", "555 0142", "1988-02-29"):
        assert word not in frozen.text.lower(), word
    again = loaded_again(own_db, frozen)
    (person,) = [each for each in again if "." not in each]
    name = again[person].first_name
    assert name in again[f"{person}.message_1"].content
    assert freeze(own_db, name="x", user=instance["beatriz"].email, key="a key").text == frozen.text
    assert freeze(own_db, name="x", user=instance["beatriz"].email, key="another").text != frozen.text


def test_an_unclassified_column_stops_an_anonymised_freeze(fresh_db):
    table = Table("customer", MetaData(), Column("id", Integer, primary_key=True), Column("nickname", Text))
    domain = Domain("shop", "Shop", table.metadata, lambda: "", owner="customer")
    with fresh_db.connect() as conn:
        conn.execute(
            "CREATE TABLE customer (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, nickname text)"
        )
        conn.execute("INSERT INTO customer VALUES (1, 'Bea')")
    with pytest.raises(FreezeError, match=r"customer\.nickname"):
        freeze(fresh_db, name="x", user="1", domain=domain)
    assert "Bea" in freeze(fresh_db, name="x", user="1", domain=domain, anonymise=False).text


def test_a_subset_stays_consistent(own_db, played):
    frozen = freeze(own_db, name="x", instance=played.name, last_messages=5)
    again = loaded_again(own_db, frozen)
    assert again.counts["chat_messages_chatmessage"] == 10
    only = freeze(own_db, name="y", instance=played.name, session="maya.second")
    assert only.rows["chat_messages_chatmessage"] == 16
    assert any("left out" in note for note in only.notes)
    with pytest.raises(FreezeError, match="no session"):
        freeze(own_db, name="z", instance=played.name, session="maya.nowhere")


@pytest.mark.parametrize("arguments", [{"user": "nobody@example.com"}, {"user": "a", "instance": "b"}, {}])
def test_a_freeze_of_nobody_is_refused(own_db, arguments):
    with pytest.raises(FreezeError):
        freeze(own_db, name="x", **arguments)


# -- whatever the texts contain --------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60) | st.sampled_from(
    [
        "",
        " ",
        "null",
        "yes",
        "- a",
        "# x",
        "a: b",
        "${x}",
        "$${x}",
        "${a.b}",
        "1e5",
        "0x1F",
        "2025-03-03",
        "~",
        "|",
        "é\n\n b ",
        "x\ty",
        "\u2028",
        "\ufeff",
        "\x85",
        "--- ",
        "'",
        '"',
        "\\",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(WORDS.filter(bool), JSON, min_size=1, max_size=5))
def test_what_is_written_is_read_back(data):
    errors = ErrorList()
    tree = read_tree(to_yaml(data, comments=["x"]), "x", errors)
    assert errors.found == []
    assert tree is not None
    assert to_plain(tree) == data


@settings(max_examples=examples(200), deadline=None)
@given(st.timedeltas())
def test_offsets_are_exact(delta):
    parsed = parse_time(format_offset(delta))
    assert getattr(parsed, "delta", None) == delta


@settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(
    texts=["x"],
    metadata={"+": None, "a+": [1], "a++": {"+": "+"}},
    notes=[],
    moments=[datetime(2026, 1, 1, tzinfo=UTC)],
)
@given(
    texts=st.lists(WORDS, min_size=1, max_size=6),
    metadata=st.dictionaries(WORDS, JSON, max_size=3),
    notes=st.lists(WORDS, max_size=3),
    moments=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        min_size=6,
        max_size=6,
    ),
)
def test_generated_scenarios_freeze_without_loss(coach_db, tmp_path_factory, texts, metadata, notes, moments):
    from scenarios.library.freezing.writer import Writer  # the escape of a frozen text is the writer's

    plain = Writer.plain
    shelf = tmp_path_factory.mktemp("generated") / "dev_coach"
    shelf.mkdir()

    class Quiet:
        by_text: dict = {}  # noqa: RUF012 - never written
        plain = Writer.plain
        handles = Writer.handles

    said = [
        {("coach", "user")[at % 2]: plain(Quiet(), text), "at": moments[at].isoformat()}
        for at, text in enumerate(texts)
    ]
    data = {
        "scenario": "generated",
        "users": {
            "a": {
                "state": {
                    "metadata": plain(Quiet(), metadata),
                    "who_you_are": [plain(Quiet(), note) for note in notes],
                },
                "identities": {
                    "x": {"category": "SPIRITUAL", "notes": [plain(Quiet(), note) for note in notes]}
                },
                "conversation": said,
            }
        },
    }
    (shelf / "generated.yaml").write_text(to_yaml(data), "utf-8")
    instance = Library(shelf)["generated"].load(coach_db)
    again = None
    try:
        stored = [row.values["content"] for row in instance.plan.of("chat_messages_chatmessage")]
        assert stored == texts
        frozen = freeze(coach_db, name="again", instance=instance.name)
        again = frozen.definition.load(coach_db, as_name="again")
        second = freeze(coach_db, name="again", instance=again.name)
        assert second.text.split("clock:")[1] == frozen.text.split("clock:")[1]
    finally:
        if again is not None:
            again.unload()
        instance.unload()


def test_pseudonyms_are_one_for_a_person_everywhere():
    pseudonyms = Pseudonyms("key")
    assert pseudonyms.replace("email", "A@Example.com") == pseudonyms.replace("email", "a@example.com")
    assert (
        pseudonyms.text("write to a@example.com")
        == f"write to {pseudonyms.replace('email', 'a@example.com')}"
    )
    assert Pseudonyms("key").replace("first_name", "Maya") == pseudonyms.replace("first_name", "Maya")
    assert pseudonyms.replace("secret", "hush") != "hush"
    with pytest.raises(FreezeError, match="no pseudonym"):
        pseudonyms.replace("shoe_size", "44")


def test_a_part_of_a_name_is_replaced_as_well():
    columns = [Column("first_name", Text, info={"personal": "first_name"})]
    pseudonyms = Pseudonyms("key")
    pseudonyms.know({"first_name": "Ana Lucía"}, columns)
    said = pseudonyms.text("Ana Lucía came, then Ana alone; LUCÍA left")
    assert said.startswith(f"{pseudonyms.replace('first_name', 'Ana Lucía')} came, then ")
    assert "Ana alone" not in said
    assert "LUCÍA" not in said


# -- the audit trail ------------------------------------------------------------------------------------


@pytest.fixture
def essay_db(server):
    with server.database(get_domain("essay_coach")) as database:
        yield database


def trail(db, instance):
    """Return what the audit trail says of each row of *instance*, by handle."""
    handles = {
        (row.table.name, str(instance.key(row.handle)[0])): row.handle
        for row in instance.plan.rows
        if row.table.name in ("essays", "users", "feedback")
    }
    with db.connect() as conn:
        rows = conn.execute(
            "SELECT table_name, row_pk, op, changed FROM audit_log ORDER BY at, id"
        ).fetchall()
    return [(handles[table, key], op, changed) for table, key, op, changed in rows if (table, key) in handles]


def test_the_audit_trail_follows_its_rows_also_what_the_application_added(essay_db, library):
    instance = library["audit_trail"].load(essay_db)
    with essay_db.connect() as conn:
        conn.execute("UPDATE essays SET title = 'Changed' WHERE title = 'A Map of Our Street'")
        conn.execute("UPDATE feedback SET score = 5 WHERE id = %s", instance.key("hillside.karim.map.style"))
        conn.execute("UPDATE users SET first_name = 'Kay' WHERE first_name = 'Karim'")
    before = trail(essay_db, instance)
    assert [handle for handle, *_ in before[-3:]] == [
        "hillside.karim.map",
        "hillside.karim.map.style",
        "hillside.karim",
    ]
    frozen = freeze(essay_db, name="again", instance=instance)
    assert "row_pk" not in frozen.text
    again = frozen.definition.load(essay_db)
    assert trail(essay_db, again) == before


def test_the_trail_of_a_person_names_nobody_else(essay_db, library):
    instance = library["audit_trail"].load(essay_db)
    frozen = freeze(essay_db, name="karim", user=instance["hillside.karim"].email, system="essay_coach")
    assert frozen.rows["audit_log"] == 9
    assert "3 names in audit_log left out: they are not part of what was frozen" in frozen.notes
    again = frozen.definition.load(essay_db, as_name="again")
    with essay_db.connect() as conn:
        actors = conn.execute(
            "SELECT count(*) FROM audit_log WHERE institution_id = %s AND actor_id IS NOT NULL",
            [again.plan.of("institutions")[0].values["id"]],
        ).fetchone()
    assert actors == (4,)
