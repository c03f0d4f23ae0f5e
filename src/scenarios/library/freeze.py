"""Database to file: what somebody sees on their screen becomes a scenario, with nothing lost.

A freeze that drops what its author did not think of (the source of a note, the order of identities, every
time) gives a state that looks right and behaves differently. So this one proves itself: the file is read
and planned as a load would, and compared with the rows it was made from, column by column. What the plan
would not come to by itself is written out; what it would is left out, which keeps the file short.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from scenarios.domain import PERSONAL, Domain
from scenarios.errors import FreezeError
from scenarios.library.columns import CLOCK, DATABASE, KEY, MISSING, ColumnSpec, specs
from scenarios.library.compose import compose
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.emit import to_yaml
from scenarios.library.expressions import escape
from scenarios.library.faults import Faults, FaultyScenario
from scenarios.library.gather import Found, Gathered, add_needed, arrange, gather
from scenarios.library.head import HANDLE, NAME
from scenarios.library.plan import Plan, Serial
from scenarios.library.pseudonyms import Pseudonyms, require_classified
from scenarios.library.reach import name_of
from scenarios.library.rows import EXTRA
from scenarios.library.sections import sections_of
from scenarios.library.sections.base import Section, Sections
from scenarios.library.times import format_offset
from scenarios.library.tree import Branch, from_plain, read_tree, to_plain
from scenarios.values.keyed import slug

if TYPE_CHECKING:
    from scenarios.library.instances import Instance
    from scenarios.postgres import Database

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_ROUNDS = 6


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
    system: str = "dev_coach",
    domain: Domain | None = None,
    anonymise: bool | None = None,
    key: str = "",
    now: datetime | None = None,
    last_messages: int | None = None,
    session: str | None = None,
    title: str = "",
    connection: Any = None,
) -> Frozen:
    """Return the scenario of a person or of an instance.

    Args:
        db: where they are; nothing is written to it.
        name: the scenario's name.
        user: a person's e-mail address or key.
        instance: an instance, or its name; either this or *user*.
        system: the system, for a user; an instance knows its own.
        domain: the system itself, where it is not an installed one.
        anonymise: replace personal data; by default for a person, and not for an instance.
        key: the key of the pseudonyms.
        now: the moment the scenario's clock shows; by default an instance's own, else the present.
        last_messages: take only that many messages of each person, the last ones.
        session: take only the messages of this session (its key, or its handle in the instance).
        title: the scenario's title.

    Raises:
        FreezeError: there is no such person or instance; a column is not classified; the rows cannot be
            written without loss.
    """
    from scenarios.library.load import transaction

    if not NAME.match(name):
        raise FreezeError(
            f"{name[:60]!r} is not a scenario's name",
            remedy="use lower-case letters, digits and _, at most 80",
        )
    if (user is None) == (instance is None):
        raise FreezeError("name either a user or an instance to freeze")
    label = instance if isinstance(instance, str) else instance.name if instance is not None else None
    with transaction(db, connection) as conn:
        if connection is None:
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        taken = _take(conn, db, user, instance, system, domain)
    sections, gathered, known = taken.sections, taken.gathered, taken.known
    if not gathered.rows:
        raise FreezeError(f"there is nothing to freeze in {label or user!r}", where=db.safe_url)
    private = anonymise if anonymise is not None else instance is None
    notes = list(gathered.notes)
    subset(gathered, sections, last_messages, session, known, notes)
    arrange(gathered, sections, taken.positions)
    anchor = now or taken.anchor or _present(gathered)
    writer = Writer(sections, gathered, anchor.astimezone(UTC), label, known)
    notes += writer.strip()
    if private:
        notes += _anonymise(gathered, sections, key, writer)
    writer.name_rows()
    head = {
        "scenario": name,
        "system": sections.domain.name,
        "title": title or f"Frozen from {'the instance ' + label if label else 'a person'}",
        "tags": ["frozen"],
        "clock": anchor.astimezone(UTC).isoformat(),
    }
    text, definition = writer.lossless(head, notes)
    counts: dict[str, int] = {}
    for row in gathered.rows:
        counts[row.table.fullname] = counts.get(row.table.fullname, 0) + 1
    handles = {row.handle: (row.table.fullname, row.key) for row in gathered.rows}
    return Frozen(text, definition, counts, tuple(notes), handles)


@dataclass(slots=True)
class _Taken:
    sections: Sections
    gathered: Gathered
    known: dict[tuple[str, tuple[Any, ...]], str]
    anchor: datetime | None
    positions: dict[tuple[str, tuple[Any, ...]], int]


def _take(
    conn: Any,
    db: Database,
    user: str | None,
    instance: str | Instance | None,
    system: str,
    domain: Domain | None,
) -> _Taken:
    from scenarios.domain import get_domain
    from scenarios.library.instances import open_instance

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
        roots = opened.roots()
        gathered = gather(conn, sections, roots, without=_bookkeeping(sections))
        _shared(conn, gathered, opened.plan, sections)
        positions = {
            (row.table.fullname, opened.key(row.handle)): at for at, row in enumerate(opened.plan.rows)
        }
        return _Taken(sections, gathered, known, opened.anchor, positions)
    found = domain or get_domain(system)
    if found.owner is None:
        raise FreezeError(f"{found.title} has no people to freeze", remedy="freeze an instance instead")
    sections = sections_of(found)
    table = found.table(found.owner)
    root = sql.SQL("{}::text = {}").format(
        sql.Identifier(next(iter(table.primary_key.columns)).name), sql.Literal(user)
    )
    if "email" in table.columns:
        root = sql.SQL("({} OR lower(email) = lower({}))").format(root, sql.Literal(user))
    gathered = gather(conn, sections, {name_of(table): root}, without=_bookkeeping(sections))
    if not gathered.rows:
        raise FreezeError(
            f"there is no {user!r} in {found.owner}",
            where=db.safe_url,
            remedy="give an e-mail address or a key",
        )
    if not sections.scoped:
        add_needed(conn, gathered, sections)
    return _Taken(sections, gathered, {}, None, {})


def _bookkeeping(sections: Sections) -> set[str]:
    found = {handles.table for handles in sections.handles}
    if sections.scoped and sections.domain.scope is not None:
        found.add(sections.domain.scope.table)
    return found


def _shared(conn: Any, gathered: Gathered, plan: Plan, sections: Sections) -> None:
    """Add the shared rows of an instance, as the scenario has them: nobody's rows hang on them."""
    for name in sorted(sections.domain.reference):
        for row in plan.of(name):
            found = Found(row.table, dict(row.values), handle=row.handle, named=True)
            gathered.rows.append(found)
            gathered.by_key[name, found.key] = found


