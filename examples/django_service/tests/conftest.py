from __future__ import annotations

import os

import django
import pytest
from django.db import connections
from sqlalchemy import make_url

os.environ["DJANGO_SETTINGS_MODULE"] = "coaching.settings"
django.setup()


@pytest.fixture(scope="session")
def django_database(scenario_db_url):
    """Point Django at this worker's database; its URL stays the same for the whole run."""
    url = make_url(scenario_db_url)
    connections.databases["default"].update(
        NAME=url.database,
        USER=url.username or "",
        PASSWORD=url.password or "",
        HOST=url.query.get("host") or url.host or "",
        PORT=str(url.query.get("port") or url.port or ""),
    )
    yield
    connections.close_all()


@pytest.fixture
def client(django_database, scenario):
    from django.test import Client

    yield Client()
    connections.close_all()  # as at the end of a request
