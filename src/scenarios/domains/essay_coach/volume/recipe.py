"""Volume for EssayCoach: who gets which key, and what has to be done around the rows.

The schema counts its keys, keeps a counter by trigger, has a partition a month and materialized views. Rows
made on eight machines at once would collide in the keys, land in the default partitions and leave the counter
and the views behind. Here a run owns a stretch of every key space that its seed decides, a user's rows have a
fixed place in it, and what belongs around the rows is done before and after them.

What a user's rows are is in `essay_coach_people`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from scenarios.domain import Statement
from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.loading import QUIET, after_load, before_load
from scenarios.domains.essay_coach.volume.people import OLDEST, PER_USER, TABLES, Person
from scenarios.errors import ValuesError
from scenarios.values import Seeded
from scenarios.volume.parts import Collector, Part, TableData

STRETCH = 1 << 41
"""Keys of one run in each table: 1,024 for each of two thousand million users. The highest key of any run is
below 2**53, so that JavaScript reads it exactly."""

STRETCHES = 4000
"""How many such stretches there are; the seed picks one, and a run that finds it taken says so."""

SCHOOL_BLOCK = 400
"""Users that share three schools; a run of any length has schools of like sizes, and a longer one more."""

_SCHOOLS = ((0, 60.0), (1, 28.0), (2, 12.0))
_KINDS = ("High School", "Academy", "College", "Community School", "Grammar School")
_COUNTED = (
    "institutions", "users", "user_profiles", "essays", "submissions", "ai_responses", "feedback",
    "analytics", "reports", "logs",
)  # fmt: skip

_ADD_SCHOOLS = """
INSERT INTO institutions (id, name, created_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
_TAKEN = """
SELECT id, institutions.name
  FROM institutions
  JOIN unnest($1::bigint[], $2::text[]) AS ours (id, name) USING (id)
 WHERE institutions.name <> ours.name
 LIMIT 1
"""
_LOCK_SCHOOLS = "SELECT FROM institutions WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
_COUNT_STUDENTS = """
UPDATE institutions
   SET student_count = counted.students
  FROM (
      SELECT i.id, count(u.id) AS students
        FROM institutions AS i
        LEFT JOIN users AS u ON u.institution_id = i.id AND u.role = 'student'
       WHERE i.id = ANY($1::bigint[])
       GROUP BY i.id
  ) AS counted
 WHERE institutions.id = counted.id AND institutions.student_count <> counted.students
"""
_SET_SEQUENCES = """
SELECT setval(found.name, greatest($2::bigint, coalesce(s.last_value, 1)))
  FROM (SELECT pg_get_serial_sequence(t, 'id') AS name FROM unnest($1::text[]) AS t) AS found
  JOIN pg_sequences AS s ON format('%I.%I', s.schemaname, s.sequencename) = found.name
"""


class EssayCoachRecipe:
    """The recipe; stateless, so that any process can use it."""

    domain = DOMAIN
    tables = tuple(name for name, _ in TABLES)
    # `after` counts the students; the audit trail is not kept of a load (QUIET), triggers or not.
    stand_in = frozenset({"count_students", "record_change"})

    def owner(self, part: Part) -> TableData | None:
        """Return nothing: which schools there are depends on the parts; `before` adds them."""
        return None

    def keys(self, part: Part) -> tuple[str, str, list[str]]:
        """Return table and key column of the part's users, and their keys."""
        begin = stretch(part.seed)
        return "users", "id", [str(begin + index) for index in part.indexes]

    def make(self, part: Part) -> list[TableData]:
        """Return everything of the part's users."""
        rows = Collector(DOMAIN, TABLES)
        seeded = _seeded(part)
        begin = stretch(part.seed)
        for index in part.indexes:
            school = begin + _school(seeded, index)
            Person(seeded, index, begin, school, part.anchor, rows).make()
        return list(rows.finish())

    def before(self, parts: Sequence[Part]) -> Generator[Statement, Any, None]:
        """Add the schools of *parts* and make the months their rows need."""
        ids, names, made = _schools(parts)
        yield QUIET
        yield Statement(_ADD_SCHOOLS, (ids, names, made))
        yield from _not_taken(parts[0].seed, ids, names)
        span = parts[0].anchor - timedelta(days=OLDEST + 5), parts[0].anchor
        yield from before_load({"analytics": span, "logs": span})

    def opening(self, part: Part, *, triggers: bool) -> Iterator[Statement]:
        """Keep the part out of the audit trail; take its schools' counters in one order."""
        yield QUIET
        if triggers:
            yield Statement(_LOCK_SCHOOLS, (_schools([part])[0],))

    def after(self, parts: Sequence[Part]) -> Generator[Statement, Any, None]:
        """Set counters and sequences right and refresh the views."""
        ids, names, _ = _schools(parts)
        yield QUIET
        yield from _not_taken(parts[0].seed, ids, names)
        # Locked by a statement of its own: the one that counts then sees what others had committed.
        yield Statement(_LOCK_SCHOOLS, (ids,))
        yield Statement(_COUNT_STUDENTS, (ids,))
        # To the stretch's end, not to the last key: a longer run may still continue this one.
        last = stretch(parts[0].seed) + STRETCH - 1
        yield Statement(_SET_SEQUENCES, (list(_COUNTED), last))
        yield from after_load()


RECIPE = EssayCoachRecipe()


def stretch(seed: str) -> int:
    """Return the first key of the run *seed* in each table."""
    return (
        1 + int.from_bytes(blake2b(seed.encode(), digest_size=8).digest(), "little") % STRETCHES
    ) * STRETCH


def _seeded(part: Part) -> Seeded:
    return Seeded(part.seed, "volume/essay_coach", part.locale)


def _school(seeded: Seeded, index: int) -> int:
    """Return the number of the school of the user *index*."""
    block = index // SCHOOL_BLOCK
    return block * len(_SCHOOLS) + seeded.at(f"user-{index:08d}").weighted("school", _SCHOOLS)


def _schools(parts: Sequence[Part]) -> tuple[list[int], list[str], list[datetime]]:
    """Return keys, names and beginnings of all schools the users of *parts* may be at."""
    seeded, begin = _seeded(parts[0]), stretch(parts[0].seed)
    mark = blake2b(parts[0].seed.encode(), digest_size=3, person=b"school").hexdigest()
    blocks = sorted(
        {block for part in parts
         for block in range(part.first // SCHOOL_BLOCK, (part.first + part.users - 1) // SCHOOL_BLOCK + 1)}
    )  # fmt: skip
    ids, names, made = [], [], []
    for number in (block * len(_SCHOOLS) + place for block in blocks for place, _ in _SCHOOLS):
        row = seeded.at(f"school-{number}")
        ids.append(begin + number)
        names.append(f"{row.city()[:60]} {row.choice('kind', _KINDS)} {mark}-{number}")
        made.append(parts[0].anchor - timedelta(days=OLDEST + row.integer("age", 30, 3000)))
    return ids, names, made


def _not_taken(seed: str, ids: list[int], names: list[str]) -> Generator[Statement, Any, None]:
    found = yield Statement(_TAKEN, (ids, names))
    for key, name in found:
        raise ValuesError(
            f"the keys of the run {seed!r} are taken",
            where=f"institutions {key}",
            why=f"another run's {name!r} has the key; seeds share {STRETCHES:,} stretches of keys",
            hint="generate with another seed",
        )


assert PER_USER * 2**31 <= STRETCH
