"""A fresh instance of any scenario has no changes, neither for who loaded it nor for who finds it."""

from __future__ import annotations

import pytest

from scenarios.domain import get_domain
from scenarios.library import Library
from scenarios.library.instances.changed import _compared, _known
from scenarios.library.instances.finding import open_instance
from scenarios.library.instances.load import load


@pytest.mark.parametrize("system", ["dev_coach", "coach_bot", "essay_coach"])
def test_nothing_changed_in_a_fresh_instance(server, system: str) -> None:
    library = Library()
    names = [entry.name for entry in library.entries() if entry.system == system]
    wrong: dict[str, list[str]] = {}
    with server.database(get_domain(system)) as db, db.connect() as conn:
        for name in names:
            made = load(library[name], db, connection=conn, remember=True)
            for view in (made, open_instance(db, made.name, connection=conn)):
                found = _compared(conn, view, _known(view))
                if found:
                    wrong[name] = [f"{row.handle} {row.change}"[:300] for row in found.rows[:3]]
            reset = open_instance(db, made.name, connection=conn)
            reset.reset(connection=conn)
            again = _compared(conn, reset, _known(reset))
            if again and name not in wrong:
                wrong[f"{name} after a reset"] = [
                    f"{row.handle} {row.change}"[:300] for row in again.rows[:3]
                ]
            reset.unload(connection=conn)
    assert len(names) > 5
    assert wrong == {}
