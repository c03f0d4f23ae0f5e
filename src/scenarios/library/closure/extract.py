"""The rows of an instance or a person, taken out of a database with everything that hangs on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from scenarios.errors import FreezeError
from scenarios.graph.mapped import column_named
from scenarios.library.closure.exact import fetch
from scenarios.library.closure.reach import Reach, name_of, shown
from scenarios.library.files.times import of_one_kind
from scenarios.library.planning.columns import key_columns, specs
from scenarios.library.planning.extracted import ExtractedRow, Extraction, to_empty
from scenarios.library.planning.sections import Section, Sections


def extract(
    conn: psycopg.Connection[Any],
    sections: Sections,
    reach: Reach,
    *,
    without: set[str],
) -> Extraction:
    """Return the rows within *reach*.

    Args:
        conn: a connection.
        sections: the system's sections.
        reach: the rows.
        without: tables whose rows are followed but not taken (the scope table, tables of handles).
    """
    tables = {name_of(table): table for table in sections.domain.metadata.tables.values()}
    found = Extraction()
    found.searched = {table.fullname for name, table in tables.items() if name in reach.looked_at}
    for name, condition in reach.conditions.items():
        table = tables.get(name)
        if table is None:
            found.unknown[shown(name)] = len(reach.rows[name])
            continue
        if table.fullname in without:
            continue
        for values in rows_of(conn, table, condition, found.notes):
            row_found = ExtractedRow(table, values)
            found.rows.append(row_found)
            found.by_key[table.fullname, row_found.key] = row_found
    for unknown, count in found.unknown.items():
        rows = "row" if count == 1 else "rows"
        found.notes.append(
            f"{count} {rows} of {unknown} left out: {sections.domain.title} does not know that table"
        )
    return found


def empty_dangling(extraction: Extraction, sections: Sections, shared: Collection[str] = ()) -> list[str]:
    """Empty the links to rows that were not taken, which another database would not have; return notes.

    Args:
        extraction: the rows.
        sections: the system's sections.
        shared: further tables whose rows every database has.

    Raises:
        FreezeError: a link cannot be empty.
    """
    emptied: dict[str, int] = {}
    there = without_rows(sections) | set(shared)
    for row in extraction.rows:
        for spec in specs(row.table).values():
            target = spec.target
            if (
                target is None
                or not spec.column.foreign_keys
                or target.table in there
                or any(row.values.get(own) is None for own, _ in target.pairs)
                or extraction.referred(row, target) is not None
            ):
                continue
            link = f"{row.table.fullname}.{spec.name}"
            columns = to_empty(row.table, target)
            if not columns:
                raise FreezeError(
                    f"{link} refers to a row of {target.table} that is not taken, and cannot be empty",
                    where=f"the row {row.key} of {row.table.fullname}",
                    hint="take it along, or correct the row",
                )
            for own in columns:
                row.values[own] = None
            emptied[link] = emptied.get(link, 0) + 1
    return [
        f"{count} link{'' if count == 1 else 's'} {link} emptied: what they refer to was not taken"
        for link, count in emptied.items()
    ]


def without_rows(sections: Sections) -> set[str]:
    """Return the tables whose rows no file has: every database has them, or the load writes them itself."""
    found = {handles.table for handles in sections.handles} | set(sections.domain.reference)
    if sections.scoped and sections.domain.scope is not None:
        found.add(sections.domain.scope.table)
    return found


def add_history(conn: psycopg.Connection[Any], extraction: Extraction, sections: Sections) -> list[str]:
    """Add what a table to which rows are only ever added says of the rows extracted; return notes.

    No foreign key leads there, since such a table outlives what it tells of. Whom it names and who is not
    among those extraction is left out.
    """
    notes: list[str] = []
    for name in sorted(sections.domain.append_only):
        table = sections.domain.table(name)
        finders = [each.above for each in sections.walk() if each.table == name and each.above is not None]
        targets = {spec.name: spec.target for spec in specs(table).values() if spec.target is not None}
        keys = {
            column: [row.key[0] for row in extraction.rows if row.table.fullname == target.table]
            for column, target in targets.items()
        }
        conditions = [
            sql.SQL("{} = ANY({})").format(sql.Identifier(column), sql.Literal(found))
            for column, found in keys.items()
            if found
        ]
        if not finders or not conditions:
            continue
        for values in rows_of(conn, table, sql.SQL(" OR ").join(conditions), notes):
            entry = ExtractedRow(table, values)
            if (table.fullname, entry.key) not in extraction.by_key and any(
                find(entry, extraction) is not None for find in finders
            ):
                extraction.rows.append(entry)
                extraction.by_key[table.fullname, entry.key] = entry
        strangers = 0
        for row in extraction.rows:
            if row.table is not table:
                continue
            for column, target in targets.items():
                value = row.values[column]
                if value is not None and (target.table, (value,)) not in extraction.by_key:
                    row.values[column] = None
                    strangers += 1
        if strangers:
            notes.append(f"{strangers} names in {name} left out: they are not part of what was frozen")
    return notes


def rows_of(
    conn: psycopg.Connection[Any], table: sa.Table, condition: sql.Composable, notes: list[str]
) -> list[dict[str, Any]]:
    columns = specs(table)
    names = [sql.SQL(spec.parser.selected).format(sql.Identifier(name)) for name, spec in columns.items()]
    # Rows without a key come as they lie there, which is mostly as they were written.
    order = sql.SQL(", ").join(map(sql.Identifier, key_columns(table) or ["ctid"]))
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        sql.SQL(", ").join(names), sql.Identifier(*name_of(table)), condition, order
    )
    try:
        rows, lost = fetch(conn, query)
    except psycopg.errors.UndefinedColumn as error:
        raise FreezeError(
            f"the table {table.fullname} is not as this version of the system has it",
            why=str(error.diag.message_primary),
            hint="compare them: scenarios schema check SYSTEM --url URL",
        ) from error
    for what, times in lost.items():
        notes.append(f"{table.fullname}: {what}{f' ({times} times)' if times > 1 else ''}")
    return [dict(zip(columns, map(_of_one_kind, row), strict=True)) for row in rows]


def _of_one_kind(value: Any) -> Any:
    return of_one_kind(value) if isinstance(value, list) else value


def arrange(
    extraction: Extraction,
    sections: Sections,
    positions: Mapping[tuple[str, tuple[Any, ...]], int] | None = None,
) -> None:
    """Find for each row the section it stands in and the row it stands under.

    Args:
        positions: the order of rows, where it is known; it decides where times are equal.
    """
    above: dict[int, Section | None] = {}
    candidates: dict[str, list[tuple[int, Section, Section | None]]] = {}

    def visit(section: Section, parent: Section | None, depth: int) -> None:
        above[id(section)] = parent
        candidates.setdefault(section.table, []).append((depth, section, parent))
        for inner in section.inner:
            visit(inner, section, depth + 1)

    for section in sections.sections:
        visit(section, None, 0)
    # Outer rows first, so that the row above has its place when an inner one looks for it; of several places
    # the deepest wins (a note under its message, not merely under its user).
    order = {table: max(depth for depth, _, _ in places) for table, places in candidates.items()}
    for row in sorted(extraction.rows, key=lambda each: order.get(each.table.fullname, 99)):
        places = sorted(candidates.get(row.table.fullname, ()), key=lambda place: -place[0])
        for _, section, parent in places:
            if _stands(row, section, parent, extraction):
                break
    for row in extraction.rows:
        if row.parent is not None:
            row.parent.children.append(row)
    _sort(extraction.rows, positions or {})


def _stands(row: ExtractedRow, section: Section, parent: Section | None, extraction: Extraction) -> bool:
    if any(row.values.get(name) != value for name, value in section.fixed.items()):
        return False
    if parent is None:
        row.section, row.parent = section, None
        return True
    for above in _near(row, section, parent, extraction):
        if above.section is not parent:
            continue
        row.parent = above
        if all(_linked(row, other, level) for other, level in section.links.items()):
            row.section = section
            return True
        row.parent = None
    return False


def _near(
    row: ExtractedRow, section: Section, parent: Section, extraction: Extraction
) -> Iterator[ExtractedRow]:
    """Yield the rows that *row* may stand under."""
    if section.above is not None:
        above = section.above(row, extraction)
        if above is not None:
            yield above
    columns = specs(row.table)
    for name, level in section.links.items():
        value = row.values.get(name)
        if level == 1 and value is not None and columns[name].target is not None:
            above = extraction.by_key.get((parent.table, (value,)))
            if above is not None:
                yield above


def _linked(row: ExtractedRow, column: str, level: int) -> bool:
    target = specs(row.table)[column].target
    above = row.up(level)
    return above is not None and target is not None and row.values[column] == above.values.get(target.column)


def _sort(rows: list[ExtractedRow], positions: Mapping[tuple[str, tuple[Any, ...]], int]) -> None:
    def place(row: ExtractedRow) -> tuple[Any, ...]:
        order = row.section.order if row.section is not None else ()
        found: list[Any] = []
        for column in order:
            if column_named(row.table, column).primary_key:
                continue  # a key tells no order; the order in which rows are known does
            value = row.values.get(column)
            found.append((value is not None, value if value is not None else 0))
        known = positions.get((row.table.fullname, row.key), len(positions))
        return (*found, known, tuple(map(str, row.key)))

    rows.sort(key=lambda row: row.table.fullname)
    for group in {id(row.parent): row.parent for row in rows if row.parent is not None}.values():
        by_section: dict[int, list[ExtractedRow]] = {}
        for child in group.children:
            by_section.setdefault(id(child.section), []).append(child)
        group.children[:] = [child for some in by_section.values() for child in sorted(some, key=place)]
    top: dict[int, list[ExtractedRow]] = {}
    for row in rows:
        if row.parent is None:
            top.setdefault(id(row.section), []).append(row)
    ordered: list[ExtractedRow] = []

    def visit(row: ExtractedRow) -> None:
        ordered.append(row)
        for child in row.children:
            visit(child)

    for some in top.values():
        for row in sorted(some, key=place):
            visit(row)
    rows[:] = ordered
