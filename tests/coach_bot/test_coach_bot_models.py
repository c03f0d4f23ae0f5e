"""The tables are the document's: columns, types, rules, mixins on all four, one script that never varies."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from scenarios.domain import PERSONAL, get_domain
from scenarios.domains.coach_bot import DOMAIN, Log, Message
from scenarios.domains.coach_bot.errors import MEANINGS
from scenarios.schema.drift import check

TABLES = {"users", "chats", "messages", "logs"}
MIXINS = {"id": "uuid", "created_at": "timestamp with time zone", "updated_at": "timestamp with time zone"}
COLUMNS = {
    "users": {"username": "character varying", "email": "character varying"},
    "chats": {"user_id": "uuid"},
    "messages": {
        "chat_id": "uuid",
        "sender_id": "uuid",
        "content": "text",
        "timestamp": "timestamp with time zone",
    },
    "logs": {
        "user_id": "uuid",
        "chat_id": "uuid",
        "action": "character varying",
        "details": "jsonb",
        "timestamp": "timestamp with time zone",
    },
}


def test_the_domain_is_found_by_name():
    assert get_domain("coach_bot") is DOMAIN
    assert set(DOMAIN.metadata.tables) == TABLES
    assert DOMAIN.scope is None


def test_the_database_has_the_documents_columns_and_the_mixins(coach_bot_db):
    with coach_bot_db.connect() as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind, _nullable, _default in rows:
        found.setdefault(table, {})[column] = kind
    assert found == {table: MIXINS | own for table, own in COLUMNS.items()}
    assert [(row[0], row[1]) for row in rows if row[3] == "YES"] == [("logs", "details")]
    defaults = {(table, column): default for table, column, _, _, default in rows if default}
    for table in TABLES:
        assert defaults[table, "id"] == "gen_random_uuid()"
        assert defaults[table, "created_at"] == defaults[table, "updated_at"] == "now()"


def test_every_foreign_key_cascades_and_is_indexed(coach_bot_db):
    engine = create_engine(coach_bot_db.url, poolclass=NullPool)
    inspector = inspect(engine)
    seen = 0
    for table in TABLES:
        leading = {index["column_names"][0] for index in inspector.get_indexes(table)}
        for key in inspector.get_foreign_keys(table):
            seen += 1
            assert key["options"] == {"ondelete": "CASCADE"}
            assert key["constrained_columns"][0] in leading, f"{table}.{key['constrained_columns']}"
    assert seen == 5


def test_create_all_and_the_script_make_the_same_triggers(server, coach_bot_db):
    query = (
        "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger"
        " WHERE NOT tgisinternal ORDER BY 1, 2"
    )
    with server.database() as other:
        engine = create_engine(other.url, poolclass=NullPool)
        DOMAIN.metadata.create_all(engine)
        with other.connect() as connection:
            made = connection.execute(query).fetchall()
        DOMAIN.metadata.drop_all(engine)
        with other.connect() as connection:
            assert connection.execute("SELECT to_regproc('touch_updated_at')").fetchone() == (None,)
    with coach_bot_db.connect() as connection:
        scripted = [row for row in connection.execute(query).fetchall() if "touch" in row[1]]
    assert [row[:2] for row in scripted] == [(table, f"{table}_touch_updated_at") for table in sorted(TABLES)]
    assert [row for row in made if "touch" in row[1]] == scripted


def test_the_script_is_the_same_in_every_process():
    program = "from scenarios.domains.coach_bot import DOMAIN; print(DOMAIN.ddl(), end='')"
    for seed in ("1", "2", "3"):
        output = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        assert output == DOMAIN.ddl()


def test_every_constraint_has_a_meaning(coach_bot_db):
    with coach_bot_db.connect() as connection:
        names = {
            name
            for (name,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
                " AND contype IN ('p', 'u', 'f', 'x')"
                " UNION SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
                " WHERE indisunique AND relnamespace = 'public'::regnamespace"
            )
        }
    assert names == set(MEANINGS)


def test_every_column_is_classified_for_anonymisation():
    for table in DOMAIN.metadata.tables.values():
        for column in table.columns:
            assert PERSONAL in column.info, f"{table.name}.{column.name}"
    assert DOMAIN.table("logs").c.details.info[PERSONAL] == "text"


def test_importing_the_layer_opens_nothing_and_reads_no_settings(tmp_path):
    # A DATABASE_URL that cannot be used, and an .env that cannot be read: an import that looked would fail.
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    program = (
        "import sys, socket\n"
        "def refuse(*_): raise AssertionError('an import opened a connection')\n"
        "sys.addaudithook(lambda event, args: refuse() if event == 'socket.connect' else None)\n"
        "import scenarios.domains.coach_bot.crud, scenarios.domains.coach_bot.connection\n"
        "import scenarios.domains.coach_bot.settings, scenarios.domains.coach_bot.schemas\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=tmp_path,
        env={"DATABASE_URL": "mysql://nowhere", "PYTHONPATH": ":".join(sys.path)},
    )


@pytest.mark.parametrize(("model", "attribute"), [(Message, "sent_at"), (Log, "logged_at")])
def test_the_timestamp_column_keeps_its_name(model, attribute):
    assert model.__table__.c.timestamp is inspect(model).columns[attribute]


def test_models_migrations_and_kept_files_agree(server):
    report = check(DOMAIN, server)
    assert report.compared == ["create_all", "schema.sql", "migrations", "alembic check", "kept files"]
    assert not report, report.as_dict()