def _present(gathered: Gathered) -> datetime:
    present = datetime.now(UTC).replace(microsecond=0)
    moments = [value for row in gathered.rows for value in row.values.values() if isinstance(value, datetime)]
    return max([moment for moment in moments if moment <= present], default=present).astimezone(UTC)


def subset(
    gathered: Gathered,
    sections: Sections,
    last_messages: int | None,
    session: str | None,
    known: Mapping[tuple[str, tuple[Any, ...]], str],
    notes: list[str],
) -> None:
    """Keep a part of the conversation, with only what fits it.

    Raises:
        FreezeError: there is no such session.
    """
    turns = next((section for section in sections.walk() if section.form == "turns"), None)
    if turns is None or (last_messages is None and session is None):
        return
    messages = [row for row in gathered.rows if row.table.fullname == turns.table]
    doomed: set[int] = set()
    if session is not None:
        doomed |= _out_of_session(gathered, sections, messages, session, known)
    if last_messages is not None:
        by_owner: dict[Any, list[Found]] = {}
        owner = next(iter(turns.links), "")
        for row in messages:
            if id(row) not in doomed:
                by_owner.setdefault(row.values.get(owner), []).append(row)
        for rows in by_owner.values():
            rows.sort(key=lambda row: (row.values[turns.time], str(row.key)))
            doomed |= {id(row) for row in rows[: max(0, len(rows) - last_messages)]}
    for section in sections.walk():
        if section.above is not None:
            for row in gathered.rows:
                above = section.above(row, gathered) if row.table.fullname == section.table else None
                if above is not None and id(above) in doomed:
                    doomed.add(id(row))
    before = len(gathered.rows)
    gathered.drop(doomed, sections)
    gathered.indexes.clear()
    if before > len(gathered.rows):
        notes.append(
            f"{len(doomed)} messages left out, with what hangs on them: {before - len(gathered.rows)} rows"
        )


