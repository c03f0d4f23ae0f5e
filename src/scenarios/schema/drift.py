"""Whether models, migrations, kept files and a live database say the same.

Each of them can create the schema, and people use each: tests the models, production the migrations, a DBA
the SQL file. Checked separately they drift apart; here each makes a database and the catalogues are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg

from scenarios.domain import Domain
from scenarios.errors import SchemaDriftError, redact
from scenarios.postgres import urls
from scenarios.resources import resource
from scenarios.schema import diagrams, migrations
from scenarios.schema.catalogue import IGNORED_SCHEMAS, Catalogue, Difference, Normalise, read_catalogue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scenarios.postgres import Database, Server


@dataclass(slots=True)
class DriftReport:
    """What was compared, and how it differs from the models' DDL.

    Attributes:
        system: the system's name.
        compared: what was compared, in order: ``"create_all"``, ``"migrations"``, ...
        findings: for each of them, a line for each thing that is not as the models say.
    """

    system: str
    compared: list[str] = field(default_factory=list)
    findings: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything drifted."""
        return any(self.findings.values())

    def add(self, subject: str, differences: list[Difference] | list[str]) -> None:
        """Record the comparison of *subject*."""
        self.compared.append(subject)
        self.findings[subject] = [str(difference) for difference in differences]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "system": self.system,
            "clean": not self,
            "compared": [
                {"subject": subject, "differences": self.findings[subject]} for subject in self.compared
            ],
        }


def kept_files(domain: Domain) -> dict[str, Callable[[], str]]:
    """Return the files kept under ``schema/<system>/`` and what makes each."""
    return {
        "schema.sql": domain.ddl,
        "diagram.mmd": lambda: diagrams.mermaid(domain.metadata, title=domain.title),
    }


def write_kept_files(domain: Domain, directory: Path | None = None) -> list[Path]:
    """Write the kept files of *domain* and return those that changed."""
    directory = directory or resource("schema") / domain.name
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, make in kept_files(domain).items():
        path, text = directory / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale_files(domain: Domain, directory: Path | None = None) -> list[Path]:
    """Return the kept files of *domain* that are missing or not what the models give."""
    directory = directory or resource("schema") / domain.name
    return [
        directory / name
        for name, make in kept_files(domain).items()
        if not (directory / name).is_file() or (directory / name).read_text(encoding="utf-8") != make()
    ]


def catalogue_of(url: str, *, ignored_schemas: tuple[str, ...] = IGNORED_SCHEMAS) -> Catalogue:
    """Return the catalogue of the database at *url*, read only.

    Raises:
        SchemaDriftError: it cannot be reached.
    """
    try:
        parameters = cast("dict[str, Any]", urls.parameters_of(url))
        with psycopg.connect(**parameters) as connection:
            connection.read_only = True
            return read_catalogue(connection, ignored_schemas=ignored_schemas)
    except psycopg.OperationalError as error:
        raise SchemaDriftError(
            "the database to compare with cannot be reached", where=redact(url), why=str(error).strip()
        ) from error


@contextmanager
def _alchemy(database: Database) -> Iterator[Connection]:
    with database.engine.begin() as connection:
        yield connection
    database.engine.dispose()


def _catalogue(database: Database) -> Catalogue:
    with database.connect() as connection:
        return read_catalogue(connection)


def _run(database: Database, script: str) -> None:
    with database.connect() as connection:
        connection.execute(script.encode())


def _make(database: Database, domain: Domain) -> None:
    """Make the schema of *domain* in an empty database, from what it is made from."""
    from scenarios.postgres.schemas import read_source

    if domain.schema is None:
        _run(database, domain.ddl())
        return
    with database.connect() as connection:
        read_source(domain).build(connection, database.url)


def check(
    domain: Domain,
    server: Server,
    *,
    live: str | None = None,
    directory: Path | None = None,
    normalise: Normalise | None = None,
    ignore: tuple[str, ...] = (),
    ignored_schemas: tuple[str, ...] = IGNORED_SCHEMAS,
    allow_extra: bool = False,
) -> DriftReport:
    """Compare everything that can create or is the schema of *domain* with the models' DDL.

    Args:
        domain: the system.
        server: where empty databases are made and dropped.
        live: the URL of a database to compare too; it is only read.
        directory: where the kept files and migrations are, ``schema/<system>`` if None.
        normalise: evens out what a live database changes on purpose.
        ignore: kinds that are not compared, such as ``"columns"`` for their order.
        ignored_schemas: schemas of a live database that are not part of the system.
        allow_extra: whether a live database may have objects the models do not know.
    """
    report = DriftReport(domain.name)
    kept = directory is not None or domain.schema is None
    directory = directory or resource("schema") / domain.name
    with server.database() as database:
        _make(database, domain)
        expected = _catalogue(database)
    # Only metadata that carries more than tables (`rendering.attach`) claims that create_all is enough.
    if kept and domain.metadata.dispatch.after_create:
        with server.database() as database:
            with _alchemy(database) as connection:
                domain.metadata.create_all(connection)
            report.add("create_all", expected.differences(_catalogue(database), ignore=ignore))
    if kept and (directory / "schema.sql").is_file():
        with server.database() as database:
            _run(database, (directory / "schema.sql").read_text(encoding="utf-8"))
            report.add("schema.sql", expected.differences(_catalogue(database), ignore=ignore))
    if kept and (directory / "migrations" / "env.py").is_file():
        with server.database() as database:
            with _alchemy(database) as connection:
                migrations.upgrade(domain.name, connection)
            report.add("migrations", expected.differences(_catalogue(database), ignore=ignore))
            with _alchemy(database) as connection:
                changes = [
                    f"autogenerate would {change}" for change in migrations.autogenerated(domain, connection)
                ]
            report.add("alembic check", changes)
    if kept:
        stale = [f"{path} is not what the models give" for path in stale_files(domain, directory)]
        report.add("kept files", stale)
    if live is not None:
        found = catalogue_of(live, ignored_schemas=ignored_schemas)
        differences = expected.differences(found, ignore=ignore, normalise=normalise)
        if allow_extra:
            differences = [difference for difference in differences if difference.expected is not None]
        report.add(redact(live), differences)
    return report
