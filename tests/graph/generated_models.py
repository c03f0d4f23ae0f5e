"""Models that nobody wrote: mapper features put together at random, and objects of them.

Everything is drawn as plain data first. So the same objects can be made twice, once for a session and once
for the writer, and an example that fails prints what it was made of.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, attribute_keyed_dict, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class Mood(enum.Enum):
    CALM = "quiet"
    LOUD = "loud one"


class Cents(TypeDecorator[Decimal]):
    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Decimal(value) / 100


class Backwards(TypeDecorator[str]):
    """Turned round by the database on its way in."""

    impl = sa.String(60)
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> Any:
        return sa.func.reverse(sa.type_coerce(bindvalue, sa.String)) + sa.literal("%")


_words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12
)
_moments = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1))
_zones = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=5)), dt.timezone(dt.timedelta(hours=-9.5))])
_json = st.recursive(st.integers(-9, 9) | _words | st.booleans(), lambda inner: st.lists(inner, max_size=2))

_aware = st.datetimes(timezones=_zones, min_value=dt.datetime(1950, 1, 1))

# A column's type, and its values.
TYPES: dict[str, tuple[Callable[[], Any], st.SearchStrategy[Any]]] = {
    "integer": (sa.Integer, st.integers(-(2**31), 2**31 - 1)),
    "text": (sa.Text, _words),
    "short": (lambda: sa.String(12), _words),
    "boolean": (sa.Boolean, st.booleans()),
    "numeric": (lambda: sa.Numeric(8, 2), st.decimals(-9999, 9999, places=2)),
    "float": (sa.Float, st.floats(allow_nan=False, allow_infinity=False)),
    "uuid": (sa.Uuid, st.uuids()),
    "bytes": (sa.LargeBinary, st.binary(max_size=8)),
    "zoned": (lambda: sa.DateTime(timezone=True), _aware),
    "naive": (sa.DateTime, _moments | _aware),
    "date": (sa.Date, st.dates(dt.date(1950, 1, 1)) | _aware),
    "time": (sa.Time, st.times()),
    "interval": (sa.Interval, st.timedeltas(dt.timedelta(-999), dt.timedelta(999))),
    "mood": (lambda: sa.Enum(Mood, name="mood"), st.sampled_from(Mood)),
    "word": (lambda: sa.Enum("a b", "c,d", name="word", native_enum=False), st.sampled_from(["a b", "c,d"])),
    "json": (pg.JSONB, st.dictionaries(_words, _json, max_size=2) | _json),
    "texts": (lambda: sa.ARRAY(sa.Text), st.lists(_words, max_size=3)),
    "days": (lambda: sa.ARRAY(sa.DateTime), st.lists(_aware, max_size=2)),
    "moods": (lambda: sa.ARRAY(sa.Enum(Mood, name="mood")), st.lists(st.sampled_from(Mood), max_size=2)),
    "hstore": (pg.HSTORE, st.dictionaries(_words, st.none() | _words, max_size=2)),
    "address": (pg.INET, st.sampled_from(["10.0.0.1", "::1"])),
    "range": (pg.INT4RANGE, st.builds(pg.Range, st.integers(0, 5), st.integers(6, 9))),
    "cents": (Cents, st.decimals(0, 99, places=2)),
    "backwards": (Backwards, _words),
}  # fmt: skip

DEFAULTS = (
    "none",
    "none",
    "required",
    "constant",
    "called",
    "each",
    "context",
    "sql",
    "query",
    "sequence",
    "server",
)
"""What fills a column nobody gives: ``each`` makes another value each time, in any order of the rows."""
FORMS = ("plain", "single", "joined", "single below joined", "concrete", "parts")
KEYS = ("serial", "identity", "sequence", "uuid", "text", "made by sql", "made by the server", "composite")
COLLECTIONS = ("list", "set", "dict", "write only", "dynamic", "backref only")


@dataclass(frozen=True)
class ColumnSpec:
    type: str
    default: str
    value: Any
    named: bool
    """Whether the column's name, its key and its attribute differ."""


@dataclass(frozen=True)
class Spec:
    """What a model is made of."""

    form: str
    key: str
    version: bool
    collection: str
    natural: bool
    columns: tuple[ColumnSpec, ...]
    sibling: tuple[ColumnSpec, ...]
    rows: tuple[tuple[int, tuple[bool, ...]], ...]
    """For each row its class, and which columns it is given."""
    parents: tuple[int | None, ...]
    tags: tuple[frozenset[int], ...]


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    def columns(most: int) -> tuple[ColumnSpec, ...]:
        found = []
        for _ in range(draw(st.integers(0, most))):
            kind = draw(st.sampled_from(sorted(TYPES)))
            default = draw(st.sampled_from(DEFAULTS))
            found.append(ColumnSpec(kind, default, draw(TYPES[kind][1]), draw(st.booleans())))
        return tuple(found)

    count = draw(st.integers(1, 5))
    own, sibling = columns(4), columns(2)
    mask = st.tuples(*[st.booleans()] * (len(own) + len(sibling)))
    return Spec(
        draw(st.sampled_from(FORMS)),
        draw(st.sampled_from(KEYS)),
        draw(st.booleans()),
        draw(st.sampled_from(COLLECTIONS)),
        draw(st.booleans()),
        own,
        sibling,
        tuple((draw(st.integers(0, 2)), draw(mask)) for _ in range(count)),
        tuple(draw(st.none() | st.integers(0, 2)) for _ in range(count)),
        tuple(draw(st.frozensets(st.integers(0, 1))) for _ in range(count)),
    )


