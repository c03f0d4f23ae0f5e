"""A small schema with everything the schema tools must cope with."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Sequence,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from scenarios.schema.rendering import SqlObject

FUNCTION = SqlObject(
    "function",
    "shop.percent(numeric)",
    "CREATE OR REPLACE FUNCTION shop.percent(share numeric) RETURNS text LANGUAGE sql IMMUTABLE"
    " AS $body$ SELECT format('%s%%', share * 100) $body$",
)
GUARD = SqlObject(
    "function",
    "shop.guard()",
    "CREATE OR REPLACE FUNCTION shop.guard() RETURNS trigger LANGUAGE plpgsql"
    " AS $body$ BEGIN RAISE EXCEPTION 'no: %', NEW.id; END $body$",
)
TRIGGER = SqlObject(
    "trigger",
    "order_guard",
    'CREATE TRIGGER order_guard BEFORE INSERT ON shop."order" FOR EACH ROW'
    " WHEN (NEW.total < 0) EXECUTE FUNCTION shop.guard()",
    table='shop."order"',
)
VIEW = SqlObject(
    "view",
    "shop.totals",
    'CREATE OR REPLACE VIEW shop.totals AS SELECT sum(total) AS total FROM shop."order"',
)
OBJECTS = [FUNCTION, GUARD, TRIGGER, VIEW]


def make_shop() -> MetaData:
    """Two schemas, a cycle, a self reference, a native enum, a sequence, reserved and mixed-case names."""
    metadata = MetaData()
    kind = Enum("small", "large", name="kind", schema="shop", metadata=metadata)
    Sequence("numbers", schema="shop", metadata=metadata)
    Table(
        "Customer",
        metadata,
        Column("id", Integer, Identity(always=True), primary_key=True),
        Column("name", String(40), nullable=False, unique=True),
        Column("invited_by", ForeignKey("Customer.id")),
        Column("last_order", ForeignKey("shop.order.id", name="customer_last_order")),
        CheckConstraint("name LIKE 'A%' OR length(name) > 1", name="customer_name"),
    )
    Table(
        "order",
        metadata,
        Column("id", Integer, Sequence("numbers", schema="shop", metadata=metadata), primary_key=True),
        Column("customer", ForeignKey("Customer.id", name="order_customer"), nullable=False),
        Column("total", Numeric(10, 2), nullable=False),
        Column("gross", Numeric(10, 2), Computed("total * 1.08", persisted=True)),
        Column("kind", kind),
        Column("tags", ARRAY(String(8)), server_default=text("'{}'")),
        Column("at", DateTime(timezone=True)),
        Index("order_large", "customer", postgresql_where=text("total > 100")),
        schema="shop",
    )
    return metadata
