"""Rows that refer to each other by several columns at once: loaded, frozen and loaded again elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from scenarios.domain import Domain
from scenarios.library import Library
from scenarios.library.catalogue.text import print_scenario
from scenarios.library.freezing.freeze import freeze
from scenarios.library.instances.load import load

METADATA = MetaData()
Table(
    "tenant",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
)
Table(
    "invoice",
    METADATA,
    Column("tenant_id", ForeignKey("tenant.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("replaces", Integer),
    ForeignKeyConstraint(["tenant_id", "replaces"], ["invoice.tenant_id", "invoice.number"]),
)
Table(
    "payment",
    METADATA,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("payer", BigInteger),
    Column("number", Integer),
    Column("tenant_code", ForeignKey("tenant.code", ondelete="CASCADE", onupdate="CASCADE")),
    Column("word", Text),
    ForeignKeyConstraint(["payer", "number"], ["invoice.tenant_id", "invoice.number"], ondelete="CASCADE"),
    UniqueConstraint("word"),
)
BILLING = Domain("billing", "Billing", METADATA, lambda: "")
FILE = """\
scenario: bills
system: billing
rows:
  tenant: {north: {code: N}, south: {code: S}}
  invoice:
    first: {tenant: north, number: 1}
    second: {tenant: north, number: 2, replaces: first}
    other: {tenant: south, number: 1}
  payment:
    a: {payer: second, number: second, tenant_code: north}
    b: {payer: other, number: other, word: S}
    c: {payer: {key: 77}}
"""


@pytest.fixture
def billing(server):
    with server.database(METADATA) as database:
        yield database


def frozen_rows(tmp_path, text: str):
    (tmp_path / "again.yaml").write_text(text, "utf-8")
    return Library(tmp_path, domains=[BILLING])["again"]


def test_references_by_several_columns_are_frozen_as_handles(billing, tmp_path):
    (tmp_path / "bills.yaml").write_text(FILE, "utf-8")
    definition = Library(tmp_path, domains=[BILLING])["bills"]
    shown = io.StringIO()
    print_scenario(Console(file=shown, width=100), definition, definition.plan())
    assert re.search(r"^ +b +other +other +S *$", shown.getvalue(), re.M), shown.getvalue()
    instance = load(definition, billing, remember=True)
    frozen = freeze(billing, name="again", instance=instance, domain=BILLING)
    for line in (
        "second: {tenant: north, number: 2, replaces: first}",
        "a: {payer: second, number: second, tenant_code: north}",
        "b: {payer: other, number: other, word: S}",
        "payer: {key: 77}",
    ):
        assert line in frozen.text, frozen.text
    instance.unload()
    with billing.connect() as conn:
        conn.execute("ALTER SEQUENCE tenant_id_seq RESTART WITH 1000")
    load(frozen_rows(tmp_path, frozen.text), billing)
    with billing.connect() as conn:
        paid = conn.execute(
            "SELECT i.number, t.code FROM payment p"
            " JOIN invoice i ON (i.tenant_id, i.number) = (p.payer, p.number)"
            " JOIN tenant t ON t.id = i.tenant_id ORDER BY p.id"
        ).fetchall()
        assert paid == [(2, "N"), (1, "S")]
        assert conn.execute("SELECT min(tenant_id) FROM invoice").fetchone() == (1000,)
