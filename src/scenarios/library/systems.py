"""Which system a database has, found by its tables.

Whoever freezes a person, or asks for the rules of a database, has the database in front of them. To take a
system for granted would answer them with the error of a table that is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.domain import Domain, domain_names, get_domain
from scenarios.errors import DomainError

if TYPE_CHECKING:
    from scenarios.postgres import Database

_TABLES = """
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f')
"""


def system_in(db: Database, name: str | None = None) -> Domain:
    """Return the registered system *name*, or the one all of whose tables are in *db*.

    Raises:
        DomainError: there is no system of that name; or the tables of none are there, or those of several.
    """
    if name is not None:
        return get_domain(name)
    with db.connect() as conn:
        there = {(str(schema), str(table)) for schema, table in conn.execute(_TABLES).fetchall()}
        default = conn.execute("SELECT current_schema()").fetchone()
    home = str(default[0]) if default and default[0] else "public"
    known = [get_domain(each) for each in domain_names()]
    fitting = [domain for domain in known if _tables_of(domain, home) <= there]
    if len(fitting) == 1:
        return fitting[0]
    found = " and ".join(domain.name for domain in fitting)
    raise DomainError(
        "it is not known which system this database has",
        where=db.safe_url,
        why=f"it has the tables of {found}" if fitting else "it has the tables of no registered system",
        hint=f"name one: --system {', '.join(domain.name for domain in known)}; "
        "or say in [tool.scenarios] where your own tables are: schema",
    )


def _tables_of(domain: Domain, home: str) -> set[tuple[str, str]]:
    return {(table.schema or home, table.name) for table in domain.metadata.tables.values()}
