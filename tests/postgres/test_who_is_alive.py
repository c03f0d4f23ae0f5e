"""Whose databases may be collected: only those whose owner is provably gone."""

from __future__ import annotations

import os
from dataclasses import replace

from psycopg import sql

from scenarios.ownership import OwnershipTag
from scenarios.postgres import Server, leases
from scenarios.postgres.watcher import KEPT, kept_until

MINE = OwnershipTag("database", lease=7)
EARLIER = replace(MINE, birth="another process had this number")
GONE = replace(MINE, pid=2**22 + 1, birth="0")


def test_an_owner_is_dead_when_neither_lease_nor_process_is_there() -> None:
    """A lease can be lost with its connection, a process id can be another's, a machine can be another."""
    assert not leases.is_dead(MINE, {7}), "it holds its lease"
    assert not leases.is_dead(MINE, set()), "its connection was cut, its process lives"
    assert leases.is_dead(EARLIER, set()), "the number is a later process's"
    assert leases.is_dead(GONE, {8})
    assert not leases.is_dead(GONE, {7, 8}), "the lease counts, wherever it is held"
    assert leases.is_dead(replace(MINE, host="elsewhere"), set()), "our processes say nothing of its machine"


def test_an_owner_is_ending_while_the_server_has_not_noticed() -> None:
    assert leases.is_ending(GONE, {7})
    assert not leases.is_ending(GONE, {8}), "there is nothing left to wait for"
    assert not leases.is_ending(MINE, {7})
    assert not leases.is_ending(replace(GONE, host="elsewhere"), {7})


def test_a_lease_is_seen_from_elsewhere_until_its_session_ends(server: Server) -> None:
    with server.connect() as one, server.connect() as other:
        number = leases.take(one)
        assert 0 < number < 2**63
        assert number in leases.held(other)
        assert not leases.take_again(other, number), "it is held, and not waited for"
        one.close()
        with server.connect() as third:
            third.execute("SELECT pg_advisory_lock(%s)", [number])  # until the server has noticed
            third.execute("SELECT pg_advisory_unlock(%s)", [number])
            third.execute("SELECT pg_advisory_lock(%s, %s)", [number >> 32, 5])
            assert number not in leases.held(other)
            assert ((number >> 32) << 32) + 5 not in leases.held(other), "two small numbers are no lease"
        assert leases.take_again(other, number)


def test_locks_of_other_databases_are_no_leases(server: Server) -> None:
    with server.database() as db, db.connect() as inside, server.connect() as conn:
        inside.execute(sql.SQL("SELECT pg_advisory_lock(4611686018427387000 + {})").format(os.getpid()))
        assert 4611686018427387000 + os.getpid() not in leases.held(conn)
        assert 4611686018427387000 + os.getpid() in leases.held(inside)


def test_a_note_that_cannot_be_read_keeps_no_server(tmp_path) -> None:
    assert kept_until(tmp_path) == 0
    (tmp_path / KEPT).write_text("for ever")
    assert kept_until(tmp_path) == 0
    (tmp_path / KEPT).write_text("12.5")
    assert kept_until(tmp_path) == 12.5
