"""Database to file: what somebody sees on their screen becomes a scenario, with nothing lost.

A bug report says what somebody did and saw, and loses the state in which they did it. Here the rows of a
person or an instance are taken (`extract`), cut down and stripped of secrets (`leaving_out`), made nobody's
(`pseudonyms`), named (`naming`), and written as the shortest file that gives them again (`lossless`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from scenarios.domain import PERSONAL, Domain
from scenarios.errors import FreezeError
from scenarios.library.closure.extract import (
    add_history,
    arrange,
    empty_dangling,
    extract,
    without_rows,
)
from scenarios.library.closure.parents import add_parents
from scenarios.library.closure.reach import Name, foreign_keys, name_of, reach_of
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.head import NAME
from scenarios.library.freezing.leaving_out import SECRET, strip, subset
from scenarios.library.freezing.lossless import lossless
from scenarios.library.freezing.naming import name_rows
from scenarios.library.freezing.selection import Selection, Survey, survey
from scenarios.library.instances.locking import one_moment
from scenarios.library.instances.ownership import InTheWay, extent_of
from scenarios.library.instances.removal import MOST_NAMED
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.plan import Plan
from scenarios.library.planning.sections import Sections
from scenarios.library.privacy.pseudonyms import Pseudonyms, require_classified
from scenarios.library.progress import Progress, Stages
from scenarios.library.sections import sections_of

if TYPE_CHECKING:
    from scenarios.library.instances.instance import Instance
    from scenarios.postgres import Database


@dataclass(frozen=True, slots=True)
class Frozen:
    """A scenario made from rows.

    Attributes:
        text: the file.
        definition: the scenario, ready to load.
        rows: number of rows by table.
        notes: what was left out or replaced, as sentences.
        handles: the key of each row by handle.
    """

    text: str
    definition: ScenarioDefinition
    rows: Mapping[str, int]
    notes: tuple[str, ...]
    handles: Mapping[str, tuple[str, tuple[Any, ...]]]


def freeze(
    db: Database,
    *,
    name: str,
    user: str | None = None,
    instance: str | Instance | None = None,
    rows: Selection | None = None,
    system: str | None = None,
    domain: Domain | None = None,
    anonymise: bool | None = None,
    key: str = "",
    now: datetime | None = None,
    last_messages: int | None = None,
    session: str | None = None,
    title: str = "",
    with_added: bool = False,
    connection: Any = None,
    progress: Progress | None = None,
    on_plan: Callable[[Survey], None] | None = None,
) -> Frozen:
    """Return the scenario of a person, of an instance, or of any rows, with all that they refer to.

    Args:
        db: where they are; nothing is written to it.
        name: the scenario's name.
        user: a person's e-mail address or key.
        instance: an instance, or its name; either this, *user* or *rows*.
        rows: rows of any tables, and how far to go from them.
        system: the registered system, for a user or rows; by default the one whose tables *db* has. An
            instance knows its own.
        domain: the system itself, where it is not an installed one.
        anonymise: replace personal data; by default for a person and rows, not for an instance.
        key: the key of the pseudonyms.
        now: the moment the scenario's clock shows; by default an instance's own, else the present.
        last_messages: take only that many messages of each person, the last ones.
        session: take only the messages of this session (its key, or its handle in the instance).
        title: the scenario's title.
        with_added: take rows as well that merely hang on the instance: neither did its load write them nor
            did they provably come later, so they may be somebody else's.
        connection: a connection to use instead of a new one.
        progress: is told what is being done.
        on_plan: is told which of the rows are to be taken, before their values are read.

    Raises:
        FreezeError: there is no such person or instance; a column is not classified; the rows cannot be
            written without loss.
        InstanceBusy: somebody else is at the instance.
    """
    if not NAME.match(name):
        raise FreezeError(
            f"{name[:60]!r} is not a scenario's name",
            hint="use lower-case letters, digits and _, at most 80",
        )
    if [user is None, instance is None, not rows].count(False) != 1:
        raise FreezeError("name either a user, an instance or rows to freeze")
    stages = Stages(progress, 4)
    stages.begin("reading the rows")
    label = instance if isinstance(instance, str) else instance.name if instance is not None else None
    with one_moment(db, label, connection) as conn:
        taken = _take(conn, db, user, instance, rows, system, domain, with_added, on_plan)
    sections, extraction, known = taken.sections, taken.extraction, taken.known
    if not extraction.rows:
        raise FreezeError(
            f"there is nothing to freeze in {label or user or 'these rows'!r}", where=db.safe_url
        )
    stages.begin(f"arranging {len(extraction.rows):,} rows")
    private = anonymise if anonymise is not None else instance is None
    notes = list(extraction.notes)
    subset(extraction, sections, last_messages, session, known, notes)
    arrange(extraction, sections, taken.positions)
    anchor = now or taken.anchor or _present(extraction)
    notes += strip(extraction, label)
    if private:
        notes += _anonymise(extraction, key)
    stages.begin(f"naming {len(extraction.rows):,} rows")
    # No handle keeps a name that was replaced.
    name_rows(extraction, {} if private else known)
    head = {
        "scenario": name,
        "system": sections.domain.name,
        "title": title
        or f"Frozen from {'the instance ' + label if label else 'rows' if rows else 'a person'}",
        "tags": ["frozen"],
        "clock": anchor.astimezone(UTC).isoformat(),
        # What the file leaves out comes of it, whatever the seed of the project that loads it.
        "seed": "scenarios",
    }
    stages.begin("writing the shortest file that gives them again")
    text, definition = lossless(sections, extraction, anchor.astimezone(UTC), head, notes)
    counts: dict[str, int] = {}
    for row in extraction.rows:
        counts[row.table.fullname] = counts.get(row.table.fullname, 0) + 1
    handles = {row.handle: (row.table.fullname, row.key) for row in extraction.rows}
    return Frozen(text, definition, counts, tuple(notes), handles)


@dataclass(slots=True)
class _Taken:
    sections: Sections
    extraction: Extraction
    known: dict[tuple[str, tuple[Any, ...]], str]
    anchor: datetime | None
    positions: dict[tuple[str, tuple[Any, ...]], int]


def _take(
    conn: Any,
    db: Database,
    user: str | None,
    instance: str | Instance | None,
    rows: Selection | None,
    system: str | None,
    domain: Domain | None,
    with_added: bool,
    on_plan: Callable[[Survey], None] | None,
) -> _Taken:
    from scenarios.library.instances.finding import open_instance
    from scenarios.library.systems import system_in

    if instance is not None:
        domains = {domain.name: domain} if domain is not None else None
        opened = (
            open_instance(db, instance, domains=domains, connection=conn)
            if isinstance(instance, str)
            else instance
        )
        sections = opened.definition.sections
        known = {
            (row.table.fullname, opened.key(row.handle)): row.handle for row in opened.plan.rows if row.named
        }
        extent = extent_of(conn, opened)
        if with_added:
            extent.reach.take_others()
        absent = _names(sections, without_rows(sections))
        add_parents(conn, extent.reach, extent.keys, without=absent)
        extraction = extract(conn, sections, extent.reach, without=without_rows(sections))
        extraction.notes += _of_others(extent.in_the_way, taken=with_added)
        extraction.notes += add_history(conn, extraction, sections)
        _shared(conn, extraction, opened.plan, sections)
        extraction.notes += empty_dangling(extraction, sections)
        for unseen, count in opened.plan.untrackable_rows(extraction.searched).items():
            unseen_rows = f"{count} row{'' if count == 1 else 's'} of {unseen}"
            extraction.notes.append(f"{unseen_rows} left out: the table has no key to find them by")
        positions = {
            (row.table.fullname, opened.key(row.handle)): at for at, row in enumerate(opened.plan.rows)
        }
        return _Taken(sections, extraction, known, opened.anchor, positions)
    found = domain or system_in(db, system)
    if rows is not None:
        sections = sections_of(found)
        plan = survey(conn, sections, rows)
        if on_plan is not None:
            on_plan(plan)
        extraction = extract(conn, sections, plan.reach, without=without_rows(sections))
        extraction.notes += empty_dangling(extraction, sections, plan.shared)
        return _Taken(sections, extraction, {}, None, {})
    if found.owner is None:
        raise FreezeError(f"{found.title} has no people to freeze", hint="freeze an instance instead")
    sections = sections_of(found)
    table = found.table(found.owner)
    root = sql.SQL("{}::text = {}").format(
        sql.Identifier(next(iter(table.primary_key.columns)).name), sql.Literal(user)
    )
    if "email" in table.columns:
        root = sql.SQL("({} OR lower(email) = lower({}))").format(root, sql.Literal(user))
    keys = foreign_keys(conn)
    reach = reach_of(conn, {name_of(table): root}, keys)
    # Another person comes along where the row cannot be without them; else the link is emptied.
    add_parents(
        conn,
        reach,
        keys,
        follow=lambda key: key.required or key.parent != name_of(table),
        without=_names(sections, without_rows(sections)),
    )
    extraction = extract(conn, sections, reach, without=without_rows(sections))
    if not extraction.rows:
        raise FreezeError(
            f"there is no {user!r} in {found.owner}",
            where=db.safe_url,
            hint="give an e-mail address or a key",
        )
    extraction.notes += add_history(conn, extraction, sections)
    extraction.notes += empty_dangling(extraction, sections)
    return _Taken(sections, extraction, {}, None, {})


def _of_others(rows: Sequence[InTheWay], *, taken: bool) -> list[str]:
    """Return word of the rows that hang on an instance and may be somebody else's."""
    if not rows:
        return []
    what = "taken" if taken else "left out"
    hint = "" if taken else "; --with-added takes them"
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    why = "neither did the load write them nor did they provably come later"
    return [
        f"{count} that may be somebody else's {what}: {why}{hint}",
        *(f"{what}: {row}" for row in rows[:MOST_NAMED]),
    ]