@dataclass
class Made:
    """Classes of a spec, and how to make its objects."""

    spec: Spec
    base: Any
    classes: list[Any]
    parent: Any
    tag: Any
    unordered: set[tuple[str, str]] = field(default_factory=set)
    """Columns whose values are compared as a whole: who gets which depends on the order of writing."""

    def objects(self) -> list[Any]:
        """Return new objects: three parents, two tags, and the rows."""
        spec = self.spec
        parents = [self.parent(label=f"parent {n}", code=f"code {n}") for n in range(3)]
        tags = [self.tag(label=f"tag {n}") for n in range(2)]
        found: list[Any] = []
        for place, (kind, given) in enumerate(spec.rows):
            cls = self.classes[kind % len(self.classes)]
            special = cls.__name__ == "Special"
            values: dict[str, Any] = {"label": f"row {place}"}
            if spec.key == "composite":
                values |= {"id": place, "part": f"part {place}"}
            if cls.__name__ != "Part":
                columns = (*spec.columns, *(spec.sibling if special else ()))
                for number, (column, said) in enumerate(zip(columns, given, strict=False)):
                    if said or column.default == "required":
                        values[f"c{number}"] = column.value
            obj = cls(**values)
            found.append(obj)
            if cls.__name__ == "Part" or (special and spec.form == "concrete"):
                continue
            parent = spec.parents[place]
            if parent is not None:
                self._link(parents[parent], obj)
            obj.tags = [tags[tag] for tag in sorted(spec.tags[place])]
        return [*parents, *tags, *found]

    def _link(self, parent: Any, obj: Any) -> None:
        if self.spec.collection == "backref only":
            obj.parent = parent
        elif self.spec.collection == "dict":
            parent.rows[obj.label] = obj
        elif self.spec.collection in {"list", "dynamic"}:
            parent.rows.append(obj)
        else:
            parent.rows.add(obj)


def _column(spec: ColumnSpec, number: int, table: str, metadata: Any) -> Any:
    kind = TYPES[spec.type][0]()
    arguments: list[Any] = [f"The {number} column" if spec.named else f"c{number}", kind]
    options: dict[str, Any] = {"nullable": spec.default != "required"}
    if spec.named:
        options["key"] = f"key{number}"
    value = spec.value
    if spec.default == "constant":
        options["insert_default"] = value
    elif spec.default == "called":
        options["insert_default"] = lambda: value
    elif spec.default == "each" and spec.type in {"integer", "text"}:
        counter = itertools.count(1)
        options["insert_default"] = (
            (lambda: next(counter)) if spec.type == "integer" else (lambda: f"no {next(counter)}")
        )
    elif spec.default == "context" and spec.type == "text":
        options["insert_default"] = lambda context: f"{context.get_current_parameters()['label']}!"
    elif spec.default == "sql" and spec.type in {"text", "integer", "zoned"}:
        expression = {
            "text": sa.func.lower("50% :X"),
            "integer": sa.text("40 + 2"),
            "zoned": sa.func.to_timestamp(1e9),
        }
        options["insert_default"] = expression[spec.type]
    elif spec.default == "query" and spec.type == "integer":
        options["insert_default"] = (
            sa.select(sa.func.count()).select_from(metadata.tables["tag"]).scalar_subquery()
        )
    elif spec.default == "sequence" and spec.type == "integer":
        arguments.append(sa.Sequence(f"{table} numbers {number}", metadata=metadata))
    elif spec.default == "server" and spec.type in {"text", "integer"}:
        options["server_default"] = "7"
    return mapped_column(*arguments, **options)


def _keys(kind: str, table: str, metadata: Any) -> dict[str, Any]:
    """Return the key of a table as declarative attributes."""
    if kind == "composite":
        first = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
        return {"id": first, "part": mapped_column(sa.Text, primary_key=True)}
    counter = itertools.count()
    how: dict[str, tuple[Any, ...]] = {
        "serial": (sa.Integer,),
        "identity": (sa.Integer, sa.Identity(always=True)),
        "sequence": (sa.Integer, sa.Sequence(f"{table} key", metadata=metadata)),
        "uuid": (sa.Uuid, sa.ColumnDefault(uuid.uuid4)),
        "text": (sa.Text, sa.ColumnDefault(lambda: f"{table} {next(counter)}")),
        "made by sql": (sa.Uuid, sa.ColumnDefault(sa.func.gen_random_uuid())),
    }
    if kind == "made by the server":
        return {"id": mapped_column(sa.Uuid, server_default=sa.text("gen_random_uuid()"), primary_key=True)}
    return {"id": mapped_column(*how[kind], primary_key=True)}


