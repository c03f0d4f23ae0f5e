"""What keeps the unique values of a scenario's instances apart: the instance's name as a word.

An address or a user name is unique in its table, so a scenario could be loaded once. An instance adds its own
name to such a value, and a freeze takes it off again; files, builders and factories all do it here, so that
one person has one address.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from scenarios.values.seeded import slug

_DIGEST = 5  # bytes: ten characters, 40 bits; among ten thousand instances two meet with 1 in 20,000


@lru_cache(maxsize=4096)
def instance_word(instance: str, length: int = 40) -> str:
    """Return *instance* as a word of at most *length* characters (12 at least), different for different
    names.

    A name of lower-case letters, digits, ``_`` and ``-`` stands for itself; one that would lose something
    (``Friday``, a name that is too long) carries ten characters of its hash.
    """
    plain = slug(instance)
    if plain == instance.replace("_", "-") and len(plain) <= length:
        return plain
    digest = blake2b(instance.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
    room = max(0, length - len(digest) - 1)
    head = plain[:room].rstrip("-")
    return f"{head}-{digest}" if head else digest


def add_to_email(email: str, instance: str) -> str:
    """Return *email* with the instance behind a plus sign; local parts hold 64 characters (RFC 5321)."""
    local, at, host = email.rpartition("@")
    if not at:
        return email
    return f"{local}+{instance_word(instance, max(12, 63 - len(local)))}@{host}"


def strip_from_email(email: str, instance: str) -> str:
    """Return *email* without what `add_to_email` added."""
    local, at, host = email.rpartition("@")
    head, _, tail = local.rpartition("+")
    if at and head and tail == instance_word(instance, max(12, 63 - len(head))):
        return f"{head}@{host}"
    return email


def add_to_word(word: str, instance: str) -> str:
    """Return *word* as the instance's own: ``maya-friday``."""
    return f"{word}-{instance_word(instance)}"


def strip_from_word(word: str, instance: str) -> str:
    """Return *word* without what `add_to_word` added."""
    return word.removesuffix(f"-{instance_word(instance)}")


def add_to_title(title: str, instance: str) -> str:
    """Return *title*, some words for people, as the instance's own: ``Harbour School (friday)``."""
    return f"{title} ({instance_word(instance)})"


def strip_from_title(title: str, instance: str) -> str:
    """Return *title* without what `add_to_title` added."""
    return title.removesuffix(f" ({instance_word(instance)})")
