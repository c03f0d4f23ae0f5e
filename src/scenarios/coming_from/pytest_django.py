"""Django's test database is a database of ours: one line in the root ``conftest.py``.

::

    pytest_plugins = ["scenarios.coming_from.pytest_django"]

pytest-django makes ``test_<name>`` anew in each run, wraps a test in a transaction, and empties every table
where that is not enough: rows that migrations wrote are gone after the first such test. Here its own
extension points are taken: ``django_db_setup`` points Django at the worker's database, whose template is
made by the project's migrations, and is made anew when one of them changes. A test that may use Django's
database starts in the state that its markers name and is undone afterwards, whatever Django did for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import pytest

_AROUND = "_scenario_django"
_ASKING = frozenset({"db", "transactional_db", "live_server", "django_db_reset_sequences"})


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures after those of both plugins, which they replace."""
    from scenarios.coming_from import django_database

    config.pluginmanager.register(django_database, "scenarios-django")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Put the state of a test around whatever pytest-django does for it.

    Raises:
        UsageError: a test wants a database that is not ours, which it might empty.
    """
    from pytest_django.lazy_django import django_settings_is_configured

    if not django_settings_is_configured():
        return
    errors = [f"{item.nodeid}: {error}" for item in items for error in _foreign(item)]
    if errors:
        raise pytest.UsageError("\n".join(errors))
    for item in items:
        if _isolated_here(item) and _AROUND not in item.fixturenames:  # type: ignore[attr-defined]  # a Function
            names = list(item.fixturenames)  # type: ignore[attr-defined]  # as above
            names.insert(_first(item, names, ("function",)), _AROUND)
            if getattr(getattr(item, "cls", None), "fixtures", None):
                # Django loads them when the class begins: they are data of the class, and gone with it.
                names.insert(_first(item, names, ("class", "function")), "scenario_class_db")
            item.fixturenames = names  # type: ignore[attr-defined]  # as above


def _isolated_here(item: pytest.Item) -> bool:
    """Whether a test may commit to Django's database, or wants a state in it.

    The tests of a `TestCase` do neither: all of a class are in one transaction of Django's.
    """
    from django.test import TestCase, TransactionTestCase

    if not hasattr(item, "fixturenames"):
        return False
    cls = getattr(item, "cls", None)
    if cls is not None and issubclass(cls, TransactionTestCase):
        return not issubclass(cls, TestCase)
    return item.get_closest_marker("django_db") is not None or not _ASKING.isdisjoint(
        getattr(item, "fixturenames", ())
    )


def _first(item: pytest.Item, names: Sequence[str], scopes: Collection[str]) -> int:
    """Return where the fixtures of one of *scopes* begin; before them stand those of broader ones."""
    manager = item.session._fixturemanager  # pytest says nowhere else how broader a fixture is
    for place, name in enumerate(names):
        definitions = manager.getfixturedefs(name, item)
        if definitions and definitions[-1].scope in scopes:
            return place
    return len(names)


def _foreign(item: pytest.Item) -> Iterator[str]:
    from django.db import connections

    from scenarios.coming_from.django_database import ALIAS, mirrored

    marker = item.get_closest_marker("django_db")
    asked = getattr(getattr(item, "cls", None), "databases", None)
    if marker is not None:
        asked = marker.kwargs.get("databases", asked)
    wanted: Iterable[str] = list(connections) if asked == "__all__" else (asked or ())
    for alias in wanted:
        if alias != ALIAS and alias in connections and mirrored(alias) != ALIAS:
            yield (
                f"the database {alias!r} is not one of ours, and a test may empty it; "
                f"set DATABASES[{alias!r}]['TEST']['MIRROR'] to {ALIAS!r}, or take it out of the test"
            )
