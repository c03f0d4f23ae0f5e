"""Texts written for this project: what coaches, users and students say, in the words they would use.

Lorem ipsum hides every error that depends on meaning: nobody sees that a conversation is out of order, that
a note is about the wrong person, or that a search finds nothing. A system brings its own in ``texts.toml``,
beside the module in which its entry point finds its `Domain`; any project can add more with `add_corpus`.
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
def corpus_file(system: str) -> Mapping[str, Any]:
    """Return everything in the corpus file of *system*; empty where it has none.

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
    node: Any = corpus_file(system)
    for step in path.split("."):
        if not isinstance(node, Mapping) or step not in node:
            return None
        node = node[step]
    return tuple(node) if isinstance(node, list) and node and isinstance(node[0], str) else None


def corpus(name: str) -> Sequence[str]:
    """Return the texts of the corpus *name*: a system and the path of a list in its file.

    ``corpus("shop.reviews")``, ``corpus("shop.names.TOYS")``.

    Raises:
        ValuesError: there is no such corpus.
    """
    texts = find_corpus(name)
    if texts is None:
        raise ValuesError(
            f"there is no text corpus {name!r}", hint=f"corpora are {', '.join(corpus_names())}"
        )
    return texts


def find_corpus(name: str) -> Sequence[str] | None:
    """Return the texts of the corpus *name*, None where there is no such corpus."""
    return _added.get(name) or _built_in(name)


def corpus_names() -> list[str]:
    """Return the names of all corpora."""

    def lists(path: str, node: Any) -> Iterator[str]:
        if isinstance(node, Mapping):
            for key, value in node.items():
                yield from lists(f"{path}.{key}", value)
        elif isinstance(node, list) and node and isinstance(node[0], str):
            yield path

    brought = [name for system in domain_names() for name in lists(system, corpus_file(system))]
    return sorted([*brought, *_added])


def add_corpus(name: str, texts: Sequence[str]) -> None:
    """Add a corpus of a project's own; adding the same texts again is fine.

    Raises:
        ValuesError: it is empty, or another corpus has the name.
    """
    if not texts:
        raise ValuesError(f"the text corpus {name!r} is empty")
    known = find_corpus(name)
    if known is not None and tuple(texts) != known:
        raise ValuesError(f"there is already a text corpus {name!r} with other texts")
    _added[name] = tuple(texts)
