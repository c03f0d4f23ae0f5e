"""How unique values are kept apart between the instances of one scenario.

An address or a user name is unique in its table, so a scenario could be loaded once. An instance adds its own
name to such a value, and a freeze takes it off again.
"""

from __future__ import annotations

from hashlib import blake2b

from scenarios.library.planning.sections import Suffix
from scenarios.values import slug


def _mark(instance: str, room: int) -> str:
    plain = slug(instance)
    if len(plain) <= room:
        return plain
    return f"{plain[: room - 9].rstrip('-')}-{blake2b(instance.encode(), digest_size=4).hexdigest()}"


def add_to_email(email: str, instance: str) -> str:
    """Return *email* with the instance behind a plus sign; local parts hold 64 characters (RFC 5321)."""
    local, at, host = email.rpartition("@")
    if not at:
        return email
    return f"{local}+{_mark(instance, max(12, 63 - len(local)))}@{host}"


def strip_from_email(email: str, instance: str) -> str:
    """Return *email* without what `add_to_email` added."""
    local, at, host = email.rpartition("@")
    head, _, tail = local.rpartition("+")
    if at and head and tail == _mark(instance, max(12, 63 - len(head))):
        return f"{head}@{host}"
    return email


def _add_to_word(word: str, instance: str) -> str:
    return f"{word}-{_mark(instance, 40)}"


def _strip_from_word(word: str, instance: str) -> str:
    return word.removesuffix(f"-{_mark(instance, 40)}")


EMAIL = Suffix(add_to_email, strip_from_email)
"""For addresses: ``maya+friday@example.com``."""

WORD = Suffix(_add_to_word, _strip_from_word)
"""For single words: ``maya-friday``."""
