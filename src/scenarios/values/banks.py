"""Texts written for this project: what coaches, users and students say, in the words they would use.

Lorem ipsum hides every fault that depends on meaning: nobody sees that a conversation is out of order, that
a note is about the wrong person, or that a search finds nothing. A system brings its own in ``texts.toml``,
beside the module in which its entry point finds its `Domain`; any project can add more with `add_bank`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from scenarios.domain import domain_names, home_of
from scenarios.errors import ValuesError

_added: dict[str, tuple[str, ...]] = {}


@lru_cache(maxsize=8)
def bank_file(system: str) -> Mapping[str, Any]:
    """Return everything in the bank file of *system*; empty where it has none.

    Raises:
        DomainError: there is no such system.
    """
    path = home_of(system) / "texts.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


@lru_cache(maxsize=256)
def _built_in(name: str) -> tuple[str, ...] | None:
    system, _, path = name.partition(".")
    if not path or system not in domain_names():
        return None
    node: Any = bank_file(system)
    for step in path.split("."):
        if not isinstance(node, Mapping) or step not in node:
            return None
        node = node[step]
    return tuple(node) if isinstance(node, list) and node and isinstance(node[0], str) else None


def bank(name: str) -> Sequence[str]:
    """Return the texts of the bank *name*: a system and the path of a list in its file.

    ``bank("shop.reviews")``, ``bank("shop.names.TOYS")``.

    Raises:
        ValuesError: there is no such bank.
    """
    texts = find_bank(name)
    if texts is None:
        raise ValuesError(f"there is no text bank {name!r}", remedy=f"banks are {', '.join(bank_names())}")
    return texts


def find_bank(name: str) -> Sequence[str] | None:
    """Return the texts of the bank *name*, None where there is no such bank."""
    return _added.get(name) or _built_in(name)


def bank_names() -> list[str]:
    """Return the names of all banks."""

    def lists(path: str, node: Any) -> Iterator[str]:
        if isinstance(node, Mapping):
            for key, value in node.items():
                yield from lists(f"{path}.{key}", value)
        elif isinstance(node, list) and node and isinstance(node[0], str):
            yield path

    brought = [name for system in domain_names() for name in lists(system, bank_file(system))]
    return sorted([*brought, *_added])


def add_bank(name: str, texts: Sequence[str]) -> None:
    """Add a bank of a project's own; adding the same texts again is fine.

    Raises:
        ValuesError: it is empty, or another bank has the name.
    """
    if not texts:
        raise ValuesError(f"the text bank {name!r} is empty")
    known = find_bank(name)
    if known is not None and tuple(texts) != known:
        raise ValuesError(f"there is already a text bank {name!r} with other texts")
    _added[name] = tuple(texts)
