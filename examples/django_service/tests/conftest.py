from __future__ import annotations

import os

import django
import pytest
from django.db import connections

from scenarios.coming_from.django_database import pointed_at

os.environ["DJANGO_SETTINGS_MODULE"] = "coaching.settings"
django.setup()


@pytest.fixture(scope="session")
def django_database(scenario_db_url):
    """Django on this worker's database; its URL stays the same for the whole run."""
    with pointed_at(scenario_db_url):
        yield


@pytest.fixture
def client(django_database, scenario):
    from django.test import Client

    yield Client()
    connections.close_all()  # as at the end of a request
