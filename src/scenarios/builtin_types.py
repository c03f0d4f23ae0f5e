"""The types of PostgreSQL that have a form of their own in Python; see `scenarios.column_types`.

What holds others (arrays, enumerations, domains, a project's type around one of these) is what it holds.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg

from scenarios.column_types import ColumnType
from scenarios.factories import kinds
from scenarios.factories.named_texts import WORDS
from scenarios.graph import binary, encoding
from scenarios.json_text import number_word
from scenarios.library.files import column_parsers as parsers
from scenarios.library.files import time_parsers
from scenarios.library.files.times import format_offset
from scenarios.values import Row

_WHOLE = re.compile(r"-?\d+")
_TRUTH = {"true": True, "t": True, "false": False, "f": False}
_EMPTY: dict[str, Any] = {"{}": {}, "[]": []}


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _integer(bits: int, kind: type) -> ColumnType:
    top = 2 ** (bits - 1)
    return ColumnType(
        kinds=(kind,),
        parser=lambda type_: parsers.Integer(-top, top - 1),
        draw=kinds.integer(bits),
        encode=lambda type_: encoding.number_text,
        default=_whole,
        personal=False,
    )


def _range(kind: type, kind_of_many: type, step: kinds.Step) -> tuple[ColumnType, ColumnType]:
    return (
        ColumnType(kinds=(kind,), draw=kinds.ranges(step, many=False)),
        ColumnType(kinds=(kind_of_many,), draw=kinds.ranges(step, many=True)),
    )


def _octets(row: Row, field: str, turn: int) -> tuple[int, int, int]:
    number = (row.integer(field, 0, 16_000_000) + turn) % 16_777_216
    return number >> 16, number >> 8 & 255, number & 255


def _address(row: Row, field: str, turn: int) -> str:
    return "10.{}.{}.{}".format(*_octets(row, field, turn))


def _network(row: Row, field: str, turn: int) -> str:
    return "10.{1}.{2}.0/24".format(*_octets(row, field, turn))


def _mac(prefix: str) -> Callable[[Row, str, int], str]:
    return lambda row, field, turn: "{}:{:02x}:{:02x}:{:02x}".format(prefix, *_octets(row, field, turn))


TYPES = (
    ColumnType(
        kinds=(sa.Boolean,),
        parser=lambda type_: parsers.Bool(),
        draw=kinds.simple(lambda row, field, turn: (row.word(field) + turn) % 2 == 0, 2),
        encode=lambda type_: encoding.boolean_text,
        binary={16: binary.only(bool)},
        default=lambda text: _TRUTH[text.lower()],
        personal=False,
    ),
    _integer(64, sa.BigInteger),
    _integer(16, sa.SmallInteger),
    _integer(32, sa.Integer),
    ColumnType(
        kinds=(sa.Numeric,),
        parser=lambda type_: parsers.Number(exact=True),
        draw=kinds.numeric,
        personal=False,
        written={Decimal: str},
    ),
    ColumnType(
        kinds=(sa.Float,),
        parser=lambda type_: parsers.Number(exact=False),
        draw=kinds.numeric,
        personal=False,
        written={float: number_word},
    ),
    ColumnType(
        kinds=(sa.Uuid,),
        parser=lambda type_: parsers.Identifier(),
        draw=kinds.uuids,
        encode=lambda type_: encoding.uuid_text,
        binary={2950: binary.only(UUID)},
        personal=False,
        written={UUID: str},
    ),
    ColumnType(
        kinds=(sa.LargeBinary,),
        parser=lambda type_: parsers.Bytes(),
        draw=kinds.bytes_of,
        encode=lambda type_: encoding.bytes_text,
        written=dict.fromkeys((bytes, memoryview), lambda value: base64.b64encode(bytes(value)).decode()),
    ),
    ColumnType(
        kinds=(sa.DateTime,),
        parser=lambda type_: time_parsers.When(),
        draw=kinds.moments,
        encode=encoding.moment,
        binary={1184: binary.aware_moments},
        personal=False,
        written={dt.datetime: lambda value: value.astimezone(dt.UTC).isoformat()},
    ),
    ColumnType(
        kinds=(sa.Date,),
        parser=lambda type_: time_parsers.When(dt.date),
        draw=kinds.days,
        encode=encoding.moment,
        written={dt.date: dt.date.isoformat},
    ),
    ColumnType(
        kinds=(sa.Time,),
        parser=lambda type_: time_parsers.TimeOfDay(),
        draw=kinds.simple(
            lambda row, field, turn: dt.time(*divmod((row.integer(field, 0, 1439) + turn) % 1440, 60)), 1440
        ),
        personal=False,
        written={dt.time: dt.time.isoformat},
    ),
    ColumnType(
        kinds=(sa.Interval, pg.INTERVAL),
        parser=lambda type_: time_parsers.Duration(),
        draw=kinds.simple(
            lambda row, field, turn: dt.timedelta(minutes=row.integer(field, 1, 10_000) + turn)
        ),
        personal=False,
        written={dt.timedelta: lambda value: format_offset(value, forward=True)},
    ),
    ColumnType(
        kinds=(sa.JSON,),
        parser=lambda type_: parsers.Anything(),
        draw=kinds.documents,
        default=_EMPTY.__getitem__,
    ),
    ColumnType(
        kinds=(sa.String,),
        parser=lambda type_: parsers.Text(type_.length),
        draw=kinds.texts,
        default=str,
    ),
    ColumnType(
        kinds=(pg.HSTORE,),
        draw=kinds.simple(lambda row, field, turn: {row.choice(field, WORDS): str(turn)}),
    ),
    ColumnType(
        kinds=(pg.TSVECTOR,),
        draw=kinds.simple(lambda row, field, turn: f"{row.choice(field, WORDS)} {turn}"),
    ),
    ColumnType(kinds=(pg.BIT,), draw=kinds.bits),
    ColumnType(
        kinds=(pg.MONEY,),
        draw=kinds.simple(lambda row, field, turn: f"{row.integer(field, 1, 9999) + turn}.00"),
    ),
    ColumnType(
        kinds=(pg.OID,), draw=kinds.simple(lambda row, field, turn: row.integer(field, 20_000, 90_000) + turn)
    ),
    ColumnType(kinds=(pg.INET,), draw=kinds.simple(_address)),
    ColumnType(kinds=(pg.CIDR,), draw=kinds.simple(_network, 1 << 16)),
    ColumnType(kinds=(pg.MACADDR,), draw=kinds.simple(_mac("02:00:5e"))),
    ColumnType(kinds=(pg.MACADDR8,), draw=kinds.simple(_mac("02:00:5e:ff:fe"))),
    *_range(pg.INT4RANGE, pg.INT4MULTIRANGE, kinds.whole_range),
    *_range(pg.INT8RANGE, pg.INT8MULTIRANGE, kinds.whole_range),
    *_range(pg.NUMRANGE, pg.NUMMULTIRANGE, kinds.number_range),
    *_range(pg.DATERANGE, pg.DATEMULTIRANGE, kinds.day_range),
    *_range(pg.TSRANGE, pg.TSMULTIRANGE, kinds.time_range(aware=False)),
    *_range(pg.TSTZRANGE, pg.TSTZMULTIRANGE, kinds.time_range(aware=True)),
)
