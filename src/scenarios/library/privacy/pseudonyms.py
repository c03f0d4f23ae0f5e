"""Names that stand for people, the same person by the same name everywhere.

A frozen state that says "Maya" in one table and "Person 7" in a text is useless, and one that keeps "Maya"
is a leak. Each value is replaced by a seeded pick: without the key nobody can tell who is meant, and with
the same key the same address becomes the same pseudonym in every table, text and run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from ipaddress import ip_interface
from typing import Any

import sqlalchemy as sa

from scenarios.column_types import type_of
from scenarios.domain import PERSONAL
from scenarios.errors import FreezeError
from scenarios.values.seeded import Row, Seeded, slug

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@(?:[\w-]+\.)+[\w-]{2,}")
_PHONE = re.compile(r"(?<![\w.:+-])(?:\+|00)\d{1,3}[ ./-]?\(?\d{1,5}\)?(?:[ ./-]?\d{2,5}){2,4}(?!\w)")
_ATTEMPTS = 200
"""Pseudonyms that are tried before a column is said to be full."""

KINDS = (
    "email",
    "first_name",
    "last_name",
    "username",
    "phone",
    "secret",
    "text",
    "date_of_birth",
    "address",
)
"""What a column can be classified as; see `scenarios.domain.PERSONAL`."""


def needs_classification(column: sa.Column[Any]) -> bool:
    """Return whether *column* could hold personal data: texts, JSON, dates without a time, bytes."""
    kind: Any = column.type
    if isinstance(kind, sa.TypeDecorator):
        kind = kind.impl_instance
    if column.primary_key or column.foreign_keys or column.computed is not None or isinstance(kind, sa.Enum):
        return False
    if isinstance(kind, sa.ARRAY):
        kind = kind.item_type
        return isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)
    return type_of(kind).personal


def unclassified(tables: Iterable[sa.Table]) -> list[str]:
    """Return the columns that could hold personal data and of which nobody said whether they do."""
    return [
        f"{table.fullname}.{column.name}"
        for table in tables
        for column in table.columns
        if needs_classification(column) and PERSONAL not in column.info
    ]


def require_classified(tables: Iterable[sa.Table]) -> None:
    """Refuse to go on while a column that could hold personal data is not classified.

    Raises:
        FreezeError: there are such columns; each is named.
    """
    found = unclassified(tables)
    if found:
        those = "1 column holds" if len(found) == 1 else f"{len(found)} columns hold"
        raise FreezeError(
            f"nobody said whether {those} personal data",
            where=", ".join(found),
            why="what is not classified might leave the database as it is",
            hint="scenarios classify proposes a table for pyproject.toml where you have a schema; or give "
            'each column info={"personal": KIND}, where KIND is one of '
            + ", ".join(KINDS)
            + ", or None for not personal",
        )


class Pseudonyms:
    """Replaces personal values, consistently.

    Args:
        key: the key; whoever has it can find out by trying who a pseudonym is, so it is kept like a password.
        locale: the locale of the names.
    """

    def __init__(self, key: str, locale: str = "en_US") -> None:
        self.seeded = Seeded(key, "pseudonyms", locale)
        self._words: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._emails: dict[str, str] = {}
        self._fitted: dict[str, dict[Any, Any]] = {}
        self.replaced = 0

    def _at(self, kind: str, value: str) -> Row:
        return self.seeded.at(f"{kind}:{value.casefold()}")

    def know(self, person: Mapping[str, Any], columns: Iterable[sa.Column[Any]]) -> None:
        """Learn the names and addresses of a person, so that texts that mention them are replaced as well."""
        for column in columns:
            value = person.get(column.name)
            kind = column.info.get(PERSONAL)
            if not isinstance(value, str) or not value.strip():
                continue
            if kind in ("first_name", "last_name", "username"):
                stands = str(self.replace(kind, value))
                self._words.update(dict.fromkeys(_spellings(value), stands))
                for part in value.split():
                    if len(part) > 1:
                        for spelled in _spellings(part):
                            self._words.setdefault(spelled, str(self.replace(kind, part)))
        self._pattern = None

    def replace(self, kind: str | None, value: Any) -> Any:
        """Return what stands for *value* of a column classified as *kind*.

        Raises:
            FreezeError: *kind* is unknown.
        """
        if value is None or value == "" or kind is None:
            return value
        makers: Mapping[str, Callable[[Any], Any]] = {
            "email": self._email,
            "first_name": lambda text: self._at("first_name", text).first_name(),
            "last_name": lambda text: self._at("last_name", text).last_name(),
            "username": lambda text: f"user-{self._at('username', text).token('username', 10)}",
            "phone": lambda text: self._phone(str(text)),
            "secret": lambda text: self._at("secret", str(text)).token("secret", min(64, len(str(text)))),
            "date_of_birth": self._birth,
            "address": lambda text: self._address(str(text)),
            "text": self.text,
        }
        if kind not in makers:
            raise FreezeError(f"no pseudonym is known for {kind!r}", hint=f"kinds are {', '.join(KINDS)}")
        found = makers[kind](value)
        self.replaced += found != value
        return found

    def fitting(self, column: sa.Column[Any], value: Any) -> Any:
        """Return what stands for *value* in *column*, as long as that allows and unique where it has to be.

        Raises:
            FreezeError: the column has no room for one more.
        """
        kind = column.info.get(PERSONAL)
        if isinstance(value, list) and kind != "text":
            return [self.replace(kind, each) for each in value]
        found = self.replace(kind, value)
        length = getattr(column.type, "length", None)
        if not isinstance(found, str) or kind == "text":
            return found
        unique = _is_unique(column)
        fitted = self._fitted.setdefault(str(column), {})
        if value in fitted:
            return fitted[value]
        taken = set(fitted.values()) if unique else set()
        for attempt in range(_ATTEMPTS):
            chosen = found if attempt == 0 else self._another(str(kind), str(value), attempt)
            if length is not None and len(chosen) > length:
                chosen = self._shorter(str(kind), chosen, length)
            if chosen not in taken and (length is None or len(chosen) <= length):
                fitted[value] = chosen
                return chosen
        raise FreezeError(
            f"{column} has too few values: no pseudonym fits that is not somebody else's",
            why=f"it is unique, and has {len(taken)} already"
            if unique
            else f"it takes {length} characters, too few for {kind}",
            hint="nothing was written; classify it as secret, or give the column more room",
        )

    def _another(self, kind: str, value: str, attempt: int) -> str:
        if kind == "phone":
            row = self._at("phone", f"{value} {attempt}")
            return f"+1 {row.integer('area', 200, 999)} 555 01{row.integer('phone', 0, 99):02d}"
        if kind in ("first_name", "last_name", "address"):
            return f"{self.replace(kind, value)} {self._at(kind, f'{value} {attempt}').token('more', 4)}"
        return str(self.replace(kind, f"{attempt}.{value}"))

    def _shorter(self, kind: str, chosen: str, length: int) -> str:
        if kind != "email":
            return chosen[:length]
        end = "@x.test"  # a name reserved for this (RFC 2606)
        room = length - len(end)
        return self._at("email", chosen).token("short", min(room, 12)) + end if room > 0 else chosen

    def _email(self, value: str) -> str:
        known = self._emails.get(value.casefold())
        if known is not None:
            return known
        row = self._at("email", value)
        base = f"{slug(row.first_name())}.{slug(row.last_name())}".replace("-", "")
        found = f"{base}.{row.token('mark', 6)}@example.com"
        self._emails[value.casefold()] = found
        return found

    def _address(self, value: str) -> str:
        row = self._at("address", value)
        try:
            network = ip_interface(value)
        except ValueError:
            return row.city()
        # Ranges reserved for documentation (RFC 5737, RFC 3849): nobody's.
        if network.version == 6:
            return f"2001:db8::{row.integer('host', 1, 0xFFFF):x}"
        return f"203.0.113.{row.integer('host', 1, 254)}"

    def _phone(self, value: str) -> str:
        return f"+1 555 01{self._at('phone', re.sub(r'[^0-9]', '', value)).integer('phone', 0, 99):02d}"

    def _birth(self, value: Any) -> Any:
        if not isinstance(value, date):
            return value
        shift = self._at("birth", value.isoformat()).integer("days", 30, 330)
        return value - timedelta(days=shift)

    def text(self, value: Any) -> Any:
        """Return *value* (a text, or JSON) with the people in it replaced."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(key): self.text(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.text(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        if "@" in text:
            text = _EMAIL.sub(lambda match: self._email(match.group()), text)
        if any(char.isdigit() for char in text):
            text = _PHONE.sub(lambda match: self._phone(match.group()), text)
        if self._words:
            if self._pattern is None:
                words = sorted(self._words, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(_bounded, words)), re.IGNORECASE)
            text = self._pattern.sub(self._word, text)
        return text

    def _word(self, match: re.Match[str]) -> str:
        word = match.group()
        found = self._words.get(word) or self._words.get(word.casefold())
        if found is None:  # letters that fold otherwise than Python's casefold: the Turkish dotted I
            found = next(
                stands
                for known, stands in self._words.items()
                if re.fullmatch(re.escape(known), word, re.IGNORECASE)
            )
        if word.isupper() and len(word) > 1:
            return found.upper()
        return found.lower() if word.islower() else found


def _spellings(word: str) -> set[str]:
    """Return how *word* may stand in a text: in any case, its accents composed or not."""
    forms = {unicodedata.normalize(form, word) for form in ("NFC", "NFD")}
    return {how(each) for each in forms for how in (str, str.lower, str.upper, str.casefold, str.title)}


def _bounded(word: str) -> str:
    """Return the pattern of *word* as a word of its own; in scripts without case it may stand anywhere."""
    return re.escape(word) if word.lower() == word.upper() else rf"(?<!\w){re.escape(word)}(?!\w)"


def _is_unique(column: sa.Column[Any]) -> bool:
    if column.unique or column.primary_key:
        return True
    table = column.table
    alone = [each.columns for each in table.constraints if isinstance(each, sa.UniqueConstraint)]
    alone += [each.columns for each in table.indexes if each.unique]
    return any(list(columns) == [column] for columns in alone)
