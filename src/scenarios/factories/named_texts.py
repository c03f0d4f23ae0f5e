"""Texts that look like what their column is named, or like what a pattern asks for.

A surname in ``last_name`` and an address in ``email`` make a derived row readable; lorem ipsum in both hides
that a report has them the wrong way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scenarios.factories.demands import CannotFill, Demands
from scenarios.values import Row

WORDS = (
    "amber",
    "anchor",
    "basin",
    "birch",
    "cedar",
    "cobalt",
    "delta",
    "ember",
    "fern",
    "flint",
    "grove",
    "harbor",
    "indigo",
    "juniper",
    "lantern",
    "linen",
    "maple",
    "meadow",
    "north",
    "ochre",
    "olive",
    "pebble",
    "quartz",
    "raven",
    "river",
    "saffron",
    "slate",
    "sparrow",
    "summit",
    "timber",
    "tundra",
    "violet",
    "willow",
    "yarrow",
)


def named(row: Row, name: str, field: str) -> str:
    """Return a text as the column's name suggests."""
    words = f"_{name.lower()}_"
    if "email" in words or "mail_address" in words:
        return f"{row.first_name(field).lower()}.{row.last_name(field + '.2').lower()}@example.com".replace(
            " ", ""
        )
    if "first_name" in words or "given_name" in words:
        return row.first_name(field)
    if "last_name" in words or "surname" in words or "family_name" in words:
        return row.last_name(field)
    if words in {"_name_", "_full_name_", "_author_", "_contact_"}:
        return f"{row.first_name(field)} {row.last_name(field + '.2')}"
    if "_city_" in words:
        return row.city(field)
    if "_job_" in words or "profession" in words:
        return row.job(field)
    if "phone" in words:
        return f"+1555{row.integer(field, 0, 9_999_999):07d}"
    if "_url_" in words or "website" in words:
        return f"https://example.com/{row.choice(field, WORDS)}"
    if "slug" in words or "_code_" in words or "_key_" in words:
        return f"{row.choice(field, WORDS)}-{row.choice(field + '.2', WORDS)}"
    return " ".join(row.choice(f"{field}.{place}", WORDS) for place in range(3))


def marked(text: str, mark: str, longest: int) -> str:
    """Return *text* with *mark* in it, at most *longest* characters long, an address still an address."""
    local, at, domain = text.partition("@")
    if at:
        return f"{local[: max(1, longest - len(domain) - len(mark) - 2)]}.{mark}@{domain}"
    if longest <= len(mark):
        return mark[-longest:]
    if text.startswith("+1555"):
        return f"+1555{int(mark, 16) % 10_000_000:07d}"
    return f"{text[: longest - len(mark) - 1]}-{mark}"


def matching(
    row: Row, field: str, turn: int, draw: Callable[[Row, str, int], str], demands: Demands, longest: int
) -> str:
    """Return a text that contains every pattern: the plain draw, an address, or common shapes."""
    number = row.integer(field, 0, 10**12) + turn
    letters = "".join(chr(97 + number // 26**place % 26) for place in range(8))
    shapes = [
        draw(row, field, turn),
        f"{letters}.{number % 9973}@example.com",
        *(cut(number, letters) for cut in _SHAPES),
    ]
    for shape in shapes:
        if len(shape) <= longest and all(
            re.search(pattern, shape, flags) for pattern, flags in demands.patterns
        ):
            return shape
    pattern = demands.patterns[0][0]
    raise CannotFill(f"no text that was tried matches {pattern!r}")


_SHAPES: tuple[Callable[[int, str], str], ...] = (
    lambda number, letters: letters,
    lambda number, letters: letters.upper(),
    lambda number, letters: letters[:3].upper(),
    lambda number, letters: letters[:2].upper(),
    lambda number, letters: letters[:2],
    lambda number, letters: f"{number % 10**10:010d}",
    lambda number, letters: f"{number % 10**8:08d}",
    lambda number, letters: f"{number % 10**6:06d}",
    lambda number, letters: f"{number % 10**5:05d}",
    lambda number, letters: f"{number % 10**4:04d}",
    lambda number, letters: f"+1555{number % 10**7:07d}",
    lambda number, letters: f"#{number % 16**6:06x}",
    lambda number, letters: f"{number % 16**16:016x}",
    lambda number, letters: f"{number % 16**32:032x}",
    lambda number, letters: f"{letters[:4]}-{letters[4:]}",
    lambda number, letters: f"{letters[:3].upper()}-{number % 10**4:04d}",
    lambda number, letters: f"{letters[:2].upper()}-{number % 10**6:06d}",
    lambda number, letters: f"https://example.com/{letters}",
    lambda number, letters: f"{number % 9 + 1}.{number % 7}.{number % 11}",
)
