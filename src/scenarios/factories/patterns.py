"""PostgreSQL's regular expressions in Python's words.

The two agree on most of what a CHECK uses; where they do not, Python reads something else without a word
(``[[:alnum:]]`` is a set of brackets and letters to it), and rows would be drawn by a pattern nobody wrote.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "ascii": r"\x00-\x7f",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "word": r"\w",
    "xdigit": "0-9a-fA-F",
}
_ESCAPES = {r"\m": r"\b(?=\w)", r"\M": r"\b(?<=\w)", r"\y": r"\b", r"\Y": r"\B"}


@lru_cache(maxsize=512)
def python_pattern(pattern: str) -> str:
    """Return what *pattern*, an advanced regular expression of PostgreSQL, is in Python's `re`.

    The named classes are those of ASCII: every text drawn for them matches in any locale.
    """
    pattern = pattern.removeprefix("***:")
    pattern = pattern.replace("[[:<:]]", r"\b(?=\w)").replace("[[:>:]]", r"\b(?<=\w)")
    pattern = re.sub(r"\[:(\w+):\]", lambda found: _CLASSES.get(found[1], found[0]), pattern)
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), pattern)
