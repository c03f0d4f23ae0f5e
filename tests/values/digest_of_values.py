"""Writes digests of generated values; run by other interpreters, so it imports nothing but the values."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import timedelta
from decimal import Decimal

from scenarios.values import Clock, Seeded, UniqueSpace, conversation, password_hash
from scenarios.values.conversation import phases
from scenarios.values.corpora import corpus_file


def own() -> str:
    """Digest what depends on this project alone."""
    found = hashlib.sha256()

    def note(*values: object) -> None:
        found.update("\x1f".join(map(str, values)).encode() + b"\n")

    seeded = Seeded("seed", "scenario", instance="one")
    for handle in ("maya", "omar.q", "Ünï", "", *map(str, range(200))):
        row = seeded.at(handle)
        note(row.uuid(), row.word("a"), row.fraction("b"), row.integer("c", -(10**30), 10**30))
        note(row.decimal("d", 1, Decimal(9)), row.choice("e", "abcdef"), row.shuffle("f", range(20)))
        note(row.weighted("g", [("x", 1.5), ("y", 2)]), row.skewed("h", 1, 999, 20), row.token("i", 70))
        note(row.duration("j", timedelta(0), timedelta(days=9)), row.text("dev_coach.texts.notes"))
    for phase in phases("dev_coach"):
        maya = seeded.at("maya")
        turns = conversation(maya, phase, 101, name="Maya", identities=["Maker"], system="dev_coach")
        note(*[turn.content for turn in turns])
    space = UniqueSpace(range(1000), seeded.key("space"))
    note(*[space.claim(str(number)) for number in range(1000)])
    line = Clock().timeline("-3d @09:30", seeded.at("maya"))
    note(*[line.tick() for _ in range(20)], *line.spread(20, Clock().now))
    note(password_hash())
    note(
        *[
            json.dumps(corpus_file(system), sort_keys=True)
            for system in ("dev_coach", "coach_bot", "essay_coach")
        ]
    )
    return found.hexdigest()


def borrowed() -> str:
    """Digest what depends on the installed Faker's data as well."""
    found = hashlib.sha256()
    for locale in ("en_US", "de_DE", "ja_JP", "fr_FR"):
        seeded = Seeded("seed", "scenario", locale)
        for number in range(100):
            row = seeded.at(str(number))
            values = (row.name(), row.city(), row.job(), row.email(), row.faker("company"))
            found.update("\x1f".join(values).encode())
    return found.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"python": sys.version.split()[0], "own": own(), "borrowed": borrowed()}))
