"""Checking without loading: every file of the library, and what should not stand in one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.errors import DomainError, LibraryError
from scenarios.library.files.error_list import ErrorDetails, InvalidScenario, Place, shown
from scenarios.library.index import is_path
from scenarios.library.progress import Progress, told

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.library.library import Library
    from scenarios.postgres import Database

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_PHONE = re.compile(r"(?<![\w.:+-])(\+|00)\d{1,3}[ ./-]?\(?\d{1,5}\)?([ ./-]?\d{2,5}){2,4}(?!\w)")
_PAIR = re.compile(r"(?<![\w@])(?=([^\W\d_][\w'’-]+) ([^\W\d_][\w'’-]+))")
_DECLARED = re.compile(r"""\b(?:first_name|last_name|name)\s*[:=]\s*["']?([^"'#,)}\n]+)""")
_RESERVED = ("example.com", "example.org", "example.net", ".example", ".test", ".invalid", "localhost")
"""Domains that belong to nobody (RFC 2606)."""


@dataclass(slots=True)
class Report:
    """What was checked and what was found."""

    checked: list[str] = field(default_factory=list)
    errors: list[ErrorDetails] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {"checked": self.checked, "errors": [error.as_dict() for error in self.errors]}


def check_library(
    library: Library, names: Sequence[str] = (), *, pii: bool = False, progress: Progress | None = None
) -> Report:
    """Check the scenarios *names* (names or paths; none: all of them).

    Args:
        library: where they are.
        names: which.
        pii: also look for what may be somebody's address, phone number or name.
        progress: is told before each scenario.

    Raises:
        LibraryError: a name is unknown.
    """
    report = Report()
    for name in told(progress, list(names) or library.names()):
        path = Path(name) if is_path(name) else None
        try:
            path = library.find(name).path or path
        except InvalidScenario as error:
            report.errors.extend(error.errors)
            path = path or library.files().get(name)
        except (LibraryError, DomainError) as error:
            if names:
                raise
            report.errors.append(ErrorDetails(Place(name), "", error.what, error.hint))
        report.checked.append(name)
        if pii and path is not None:
            report.errors.extend(personal_data(path, ("en_US", library.settings["locale"])))
    if not names:
        report.errors.extend(library.hidden())
    report.errors.sort(key=lambda error: (error.place, error.path))
    return report


def personal_data(path: Path, locales: Sequence[str] = ("en_US",)) -> list[ErrorDetails]:
    """Return the e-mail addresses, phone numbers and names in the file *path* that may be somebody's.

    A name is a first and a last name, both usual in one of *locales*, that the file does not declare for
    one of its own people: a first name alone would be found in half of all sentences.
    """
    text = path.read_text("utf-8", "replace")
    found = names_of_people(path, text, locales)
    for number, line in enumerate(text.splitlines(), 1):
        for match in _EMAIL.finditer(line):
            host = match.group().rpartition("@")[2].lower()
            if not host.endswith(_RESERVED):
                place = Place(shown(path), number, match.start() + 1)
                found.append(
                    ErrorDetails(
                        place, "", f"the address {match.group()} may be somebody's", "use one at example.com"
                    )
                )
        for match in _PHONE.finditer(line):
            place = Place(shown(path), number, match.start() + 1)
            found.append(
                ErrorDetails(
                    place,
                    "",
                    f"{match.group()} looks like a phone number",
                    "write it as +1 555 01.. or leave it out",
                )
            )
    return [error for error in found if "555 01" not in error.what and "555-01" not in error.what]


def names_of_people(path: Path, text: str, locales: Sequence[str]) -> list[ErrorDetails]:
    """Return the names in *text* that are usual in one of *locales* and that the file does not declare."""
    from scenarios.values.locales import locale_data

    cast = {word for match in _DECLARED.finditer(text) for word in match[1].split()}
    data = [locale_data(locale) for locale in dict.fromkeys(locales)]
    usual = [(set(each.texts("first_name")), set(each.texts("last_name"))) for each in data]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for match in _PAIR.finditer(line):
            first, last = match[1], re.sub(r"['’]s\Z", "", match[2]).strip("'’-")
            if first in cast and last in cast:
                continue
            if any(first in firsts and last in lasts for firsts, lasts in usual):
                found.append(
                    ErrorDetails(
                        Place(shown(path), number, match.start(1) + 1),
                        "",
                        f"the name {first} {last} may be somebody's",
                        "declare a person of that name in the file, or take it out of the text",
                    )
                )
    return found


def check_data(db: Database, domain: Domain) -> dict[str, Any]:
    """Check the rows of *db* against the rules of its system *domain*.

    Raises:
        DomainError: the system has no rules beyond its constraints.
    """
    from scenarios.validation import checks_of, validate

    checks = checks_of(domain)
    with db.connect() as conn:
        findings = validate(conn, domain)
    return {
        "system": domain.name,
        "checks": [check.name for check in checks],
        "violations": [finding.as_dict() for finding in findings],
    }
