"""Every scenario of the library loads, keeps the rules of its system, and survives a freeze without loss."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.domain import domain_names, get_domain
from scenarios.library import Library
from scenarios.library.catalogue.checking import check_library
from scenarios.library.freezing.freeze import freeze
from scenarios.postgres import Database, Server
from scenarios.validation import validate

LIBRARY = Library()
BY_SYSTEM = {
    system: [entry.name for entry in LIBRARY.entries() if entry.system == system] for system in domain_names()
}
NAMES = [(system, name) for system, names in BY_SYSTEM.items() for name in names]


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[dict[str, Database]]:
    opened: dict[str, Database] = {}
    yield opened
    for database in opened.values():
        database.close()


def test_there_are_enough_scenarios_for_dev_coach():
    assert len(BY_SYSTEM["dev_coach"]) >= 20


def test_every_file_stands_in_the_catalogue_with_title_tags_and_owner():
    for entry in LIBRARY.entries():
        assert entry.head is not None, entry.path
        assert not entry.errors.found, entry.errors.found
        assert entry.head.title, entry.name
        assert entry.head.tags, entry.name
        assert entry.head.owner, entry.name


def test_no_file_holds_personal_data():
    assert check_library(LIBRARY, pii=True).errors == []


SMALLER = {"very_long_conversation": {"messages": 401}, "many_identities": {"identities": 30}}
"""Parameters for the freeze of scenarios whose point is their size; they are loaded in full as well."""


def database_of(system: str, server: Server, databases: dict[str, Database]) -> Database:
    if system not in databases:
        databases[system] = server.database(get_domain(system))
    return databases[system]


@pytest.mark.parametrize(("system", "name"), NAMES)
def test_scenario_loads_keeps_the_rules_and_leaves_nothing(system, name, server, databases):
    domain = get_domain(system)
    db = database_of(system, server, databases)
    definition = LIBRARY[name]
    instance = definition.load(db)
    with db.connect() as conn:
        findings = validate(conn, domain, scope=instance.id) if "validators" in domain.parts else []
    report = instance.unload()
    if system == "dev_coach":
        assert {finding.check for finding in findings} == set(definition.head.breaks), findings
        assert report.added == 0
    kept = {line.split(" of ")[1].split(" ")[0] for line in report.left}
    for table, count in instance.counts.items():
        if table not in domain.reference and table not in kept:
            assert report.rows[table] >= count


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough("the largest") if name == "class_over_a_term" else ())
        for _, name in NAMES
    ],
)
def test_scenario_freezes_without_loss(name, server, databases):
    definition = LIBRARY[name]
    db = database_of(definition.domain.name, server, databases)
    instance = definition.load(db, **SMALLER.get(name, {}))
    again = None
    try:
        # The freeze has compared every column of every row with what its file loads. Loaded and frozen once
        # more, through the database, the file has to come out the same.
        frozen = freeze(db, name="again", instance=instance)
        again = frozen.definition.load(db, as_name="again")
        assert again.counts == instance.counts
        second = freeze(db, name="again", instance=again)
        assert _without_title(second.text) == _without_title(frozen.text)
    finally:
        if again is not None:
            again.unload()
        instance.unload()


def _without_title(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(("title:", "#")))
