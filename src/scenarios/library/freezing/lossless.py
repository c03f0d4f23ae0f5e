"""The shortest file that gives the rows again, column by column, and the proof that it does.

A freeze that drops what its author did not think of (the source of a note, the order of identities, every
time) gives a state that looks right and behaves differently. So the file is read and planned as a load would,
and compared with the rows it was made from. What the plan would not come to by itself is written out; what it
would is left out, which keeps the file short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from scenarios.domain import PERSONAL
from scenarios.errors import FreezeError
from scenarios.library.definition import ScenarioDefinition
from scenarios.library.files.compose import compose
from scenarios.library.files.emit import to_yaml
from scenarios.library.files.error_list import ErrorList, InvalidScenario
from scenarios.library.files.tree import Branch, from_plain, read_tree, to_plain
from scenarios.library.freezing.leaving_out import SECRET
from scenarios.library.freezing.writer import UUIDS, Writer, drawn
from scenarios.library.planning.columns import CLOCK, DATABASE, FUNCTION, KEY, MISSING, specs
from scenarios.library.planning.extracted import ExtractedRow, Extraction
from scenarios.library.planning.plan import Plan, Serial
from scenarios.library.planning.sections import EXTRA, Sections

_ROUNDS = 6
_PROBE = "frozen"
_FILE = "the frozen scenario"
_OF_A_LOCALE = ("first_name", "last_name", "username", "email", "phone", "address")
"""Kinds of personal data that are drawn from a locale's names when a file leaves them out."""
_MARKERS = (MISSING, CLOCK, KEY, FUNCTION, DATABASE)


def lossless(
    sections: Sections,
    extraction: Extraction,
    anchor: datetime,
    head: Mapping[str, Any],
    notes: Iterable[str],
) -> tuple[str, ScenarioDefinition]:
    """Return the file of *extraction* and its scenario, as short as a lossless one can be.

    Args:
        sections: the system's sections.
        extraction: the rows, arranged and named.
        anchor: the moment the scenario's clock shows.
        head: the keys of the file's head, the seed among them.
        notes: sentences that stand as comments at the top of the file.

    Raises:
        FreezeError: a value cannot be written such that reading gives it back.
    """
    proof = _Proof(sections, extraction, anchor, str(head["seed"]), "en_US")
    data = proof.shortest(head)
    text = to_yaml(
        data,
        comments=["Made by freezing rows of a database.", *notes],
        spaced=[*(each.key for each in sections.sections), EXTRA],
    )
    return text, proof.definition(_read(text, data))


