"""The kinds of unique values that sections keep apart between the instances of one scenario."""

from __future__ import annotations

from scenarios.library.planning.sections import Suffix
from scenarios.values.instances import (
    add_to_email,
    add_to_title,
    add_to_word,
    strip_from_email,
    strip_from_title,
    strip_from_word,
)

EMAIL = Suffix(add_to_email, strip_from_email)
"""For addresses: ``maya+friday@example.com``."""

WORD = Suffix(add_to_word, strip_from_word)
"""For single words: ``maya-friday``."""

TITLE = Suffix(add_to_title, strip_from_title)
"""For some words: ``Harbour School (friday)``."""