def _out_of_session(
    gathered: Gathered, sections: Sections, messages: list[Found], session: str, known: Mapping[Any, str]
) -> set[int]:
    for member in sections.walk():
        if member.unit != "membership" or member.short is None:
            continue
        target = specs(sections.domain.metadata.tables[member.table])[member.short].target
        link = next(iter(member.links))
        assert target is not None
        chosen = {
            row.key[0]
            for row in gathered.rows
            if row.table.fullname == target.table
            and (str(row.key[0]) == session or known.get((target.table, row.key)) == session)
        }
        if not chosen:
            raise FreezeError(
                f"there is no session {session!r}", remedy="give its key, or its handle: maya.first"
            )
        inside = {
            row.values[link]
            for row in gathered.rows
            if row.table.fullname == member.table and row.values[member.short] in chosen
        }
        return {id(row) for row in messages if row.key[0] not in inside}
    raise FreezeError(f"{sections.domain.title} has no sessions")


def _anonymise(gathered: Gathered, sections: Sections, key: str, writer: Writer) -> list[str]:
    tables = {row.table.fullname: row.table for row in gathered.rows}
    require_classified(tables.values())
    from scenarios.settings import Settings

    pseudonyms = Pseudonyms(key or Settings()["seed"])
    for row in gathered.rows:
        pseudonyms.know(row.values, row.table.columns)
    for row in gathered.rows:
        for column in row.table.columns:
            kind = column.info.get(PERSONAL)
            # What is left out already stays out.
            if kind is not None and row.values.get(column.name, _Secret) is not _Secret:
                row.values[column.name] = pseudonyms.replace(kind, row.values[column.name])
    writer.forget_names()
    return [
        f"{pseudonyms.replaced} personal values replaced by pseudonyms; names of people who are not in the "
        "data, in texts, are not recognised: read the texts before you share the file"
    ]