class _Proof:
    def __init__(
        self,
        sections: Sections,
        extraction: Extraction,
        anchor: datetime,
        seed: str,
        locale: str,
    ) -> None:
        self.sections = sections
        self.extraction = extraction
        self.anchor = anchor
        self.writer = Writer(sections, extraction, anchor)
        self.seed = seed
        self.locale = locale

    def shortest(self, head: Mapping[str, Any]) -> dict[str, Any]:
        self._optimistic()
        lost: list[tuple[ExtractedRow, str, Any, Any]] = []
        for _ in range(_ROUNDS):
            data = self.writer.data(head)
            tree = from_plain(data, _FILE)
            assert isinstance(tree, Branch)
            lost = self._compare(self._plan(self.definition(tree)))
            if not lost:
                return data
            fresh = self._to_open(lost) - self.writer.open
            if not fresh:
                break
            self.writer.open |= fresh
        row, name, wanted, got = lost[0]
        raise FreezeError(
            f"{row.table.fullname}.{name} of {row.handle} cannot be frozen without loss",
            why=f"it is {wanted!r:.200}, and would load as {got!r:.200}",
        )

    def _optimistic(self) -> None:
        for row in self.extraction.rows:
            section = row.section
            for name, spec in specs(row.table).items():
                value = row.values.get(name)
                if (
                    name not in row.values
                    or value is SECRET
                    or (section is not None and (name in section.links))
                ):
                    continue
                # The file is read by projects of whatever locale.
                if value is not None and spec.column.info.get(PERSONAL) in _OF_A_LOCALE:
                    self.writer.open.add((id(row), name))
                    continue
                if section is not None and name in section.defaults:
                    continue
                if section is not None and section.form == "turns" and name == section.time:
                    continue
                default = spec.default
                if _marker(default):
                    if default is CLOCK and value == self.anchor:
                        continue
                    self.writer.open.add((id(row), name))
                elif value != default or type(value) is not type(default):
                    self.writer.open.add((id(row), name))

    def _to_open(self, lost: Iterable[tuple[ExtractedRow, str, Any, Any]]) -> set[tuple[int, str]]:
        """Return what to write next: columns that follow others of their row only when those are right."""
        lost = list(lost)
        first = {
            (id(row), name)
            for row, name, _, _ in lost
            if row.section is None or name not in row.section.derived
        }
        rows = {row for row, _ in first}
        return first | {(id(row), name) for row, name, _, _ in lost if id(row) not in rows}

    def definition(self, tree: Branch) -> ScenarioDefinition:
        errors = ErrorList()
        composed = compose(tree, lambda _name, _values: None, list, errors)
        errors.raise_if_any(_FILE)
        return ScenarioDefinition(composed, self.sections, None, self.seed, self.locale)

    def _plan(self, definition: ScenarioDefinition) -> Plan:
        try:
            return definition.plan(instance=_PROBE, now=self.anchor)
        except InvalidScenario as error:
            raise FreezeError(
                "the rows do not make a scenario",
                why=str(error.errors[0]),
                hint="see which row this is, and mend it",
            ) from error

    def _compare(self, plan: Plan) -> list[tuple[ExtractedRow, str, Any, Any]]:
        lost: list[tuple[ExtractedRow, str, Any, Any]] = []
        names: dict[str, str] = {}
        for row in self.extraction.rows:
            loaded = plan.by_handle.get(row.handle)
            if loaded is None:
                raise FreezeError(f"{row.handle} was lost on the way", where=row.table.fullname)
            for column in row.table.primary_key.columns:
                names[str(loaded.values[column.name])] = str(row.values[column.name])
        if len(plan.rows) != len(self.extraction.rows):
            extra = next(
                row for row in plan.rows if row.handle not in {each.handle for each in self.extraction.rows}
            )
            raise FreezeError(f"the scenario would load a row that was not there: {extra.handle}")
        rows = {row.handle: row for row in self.extraction.rows}
        back = _translator(names, lambda serial: rows[serial.row.handle].values[serial.column])
        scope = self.sections.domain.scope if self.sections.scoped else None
        pairs = _Pairs()
        for row in self.extraction.rows:
            loaded_values = plan.by_handle[row.handle].values
            for name, spec in specs(row.table).items():
                if drawn(row.section, spec):
                    pairs.add(row, loaded_values, name)
        for row in self.extraction.rows:
            loaded = plan.by_handle[row.handle]
            section = row.section
            for name in specs(row.table):
                if scope is not None and name == scope.column:
                    continue
                if name not in row.values and specs(row.table)[name].default is FUNCTION:
                    continue  # an object that leaves it to its model's function
                wanted = row.values.get(name)
                if drawn(section, specs(row.table)[name]) and pairs.alike(row, loaded.values, name):
                    continue  # an id like the row's key: each loading has its own
                if wanted is SECRET or (
                    section is not None and name in section.hidden and name not in section.defaults
                ):
                    continue  # no file can give it: the database keeps it (a counter, say)
                if name not in loaded.values and (id(row), name) not in self.writer.open:
                    continue
                got = back(loaded.values.get(name))
                if isinstance(wanted, str) and isinstance(loaded.values.get(name), Serial):
                    got = str(got)  # an identity column in a column of texts
                if section is not None and name in section.suffixed and isinstance(got, str):
                    got = section.suffixed[name].strip(got, _PROBE)
                if not _same(wanted, got):
                    lost.append((row, name, wanted, got))
        return lost


def _read(text: str, data: Mapping[str, Any]) -> Branch:
    """Return the tree of *text*, which has to be *data* again."""
    errors = ErrorList()
    tree = read_tree(text, _FILE, errors)
    errors.raise_if_any(_FILE)
    assert tree is not None
    if not _same(to_plain(tree), data):
        raise FreezeError("the file does not read back as what was written")
    return tree


class _Pairs:
    """The drawn ids as found and as they would load: alike where the same rows share one in both."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, str, str], set[str]] = {}
        self._finds: dict[tuple[str, str, str], set[str]] = {}

    def add(self, row: ExtractedRow, loaded: Mapping[str, Any], name: str) -> None:
        """Note what the column *name* of *row* would load as."""
        wanted, got = str(row.values.get(name)), str(loaded.get(name))
        self._loads.setdefault((row.table.fullname, name, wanted), set()).add(got)
        self._finds.setdefault((row.table.fullname, name, got), set()).add(wanted)

    def alike(self, row: ExtractedRow, loaded: Mapping[str, Any], name: str) -> bool:
        """Return whether the id of *row* stands for the same group of rows before and after."""
        wanted, got = row.values.get(name), loaded.get(name)
        if wanted is None or got is None:
            return False
        found = len(self._loads[row.table.fullname, name, str(wanted)])
        return found == len(self._finds[row.table.fullname, name, str(got)]) == 1


def _marker(value: Any) -> bool:
    return any(value is marker for marker in _MARKERS)


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, UUID) or isinstance(got, UUID):
        return str(wanted) == str(got)
    if isinstance(wanted, bytes | memoryview) and isinstance(got, bytes):
        return bytes(wanted) == got
    if isinstance(wanted, float | Decimal) and isinstance(got, float | Decimal) and wanted != wanted:
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
            return UUIDS.sub(lambda match: names.get(match.group(), match.group()), value)
        if isinstance(value, dict):
            return {key: back(item) for key, item in value.items()}
        if isinstance(value, list):
            return [back(item) for item in value]
        return value

    return back
