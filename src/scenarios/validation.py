"""Named checks over loaded data: what must hold in a system beyond what its constraints can say.

Without them a scenario can load without an error and still be a state the application could never have
reached (a user in INTEGRATION who never described themselves), and the test that uses it proves nothing.

A check is one query that returns the rows which break one rule. A system's checks live in its ``validators``
module as ``CHECKS``; `validate` runs them, over everything or over one instance of a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from scenarios.domain import Domain
from scenarios.errors import ValidationError

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks one rule.

    Attributes:
        check: the name of the check.
        table: the table the row is in.
        key: the row's primary key, as text.
        message: what is wrong with this row, for a person.
    """

    check: str
    table: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.table} {self.key}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return {"check": self.check, "table": self.table, "key": self.key, "message": self.message}


@dataclass(frozen=True, slots=True)
class Health:
    """What a system's part ``"health"`` found out about one matter; ``scenarios doctor --system`` shows it.

    Attributes:
        item: what was looked at.
        status: ``"ok"``, ``"warning"``, ``"problem"`` or ``"not applicable"``.
        value: the number behind it, if there is one: connections, bytes, rows, seconds.
        detail: a sentence for a person.
    """

    item: str
    status: Literal["ok", "warning", "problem", "not applicable"]
    value: float | None
    detail: str


@runtime_checkable
class Check(Protocol):
    """What `validate` needs of a check; `SqlCheck` is the usual one."""

    @property
    def name(self) -> str:
        """The check's name, unique in its system."""
        ...

    @property
    def rule(self) -> str:
        """The rule as a sentence that should hold."""
        ...

    def run(self, connection: psycopg.Connection[Any], scope: UUID | None) -> list[Finding]:
        """Return the rows that break the rule, of the instance *scope* or of all."""
        ...


@dataclass(frozen=True, slots=True)
class SqlCheck:
    """A check that is one query.

    The query returns the breaking rows as ``(key, message)`` and takes one parameter, ``%(scope)s``: the id
    of an instance, or NULL for everything. A key that is NULL would be a row nobody can find, so it is
    refused.

    Attributes:
        name: unique in its system, in kebab case: ``"conversation-starts-with-coach"``.
        rule: the rule as a sentence that should hold.
        table: the table whose keys the query returns.
        sql: the query.
        source: where the rule comes from.
    """

    name: str
    rule: str
    table: str
    sql: str
    source: str = ""

    def run(self, connection: psycopg.Connection[Any], scope: UUID | None = None) -> list[Finding]:
        """Return the rows that break the rule.

        Raises:
            psycopg.Error: the connection does not show the system's schema.
        """
        rows = connection.execute(self.sql.encode(), {"scope": scope}).fetchall()
        return [Finding(self.name, self.table, str(key), str(message)) for key, message in rows]


_CHECK = re.compile(
    r"^-- @check (?P<name>\S+) (?P<table>\S+)\n"
    r"-- rule: (?P<rule>[^\n]+)\n"
    r"(?:-- source: (?P<source>[^\n]+)\n)?"
    r"(?P<sql>.*?)(?=^-- @check |\Z)",
    re.MULTILINE | re.DOTALL,
)


def sql_checks(package: str, filename: str) -> tuple[SqlCheck, ...]:
    """Return the checks of a ``.sql`` file that stands in *package*.

    Each begins with the comments ``-- @check <name> <table>``, ``-- rule: <sentence>`` and, where there is
    one, ``-- source: <where the rule comes from>``; its query follows. A per cent sign is written twice.

    Raises:
        ValidationError: the file has no check, or two of one name.
    """
    text = files(package).joinpath(filename).read_text("utf-8")
    found = tuple(
        SqlCheck(
            name=match["name"],
            rule=match["rule"],
            table=match["table"],
            sql=match["sql"].strip(),
            source=match["source"] or "",
        )
        for match in _CHECK.finditer(text)
    )
    if not found or len({check.name for check in found}) < len(found):
        raise ValidationError(
            "the checks of a system need names of their own",
            where=f"{filename} in {package}",
            hint="begin each with '-- @check <name> <table>'",
        )
    return found


def checks_of(domain: Domain) -> Sequence[Check]:
    """Return the checks of a domain, in order.

    Raises:
        DomainError: the domain has no validators.
    """
    module: ModuleType = domain.part("validators")
    checks: Sequence[Check] = module.CHECKS
    return checks


def validate(
    connection: psycopg.Connection[Any],
    checks: Iterable[Check] | Domain,
    *,
    scope: UUID | None = None,
    only: Iterable[str] = (),
) -> list[Finding]:
    """Run checks over loaded data and return every finding, in the order of the checks.

    Args:
        connection: any psycopg connection; nothing is written.
        checks: the checks, or the domain whose checks are meant.
        scope: an instance's id, to look at its rows alone.
        only: names of the checks to run; empty for all.

    Raises:
        ValidationError: *only* names a check that does not exist.
    """
    known = {check.name: check for check in (checks_of(checks) if isinstance(checks, Domain) else checks)}
    wanted = tuple(only)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValidationError(f"there is no check {unknown[0]!r}", hint=f"known are {', '.join(known)}")
    findings: list[Finding] = []
    for name in wanted or known:
        findings.extend(known[name].run(connection, scope))
    return findings


def require_valid(
    connection: psycopg.Connection[Any], checks: Iterable[Check] | Domain, *, scope: UUID | None = None
) -> None:
    """Run all checks and raise one error that lists the findings.

    Raises:
        ValidationError: at least one row breaks a rule.
    """
    findings = validate(connection, checks, scope=scope)
    if findings:
        shown = "; ".join(str(finding) for finding in findings[:10])
        more = f" (and {len(findings) - 10} more)" if len(findings) > 10 else ""
        raise ValidationError(
            f"the data breaks {len({finding.check for finding in findings})} rules", why=shown + more
        )
