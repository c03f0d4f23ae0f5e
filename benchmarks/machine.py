"""What a measurement was made on: numbers without their machine cannot be compared with anything."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg

PACKAGES = (
    "pg-scenarios",
    "sqlalchemy",
    "psycopg",
    "factory-boy",
    "faker",
    "polyfactory",
    "sqlalchemyseed",
    "pytest",
    "pytest-postgresql",
    "pytest-sqla",
    "testcontainers",
)


def describe() -> dict[str, Any]:
    """Return the machine, its load and the versions of everything that is compared."""
    found: dict[str, Any] = {
        "when": now(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory GiB": _memory(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": load(),
        "packages": {},
    }
    for name in PACKAGES:
        try:
            found["packages"][name] = version(name)
        except PackageNotFoundError:
            found["packages"][name] = "not installed"
    return found


def now() -> str:
    """The time of a measurement, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def load() -> list[float]:
    """The load average of the last 1, 5 and 15 minutes; empty where there is none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


@contextmanager
def on_one_processor(*conns: psycopg.Connection[Any]) -> Iterator[bool]:
    """Keep this process and the servers of *conns*' databases on one processor; yields whether it could.

    Of two that take turns one waits anyway. Whether the kernel wakes the other on this processor or on the
    next costs as much as what is measured, and it does not change its mind for minutes.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    servers = [pid for conn in conns for (pid,) in conn.execute(query).fetchall()]
    before = os.sched_getaffinity(0)
    try:
        for pid in (0, *servers):
            os.sched_setaffinity(pid, {min(before)})
    except PermissionError:
        os.sched_setaffinity(0, before)
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
