"""Sections: how the rows of a system are arranged in its scenario files.

Rows by table would be complete and unreadable: a conversation with its actions scattered over four lists. A
section says where a table's rows stand (a user's identities under the user, an action under the message that
triggered it), which columns that place already determines, and what the rest become when left out. Reading,
writing back (freeze) and the JSON Schema all follow from the same description, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import sqlalchemy as sa

from scenarios.domain import Domain
from scenarios.library.planning.columns import CLOCK, ColumnSpec, specs

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

    from scenarios.values.seeded import Row as Values
    from scenarios.values.seeded import Seeded

Form = Literal["named", "list", "one", "turns"]

# A row knows the section it stands in, so a section can only name what it is asked about.
Row: TypeAlias = Any
"""A `planning.rows.Row`."""
ExtractedRow: TypeAlias = Any
"""A `planning.extracted.ExtractedRow`."""
Extraction: TypeAlias = Any
"""A `planning.extracted.Extraction`."""


class Situation(Protocol):
    """What a default may depend on besides its row."""

    @property
    def anchor(self) -> datetime: ...
    @property
    def seeded(self) -> Seeded: ...
    @property
    def instance(self) -> str: ...
    def values(self, row: Row) -> Values: ...


Default = Callable[[Row, Situation], Any]
"""Computes a column's value from the row, whose earlier columns and ancestors are final."""


