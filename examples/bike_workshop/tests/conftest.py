"""What the tests of the workshop share."""

from __future__ import annotations

import pytest
from bike_workshop.testing import DOMAIN


@pytest.fixture(scope="session")
def scenario_schema():
    """The schema every test's database has."""
    return DOMAIN
