"""Whether a database can change its schema for a moment without anybody having to know.

A journal takes every statement that changes the schema for something a restore cannot undo. Before its first
snapshot there is nothing to restore, so dropping an index and building it again in one transaction concerns
nobody; afterwards it would cost the next restore a clone.
"""

from __future__ import annotations

from typing import Any

import psycopg

_IDLE = """
SELECT NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname !~ '^scenarios_journal_')
   AND (to_regclass('scenarios_journal.clock') IS NULL
        -- A journal without event triggers compares the catalogue with what it was when it was installed.
        OR EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'scenarios_journal_ddl')
       AND coalesce(pg_sequence_last_value(to_regclass('scenarios_journal.clock')), -1) < 0)
"""
"""The journal's clock stands below zero until the first snapshot."""


def nobody_watches(conn: psycopg.Connection[Any]) -> bool:
    """Return whether no event trigger of somebody's, and no snapshot of a journal, takes note of DDL."""
    return conn.execute(_IDLE).fetchone() == (True,)
