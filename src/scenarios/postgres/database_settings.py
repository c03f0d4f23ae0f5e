"""What belongs to a database and not to its content: owner, rights, settings, limit of connections.

``CREATE DATABASE .. TEMPLATE`` copies what is in a database; all of this stands in catalogues of the whole
server and stays behind. A search_path set by ``ALTER DATABASE`` would then be missing in every clone, and an
application's triggers would find other tables than in production, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from scenarios.errors import DatabaseError

_LISTS = frozenset(
    {
        *("search_path", "temp_tablespaces", "unix_socket_directories"),
        *("local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"),
    }
)
"""Settings kept as lists of quoted names, as pg_dump knows them (``variable_is_guc_list_quote``)."""

_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*))\s*(?:,|$)')

_READ = """
    SELECT pg_get_userbyid(s.datdba), pg_get_userbyid(t.datdba), s.datconnlimit, s.datacl IS NOT NULL,
           ARRAY(SELECT jsonb_build_array(pg_get_userbyid(nullif(a.grantee, 0)), privilege_type, is_grantable)
                   FROM aclexplode(s.datacl) a),
           ARRAY(SELECT jsonb_build_array(pg_get_userbyid(nullif(r.setrole, 0)), c)
                   FROM pg_db_role_setting r, unnest(r.setconfig) c WHERE r.setdatabase = s.oid)
      FROM pg_database s, pg_database t WHERE s.datname = %s AND t.datname = %s
"""


def copy_settings(conn: psycopg.Connection[Any], source: str, target: str) -> None:
    """Give the database *target*, a fresh copy of *source*, what the copying left behind.

    Raises:
        DatabaseError: the role of *conn* may not.
    """
    statements = list(_statements(conn, source, target))
    if not statements:
        return
    try:
        with conn.transaction():
            conn.execute(sql.SQL(";").join(statements))
    except psycopg.Error as error:
        raise DatabaseError(
            f"the settings of the database {source!r} cannot be given to its copy",
            where=f"{conn.info.host or 'local socket'} port {conn.info.port}, role {conn.info.user!r}",
            why=str(error).strip(),
            hint="take ALTER DATABASE, GRANT and ALTER ROLE .. IN DATABASE out of the schema, "
            "or name a role that may do what they do",
        ) from error


def _statements(conn: psycopg.Connection[Any], source: str, target: str) -> Iterator[sql.Composed]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_READ, [source, target]).fetchone()
    if row is None:
        return
    owner, maker, limit, has_rights, rights, settings = row
    database = sql.Identifier(target)
    if owner != maker:
        yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(owner))
    if limit >= 0:
        yield sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, sql.Literal(limit))
    if has_rights:
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, sql.Identifier(owner))
    for grantee, right, grantable in rights:
        yield sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
            sql.SQL(right),
            database,
            sql.Identifier(grantee) if grantee is not None else sql.SQL("PUBLIC"),
            sql.SQL(" WITH GRANT OPTION" if grantable else ""),
        )
    for role, setting in settings:
        name, _, value = setting.partition("=")
        who = sql.SQL("DATABASE {}").format(database)
        if role is not None:
            who = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
        yield sql.SQL("ALTER {} SET {} TO {}").format(
            who, sql.SQL(".").join(map(sql.Identifier, name.split("."))), _value(name, value)
        )


def _value(name: str, value: str) -> sql.Composable:
    if name.lower() not in _LISTS:
        return sql.Literal(value)
    elements = []
    place = 0
    while place < len(value):
        found = _ELEMENT.match(value, place)
        assert found is not None, f"not a list of names: {value!r}"
        place = found.end()
        quoted, plain = found.groups()
        elements.append(quoted.replace('""', '"') if quoted is not None else plain.strip())
    return sql.SQL(", ").join(map(sql.Literal, elements or [""]))