def _names(sections: Sections, tables: Collection[str]) -> set[Name]:
    return {name_of(sections.domain.metadata.tables[each]) for each in tables}


def _shared(conn: Any, extraction: Extraction, plan: Plan, sections: Sections) -> None:
    """Add the shared rows of an instance, as the scenario has them: nobody's rows hang on them."""
    for name in sorted(sections.domain.reference):
        for row in plan.of(name):
            found = ExtractedRow(row.table, dict(row.values), handle=row.handle, named=True)
            extraction.rows.append(found)
            extraction.by_key[name, found.key] = found


def _present(extraction: Extraction) -> datetime:
    # To the microsecond: what was written in this very second has happened, too.
    present = datetime.now(UTC)
    moments = [
        value for row in extraction.rows for value in row.values.values() if isinstance(value, datetime)
    ]
    past = [moment for moment in moments if moment <= present]
    return max(past, default=present.replace(microsecond=0)).astimezone(UTC)


def _anonymise(extraction: Extraction, key: str) -> list[str]:
    tables = {row.table.fullname: row.table for row in extraction.rows}
    require_classified(tables.values())
    from scenarios.settings import Settings

    pseudonyms = Pseudonyms(key or Settings()["seed"])
    for row in extraction.rows:
        pseudonyms.know(row.values, row.table.columns)
    for row in extraction.rows:
        for column in row.table.columns:
            kind = column.info.get(PERSONAL)
            # What is left out already stays out.
            if kind is not None and row.values.get(column.name, SECRET) is not SECRET:
                row.values[column.name] = pseudonyms.fitting(column, row.values[column.name])
    return [
        f"{pseudonyms.replaced} personal values replaced by pseudonyms; names of people who are not in the "
        "data, in texts, are not recognised: read the texts before you share the file"
    ]
