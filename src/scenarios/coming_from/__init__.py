"""Helpers for projects that come from another tool: one module for each, named like what is left behind.

Whoever has five hundred tests does not rewrite them to try something. Each module here gives those tests the
objects they ask for, on databases of ours, or turns the files they have into ours; `docs/coming_from/` has a
page for each. None of the other tools has to be installed, and nothing here is imported unless a project
names it.

- `pytest_postgresql`: fixture factories of the same names and arguments.
- `pytest_django`: ``db``, ``transactional_db`` and the marker on a database of ours, by `django_database`.
- `rollback_fixture`: what a hand-written session fixture becomes, and what it had hidden.
- `sqlalchemyseed`: seed files to scenario files, `scenarios import`.
"""
