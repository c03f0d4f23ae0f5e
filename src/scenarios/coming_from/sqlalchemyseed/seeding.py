"""Seeding into memory, as sqlalchemyseed's ``HybridSeeder`` seeds into a session.

A seed file describes rows by nesting and by filters that a query answers while the database is filled; only
the rows themselves, with the models' own constructors and relationships, say what that comes to. Here a
filter looks among the rows before it, and whatever cannot be done is an error with its place in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty

from scenarios.coming_from.sqlalchemyseed.files import Item
from scenarios.graph.mapped import plan_of
from scenarios.library.files.error_list import ErrorList, suggest

PREFIX = "!"
"""What marks a reference, unless ``ref_prefix`` says otherwise."""
_KEYS = ("model", "data", "filter")


@dataclass(frozen=True, slots=True)
class Parent:
    """What an entity is attached to: an attribute of an object."""

    obj: Any
    attribute: str

    @property
    def property(self) -> Any:
        return sa.inspect(type(self.obj)).attrs.get(self.attribute)


@dataclass(frozen=True, slots=True)
class Existing:
    """A row that is not in the files: the database has it, under this key."""

    key: Any


@dataclass(slots=True)
class Seeding:
    """Seeds into memory, as ``HybridSeeder`` does into a session.

    Attributes:
        made: the objects, in the order in which their rows would be inserted.
        places: where an object's attributes stand, by the object's id and attribute; None: the object itself.
        keys: foreign keys that a filter answered, by the object's id and attribute.
    """

    errors: ErrorList
    prefix: str = PREFIX
    made: list[Any] = field(default_factory=list)
    places: dict[tuple[int, str | None], Item] = field(default_factory=dict)
    keys: dict[tuple[int, str], Any] = field(default_factory=dict)
    _classes: dict[str, type[Any] | None] = field(default_factory=dict)

    def entities(self, item: Item, parent: Parent | None = None) -> int:
        """Seed what stands at *item*, an entity or a list of them; return the number of rows."""
        if isinstance(item.value, list):
            return sum(self.entities(each, parent) for each in item.value)
        if not isinstance(item.value, dict):
            self._wrong(item, f"an entity is a mapping with {', '.join(_KEYS)}")
            return 0
        if not item.value and parent is None:
            return 0
        source = self._source(item, parent)
        cls = self._class(item, parent) if source is not None else None
        if source is None or cls is None:
            return 0
        given = item.value[source]
        rows = given.value if isinstance(given.value, list) else [given]
        if not rows:
            self._wrong(given, f"{source} is empty")
        for row in rows:
            if not isinstance(row.value, dict):
                self._wrong(row, "a row is a mapping of attributes")
            elif source == "data":
                self._made(cls, row, parent)
            else:
                self._filtered(cls, row, parent)
        return len(rows)

    def _source(self, item: Item, parent: Parent | None) -> str | None:
        for key in item.value:
            if key not in _KEYS:
                self._wrong(item.value[key], f"an entity has no {key!r}", suggest(key, _KEYS))
        if "model" not in item.value and parent is None:
            self._wrong(item, "the entity has no model", "add model: package.module.Class")
            return None
        sources = [key for key in ("data", "filter") if key in item.value]
        if len(sources) != 1:
            self._wrong(
                item, f"an entity has either data or filter, this has {' and '.join(sources) or 'none'}"
            )
            return None
        return sources[0]

    def _class(self, item: Item, parent: Parent | None) -> type[Any] | None:
        if "model" in item.value:
            model = item.value["model"]
            text = str(model.value)
            if text not in self._classes:
                self._classes[text] = self._imported(model, text)
            return self._classes[text]
        assert parent is not None
        referred: type[Any] | None = _referred(parent.property)
        return referred

    def _imported(self, item: Item, text: str) -> type[Any] | None:
        module, _, name = text.rpartition(".")
        try:
            found: Any = getattr(import_module(module), name) if module else None
        except (ImportError, AttributeError) as error:
            self._wrong(item, f"the model {text!r} cannot be imported: {error}")
            return None
        if not isinstance(_mapper(found), Mapper):
            self._wrong(item, f"{text!r} is no mapped class", "write package.module.Class")
            return None
        return cast("type[Any]", found)

    def _made(self, cls: type[Any], row: Item, parent: Parent | None) -> None:
        if parent is not None and isinstance(parent.property, ColumnProperty):
            self._wrong(row, "data cannot be the value of a column", f"use a relationship or {_KEYS[2]}")
            return
        values = self._values(cls, row)
        try:
            obj = cls(**{key: item.plain for key, item in values.items()})
        except Exception as error:  # noqa: BLE001  # a model's constructor and validators may raise anything
            self._wrong(row, f"{cls.__name__} refuses this: {error}")
            return
        self.made.append(obj)
        self.places[id(obj), None] = row
        self.places.update({(id(obj), key): item for key, item in values.items()})
        if parent is not None:
            self._attach(parent, obj, row)
        self._children(obj, row)

    def _values(self, cls: type[Any], row: Item) -> dict[str, Item]:
        """Return the attributes that are no references."""
        found = {}
        relationships = _mapper(cls).relationships  # type: ignore[union-attr]  # a mapped class here
        for key, item in row.value.items():
            if key.startswith(self.prefix):
                continue
            if key in relationships:
                self._wrong(
                    item,
                    f"{key} is a relationship, which sqlalchemyseed leaves out with a warning",
                    f"write {self.prefix}{key}, or remove it",
                )
            else:
                found[key] = item
        return found

    def _attach(self, parent: Parent, obj: Any, row: Item) -> None:
        try:
            if parent.property.uselist:
                getattr(parent.obj, parent.attribute).append(obj)
            else:
                setattr(parent.obj, parent.attribute, obj)
        except Exception as error:  # noqa: BLE001  # as for the constructor
            self._wrong(row, f"{type(parent.obj).__name__}.{parent.attribute} refuses this: {error}")

    def _children(self, obj: Any, row: Item) -> None:
        for key, item in row.value.items():
            if not key.startswith(self.prefix):
                continue
            parent = Parent(obj, key.removeprefix(self.prefix))
            found = parent.property
            if not isinstance(found, RelationshipProperty | ColumnProperty) or _referred(found) is None:
                attributes = sa.inspect(type(obj)).attrs
                known = [each.key for each in attributes if _referred(each) is not None]
                what = f"{type(obj).__name__} has no relationship or foreign key {parent.attribute!r}"
                self._wrong(item, what, suggest(parent.attribute, known))
                continue
            count = self.entities(item, parent)
            if count > 1 and not getattr(found, "uselist", False):
                self._wrong(item, f"{parent.attribute} holds one row, here are {count}", "keep the last one")

    # -- filters ---------------------------------------------------------------------------------------

    def _filtered(self, cls: type[Any], row: Item, parent: Parent | None) -> None:
        wanted = self._values(cls, row)
        prop = parent.property if parent is not None else None
        among = _referred(prop) if prop is not None else cls
        unknown = [key for key in wanted if key not in sa.inspect(among).attrs]
        for key in unknown:
            self._wrong(wanted[key], f"{among.__name__} has no attribute {key!r}")
        if unknown:
            return
        found: list[Any] = [
            obj
            for obj in self.made
            if isinstance(obj, among)
            and all(same(self.value(obj, key), item.plain) for key, item in wanted.items())
        ]
        if len(found) > 1:
            self._wrong(
                row, f"{len(found)} rows of {among.__name__} fit this filter", "add what tells them apart"
            )
            return
        if not found:
            self._outside(row, among, wanted, parent)
            return
        if parent is not None and isinstance(prop, ColumnProperty):
            self.keys[id(parent.obj), parent.attribute] = found[0]
        elif parent is not None:
            self._attach(parent, found[0], row)
        self._children(found[0], row)

    def _outside(self, row: Item, among: Any, wanted: dict[str, Item], parent: Parent | None) -> None:
        """A filter that asks for one key alone names a row the database has; any other is an error."""
        place = _foreign_key(parent.property) if parent is not None else None
        if parent is not None and place is not None and set(wanted) == {place[1]}:
            self.keys[id(parent.obj), place[0]] = Existing(wanted[place[1]].plain)
            return
        said = ", ".join(f"{key}={item.plain!r}" for key, item in wanted.items())
        self._wrong(
            row,
            f"no row of {among.__name__} before this one has {said}",
            "give it as data; only a filter by the key alone can name a row that the database has already",
        )

    def value(self, obj: Any, key: str) -> Any:
        """Return an attribute of *obj*; a foreign key that only the other row has, from there."""
        held = sa.inspect(obj).dict
        if held.get(key) is not None:
            return held[key]
        for name, link in plan_of(sa.inspect(type(obj))).links.items():
            other = held.get(name)
            if link.to_parent and other is not None:
                for own, theirs in link.pairs:
                    if own == key:
                        return self.value(other, theirs)
        return None

    def _wrong(self, item: Item, what: str, hint: str | None = None) -> None:
        self.errors.add(item.place, item.path, what, hint)


def _mapper(cls: Any) -> Mapper[Any] | None:
    try:
        found = sa.inspect(cls)
    except NoInspectionAvailable:
        return None
    return found if isinstance(found, Mapper) else None


def _referred(prop: Any) -> Any:
    """Return the class to which a relationship or the column of a foreign key leads, None where to none."""
    if isinstance(prop, RelationshipProperty):
        return prop.mapper.class_
    key = _key_of(prop)
    if key is None:
        return None
    return next(
        (each.class_ for each in prop.parent.registry.mappers if each.local_table is key.column.table), None
    )


def _key_of(prop: Any) -> Any:
    columns = prop.columns if isinstance(prop, ColumnProperty) else ()
    return next((key for column in columns for key in getattr(column, "foreign_keys", ())), None)


def _foreign_key(prop: Any) -> tuple[str, str] | None:
    """Return the attribute that holds the foreign key of *prop*, and the attribute it refers to there."""
    if isinstance(prop, RelationshipProperty):
        link = plan_of(prop.parent).links.get(prop.key)
        return link.pairs[0] if link is not None and link.to_parent and len(link.pairs) == 1 else None
    key = _key_of(prop)
    cls = _referred(prop)
    if key is None or cls is None:
        return None
    return prop.key, sa.inspect(cls).get_property_by_column(key.column).key


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal to a column."""
    # The database compares after reading both as the column's type; a file may write one as a text.
    return bool(one == other) or (one is not None and other is not None and str(one) == str(other))
