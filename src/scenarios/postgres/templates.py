"""Templates: a database with a schema, built once and cloned for every test.

Without a name that covers everything that went in, a stale template gives green tests on an old schema;
without a lock, eight workers build it eight times; without a tag that is written last, a worker clones one
that a killed run left half-built. The lock is an advisory one, so it is gone when its holder is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from scenarios.errors import ScenariosError, TemplateError
from scenarios.ownership import OwnershipTag, require_ours, today
from scenarios.postgres import asked_extensions
from scenarios.postgres.creation_markers import TEMPLATE_PREFIX
from scenarios.postgres.ingredients import GONE, Ingredients, now, unchanged
from scenarios.postgres.leases import number_of
from scenarios.postgres.logging_state import logging_kept
from scenarios.postgres.schemas import Source, code_digest, digest, read_source

if TYPE_CHECKING:
    from scenarios.postgres.server import Server


NO_JOURNAL = "no journal"
"""How the limit begins that says there is none."""


@dataclass(frozen=True, slots=True)
class Template:
    """A database to clone from, complete and closed to connections.

    Attributes:
        name: the database's name, from the hash of its inputs.
        label: what it was made from.
        inputs: name of each input to its hash.
        schema: the object it was made from.
        built: whether this call built it; False when it was there.
        ms: what the call took, in milliseconds.
        why_rebuilt: the inputs by which it differs from the newest other template of the same label; ``"first
            build"`` when there is none; empty when it was there.
    """

    name: str
    label: str
    inputs: Mapping[str, str]
    schema: object
    built: bool
    ms: float
    why_rebuilt: str


def get_template(
    server: Server,
    schema: object,
    *,
    base: Template | None = None,
    populate: Callable[[psycopg.Connection[Any]], object] | None = None,
    key: str = "",
    newer_than: str = "",
) -> Template:
    """Return the template for *schema*, built if it is not there. See `Server.template`."""
    source = read_source(schema)
    try:
        return _get_template(server, source, schema, base, populate, key, newer_than)
    except ScenariosError as error:
        missing = asked_extensions.refused(error)
        if missing is None:
            raise
        if base is None and server.replace_lacking(frozenset({missing})):
            return _get_template(server, source, schema, base, populate, key, newer_than)
        raise asked_extensions.explained(error, missing, server) from error


def _get_template(
    server: Server,
    source: Source,
    schema: object,
    base: Template | None,
    populate: Callable[[psycopg.Connection[Any]], object] | None,
    key: str,
    newer_than: str,
) -> Template:
    begun = time.perf_counter()
    inputs = {
        "server": str(server.version),
        "role": digest(server.manager.control.info.user),  # A template is cloned by its owner alone.
        "journal": _journal_digest(),
        **source.inputs,
    }
    if base is not None:
        inputs["base"] = base.name
    if populate is not None:
        inputs["populate"] = code_digest(populate)
    if key:
        inputs["key"] = digest(key)
    wanted = OwnershipTag("template", label=source.label, inputs=inputs, template=base.name if base else "")

    def done(found: tuple[str, OwnershipTag], why: str = "") -> Template:
        name, tag = found
        elapsed = (time.perf_counter() - begun) * 1000
        return Template(name, tag.label, {**inputs, **tag.read}, schema, bool(why), elapsed, why)

    there = _find_ready(server, wanted, source.root, newer_than)
    if there is not None:
        return done(there)
    asked = source.asked | {*source.extensions} | asked_extensions.in_files(source.files)
    if asked and base is None and server.require_extensions(asked):
        return _get_template(server, source, schema, base, populate, key, newer_than)
    with server.connect() as conn:
        # Whoever holds this builds; the others wait, and find it ready.
        conn.execute("SELECT pg_advisory_lock(%s)", [number_of(f"template {_name(wanted)}")])
        there = _find_ready(server, wanted, source.root, newer_than)
        if there is not None:
            return done(there)
        why = _why(server, wanted, source.root)
        return done(_build(server, source, base, populate, wanted), why)


def _name(tag: OwnershipTag) -> str:
    parts = [part for pair in sorted({**tag.inputs, **tag.read}.items()) for part in pair]
    return f"{TEMPLATE_PREFIX}{digest(tag.label, *parts)}"


def _find_ready(
    server: Server, wanted: OwnershipTag, root: Path, newer_than: str
) -> tuple[str, OwnershipTag] | None:
    """Return the newest template of these inputs whose build read what is there now."""
    found = [
        (name, tag)
        for name, tag in server.manager.tagged().items()
        if (tag.kind, tag.ready, tag.label) == ("template", True, wanted.label)
        and tag.inputs == wanted.inputs
        and tag.created > newer_than
        and unchanged(tag.read, root)
    ]
    if not found:
        return None
    name, tag = max(found, key=lambda each: each[1].created)
    if tag.used != today():
        server.manager.write_tag(name, replace(tag, used=today()))
    return name, tag


def _build(
    server: Server,
    source: Source,
    base: Template | None,
    populate: Callable[[psycopg.Connection[Any]], object] | None,
    wanted: OwnershipTag,
) -> tuple[str, OwnershipTag]:
    working = server.manager.next_name()
    ingredients = Ingredients(source)
    name = working
    made = server.manager.create(working, base.name if base is not None else "template0", wanted)
    try:
        with _own_session(server, working) as conn:
            for extension in source.extensions:
                _create_extension(conn, extension)
        with _own_session(server, working) as conn, logging_kept(), ingredients.watched():
            source.build(conn, server.sqlalchemy_url(working))
        if populate is not None:
            with _own_session(server, working) as conn, logging_kept(), ingredients.watched(populate):
                populate(conn)
        with _own_session(server, working) as conn:
            _install_journal(server, conn)
            conn.execute("ANALYZE")
        made = replace(server.manager.read_tag(working) or made, read=ingredients.read())
        control = server.manager.control
        statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false")
        control.execute(statement.format(sql.Identifier(working)))
        name = _name(made)
        server.manager.drop(name)  # half-built by a run that was killed, or not new enough
        server.manager.rename(control, working, name)
        made = replace(made, ready=True)
        server.manager.write_tag(name, made)
        return name, made
    except BaseException as error:
        for left in (working, name):
            with suppress(psycopg.Error, ScenariosError):
                server.manager.drop(left)
        if isinstance(error, ScenariosError) or not isinstance(error, Exception):
            raise
        raise TemplateError(
            f"a template could not be built from {source.label}",
            where=f"server {server.safe_url}",
            why=f"{type(error).__name__}: {error}",
            hint="mend the schema; the half-built template was dropped",
        ) from error


@contextmanager
def _own_session(server: Server, working: str) -> Iterator[psycopg.Connection[Any]]:
    """Give one step of a build a session of its own, in the database being built and in no other.

    What a step has set (a dump empties the search_path, for one) is gone with it; what it has set for the
    database, the next one finds. A comment it made is kept, and our tag put behind it.
    """
    server.manager.read_tag(working)
    with server.connect(working) as conn:
        require_ours(conn, "build a template")
        yield conn


def _create_extension(conn: psycopg.Connection[Any], extension: str) -> None:
    try:
        conn.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
    except psycopg.Error as error:
        raise TemplateError(
            f"the extension {extension!r} cannot be created",
            why=str(error).strip(),
            hint="name a server that has it (SCENARIOS_POSTGRES_BIN, SCENARIOS_IMAGE) or a role that may",
        ) from error


def _install_journal(server: Server, conn: psycopg.Connection[Any]) -> None:
    """Put the journal into the template, so that its clones have it from the start."""
    from scenarios import journal
    from scenarios.errors import JournalError

    try:
        journal.install(conn)
    except JournalError as error:
        # A role without the rights for it still gets templates and clones; its snapshots are copies.
        if not any(limit.startswith(NO_JOURNAL) for limit in server.limits):
            server.limits.append(f"{NO_JOURNAL} in templates: {error.what}")


@cache
def _journal_digest() -> str:
    from importlib.resources import files

    parts: list[str | bytes] = []
    for entry in sorted(files("scenarios.journal").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".sql")):
            parts += [entry.name, entry.read_bytes()]
    return digest(*parts)


def _why(server: Server, wanted: OwnershipTag, root: Path) -> str:
    """Say by what the template *wanted* differs from the newest ready one of the same label."""
    others = [
        found
        for found in server.manager.tagged().values()
        if found.kind == "template" and found.label == wanted.label and found.ready
    ]
    if not others:
        return "first build"
    newest = max(others, key=lambda found: found.created)
    last = {**newest.inputs, **newest.read}
    inputs = {**wanted.inputs, **now(newest.read, root)}
    changed = sorted(item for item in {*last, *inputs} if last.get(item) != inputs.get(item))
    return ", ".join(
        f"{item} is new"
        if item not in last
        else f"{item} is gone"
        if inputs.get(item) in (None, GONE)
        else f"{item} changed"
        for item in changed
    ) or ("a new one was asked for")
