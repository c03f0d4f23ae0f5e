"""What generated users of Dev Coach and their coach say to each other, as finished lines for COPY.

Nine of ten rows of a run are messages and their links to sittings. Made like other rows they would take most
of the run's time; here they come from one seeded stream a sitting, cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b, shake_128
from typing import NamedTuple
from uuid import UUID

from scenarios.graph.encoding import escaped
from scenarios.values.conversation import script
from scenarios.volume.parts import Collector
from scenarios.volume.rhythm import times_of_day

_DAY = timedelta(days=1)

_KEYS = 30
"""Bytes of an exchange's two keys, without the bits that every random UUID has in common."""

_PICKS = 6
_STREAM = _KEYS + _PICKS

Said = tuple[str, datetime, int]
"""A message that others may refer to: key, beginning of its sitting, seconds since then."""


def moment_of(said: Said) -> datetime:
    """Return when *said* was said."""
    return said[1] + timedelta(seconds=said[2])


class Talk:
    """The conversation of one user.

    Args:
        user: the user's id.
        scope: the id of the run's instance.
        key: the run's key for messages.
        rows: where the lines go.
    """

    __slots__ = ("hex", "key", "rows", "scope_hex")

    def __init__(self, user: UUID, scope: UUID, key: bytes, rows: Collector) -> None:
        self.hex = user.hex
        self.scope_hex = scope.hex
        self.key = blake2b(user.bytes, key=key, digest_size=32).digest()
        self.rows = rows

    def sitting(
        self,
        phase: str,
        questions: range,
        number: int,
        start: datetime,
        session: UUID,
        client: str,
        identities: Sequence[str],
        coach: list[Said],
        user: list[Said],
    ) -> datetime:
        """Append the messages of one sitting as finished COPY lines; return when it ended.

        Nine of ten rows of a run are made here, so everything that is the same for a whole sitting is made
        before the loop.
        """
        text = _spoken(phase)
        exchanges = text.exchanges
        messages = self.rows.lines("chat_messages_chatmessage")
        links = self.rows.lines("coach_states_coachingsessionmessage")
        owner = self.hex
        coached, answered = f"\t{owner}\tCOACH\t", f"\t{owner}\tUSER\t"
        fraction = f".{start.microsecond:06d}+00\t{self.scope_hex}\n"
        link_head, link_tail = f"\t{owner}\t{session.hex}\t", f"\t{self.scope_hex}\n"
        size = len(exchanges)
        hours = times_of_day()
        # Whole seconds since midnight; a sitting may run past it.
        today, tomorrow = f"{start:%Y-%m-%d} ", f"{start + _DAY:%Y-%m-%d} "
        second = start.hour * 3600 + start.minute * 60 + start.second
        began = second
        # One seeded stream a sitting, cut into pieces: a hash an exchange costs as much as its text.
        count = len(questions)
        stream = shake_128(self.key + number.to_bytes(8, "little")).digest(count * _STREAM)
        keys = stream.hex()
        place_of_picks = count * _KEYS
        place_of_key = 0
        ack = ""
        for question in questions:
            pick = stream[place_of_picks : place_of_picks + _PICKS]
            place_of_picks += _PICKS
            lap, place = divmod(question, size)
            asks, asked_count, says, explicit_count, acks, ack_count, named = exchanges[place]
            if question == questions.start:
                lead = text.openers[pick[0] % len(text.openers)]
            elif place == 0:
                lead = f"{ack} {text.revisits[lap % len(text.revisits)]}"
            else:
                lead = ack
            asked = asks[(pick[1] + lap) % asked_count]
            replied = says[(pick[2] + lap) % explicit_count]
            if named or "{" in lead:
                identity = identities[(place // 2 + lap) % len(identities)]
                lead = lead.replace("{name}", client).replace("{identity}", identity)
                asked = asked.replace("{name}", client).replace("{identity}", identity)
                replied = replied.replace("{name}", client).replace("{identity}", identity)
            ack = acks[pick[3] % ack_count]
            # The bits of a random UUID's version and variant; a link's key is its message's, variant apart.
            k = place_of_key
            place_of_key = k + 60
            head, middle, rest = keys[k : k + 12], keys[k + 12 : k + 15], keys[k + 15 : k + 30]
            one = f"{head}4{middle}a{rest}"
            links.append(f"{head}4{middle}b{rest}{link_head}{one}{link_tail}")
            day, clock = (today, second) if second < 86_400 else (tomorrow, second - 86_400)
            messages.append(f"{one}{coached}{lead} {asked}\t{day}{hours[clock]}{fraction}")
            coach.append((one, start, second - began))
            # A question is read, thought about and answered; the coach takes less time.
            second += 12 + pick[4] % 150
            head, middle, rest = keys[k + 30 : k + 42], keys[k + 42 : k + 45], keys[k + 45 : k + 60]
            two = f"{head}4{middle}a{rest}"
            links.append(f"{head}4{middle}b{rest}{link_head}{two}{link_tail}")
            day, clock = (today, second) if second < 86_400 else (tomorrow, second - 86_400)
            messages.append(f"{two}{answered}{replied}\t{day}{hours[clock]}{fraction}")
            user.append((two, start, second - began))
            second += 4 + pick[5] % 40
        return start + timedelta(seconds=second - began)


class _Spoken(NamedTuple):
    """A phase's script in the form in which `_User._talk` reads it fastest."""

    openers: tuple[str, ...]
    revisits: tuple[str, ...]
    exchanges: tuple[_Exchange, ...]


_Texts = tuple[str, ...]
_Exchange = tuple[_Texts, int, _Texts, int, _Texts, int, bool]
"""Questions, replies and what the coach says to them, each with its number; whether a text names somebody."""


@lru_cache(maxsize=16)
def _spoken(phase: str) -> _Spoken:
    """Return the phase's script; its texts need no escaping, which is checked once here."""
    found = script(phase, "dev_coach")
    texts = [*found.openers, *found.revisits]
    texts += [text for each in found.exchanges for text in (*each.ask, *each.say, *each.ack)]
    assert all(escaped(text) == text for text in texts), "a corpus text needs escaping"
    return _Spoken(
        found.openers,
        found.revisits,
        tuple(
            (each.ask, len(each.ask), each.say, len(each.say), each.ack, len(each.ack),
             any("{" in text for text in (*each.ask, *each.say, *each.ack)))
            for each in found.exchanges
        ),
    )  # fmt: skip