def _declare(base: Any, name: str, body: dict[str, Any], **mapper: Any) -> Any:
    return type(base)(name, (base,), {**body, "__mapper_args__": mapper})


def build(spec: Spec) -> Made:
    """Return classes as *spec* says; each call makes new ones."""
    Base: Any = type("Base", (DeclarativeBase,), {"metadata": sa.MetaData()})
    metadata = Base.metadata

    def text(**options: Any) -> Any:
        return mapped_column(sa.Text, **options)

    tag = {"__tablename__": "tag", "id": mapped_column(sa.Integer, primary_key=True), "label": text()}
    Tag = _declare(Base, "Tag", tag)
    parent = {
        "__tablename__": "parent",
        "id": mapped_column(sa.Integer, primary_key=True),
        "label": text(),
        "code": text(unique=True),
    }
    back: dict[str, Any] = {}
    if spec.collection != "backref only":
        back = {"back_populates": "rows"}
        ways: dict[str, dict[str, Any]] = {
            "write only": {"lazy": "write_only"},
            "dynamic": {"lazy": "dynamic"},
            "dict": {"collection_class": attribute_keyed_dict("label")},
            "set": {"collection_class": set},
        }
        parent["rows"] = relationship("Row", back_populates="parent", **ways.get(spec.collection, {}))
    Parent = _declare(Base, "Parent", parent)
    sa.Table(
        "row_tag",
        metadata,
        sa.Column("row", sa.ForeignKey("row.label"), primary_key=True),
        sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
        sa.Column("made", sa.Text, default=lambda: "by the link"),
        sa.Column("counted", sa.Integer, default=sa.select(sa.func.count()).select_from(Tag.__table__)),
    )
    unordered: set[tuple[str, str]] = set()

    def own(columns: tuple[ColumnSpec, ...], start: int, table: str) -> dict[str, Any]:
        found = {}
        for number, column in enumerate(columns, start):
            made = found[f"c{number}"] = _column(column, number, table, metadata)
            if column.default in {"each", "sequence"}:
                unordered.add((table, made.column.name))
        return found

    reference = ("code", sa.Text) if spec.natural else ("id", sa.Integer)
    body = {
        "__tablename__": "row",
        **_keys(spec.key, "row", metadata),
        "label": text(unique=True),
        **own(spec.columns, 0, "row"),
        "parent_ref": mapped_column(reference[1], sa.ForeignKey(f"parent.{reference[0]}"), nullable=True),
        "parent": relationship("Parent", **back),
        "tags": relationship("Tag", secondary="row_tag"),
        "x": mapped_column(sa.Integer, nullable=True),
        "y": mapped_column(sa.Integer, sa.Computed("x + 1", persisted=True)),
    }
    mapper: dict[str, Any] = {}
    if spec.version:
        mapper["version_id_col"] = body["version"] = mapped_column(sa.Integer, nullable=False)
    inherited = spec.form in {"single", "joined", "single below joined"}
    if inherited:
        body["kind"] = text()
        mapper |= {"polymorphic_on": "kind", "polymorphic_identity": "row"}
    Row = _declare(Base, "Row", body, **mapper)
    classes = [Row]
    place = len(spec.columns)
    names = [column.key for column in Row.__table__.primary_key]
    if spec.form == "single":
        classes.append(_declare(Row, "Other", {}, polymorphic_identity="other"))
        classes.append(
            _declare(Row, "Special", own(spec.sibling, place, "row"), polymorphic_identity="special")
        )
    elif inherited:
        joined: dict[str, Any] = {
            f"own_{name}": mapped_column(Row.__table__.c[name].type, primary_key=True, autoincrement=False)
            for name in names
        }
        joined["__tablename__"] = "special"
        there = [f"row.{name}" for name in names]
        joined["__table_args__"] = (sa.ForeignKeyConstraint([f"own_{name}" for name in names], there),)
        below = own(spec.sibling, place, "special")
        if spec.form == "joined":
            classes.append(_declare(Row, "Special", {**joined, **below}, polymorphic_identity="special"))
        else:
            classes.append(_declare(Row, "Middle", joined, polymorphic_identity="middle"))
            classes.append(_declare(classes[-1], "Special", below, polymorphic_identity="special"))
    elif spec.form == "concrete":
        body = {**_keys(spec.key, "special", metadata), "label": text()}
        body |= own((*spec.columns, *spec.sibling), 0, "special")
        classes.append(_declare(Row, "Special", {"__tablename__": "special", **body}, concrete=True))
    elif spec.form == "parts":
        Part: Any = type("Part", (), {"__init__": Base.registry.constructor})
        Base.registry.map_imperatively(Part, Row.__table__, include_properties=[*names, "label"])
        classes.append(Part)
    Base.registry.configure()
    return Made(spec, Base, classes, Parent, Tag, unordered)


@contextmanager
def models(spec: Spec) -> Iterator[Made]:
    """Classes of *spec*, forgotten afterwards."""
    made = build(spec)
    try:
        yield made
    finally:
        made.base.registry.dispose(cascade=True)
