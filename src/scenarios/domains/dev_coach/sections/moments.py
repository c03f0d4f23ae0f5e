"""When things happened that a Dev Coach file gives no time for.

Rows without times of their own would all happen at once. What a file leaves out is placed so that it fits:
an action a second after its message, an identity while the conversation runs, an account before all of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scenarios.domains.dev_coach import CoachingPhase, defaults
from scenarios.library.planning.plan import earliest
from scenarios.library.planning.rows import Row
from scenarios.library.planning.sections import Situation

_MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def state_of(row: Row) -> Row | None:
    """Return the coach state of the person *row* belongs to."""
    return next((child for child in row.root.children if child.section.key == "state"), None)


def phase_of(row: Row) -> CoachingPhase | None:
    """Return the phase that the file says of the person *row* belongs to."""
    state = state_of(row)
    given = state.given.get("current_phase") if state else None
    return CoachingPhase(given) if isinstance(given, str) else None


def joined(row: Row, situation: Situation) -> datetime:
    for name in ("created_at", "date_joined"):
        given = row.values.get(name)
        if isinstance(given, datetime):
            return given
    # Its own times only where the file says them: the others follow from this one.
    own = [row.values.get(name) for name in row.given]
    moments = [each for each in own if isinstance(each, datetime)]
    below = earliest(row.subtree()[1:])
    return defaults.joined(situation.anchor, phase_of(row), [*moments, *([below] if below else [])])


def last_login(row: Row, situation: Situation) -> datetime:
    return defaults.last_login(joined(row, situation), max(_turns(row), default=None))


def updated(row: Row, situation: Situation) -> datetime:
    login = row.values.get("last_login")
    return defaults.updated(joined(row, situation), login if isinstance(login, datetime) else None)


def created(row: Row, _: Situation) -> Any:
    return row.values["created_at"]


def _turns(user: Row) -> list[datetime]:
    found = [row.values.get("timestamp") for row in user.children if row.section.form == "turns"]
    return [moment for moment in found if isinstance(moment, datetime)]


def changed(row: Row, situation: Situation) -> datetime:
    # The state changes with what is said; a person who said nothing is as they were made.
    turns = _turns(row.root)
    return max(turns) + 2 * SECOND if turns else updated(row.root, situation)


def identity_created(row: Row, situation: Situation) -> datetime:
    user = row.root
    siblings = [other for other in user.children if other.section is row.section]
    place = next(at for at, other in enumerate(siblings) if other is row)
    turns = _turns(user)
    if len(turns) < 2:
        return joined(user, situation) + (place + 1) * 5 * _MINUTE
    start, end = min(turns), max(turns)
    step = (end - start) // (len(siblings) + 1)
    return start + (place + 1) * step


def user_created(row: Row, situation: Situation) -> datetime:
    return joined(row.root, situation)


def note_created(row: Row, situation: Situation) -> datetime:
    return changed(row, situation)


def after_parent(column: str, delay: timedelta) -> Any:
    def after(row: Row, situation: Situation) -> datetime:
        above = row.up(1).values.get(column)
        base = above if isinstance(above, datetime) else situation.anchor
        siblings = [other for other in row.up(1).children if other.section is row.section]
        place = next(at for at, other in enumerate(siblings) if other is row)
        return base + (place + 1) * delay

    return after


def session_start(row: Row, situation: Situation) -> datetime:
    turns = _turns(row.root)
    return min(turns) if turns else joined(row.root, situation)


def expires(row: Row, situation: Situation) -> datetime:
    given = row.values.get("created_at")
    return (given if isinstance(given, datetime) else user_created(row, situation)) + defaults.TOKEN_LIFE
