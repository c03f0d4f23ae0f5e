"""The example of the documentation is a scenario."""

from __future__ import annotations

import re

from scenarios.library import Library
from scenarios.library.freezing.freeze import freeze
from scenarios.resources import resource

PAGE = (resource("scenario_library").parent / "docs" / "scenario_files.md").read_text("utf-8")


def test_the_example_file_loads_and_freezes(shelf, own_db):
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    (shelf / "first_steps.yaml").write_text(block.group(1), "utf-8")
    instance = Library(shelf)["first_steps"].load(own_db, turns=6)
    assert instance.counts["chat_messages_chatmessage"] == 9
    with own_db.connect() as conn:
        row = conn.execute("SELECT parameters ->> 'id' FROM actions_action").fetchone()
    assert row == (str(instance["lena.baker"].id),)
    assert "Early Baker" in freeze(own_db, name="x", instance=instance).text


def test_every_key_of_the_head_is_described():
    from scenarios.library.files.head import HEAD_KEYS

    for key in HEAD_KEYS:
        assert f"`{key}`" in PAGE, key
