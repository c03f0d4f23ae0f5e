"""The project's own use of its pytest plugin.

Most tests here test the parts by themselves, with the servers and databases of ``tests/conftest.py``. A test
that wants a database in a named state asks the plugin for it, as a test of any other project would:
``@pytest.mark.scenario("refinement_in_progress")`` and the fixtures of ``docs/pytest.md``.
"""

from __future__ import annotations

import pytest

from scenarios.postgres import Server


@pytest.fixture(scope="session")
def scenario_server(server: Server) -> Server:
    """The plugin's databases are made on the server that all tests share."""
    return server
