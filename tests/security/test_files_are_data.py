"""Scenario files and snapshot files are data: ``docs/security.md``."""

from __future__ import annotations

import pytest

from scenarios.errors import ScenariosError, SnapshotFileError
from scenarios.library import Library

HEAD = "scenario: hostile\nsystem: dev_coach\n"


def load(text, db, tmp_path, **params):
    directory = tmp_path / "dev_coach"
    directory.mkdir(exist_ok=True)
    (directory / "hostile.yaml").write_text(text, "utf-8")
    return Library(tmp_path)["hostile"].load(db, **params)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "!!binary aGVsbG8=",
        "&a [*a]",
    ],
)
def test_no_tag_makes_an_object(guarded, tmp_path, value):
    before = guarded.checksum()
    with pytest.raises(ScenariosError):
        load(f"{HEAD}users:\n  a: {{first_name: {value}}}\n", guarded, tmp_path)
    assert guarded.checksum() == before


@pytest.mark.parametrize(
    "text",
    ["'); DROP TABLE users_user; --", "\\. \\N \t \\x41", "%s %(x)s {0} {}", "$$; SELECT 1; $$", "'\"`;\\"],
)
def test_text_is_never_sql(guarded, tmp_path, text):
    quoted = text.replace("'", "''")
    instance = load(f"{HEAD}users:\n  a: {{notes: ['{quoted}']}}\n", guarded, tmp_path)
    with guarded.connect() as conn:
        notes = conn.execute(
            "SELECT note FROM user_notes_usernote WHERE user_id = %s", [instance["a"].id]
        ).fetchall()
    assert notes == [(text,)]


@pytest.mark.parametrize(
    "hole",
    ["${a.__class__}", "${a.metadata.tables}", "${__import__('os')}", "${open('/etc/passwd')}", "${1+1}"],
)
def test_expressions_reach_rows_and_nothing_else(guarded, tmp_path, hole):
    with pytest.raises(ScenariosError):
        load(f'{HEAD}users:\n  a: {{notes: ["{hole}"]}}\n', guarded, tmp_path)


@pytest.mark.parametrize("key", ["extends: ../../etc/passwd", "include: [/etc/passwd]", "extends: a/../x"])
def test_a_file_names_scenarios_and_not_paths(guarded, tmp_path, key):
    with pytest.raises(ScenariosError):
        load(f"{HEAD}{key}\nusers: {{a: {{}}}}\n", guarded, tmp_path)


def test_size_and_depth_are_bounded(guarded, tmp_path):
    from scenarios.library.files.tree import MAX_CHARACTERS, MAX_DEPTH

    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    with pytest.raises(ScenariosError):
        load(f"{HEAD}users:\n  a: {{first_name: {deep}}}\n", guarded, tmp_path)
    with pytest.raises(ScenariosError):
        load(HEAD + "#" * MAX_CHARACTERS, guarded, tmp_path)


def test_a_snapshot_file_is_checked_before_the_database_is_touched(guarded, tmp_path):
    file = tmp_path / "state.scn"
    guarded.save(file)
    good = file.read_bytes()
    with guarded.connect() as conn:
        conn.execute("INSERT INTO prompts_prompt (body, version) VALUES ('kept', 1)")
    before = guarded.checksum()
    for position in (0, len(good) // 3, len(good) // 2, len(good) - 1):
        damaged = bytearray(good)
        damaged[position] ^= 0x41
        file.write_bytes(damaged)
        with pytest.raises(SnapshotFileError):
            guarded.open(file)
        assert guarded.checksum() == before
    file.write_bytes(good)
    guarded.open(file)
    assert guarded.checksum() != before