@dataclass(frozen=True)
class Suffix:
    """How a unique value is kept apart between instances.

    Attributes:
        add: the value an instance gets, from the file's value and the instance's name.
        strip: the file's value again, from an instance's value and the instance's name.
    """

    add: Callable[[str, str], str]
    strip: Callable[[str, str], str]


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        key: its key in the file.
        table: the table of its rows.
        form: ``named`` (a mapping by handle), ``list``, ``one`` (a single row), ``turns`` (a conversation).
        title: what it holds, for the JSON Schema.
        keys: files may give keys that would be made otherwise.
        fixed: columns that have one value in all rows of the section; of several sections of one table, a row
            found in a database stands in the one whose values it has.
        links: columns that the place determines: how many levels up the row stands they point to.
        names: other names of columns in the file, by column.
        short: the column that a bare word or text stands for.
        unit: what one row is called in handles: ``message`` gives ``maya.message_3``.
        inner: sections of its rows.
        always: the row exists also when the file does not mention it (``null`` leaves it out).
        defaults: values of columns left out, where the table's own defaults are not what one wants.
        derived: columns whose default follows another column of the same row.
        hidden: columns that files never give.
        suffixed: columns that are unique in the database and get the instance's suffix.
        after: the column of the row above from which times with a plus sign count; None: the clock.
        order: the columns by which frozen rows are ordered.
        speakers: for turns, the value of the speaker column by key (``coach``: ``COACH``).
        speaker, text, time: for turns, the columns of who speaks, what, and when.
        person: for turns, the key of the speaker who is the person above; the others stand on the other side.
        kind, says: for what hangs on a turn, the columns of what it is (an action's type) and of its text.
        silent: its rows say nothing by themselves (which session a message is in) and are not shown.
        spoken: for turns of a table that does not say who speaks: the keys of the speakers of all turns under
            one row, in order, from those turns as a freeze found them.
        above: finds the row above one where no foreign key names it (the message a log entry tells of), from
            all rows of a freeze.
        pace: for turns, the time from one turn to the next when the file gives none.
        generate: makes rows for ``generate:``: from its options (plain data), the row above and the rows
            so far to plain rows of this section.
        options: the options of ``generate:`` and what they mean; values are JSON Schemas.
    """

    key: str
    table: str
    form: Form
    title: str
    keys: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    short: str | None = None
    unit: str = "row"
    inner: tuple[Section, ...] = ()
    always: bool = False
    defaults: Mapping[str, Default] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    suffixed: Mapping[str, Suffix] = field(default_factory=dict)
    after: str | None = None
    order: tuple[str, ...] = ()
    speakers: Mapping[str, str] = field(default_factory=dict)
    speaker: str = ""
    text: str = ""
    time: str = ""
    person: str = ""
    kind: str = ""
    says: str = ""
    silent: bool = False
    spoken: Callable[[Sequence[ExtractedRow]], Sequence[str]] | None = None
    above: Callable[[ExtractedRow, Extraction], ExtractedRow | None] | None = None
    pace: Callable[[Row, Row | None, Situation], timedelta] | None = None
    generate: (
        Callable[[Mapping[str, Any], Row | None, list[Row], Situation], list[Mapping[str, Any]]] | None
    ) = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Handles:
    """A table that records which handle became which row of *of*.

    Attributes:
        table: the recording table.
        of: the table whose rows are recorded.
        handle: its column for the handle.
        links: its column for each column of the recorded row.
    """

    table: str
    of: str
    handle: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Sections:
    """All sections of a system.

    Attributes:
        domain: the system.
        sections: those at the top level of a file.
        handles: the tables that record handles.
        people: the table whose rows sign in, for the sign-in sheet.
        facts: what the sheet tells of one of them, by name, in the system's words.
        phase: the column that says how far a person is.
        classes: the mappers of tables, where models are known; see `mappers_of`.
    """

    domain: Domain
    sections: tuple[Section, ...] = ()
    handles: tuple[Handles, ...] = ()
    people: str | None = None
    facts: Callable[[Row], Mapping[str, str]] | None = None
    phase: str = ""
    classes: Mapping[str, Mapper[Any]] = field(default_factory=dict)

    @cached_property
    def scoped(self) -> bool:
        """Whether the system has a table of instances that can remember ours."""
        scope = self.domain.scope
        if scope is None:
            return False
        columns = self.domain.table(scope.table).columns
        return {"id", "name", "description", "template"} <= set(columns.keys())

    def tables(self) -> dict[str, str]:
        """Return the metadata's name of each table by what a file may call it: its name, or its model's."""
        found = {table.fullname: table.fullname for table in self.domain.metadata.tables.values()}
        for table in self.domain.metadata.tables.values():
            found.setdefault(table.name, table.fullname)
        for name, mapper in self.classes.items():
            found.setdefault(mapper.class_.__name__, name)
        return found

    def walk(self) -> list[Section]:
        """Return every section, outer before inner."""
        found: list[Section] = []
        waiting = list(self.sections)
        while waiting:
            section = waiting.pop(0)
            found.append(section)
            waiting.extend(section.inner)
        return found


def mappers_of(base: Any) -> dict[str, Mapper[Any]]:
    """Return the mappers of the declarative base *base* by table.

    Of several classes on one table it is the one the others inherit from, else the one that maps most of it.
    """
    found: dict[str, Mapper[Any]] = {}
    for mapper in sorted(base.registry.mappers, key=lambda each: (-len(each.columns), str(each.class_))):
        above = mapper.inherits
        if not isinstance(mapper.local_table, sa.Table):
            continue
        if above is None or above.local_table is not mapper.local_table:
            found.setdefault(mapper.local_table.fullname, mapper)
    return found


EXTRA = "rows"
"""The key of the generic section: rows of any table by table name."""


def any_rows(key: str, table: str, form: Form) -> Section:
    """Return the section of *table* in the generic section, where it is called *key*."""
    return Section(
        key=key, table=table, form=form, title=f"rows of {table}", unit=table.rpartition(".")[2], keys=True
    )


def visible(
    section: Section, table: sa.Table, sections: Sections, *, keys: bool = False
) -> dict[str, ColumnSpec]:
    """Return the columns a file can give in *section*, by their keys there.

    Args:
        section: the section.
        table: its table.
        sections: all sections.
        keys: those as well that are made when a file does not give them, and are seldom worth showing.
    """
    scope = sections.domain.scope if sections.scoped else None
    found: dict[str, ColumnSpec] = {}
    for name, spec in specs(table).items():
        if name in section.links or name in section.hidden or (scope is not None and name == scope.column):
            continue
        if name in (section.speaker, section.text):
            continue
        # A time in a key (of a partitioned table) is not a key made up; files say it.
        if (
            spec.column.primary_key
            and not spec.required
            and spec.target is None
            and spec.default is not CLOCK
            and not keys
        ):
            continue
        found[section.names.get(name, spec.label)] = spec
    return found
