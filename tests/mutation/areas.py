"""What is changed, and which tests answer for it: the quick ones first: a failure ends a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """Files below ``src/scenarios`` and tests below ``tests``; a folder stands for all files in it."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "journal": Area(
        ("journal",),
        (
            "journal/test_journal_changes.py",
            "journal/test_journal_cases.py",
            "journal/test_journal_life.py",
            "journal",
        ),
    ),
    "graph": Area(("graph",), ("graph/test_graph_write.py", "graph/test_graph_refusals.py", "graph")),
    "ownership": Area(
        ("library/instances/ownership.py", "library/instances/became.py", "ownership.py"),
        (
            "library/test_whose_row.py",
            "web/test_instance_changed.py",
            "library/test_scenario_loading.py",
            "postgres/test_who_is_alive.py",
            "security/test_only_our_databases.py",
            "library/test_own_schema.py",
        ),
    ),
    "removal": Area(
        ("library/instances/removal.py", "library/instances/changed.py", "library/closure/reach.py"),
        (
            "library/test_whose_row.py",
            "library/test_scenario_loading.py",
            "library/test_composite_keys.py",
            "web/test_instance_changed.py",
            "library/test_own_schema.py",
            "library/test_instance_lock.py",
        ),
    ),
    "freezing": Area(
        ("library/freezing",),
        (
            "library/test_freeze_lossless.py",
            "library/test_freeze_as_code.py",
            "library/test_every_type.py",
            "library/test_own_schema.py",
            "library/test_composite_keys.py",
        ),
    ),
    "privacy": Area(
        ("library/privacy",),
        (
            "library/test_pseudonyms.py",
            "docs/test_privacy_of_people.py",
            "library/test_freeze_lossless.py",
            "library/test_own_schema.py",
            "cli/test_library_commands.py",
        ),
    ),
    "guard": Area(
        ("web/guard.py", "web/problems.py"),
        (
            "security/test_http_door.py",
            "web/test_problems.py",
            "web/test_web_api.py",
            "web/test_web_safety.py",
        ),
    ),
    "leases": Area(
        (
            "postgres/leases.py",
            "postgres/locks.py",
            "postgres/watcher.py",
            "postgres/leftovers.py",
            "postgres/creation_markers.py",
        ),
        (
            "postgres/test_locks.py",
            "postgres/test_who_is_alive.py",
            "postgres/test_leftovers.py",
            "postgres/test_sharing.py",
            "postgres/test_lifecycle.py",
            "postgres/test_killed.py",
            "security/test_only_our_databases.py",
        ),
    ),
}
