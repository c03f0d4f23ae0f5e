"""One set of connection parameters, and the spellings other programs want.

SQLAlchemy, libpq and asyncpg each write a socket directory differently, and a URL pasted together by hand is
wrong as soon as a password holds an `@`. Everything here starts from libpq's parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from psycopg import conninfo
from psycopg.errors import Error

from scenarios.errors import SettingsError, hidden

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_QUOTED = re.compile(r'"([^"]*)"')
_IN_URL = frozenset({"user", "password", "host", "port", "dbname"})


def parameters_of(url: str) -> dict[str, str]:
    """Return the libpq parameters of *url*, which may also be spelt as SQLAlchemy does.

    Raises:
        SettingsError: libpq cannot read it.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme.partition("+")[0] in {"postgresql", "postgres"}:
        url = f"postgresql://{rest}"
        if _is_ambiguous(rest):
            raise SettingsError(
                "cannot read a PostgreSQL URL",
                where=hidden(url),
                why="behind user and password there is one @ or / too many",
                hint="write an @ in the password as %40, a / as %2F, a : as %3A, a % as %25",
            )
    try:
        found: dict[str, Any] = conninfo.conninfo_to_dict(url)
    except Error as error:
        raise SettingsError(
            "cannot read a PostgreSQL URL",
            where=hidden(url),
            # libpq repeats what it cannot read, and that may be the password.
            why=_QUOTED.sub(lambda each: each[0] if len(each[1]) < 2 else '"..."', str(error).strip()),
            hint="write it as postgresql://user@host:5432/dbname",
        ) from None
    return {name: str(value) for name, value in found.items() if value is not None}


def _is_ambiguous(rest: str) -> bool:
    """Whether a password was left as it is, so that libpq would take a part of it for a host or a name."""
    place = rest.partition("?")[0]
    authority, _, path = place.partition("/")
    return authority.count("@") > 1 or "@" in path


def is_url(text: str) -> bool:
    """Whether *text* looks like the URL of a PostgreSQL server."""
    return text.startswith(("postgresql://", "postgres://", "postgresql+"))


def sqlalchemy_url(parameters: Mapping[str, str], driver: str = "psycopg") -> URL:
    """Return the SQLAlchemy URL for *parameters*."""
    from sqlalchemy.engine import URL

    query = {name: value for name, value in parameters.items() if name not in _IN_URL}
    host, port = parameters.get("host"), parameters.get("port")
    if _is_plain(host):
        number = int(port) if port else None
    else:
        # A socket directory, or several hosts: these stand in the query.
        query |= {name: parameters[name] for name in ("host", "port") if parameters.get(name)}
        host, number = None, None
    return URL.create(
        f"postgresql+{driver}",
        username=parameters.get("user"),
        password=parameters.get("password"),
        host=host,
        port=number,
        database=parameters.get("dbname"),
        query=query,
    )


def libpq_url(parameters: Mapping[str, str]) -> str:
    """Return the libpq URI for *parameters*, password included; asyncpg reads it as well."""
    query = {name: value for name, value in parameters.items() if name not in _IN_URL}
    login = quote(parameters.get("user", ""), safe="")
    if "password" in parameters:
        login += f":{quote(parameters['password'], safe='')}"
    host, port = parameters.get("host", ""), parameters.get("port", "")
    place = ""
    if _is_plain(host):
        place = f"[{host}]" if ":" in host else host
        place += f":{port}" if port else ""
    else:
        query |= {name: value for name, value in (("host", host), ("port", port)) if value}
    tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
    login += "@" if login else ""
    return f"postgresql://{login}{place}/{quote(parameters.get('dbname', ''), safe='')}{tail}"


def safe_url(parameters: Mapping[str, str]) -> str:
    """Return the libpq URI for *parameters* without the password, for people and logs."""
    return libpq_url({name: value for name, value in parameters.items() if name != "password"})


def _is_plain(host: str | None) -> bool:
    return bool(host) and not str(host).startswith(("/", "@")) and "," not in str(host)
