"""The benchmarks are no part of the package: they are found where they stand, beside the tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture
def stored() -> dict[str, Any]:
    """What a small run measured, machine included, for a page to be made of."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("results.json").read_text("utf-8"))
    return found
