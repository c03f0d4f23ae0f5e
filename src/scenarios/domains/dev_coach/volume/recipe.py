"""What generated users of Dev Coach look like.

A load test on uniform data misses what hurts: the one user with four thousand messages, the Monday evening,
the half of all users who never came back. Here the phases form a funnel, conversations have a long tail,
sittings fall on the hours and weekdays people have time, and each row satisfies the rules of the system
(the tests run every check over it). Nobody's rows depend on another user.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from scenarios.domains.dev_coach import (
    DOMAIN,
    ActionType,
    CoachingPhase,
    GetToKnowYouQuestion,
    IdentityCategory,
    IdentityState,
)
from scenarios.domains.dev_coach.volume.talk import Said, Talk, moment_of
from scenarios.graph.encoding import escaped
from scenarios.values import Row, Seeded, corpus, password_hash, slug
from scenarios.volume.parts import Collector, Part, TableData
from scenarios.volume.rhythm import HOURS, WEEKDAYS

T = TypeVar("T")

PHASES = tuple(CoachingPhase)
FUNNEL = tuple(zip(PHASES, (38.0, 24.0, 18.0, 12.0, 8.0), strict=True))
"""Where users are: each phase is reached by fewer."""

SITTING = 24
"""Messages in a sitting, about."""

_TABLES = (
    (
        "users_user",
        ("id", "email", "password", "first_name", "last_name", "is_active", "last_login", "date_joined",
         "created_at", "updated_at", "test_scenario_id"),
    ),
    (
        "users_userprofile",
        ("id", "user_id", "timezone", "preferred_coaching_style", "session_frequency", "created_at",
         "updated_at", "test_scenario_id"),
    ),
    (
        "identities_identity",
        ("id", "user_id", "name", "affirmation", "visualization", "state", "notes", "category", "created_at",
         "updated_at", "test_scenario_id"),
    ),
    (
        "coach_states_coachstate",
        ("id", "user_id", "current_phase", "current_identity_id", "identity_focus",
         "skipped_identity_categories", "who_you_are", "who_you_want_to_be", "asked_questions", "updated_at",
         "test_scenario_id"),
    ),
    (
        "coach_states_coachingsession",
        ("id", "user_id", "coach_state_id", "phase", "started_at", "ended_at", "test_scenario_id"),
    ),
    ("chat_messages_chatmessage", ("id", "user_id", "role", "content", "timestamp", "test_scenario_id")),
    (
        "coach_states_coachingsessionmessage",
        ("id", "user_id", "session_id", "message_id", "test_scenario_id"),
    ),
    (
        "actions_action",
        ("id", "user_id", "action_type", "parameters", "result_summary", "timestamp", "coach_message_id",
         "test_scenario_id"),
    ),
    (
        "user_notes_usernote",
        ("id", "user_id", "note", "source_message_id", "created_at", "test_scenario_id"),
    ),
)  # fmt: skip

_DAY = timedelta(days=1)
_STYLES = ("DIRECTIVE", "SUPPORTIVE", "COLLABORATIVE", "CHALLENGING")
_FREQUENCIES = ("DAILY", "WEEKLY", "WEEKLY", "WEEKLY", "BIWEEKLY", "MONTHLY")
_ZONES = ("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "Asia/Tokyo")


class DevCoachRecipe:
    """The recipe; stateless, so that any process can use it."""

    domain = DOMAIN
    tables = tuple(name for name, _ in _TABLES)
    stand_in = DOMAIN.suspendable or frozenset()

    def owner(self, part: Part) -> TableData:
        """Return the run's test scenario, to which all its rows belong."""
        columns = ("id", "name", "description", "template", "created_at", "updated_at")
        rows = Collector(DOMAIN, [("test_scenario_testscenario", columns)])
        began = part.anchor - timedelta(days=1000)
        rows.add(
            "test_scenario_testscenario",
            [
                (
                    _scope(part),
                    f"generated-{part.seed}",
                    "Generated for volume.",
                    {"seed": part.seed},
                    began,
                    began,
                )
            ],
        )
        return next(rows.finish())

    def keys(self, part: Part) -> tuple[str, str, list[str]]:
        """Return table and key column of the part's users, and their keys."""
        seeded = _seeded(part)
        return "users_user", "id", [str(seeded.at(_handle(index)).uuid()) for index in part.indexes]

    def make(self, part: Part) -> list[TableData]:
        """Return everything of the part's users."""
        rows = Collector(DOMAIN, _TABLES)
        seeded = _seeded(part)
        scope = _scope(part)
        key = seeded.key("messages")
        for index in part.indexes:
            _User(seeded.at(_handle(index)), index, part.anchor, scope, key, rows).make()
        return list(rows.finish())


RECIPE = DevCoachRecipe()


def _seeded(part: Part) -> Seeded:
    return Seeded(part.seed, "volume/dev_coach", part.locale)


