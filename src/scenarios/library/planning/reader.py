"""From the tree of a file to rows: which row each part of the file is, and what it says of it.

This is the half of reading that knows where things stand; it fills in nothing. Every key that is not a
column, an inner section or one of the few words of the format is an error with the nearest key that would
have been right, since a misspelt key that is silently ignored loads a state nobody described.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scenarios.library.files.column_parsers import INVALID, Reference, Template
from scenarios.library.files.error_list import ErrorList, Place, suggest
from scenarios.library.files.expressions import Filler
from scenarios.library.files.head import HANDLE, HEAD_KEYS
from scenarios.library.files.time_parsers import Duration
from scenarios.library.files.tree import Branch, Leaf, Node, Series, from_plain, kind_of, to_plain
from scenarios.library.planning.columns import ColumnSpec, specs
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import EXTRA, Form, Section, Sections, Situation, any_rows, visible

_AS, _WHEN, _PAUSE, _GENERATE = "as", "when", "pause", "generate"


class RowReader:
    """Reads all rows of one scenario.

    Args:
        sections: the system's sections.
        filler: puts parameters in place and judges conditions.
        situation: what generated rows depend on.
        errors: collects what is wrong.
    """

    def __init__(self, sections: Sections, filler: Filler, situation: Situation, errors: ErrorList) -> None:
        self.sections = sections
        self.filler = filler
        self.situation = situation
        self.errors = errors
        self.rows: list[Row] = []
        self.by_handle: dict[str, Row] = {}
        self.left_out: set[str] = set()
        self._visible: dict[int, tuple[Section, dict[str, ColumnSpec]]] = {}

    def read(self, tree: Branch) -> list[Row]:
        """Return the rows of *tree*, each after the row it stands under."""
        known = {section.key: section for section in self.sections.sections}
        for key, node in tree.items.items():
            if key in known:
                self.section(known[key], self.filler.fill(node, key), None, key)
            elif key == EXTRA:
                self.extra(self.filler.fill(node, key))
            elif key not in HEAD_KEYS:
                self.errors.add(
                    tree.key_place(key),
                    key,
                    f"a {self.sections.domain.title} scenario has no {key!r}",
                    suggest(key, [*HEAD_KEYS, *known, EXTRA]),
                )
        return self.rows

    def extra(self, node: Node) -> None:
        """Read the generic section."""
        if not isinstance(node, Branch):
            self.wrong(node, EXTRA, "a mapping of tables")
            return
        tables = self.sections.tables()
        for name, item in node.items.items():
            path = f"{EXTRA}.{name}"
            table = tables.get(name)
            if table is None:
                where = node.key_place(name)
                self.errors.add(
                    where, path, f"{self.sections.domain.title} has no table {name!r}", suggest(name, tables)
                )
                continue
            form: Form = "list" if isinstance(item, Series) else "named"
            self.section(any_rows(name, table, form), item, None, path)

    def section(self, section: Section, node: Node, parent: Row | None, path: str) -> None:
        """Read what stands under a section's key."""
        if section.form == "named":
            self.named(section, node, parent, path)
        elif section.form == "one":
            if isinstance(node, Leaf) and node.value is None:
                if not section.always:
                    self.wrong(node, path, "a mapping", "remove the key when there is no such row")
                return
            self.row(section, node, self.inner_handle(parent, section.key), parent, path)
        elif isinstance(node, Series):
            self.series(section, node, parent, path)
        elif not (isinstance(node, Leaf) and node.value is None):
            self.wrong(node, path, "a list", "begin each element with a dash")

    def named(self, section: Section, node: Node, parent: Row | None, path: str) -> None:
        """Read a mapping of rows by handle."""
        if isinstance(node, Leaf) and node.value is None:
            return
        if not isinstance(node, Branch):
            self.wrong(node, path, "a mapping by handle", f"write the handle of each {section.unit} as a key")
            return
        own: list[Row] = []
        for handle, item in node.items.items():
            where = f"{path}.{handle}"
            if handle == _GENERATE and section.generate is not None:
                self.generated(section, item, parent, path, own)
                continue
            if not HANDLE.match(handle):
                self.errors.add(
                    node.key_place(handle),
                    where,
                    f"{handle!r} is not a handle",
                    "use letters, digits and _, beginning with a letter, at most 80",
                )
                continue
            row = self.row(
                section, item, self.inner_handle(parent, handle), parent, where, key=node.key_place(handle)
            )
            if row is not None:
                own.append(row)

    def series(self, section: Section, node: Series, parent: Row | None, path: str) -> None:
        """Read a list of rows, or a conversation."""
        own: list[Row] = []
        pause = timedelta()
        for at, item in enumerate(node.items):
            where = f"{path}.{at}"
            if isinstance(item, Branch) and section.generate is not None and _GENERATE in item.items:
                self.only(item, _GENERATE, where)
                before = len(own)
                self.generated(section, item.items[_GENERATE], parent, where, own)
                if len(own) > before:
                    own[before].pause += pause
                    pause = timedelta()
                continue
            if section.form == "turns" and isinstance(item, Branch) and _PAUSE in item.items:
                self.only(item, _PAUSE, where)
                length = Duration().read(item.items[_PAUSE], f"{where}.{_PAUSE}", self.errors)
                pause += length if isinstance(length, timedelta) else timedelta()
                continue
            row = self.element(section, item, parent, where, own)
            if row is not None:
                row.pause, pause = pause, timedelta()

    def only(self, node: Branch, key: str, path: str) -> None:
        """Complain about keys beside *key*."""
        for other in node.items:
            if other not in (key, _WHEN):
                self.errors.add(
                    node.key_place(other), f"{path}.{other}", f"{key} stands alone", "give it its own dash"
                )

    def element(
        self, section: Section, item: Node, parent: Row | None, path: str, own: list[Row]
    ) -> Row | None:
        """Read one element of a list."""
        chosen = item.items.get(_AS) if isinstance(item, Branch) else None
        number = len(own) + 1
        unit = section.unit
        handle = self.inner_handle(parent, f"{unit}_{number}")
        named = False
        if chosen is not None:
            word = chosen.value if isinstance(chosen, Leaf) else None
            if not isinstance(word, str) or not HANDLE.match(word):
                self.errors.add(
                    chosen.place,
                    f"{path}.{_AS}",
                    f"{kind_of(chosen)} is not a handle",
                    "use letters, digits and _",
                )
            else:
                handle, named = self.inner_handle(parent.root if parent else None, word), True
        row = self.row(section, item, handle, parent, path, named=named)
        if row is not None:
            own.append(row)
        return row

    def generated(self, section: Section, node: Node, parent: Row | None, path: str, own: list[Row]) -> None:
        """Make the rows that ``generate:`` asks for."""
        assert section.generate is not None
        where = f"{path}.{_GENERATE}"
        if not isinstance(node, Branch):
            self.wrong(node, where, f"a mapping with {', '.join(section.options)}")
            return
        good = True
        options = to_plain(node)
        if _WHEN in options:
            if not self.filler.holds(node.items[_WHEN], f"{where}.{_WHEN}"):
                return
            del options[_WHEN]
        for key in options:
            if key not in section.options:
                self.errors.add(
                    node.key_place(key),
                    f"{where}.{key}",
                    f"generate has no {key!r}",
                    suggest(key, section.options),
                )
                good = False
                continue
            good = self.option(section.options[key], node.items[key], f"{where}.{key}") and good
        for key, schema in section.options.items():
            if schema.get("required") and key not in options:
                self.errors.add(
                    node.place,
                    where,
                    f"generate lacks {key!r}",
                    f"add {key}: {schema.get('example', 'VALUE')}",
                )
                good = False
        if not good:
            return
        for plain in section.generate(options, parent, own, self.situation):
            item = from_plain(plain, node.place.file)
            _point(item, node.place)
            if section.form == "named":
                handle = str(plain.get(_AS))
                row = self.row(section, item, self.inner_handle(parent, handle), parent, f"{where}.{handle}")
                if row is not None:
                    own.append(row)
            else:
                self.element(section, item, parent, where, own)

    def option(self, schema: Mapping[str, Any], node: Node, path: str) -> bool:
        """Check one option of ``generate:`` against the little JSON Schema it has."""
        value = to_plain(node)
        kind = str(schema.get("type"))
        types: Mapping[str, tuple[type, ...]] = {
            "integer": (int,),
            "string": (str,),
            "array": (list,),
            "number": (int, float),
        }
        if kind in types and (not isinstance(value, types[kind]) or isinstance(value, bool)):
            self.wrong(
                node,
                path,
                {"integer": "a whole number", "string": "a text", "array": "a list"}.get(kind, "a number"),
            )
            return False
        if "enum" in schema and value not in schema["enum"]:
            self.errors.add(
                node.place, path, f"{value!r} cannot be chosen", suggest(str(value), schema["enum"])
            )
            return False
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            self.errors.add(node.place, path, f"{value} is out of bounds", f"it can be {low} to {high}")
            return False
        return True

    def row(
        self,
        section: Section,
        node: Node,
        handle: str,
        parent: Row | None,
        path: str,
        *,
        key: Place | None = None,
        named: bool = True,
    ) -> Row | None:
        """Read one row with all that stands under it; None when it is left out."""
        content = self.mapping(section, node, path)
        if content is None:
            return None
        if _WHEN in content.items and not self.filler.holds(content.items[_WHEN], f"{path}.{_WHEN}"):
            self.left_out.add(handle)
            return None
        origin = content.origin or (parent.origin if parent else {})
        table = self.sections.domain.metadata.tables[section.table]
        place = key or content.place
        row = Row(handle, section, table, parent, place, path, origin, named=named)
        other = self.by_handle.get(handle)
        if other is not None:
            self.errors.add(
                place,
                path,
                f"the handle {handle} is taken",
                f"by the {other.section.unit} in line {other.place.line}",
            )
        else:
            self.by_handle[handle] = row
        self.rows.append(row)
        if parent is not None:
            parent.children.append(row)
        self.contents(row, content)
        return row

    def mapping(self, section: Section, node: Node, path: str) -> Branch | None:
        """Return *node* as the mapping of a row: a bare text is the short form, nothing an empty mapping."""
        if isinstance(node, Branch):
            return node
        if isinstance(node, Leaf) and node.value is None:
            return Branch({}, node.place)
        if isinstance(node, Leaf) and section.short is not None:
            label = self.label(section, section.short)
            return Branch({label: node}, node.place, {label: node.place})
        self.wrong(node, path, "a mapping")
        return None

    def label(self, section: Section, column: str) -> str:
        """Return the key of *column* in files."""
        table = self.sections.domain.metadata.tables[section.table]
        return section.names.get(column) or specs(table)[column].label

    def contents(self, row: Row, node: Branch) -> None:
        """Read the keys of a row."""
        section = row.section
        known = self._visible.get(id(section))
        if known is None:
            found = visible(section, row.table, self.sections, keys=section.keys)
            known = self._visible[id(section)] = (section, found)
        columns = known[1]
        inner = {child.key: child for child in section.inner}
        spoken = None
        waiting: list[tuple[Section, Node, str]] = []
        for key, item in node.items.items():
            path = f"{row.path}.{key}"
            if key in inner:
                waiting.append((inner[key], item, path))
            elif key in columns:
                self.column(row, columns[key], item, path)
            elif section.form == "turns" and key in section.speakers:
                if spoken is not None:
                    self.errors.add(
                        node.key_place(key),
                        path,
                        f"{spoken} speaks in this turn already",
                        "begin a new turn with a dash",
                    )
                spoken = key
                row.given[section.speaker] = section.speakers[key]
                self.column(row, specs(row.table)[section.text], item, path)
            elif key not in (_AS, _WHEN):
                extra = [*section.speakers, _PAUSE, _GENERATE] if section.form == "turns" else []
                hint = suggest(key, [*extra, *columns, *inner, _AS, _WHEN])
                self.errors.add(node.key_place(key), path, f"a {section.unit} has no {key!r}", hint)
        if section.form == "turns" and spoken is None:
            self.errors.add(
                row.place,
                row.path,
                "nobody speaks in this turn",
                f"begin it with {' or '.join(section.speakers)}",
            )
            row.given.setdefault(section.text, INVALID)
            row.given.setdefault(section.speaker, INVALID)
        for child, item, path in waiting:
            self.section(child, item, row, path)
        for child in section.inner:
            if child.always and child.key not in node.items:
                self.row(
                    child,
                    Branch({}, row.place),
                    self.inner_handle(row, child.key),
                    row,
                    f"{row.path}.{child.key}",
                )

    def column(self, row: Row, spec: ColumnSpec, node: Node, path: str) -> None:
        """Read the value of one column."""
        if isinstance(node, Leaf) and node.value is None:
            if not spec.column.nullable:
                self.errors.add(
                    node.place,
                    path,
                    "this cannot be empty",
                    "give a value, or remove the key for the default",
                )
                row.given[spec.name] = INVALID
            else:
                row.given[spec.name] = None
            return
        if spec.target is not None:
            row.given[spec.name] = self.reference(spec, node, path)
            return
        row.given[spec.name] = spec.parser.read(node, path, self.errors)

    def reference(self, spec: ColumnSpec, node: Node, path: str) -> Any:
        """Read a foreign key: a handle, or ``{key: VALUE}`` for a row that is in the database already."""
        if isinstance(node, Branch) and set(node.items) == {"key"}:
            return spec.parser.read(node.items["key"], f"{path}.key", self.errors)
        value = node.value if isinstance(node, Leaf) else None
        if isinstance(value, Template):
            return value
        if isinstance(value, str) and value and all(HANDLE.match(part) for part in value.split(".")):
            return Reference(value, node, path)
        self.wrong(
            node, path, "the handle of a row", "or {key: VALUE} for a row that is in the database already"
        )
        return INVALID

    def inner_handle(self, parent: Row | None, name: str) -> str:
        """Return the full handle of *name* under *parent*."""
        return name if parent is None else f"{parent.handle}.{name}"

    def wrong(self, node: Node, path: str, wanted: str, hint: str | None = None) -> None:
        """Add the error that *node* is not what was wanted."""
        self.errors.add(node.place, path, f"this has to be {wanted}, not {kind_of(node)}", hint)


def _point(node: Node, place: Place) -> None:
    """Let a generated tree point at the place that asked for it."""
    node.place = place
    if isinstance(node, Branch):
        for item in node.items.values():
            _point(item, place)
    elif isinstance(node, Series):
        for item in node.items:
            _point(item, place)
