"""Sections of a system nobody wrote sections for: rows by table.

A project's own schema is no second-class guest: its scenario files have the one section ``rows``, with tables
by name and rows by handle, checked by the same column types, foreign keys and vocabularies.
"""

from __future__ import annotations

from importlib import import_module

from scenarios.domain import Domain
from scenarios.errors import DomainError
from scenarios.library.planning.sections import Sections


def sections_of(domain: Domain) -> Sections:
    """Return the sections of *domain*: its own where it has a part ``sections``, else rows by table.

    Raises:
        DomainError: its part has no ``SECTIONS``.
    """
    name = domain.parts.get("sections")
    if name is None:
        return Sections(domain)
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return Sections(domain)
    found = getattr(module, "SECTIONS", None)
    if not isinstance(found, Sections):
        raise DomainError(
            f"the sections of {domain.title} are not usable",
            where=name,
            hint="define SECTIONS = Sections(domain, ...) there",
        )
    return found
