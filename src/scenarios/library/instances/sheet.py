"""The sign-in sheet: who exists in an instance and how to become them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scenarios.values import TEST_PASSWORD, password_hash

if TYPE_CHECKING:
    from rich.table import Table

    from scenarios.library.instances.instance import Instance
    from scenarios.library.planning.rows import Row
    from scenarios.library.planning.sections import Sections


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the sheet.

    Attributes:
        facts: what else to know, in the system's words: phase, current identity.
        counts: rows of the person by section.
    """

    handle: str
    name: str
    email: str
    password: str | None
    facts: dict[str, str]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class SignInSheet:
    """Who exists in an instance."""

    instance: str
    scenario: str
    now: str
    people: tuple[Person, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the sheet for ``--json``."""
        return {
            "instance": self.instance,
            "scenario": self.scenario,
            "now": self.now,
            "people": [
                {
                    "handle": person.handle,
                    "name": person.name,
                    "email": person.email,
                    "password": person.password,
                    **person.facts,
                    "counts": person.counts,
                }
                for person in self.people
            ],
        }

    def __rich__(self) -> Table:
        """Return the sheet as a table for the terminal."""
        from rich.markup import escape
        from rich.table import Table

        # Several lines for each person: an address broken over ten lines can be neither read nor copied.
        table = Table(title=f"{self.instance}: who exists", title_justify="left", caption=self._caption())
        table.add_column("who", no_wrap=True)
        table.add_column("where they are, what they have")
        for person in self.people:
            facts = [f"{fact.replace('_', ' ')}: {value}" for fact, value in person.facts.items() if value]
            counts = ", ".join(f"{count} {section}" for section, count in person.counts.items() if count)
            who = f"[bold]{escape(person.handle)}[/]: {escape(person.name)}\n{escape(person.email)}"
            table.add_row(who, escape("\n".join([*facts, counts])), end_section=True)
        return table

    def _caption(self) -> str:
        passwords = {person.password for person in self.people if person.password}
        clock = f"The clock shows {self.now}."
        return f"{clock} Everybody's password is {passwords.pop()}." if len(passwords) == 1 else clock


def sheet_of(instance: Instance) -> SignInSheet:
    """Return the sign-in sheet of *instance*."""
    table = instance.definition.sections.people or instance.definition.domain.owner
    rows = instance.plan.of(table) if table else []
    people = tuple(_person(row, instance) for row in rows)
    return SignInSheet(instance.name, instance.scenario, instance.anchor.isoformat(), people)


def _person(row: Row, instance: Instance) -> Person:
    values = row.values
    name = " ".join(str(values[key]) for key in ("first_name", "last_name") if values.get(key))
    known = values.get("password") == password_hash()
    return Person(
        handle=row.handle,
        name=name or str(values.get("name") or row.handle),
        email=str(values.get("email") or ""),
        password=TEST_PASSWORD if known else None,
        facts=_facts(row, instance.definition.sections),
        counts=_counts(row),
    )


def _facts(row: Row, sections: Sections) -> dict[str, str]:
    facts = dict(sections.facts(row)) if sections.facts is not None else {}
    if row.values.get("is_active") is False:
        facts["active"] = "no"
    if row.values.get("is_staff"):
        facts["staff"] = "yes"
    return facts


def _counts(row: Row) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in row.subtree()[1:]:
        section = each.section
        if section.form != "one" and not section.silent:
            key = f"{section.unit}s" if section.form == "turns" else section.key
            found[key] = found.get(key, 0) + 1
    return found