def _handle(index: int) -> str:
    return f"user-{index:08d}"


def _scope(part: Part) -> UUID:
    return _seeded(part).at("scenario").uuid()


class _User:
    """Makes one user."""

    __slots__ = ("anchor", "id", "index", "row", "rows", "scope", "talk")

    def __init__(
        self, row: Row, index: int, anchor: datetime, scope: UUID, key: bytes, rows: Collector
    ) -> None:
        self.row, self.index, self.anchor, self.scope, self.rows = row, index, anchor, scope, rows
        self.id = row.uuid()
        self.talk = Talk(self.id, scope, key, rows)

    def make(self) -> None:
        row = self.row
        reached = PHASES.index(row.weighted("phase", FUNNEL))
        exchanges = self._exchanges(reached)
        sittings = [max(1, round(count * 2 / SITTING)) for count in exchanges]
        starts = self._starts(sum(sittings))
        created = starts[0] - row.duration("signed up", timedelta(minutes=3), timedelta(hours=20))
        first, last = row.first_name(), row.last_name()
        identities = self._identity_names(reached)
        spoken = [escaped(name) for name, _ in identities] or ["the maker", "the anchor", "the finisher"]
        coach: list[list[Said]] = []
        user: list[Said] = []
        state_id = row.uuid("state")
        sessions: list[tuple[object, ...]] = []
        place = 0
        number = 0
        for phase_number, count in enumerate(exchanges):
            said: list[Said] = []
            done = 0
            for sitting in range(sittings[phase_number]):
                until = count * (sitting + 1) // sittings[phase_number]
                session = row.uuid(f"session {place}")
                ended = self.talk.sitting(
                    PHASES[phase_number], range(done, until), number, starts[place], session, escaped(first),
                    spoken, said, user,
                )  # fmt: skip
                number += until - done
                sessions.append(
                    (session, self.id, state_id, PHASES[phase_number], starts[place], ended, self.scope)
                )
                done = until
                place += 1
            coach.append(said)
        seen = sessions[-1][5]
        assert isinstance(seen, datetime)
        self.rows.add(
            "users_user",
            [(
                self.id, f"{slug(first)}.{slug(last)}.{self.index}@example.com", password_hash(), first, last,
                row.chance("active", 0.97), seen, created, created, seen, self.scope,
            )],
        )  # fmt: skip
        if row.chance("profile", 0.6):
            self.rows.add(
                "users_userprofile",
                [(
                    row.uuid("profile"), self.id, row.choice("zone", _ZONES), row.choice("style", _STYLES),
                    row.choice("frequency", _FREQUENCIES), created, created, self.scope,
                )],
            )  # fmt: skip
        self.rows.add("coach_states_coachingsession", sessions)
        self._identities_and_state(reached, identities, coach, state_id, seen, exchanges)
        self._transitions(reached, coach)
        self._notes(user)

    def _exchanges(self, reached: int) -> list[int]:
        """Return how many questions were asked in each phase; every phase but the last was finished."""
        row = self.row
        return [
            row.skewed(f"exchanges {number}", 1 if number == reached else 6, 300, 9)
            for number in range(reached + 1)
        ]

    def _starts(self, count: int) -> list[datetime]:
        """Return when the sittings began: each on its own day, when people have time."""
        row = self.row
        window = max(count + 1, row.skewed("age", 2, 700, 60))
        midnight = self.anchor.replace(hour=0, minute=0, second=0, microsecond=0)
        starts = []
        for number in range(count):
            first, last = window * number // count, window * (number + 1) // count
            # Day 0 is the oldest; the youngest is yesterday, so nothing happens after the anchor.
            days = [midnight - _DAY * (window - day) for day in range(first, max(last, first + 1))][:14]
            day = row.weighted(f"day {number}", [(each, WEEKDAYS[each.weekday()]) for each in days])
            hour = row.weighted(f"hour {number}", HOURS)
            starts.append(
                day + timedelta(hours=hour, microseconds=row.integer(f"at {number}", 0, 3_599_999_999))
            )
        return starts

    def _identity_names(self, reached: int) -> list[tuple[str, IdentityCategory]]:
        """Return name and category of the user's identities, in the order they came up."""
        if reached == 0:
            return []
        row = self.row
        categories = list(IdentityCategory)
        skipped = self._skipped(reached)
        if reached == 1:
            categories = categories[: row.integer("covered", 1, len(categories))]
        names = []
        for category in categories:
            if category in skipped:
                continue
            more = 2 if category is IdentityCategory.PASSIONS_AND_TALENTS else 1
            options = corpus(f"dev_coach.identity_names.{category}")
            names += [(name, category) for name in _few(row, f"names {category}", options, more)]
        return names

    def _skipped(self, reached: int) -> list[IdentityCategory]:
        if reached < 2:
            return []
        count = self.row.integer("skips", 0, 2)
        optional = [each for each in IdentityCategory if each is not IdentityCategory.PASSIONS_AND_TALENTS]
        chosen = _few(self.row, "skipped", optional, count)
        return [each for each in optional if each in chosen]

    def _identities_and_state(
        self,
        reached: int,
        named: Sequence[tuple[str, IdentityCategory]],
        coach: Sequence[Sequence[Said]],
        state_id: UUID,
        seen: datetime,
        exchanges: Sequence[int],
    ) -> None:
        row = self.row
        total = len(named)
        finished = row.integer("refined", 0, total - 1) if reached == 2 else total if reached > 2 else 0
        identities, actions = [], []
        for place, (name, category) in enumerate(named):
            message = coach[1][min(place, len(coach[1]) - 1)]
            identity = row.uuid(f"identity {place}")
            if reached == 1:
                state = IdentityState.PROPOSED
            else:
                state = IdentityState.REFINEMENT_COMPLETE if place < finished else IdentityState.ACCEPTED
            worded = reached == 4 or (reached == 3 and row.chance(f"worded {place}", 0.6))
            note = row.text("dev_coach.texts.notes", f"identity note {place}")
            made = moment_of(message) + timedelta(microseconds=1 + place)
            identities.append((
                identity, self.id, name,
                row.text("dev_coach.texts.affirmations", f"affirmation {place}") if worded else None,
                row.text("dev_coach.texts.visualizations", f"visualization {place}") if worded else None,
                state, [note], category, made, max(made, seen), self.scope,
            ))  # fmt: skip
            if place < len(coach[1]):
                actions.append((
                    row.uuid(f"create {place}"), self.id, ActionType.CREATE_IDENTITY,
                    {"name": name, "note": note, "category": category.value},
                    row.text("dev_coach.results.CREATE_IDENTITY", f"created {place}").replace("{identity}",
                    name), made, message[0], self.scope,
                ))  # fmt: skip
        self.rows.add("identities_identity", identities)
        self.rows.add("actions_action", actions)
        current = identities[finished][0] if reached == 2 else identities[0][0] if reached == 3 else None
        questions = list(GetToKnowYouQuestion)
        asked = questions[: (exchanges[0] + 1) // 2] if reached == 0 else questions
        described = reached > 1
        skipped = self._skipped(reached)
        focus = named[-1][1] if reached == 1 else IdentityCategory.PASSIONS_AND_TALENTS
        self.rows.add(
            "coach_states_coachstate",
            [(
                state_id, self.id, PHASES[reached], current, focus, [each.value for each in skipped],
                _words(row, "are", "self_descriptions", 6) if described else [],
                _words(row, "want", "aspirations", 5) if described else [],
                [each.value for each in asked], seen, self.scope,
            )],
        )  # fmt: skip

    def _transitions(self, reached: int, coach: Sequence[Sequence[Said]]) -> None:
        row = self.row
        self.rows.add(
            "actions_action",
            [
                (
                    row.uuid(f"transition {number}"), self.id, ActionType.TRANSITION_PHASE,
                    {"to_phase": PHASES[number].value},
                    row.text("dev_coach.results.TRANSITION_PHASE", f"moved {number}").replace(
                        "{phase}", PHASES[number].value
                    ),
                    moment_of(coach[number][0]), coach[number][0][0], self.scope,
                )
                for number in range(1, reached + 1)
            ],
        )  # fmt: skip

    def _notes(self, user: Sequence[Said]) -> None:
        row = self.row
        count = min(row.skewed("notes", 0, 20, 3), len(user))
        texts = _few(row, "notes about", corpus("dev_coach.texts.notes"), count)
        sources = sorted(_few(row, "note sources", range(len(user)), count))
        self.rows.add(
            "user_notes_usernote",
            [
                (
                    row.uuid(f"note {place}"), self.id, text, user[source][0],
                    moment_of(user[source]) + timedelta(seconds=2), self.scope,
                )
                for place, (text, source) in enumerate(zip(texts, sources, strict=True))
            ],
        )  # fmt: skip


def _words(row: Row, field: str, name: str, most: int) -> list[str]:
    return _few(row, f"words {field}", corpus(f"dev_coach.texts.{name}"), row.integer(field, 2, most))


def _few(row: Row, field: str, options: Sequence[T], count: int) -> list[T]:
    """Return *count* different ones of *options*, at the price of those taken, not of all there are."""
    size = len(options)
    taken: dict[int, int] = {}
    places = []
    for word, left in zip(row.words(field), range(size, size - count, -1), strict=False):
        # Fisher and Yates from the front, remembering only the places that were moved.
        place = word * left >> 64
        places.append(taken.get(place, place))
        taken[place] = taken.get(left - 1, left - 1)
    return [options[place] for place in places]
