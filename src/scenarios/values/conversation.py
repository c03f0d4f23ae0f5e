"""Dialogues that read like one conversation, for any length and every phase.

Random sentences in alternating roles pass every constraint and fool nobody: a tester cannot tell whether
the application shows the right message. Here a phase is an ordered list of exchanges (a question, the
answers that fit it, and what the coach says to such an answer), so each coach turn takes up the reply
before it and then asks exactly one thing. A long conversation goes round again with other variants and
never says the same thing twice in a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scenarios.errors import ValuesError
from scenarios.values.corpora import corpus_file

if TYPE_CHECKING:
    from scenarios.values.seeded import Row

COACH, USER = "COACH", "USER"


class Turn(NamedTuple):
    """One message of a dialogue.

    Attributes:
        role: ``"COACH"`` or ``"USER"``.
        content: what is said.
        phase: the phase it belongs to.
        topic: a get-to-know-you question or an identity category, where the exchange has one.
    """

    role: str
    content: str
    phase: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with what may follow it."""

    ask: tuple[str, ...]
    say: tuple[str, ...]
    ack: tuple[str, ...]
    topic: str


@dataclass(frozen=True, slots=True)
class Script:
    """All a phase has to say."""

    phase: str
    openers: tuple[str, ...]
    revisits: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


@lru_cache(maxsize=64)
def script(phase: str, system: str) -> Script:
    """Return the script of *phase*.

    Raises:
        ValuesError: the system has no such phase.
    """
    scripts = corpus_file(system).get("conversation", {})
    if phase not in scripts:
        raise ValuesError(
            f"no conversation is written for the phase {phase!r}",
            where=f"text corpora of {system}",
            hint=f"phases are {', '.join(scripts) or 'none'}",
        )
    data = scripts[phase]
    exchanges = tuple(
        Exchange(tuple(e["ask"]), tuple(e["say"]), tuple(e["ack"]), e.get("topic", ""))
        for e in data["exchanges"]
    )
    return Script(phase, tuple(data["openers"]), tuple(data["revisits"]), exchanges)


def phases(system: str) -> tuple[str, ...]:
    """Return the phases that have a script, in the order a client passes through them."""
    return tuple(corpus_file(system).get("conversation", ()))


def conversation(
    row: Row,
    phase: str | Enum | Sequence[str | Enum],
    length: int,
    *,
    name: str | None = None,
    identities: Sequence[str] = (),
    system: str,
    field: str = "conversation",
) -> Iterator[Turn]:
    """Yield *length* messages that alternate between coach and user and begin with the coach.

    Args:
        row: whose conversation it is; its handle decides all picks.
        phase: a phase, or several in order that share the length evenly.
        length: number of messages; an odd one ends with the coach.
        name: the client's first name; by default the row's own.
        identities: names of the client's identities, spoken of in turn; by default some of the corpus's.
        system: whose scripts to use.
        field: tells two conversations of one row apart.

    Raises:
        ValuesError: the length is negative or a phase has no script.
    """
    if length < 0:
        raise ValuesError(f"a conversation cannot have {length} messages")
    given = [phase] if isinstance(phase, (str, Enum)) else list(phase)
    scripts = [script(_text(each), system) for each in given]
    if not scripts:
        raise ValuesError("a conversation needs at least one phase")
    client = name if name is not None else row.first_name()
    if not identities:
        identities = row.sample(f"{field}.identities", _default_identities(system), 4)
    return _turns(row, scripts, length, client, tuple(identities), field)


def course(phases: Sequence[str | Enum], length: int) -> list[str]:
    """Return the phase of each of the *length* messages that `conversation` makes of *phases*, unspoken."""
    shares = _shares(len(phases), length)
    turns: list[str] = []
    for phase, pairs in zip(phases, shares, strict=True):
        turns += [_text(phase)] * (2 * pairs)
    return turns[:length]


def _shares(phases: int, length: int) -> list[int]:
    """Return how many pairs of coach and user each phase has; the last coach turn may stay unanswered."""
    pairs = (length + 1) // 2
    return [pairs * (number + 1) // phases - pairs * number // phases for number in range(phases)]


def _turns(
    row: Row, scripts: Sequence[Script], length: int, client: str, identities: tuple[str, ...], field: str
) -> Iterator[Turn]:
    given = 0
    ack = ""
    for number, (current, share) in enumerate(zip(scripts, _shares(len(scripts), length), strict=True)):
        base = f"{field}.{number}"
        # A long conversation comes back to each exchange; what it begins with there stays the same.
        begins: dict[int, tuple[int, int]] = {}
        for position in range(share):
            lap, place = divmod(position, len(current.exchanges))
            exchange = current.exchanges[place]
            key = f"{base}.{position}"
            identity = identities[(lap * 3 + place // 2 + number) % len(identities)]
            if position == 0:
                opener = _variant(row, f"{base}.opener", current.openers, 0)
                lead = f"{ack} {opener}" if ack else opener
            elif place == 0:
                lead = f"{ack} {_variant(row, f'{base}.revisit', current.revisits, lap)}"
            else:
                lead = ack
            begin = begins.get(place)
            if begin is None:
                begin = begins[place] = row.word(f"{base}.{place}.ask"), row.word(f"{base}.{place}.say")
            ask = exchange.ask[(begin[0] + lap) % len(exchange.ask)]
            coach = _fill(f"{lead} {ask}", client, identity)
            yield Turn(COACH, coach, current.phase, exchange.topic)
            given += 1
            if given == length:
                return
            said = _fill(exchange.say[(begin[1] + lap) % len(exchange.say)], client, identity)
            yield Turn(USER, said, current.phase, exchange.topic)
            given += 1
            if given == length:
                return
            ack = exchange.ack[row.word(f"{key}.ack") * len(exchange.ack) >> 64]


def _variant(row: Row, field: str, variants: tuple[str, ...], turn: int) -> str:
    """Return a variant that differs from the one of the turn before, whatever the row."""
    return variants[(row.word(field) + turn) % len(variants)]


def _fill(text: str, client: str, identity: str) -> str:
    if "{" not in text:
        return text  # most name nobody
    return text.replace("{name}", client).replace("{identity}", identity)


@lru_cache(maxsize=8)
def _default_identities(system: str) -> tuple[str, ...]:
    names: Mapping[str, list[str]] = corpus_file(system).get(
        "identity_names", {"": ["this", "that", "the plan", "the next step"]}
    )
    return tuple(dict.fromkeys(name for group in names.values() for name in group)) or ("this",)


def _text(value: str | Enum) -> str:
    return str(value.value) if isinstance(value, Enum) else value