class Writer:
    """Turns arranged rows into the file's data, and proves that nothing is lost."""

    def __init__(
        self,
        sections: Sections,
        gathered: Gathered,
        anchor: datetime,
        instance: str | None,
        known: dict[tuple[str, tuple[Any, ...]], str],
    ) -> None:
        self.sections = sections
        self.gathered = gathered
        self.anchor = anchor
        self.instance = instance
        self.known = known
        self.by_text: dict[str, Found] = {
            str(row.key[0]): row
            for row in gathered.rows
            if len(row.key) == 1 and isinstance(row.key[0], UUID)
        }
        self.open: set[tuple[int, str]] = set()
        self.previous: dict[int, datetime] = {}
        self.spoken: dict[int, dict[int, str]] = {}

    # -- before ----------------------------------------------------------------------------------------

    def strip(self) -> list[str]:
        """Take out what a file never holds: secrets, and the instance's suffixes."""
        secrets = 0
        for row in self.gathered.rows:
            section = row.section
            for column in row.table.columns:
                name = column.name
                value = row.values.get(name)
                if column.info.get(PERSONAL) == "secret" and value:
                    default = section.defaults.get(name) if section is not None else None
                    if default is not None:
                        row.values[name] = _Secret
                        secrets += 1
                if (
                    self.instance is not None
                    and section is not None
                    and name in section.suffixed
                    and isinstance(value, str)
                ):
                    row.values[name] = section.suffixed[name].strip(value, self.instance)
        return [f"{secrets} secrets left out (passwords, tokens): loading makes new ones"] if secrets else []

    def forget_names(self) -> None:
        """Let no handle keep a name that was replaced."""
        self.known = {}

    def name_rows(self) -> None:
        """Give every row its handle."""
        taken: set[str] = set()
        counters: dict[tuple[int, str], int] = {}
        for row in self.gathered.rows:
            section = row.section
            above = row.parent.handle if row.parent is not None else ""
            if section is None:
                row.handle = _unique(f"{slug(row.table.name).replace('-', '_')}_1", taken)
            elif section.form == "one":
                row.handle = f"{above}.{section.key}"
            elif section.form == "named":
                prefix = f"{above}." if above else ""
                old = self.known.get((row.table.fullname, row.key), row.handle)
                wanted = old.rpartition(".")[2] or self._word(row)
                reserved = (
                    {inner.key for inner in row.parent.section.inner}
                    if row.parent and row.parent.section
                    else set()
                )
                if wanted in reserved:
                    wanted = f"{wanted}_1"
                row.handle = _unique(f"{prefix}{wanted}", taken)
            else:
                number = counters.get((id(row.parent), section.key), 0) + 1
                counters[id(row.parent), section.key] = number
                chosen = self.known.get((row.table.fullname, row.key))
                if chosen is not None and row.parent is not None:
                    row.handle, row.named = (
                        _unique(f"{row.root.handle}.{chosen.rpartition('.')[2]}", taken),
                        True,
                    )
                else:
                    row.handle = f"{above}.{section.unit}_{number}" if above else f"{section.unit}_{number}"
            taken.add(row.handle)

    def _word(self, row: Found) -> str:
        assert row.section is not None
        for column in ("first_name", "name", "title", "username"):
            value = row.values.get(column)
            if isinstance(value, str) and value:
                word = slug(value, "").replace("-", "_")[:40].strip("_")
                if word and HANDLE.match(word):
                    return word
        return f"{row.section.unit}_1"

    # -- writing ---------------------------------------------------------------------------------------

    def lossless(self, head: Mapping[str, Any], notes: Iterable[str]) -> tuple[str, ScenarioDefinition]:
        """Return the file and its scenario, as short as a lossless one can be.

        Raises:
            FreezeError: a value cannot be written such that reading gives it back.
        """
        comments = ["Made by freezing rows of a database.", *notes]
        self._optimistic()
        lost: list[tuple[Found, str, Any, Any]] = []
        for _ in range(_ROUNDS):
            data = self.data(head)
            tree = from_plain(data, "the frozen scenario")
            assert isinstance(tree, Branch)
            lost = self._compare(self._plan(self._definition(tree)))
            if not lost:
                text = to_yaml(
                    data, comments=comments, spaced=[*(each.key for each in self.sections.sections), EXTRA]
                )
                return text, self._definition(self._read(text, data))
            fresh = self._to_open(lost) - self.open
            if not fresh:
                break
            self.open |= fresh
        row, name, wanted, got = lost[0]
        raise FreezeError(
            f"{row.table.fullname}.{name} of {row.handle} cannot be frozen without loss",
            why=f"it is {wanted!r:.200}, and would load as {got!r:.200}",
        )

    def _optimistic(self) -> None:
        for row in self.gathered.rows:
            section = row.section
            for name, spec in specs(row.table).items():
                value = row.values.get(name)
                if value is _Secret or (section is not None and (name in section.links)):
                    continue
                if section is not None and name in section.defaults:
                    continue
                if section is not None and section.form == "turns" and name == section.time:
                    continue
                default = spec.default
                if _marker(default):
                    if default is CLOCK and value == self.anchor:
                        continue
                    self.open.add((id(row), name))
                elif value != default or type(value) is not type(default):
                    self.open.add((id(row), name))

    def _to_open(self, lost: Iterable[tuple[Found, str, Any, Any]]) -> set[tuple[int, str]]:
        """Return what to write next: columns that follow others of their row only when those are right."""
        lost = list(lost)
        first = {
            (id(row), name)
            for row, name, _, _ in lost
            if row.section is None or name not in row.section.derived
        }
        rows = {row for row, _ in first}
        return first | {(id(row), name) for row, name, _, _ in lost if id(row) not in rows}

    def _read(self, text: str, data: Mapping[str, Any]) -> Branch:
        """Return the tree of *text*, which has to be *data* again."""
        faults = Faults()
        tree = read_tree(text, "the frozen scenario", faults)
        faults.raise_if_any("the frozen scenario")
        assert tree is not None
        if not _same(to_plain(tree), data):
            raise FreezeError("the file does not read back as what was written")
        return tree

    def _definition(self, tree: Branch) -> ScenarioDefinition:
        faults = Faults()
        composed = compose(tree, lambda _: None, list, faults)
        faults.raise_if_any("the frozen scenario")
        return ScenarioDefinition(composed, self.sections)

    def _plan(self, definition: ScenarioDefinition) -> Plan:
        try:
            return definition.plan(instance=_PROBE, now=self.anchor)
        except FaultyScenario as error:
            raise FreezeError(
                "the rows do not make a scenario",
                why=str(error.faults[0]),
                remedy="see which row this is, and mend it",
            ) from error

    def data(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """Return the file's data, with the columns that are open."""
        self.previous.clear()
        found: dict[str, Any] = dict(head)
        for section in self.sections.sections:
            rows = [row for row in self.gathered.rows if row.section is section]
            if rows:
                found[section.key] = self.section(section, rows)
        extra: dict[str, Any] = {}
        for row in self.gathered.rows:
            if row.section is None:
                extra.setdefault(row.table.fullname, {})[row.handle] = self.columns(row)
        if extra:
            found[EXTRA] = extra
        return found

    def section(self, section: Section, rows: list[Found]) -> Any:
        """Return the data of a section's rows."""
        if section.form == "named":
            return {row.handle.rpartition(".")[2]: self.row(row) for row in rows}
        if section.form == "one":
            return self.row(rows[0])
        return [self.short(section, self.row(row)) for row in rows]

    def short(self, section: Section, data: dict[str, Any]) -> Any:
        """Return *data*, or the bare word it comes to."""
        if section.short is not None:
            label = (
                section.names.get(section.short)
                or specs(self.sections.domain.metadata.tables[section.table])[section.short].label
            )
            if list(data) == [label] and isinstance(data[label], str):
                return data[label]
        return data

    def row(self, row: Found) -> dict[str, Any]:
        """Return the data of one row with all below it."""
        section = row.section
        assert section is not None
        data: dict[str, Any] = {}
        if section.form == "turns":
            speaker = self.speaker(row, section)
            data[speaker] = self.value(row, specs(row.table)[section.text], row.values[section.text])
        if row.named and section.form in ("list", "turns"):
            data["as"] = row.handle.rpartition(".")[2]
        data.update(self.columns(row))
        for inner in section.inner:
            rows = [child for child in row.children if child.section is inner]
            if rows:
                data[inner.key] = self.section(inner, rows)
            elif inner.always:
                data[inner.key] = None
        return data

    def speaker(self, row: Found, section: Section) -> str:
        """Return the key of who speaks in a turn."""
        if section.spoken is not None and row.parent is not None:
            if id(row.parent) not in self.spoken:
                turns = [child for child in row.parent.children if child.section is section]
                keys = section.spoken(turns)
                self.spoken[id(row.parent)] = {id(turn): key for turn, key in zip(turns, keys, strict=True)}
            return self.spoken[id(row.parent)][id(row)]
        word = row.values[section.speaker]
        speaker = next((key for key, each in section.speakers.items() if each == word), None)
        if speaker is None:
            raise FreezeError(
                f"nobody in a scenario speaks as {word!r}", where=f"{row.table.fullname} {row.key}"
            )
        return speaker

    def columns(self, row: Found) -> dict[str, Any]:
        """Return the open columns of *row* by their names in files."""
        section = row.section
        scope = self.sections.domain.scope if self.sections.scoped else None
        found: dict[str, Any] = {}
        for name, spec in specs(row.table).items():
            if scope is not None and name == scope.column:
                continue
            made_up = spec.column.primary_key and not spec.required and spec.target is None
            if (made_up and spec.default is not CLOCK) or (spec.column.unique and _drawn(section, spec)):
                continue
            if section is not None and (
                name in section.links or name in section.hidden or name in (section.speaker, section.text)
            ):
                continue
            value = row.values.get(name)
            if value is _Secret or (id(row), name) not in self.open:
                continue
            label = (section.names.get(name) if section is not None else None) or spec.label
            found[label] = self.value(row, spec, value)
        if section is not None and section.form == "turns":
            moment = row.values[section.time]
            self.previous[id(row.parent)] = moment
        return found

    def value(self, row: Found, spec: ColumnSpec, value: Any) -> Any:
        """Return *value* as the file has it."""
        if value is None:
            return None
        if spec.target is not None:
            other = self.gathered.by_key.get((spec.target.table, (value,)))
            if other is None:
                return {"key": self.plain(value)}
            if other.root is row.root and other is not other.root:
                return other.handle.removeprefix(f"{row.root.handle}.")
            return other.handle
        if isinstance(value, datetime):
            return self.moment(row, spec, value)
        return self.plain(value)

    def moment(self, row: Found, spec: ColumnSpec, value: datetime) -> str:
        """Return a time as an offset: from the turn before, from the row above, or from the clock."""
        section = row.section
        if section is not None and section.form == "turns" and spec.name == section.time:
            before = self.previous.get(id(row.parent))
            if before is not None and value >= before:
                return format_offset(value - before, forward=True)
        elif section is not None and section.after is not None and row.parent is not None:
            above = row.parent.values.get(section.after)
            if isinstance(above, datetime) and value >= above:
                return format_offset(value - above, forward=True)
        delta = value - self.anchor
        return format_offset(delta) if delta <= timedelta() else value.astimezone(UTC).isoformat()

    def plain(self, value: Any) -> Any:
        """Return a value of any type such that its shape reads it back."""
        if isinstance(value, str):
            return self.handles(escape(value))
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return format_offset(value, forward=True)
        if isinstance(value, Decimal | UUID):
            return str(value)
        if isinstance(value, bytes | memoryview):
            return base64.b64encode(bytes(value)).decode()
        return value

    def handles(self, text: str) -> str:
        """Return *text* with the keys of rows in it replaced by their handles."""
        if len(text) < 36:
            return text

        def name(match: re.Match[str]) -> str:
            row = self.by_text.get(match.group().lower())
            if row is None or match.group() != str(row.key[0]):
                return match.group()
            column = next(iter(row.table.primary_key.columns)).name
            return f"${{{row.handle}.{column}}}"

        return _UUID.sub(name, text)

    # -- proof -----------------------------------------------------------------------------------------

    def _compare(self, plan: Plan) -> list[tuple[Found, str, Any, Any]]:
        lost: list[tuple[Found, str, Any, Any]] = []
        names: dict[str, str] = {}
        for row in self.gathered.rows:
            loaded = plan.by_handle.get(row.handle)
            if loaded is None:
                raise FreezeError(f"{row.handle} was lost on the way", where=row.table.fullname)
            for column in row.table.primary_key.columns:
                names[str(loaded.values[column.name])] = str(row.values[column.name])
        if len(plan.rows) != len(self.gathered.rows):
            extra = next(
                row for row in plan.rows if row.handle not in {each.handle for each in self.gathered.rows}
            )
            raise FreezeError(f"the scenario would load a row that was not there: {extra.handle}")
        rows = {row.handle: row for row in self.gathered.rows}
        back = _translator(names, lambda serial: rows[serial.row.handle].values[serial.column])
        scope = self.sections.domain.scope if self.sections.scoped else None
        pairs = _Pairs()
        for row in self.gathered.rows:
            loaded_values = plan.by_handle[row.handle].values
            for name, spec in specs(row.table).items():
                if _drawn(row.section, spec):
                    pairs.add(row, loaded_values, name)
        for row in self.gathered.rows:
            loaded = plan.by_handle[row.handle]
            section = row.section
            for name in specs(row.table):
                if scope is not None and name == scope.column:
                    continue
                wanted = row.values.get(name)
                if _drawn(section, specs(row.table)[name]) and pairs.alike(row, loaded.values, name):
                    continue  # an id like the row's key: each loading has its own
                if wanted is _Secret or (
                    section is not None and name in section.hidden and name not in section.defaults
                ):
                    continue  # no file can give it: the database keeps it (a counter, say)
                if name not in loaded.values and (id(row), name) not in self.open:
                    continue
                got = back(loaded.values.get(name))
                if section is not None and name in section.suffixed and isinstance(got, str):
                    got = section.suffixed[name].strip(got, _PROBE)
                if not _same(wanted, got):
                    lost.append((row, name, wanted, got))
        return lost


class _SecretValue:
    def __repr__(self) -> str:
        return "a secret"


_Secret = _SecretValue()
_PROBE = "frozen"
_MARKERS = (MISSING, CLOCK, KEY, DATABASE)


class _Pairs:
    """The drawn ids as found and as they would load: alike where the same rows share one in both."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, str, str], set[str]] = {}
        self._finds: dict[tuple[str, str, str], set[str]] = {}

    def add(self, row: Found, loaded: Mapping[str, Any], name: str) -> None:
        """Note what the column *name* of *row* would load as."""
        wanted, got = str(row.values.get(name)), str(loaded.get(name))
        self._loads.setdefault((row.table.fullname, name, wanted), set()).add(got)
        self._finds.setdefault((row.table.fullname, name, got), set()).add(wanted)

    def alike(self, row: Found, loaded: Mapping[str, Any], name: str) -> bool:
        """Return whether the id of *row* stands for the same group of rows before and after."""
        wanted, got = row.values.get(name), loaded.get(name)
        if wanted is None or got is None:
            return False
        found = len(self._loads[row.table.fullname, name, str(wanted)])
        return found == len(self._finds[row.table.fullname, name, str(got)]) == 1


def _drawn(section: Section | None, spec: ColumnSpec) -> bool:
    """Return whether a column is an id that nobody chose, and one is drawn when a file leaves it out.

    Written into the file, such an id would let the scenario be loaded once in a database and never again.
    """
    column = spec.column
    if column.primary_key or not isinstance(column.type, sa.Uuid) or spec.target is not None:
        return False
    if section is not None and spec.name in section.defaults:
        return True
    return bool(column.unique) and spec.default is KEY


def _marker(value: Any) -> bool:
    return any(value is marker for marker in _MARKERS)


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, UUID) or isinstance(got, UUID):
        return str(wanted) == str(got)
    if isinstance(wanted, bytes | memoryview) and isinstance(got, bytes):
        return bytes(wanted) == got
    if isinstance(wanted, float) and isinstance(got, float) and wanted != wanted:
        return got != got
    if type(wanted) is bool or type(got) is bool:
        return wanted is got
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(_same(wanted[key], got[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(_same, wanted, got))
    return bool(wanted == got)


def _translator(names: Mapping[str, str], counted: Callable[[Serial], Any]) -> Callable[[Any], Any]:
    """Return a function that puts the frozen rows' keys where the planned rows' keys are."""

    def back(value: Any) -> Any:
        if isinstance(value, Serial):
            return counted(value)
        if isinstance(value, UUID):
            return names.get(str(value), str(value))
        if isinstance(value, str):
            if len(value) < 36:
                return value
            return _UUID.sub(lambda match: names.get(match.group(), match.group()), value)
        if isinstance(value, dict):
            return {key: back(item) for key, item in value.items()}
        if isinstance(value, list):
            return [back(item) for item in value]
        return value

    return back


def _unique(handle: str, taken: set[str]) -> str:
    if handle not in taken:
        return handle
    base = re.sub(r"_\d+\Z", "", handle)
    number = 2
    while f"{base}_{number}" in taken:
        number += 1
    return f"{base}_{number}"
