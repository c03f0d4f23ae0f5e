"""Essays that read like a student's, and feedback that speaks about the essay it is given on.

A word count over filler proves nothing: a highlight has to be a sentence of the text, a second version has to
be the first one improved, and a score of 90 has to come with praise. Everything here is seeded by its row, so
the same essay comes out in every run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scenarios.domains.essay_coach.enums import WORDS_PER_MINUTE
from scenarios.values.corpora import corpus, corpus_file

if TYPE_CHECKING:
    from scenarios.values import Row

MODEL, VERSION = "essay-reader", "3.1"
"""The AI's name and version in generated responses and feedback."""

TYPES: dict[str, int] = {"grammar": 1, "structure": 2, "content": 3, "style": 4}
"""The feedback types every institution shares, with their keys (``sql/reference.sql``)."""

METRICS: dict[str, int] = {
    "essay_score": 1,
    "grammar_skill": 2,
    "logic_skill": 3,
    "tone_skill": 4,
    "engagement_rate": 5,
    "submission_rate": 6,
}
"""The metrics every institution shares, with their keys."""

LOW_CONFIDENCE = Decimal("0.6")
"""Below this an educator should read the feedback before a student does."""

_PRICE_PER_TOKEN = Decimal("0.000005")

_REMARKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "grammar": (
        (
            "The sentences are clean: agreement and tense hold even in the long ones.",
            "Commas and full stops are where a reader needs them.",
            "I found nothing that slows the reading down.",
        ),
        (
            "Some sentences are joined by a comma where they should be two.",
            "The tense slips between past and present in the middle of a paragraph.",
            "Read it aloud once: where you breathe and there is no stop, put one.",
        ),
    ),
    "structure": (
        (
            "Each paragraph has one job and the order of the jobs makes sense.",
            "The opening makes a promise and the ending keeps it.",
            "I always knew where in the argument I was.",
        ),
        (
            "Tell the reader by the end of the first paragraph what you are going to show.",
            "Two of the middle paragraphs make the same point; merge them.",
            "The turn before the last paragraph comes without warning; give it a sentence.",
        ),
    ),
    "content": (
        (
            "The example from your own life carries the claim better than a statistic would.",
            "You take the other side seriously before you answer it.",
            "The claim is narrow enough to be shown, and you show it.",
        ),
        (
            "The counterargument deserves a fair sentence before you answer it.",
            "Say who says this, or say that it is you.",
            "Your conclusion promises more than the essay has argued.",
        ),
    ),
    "style": (
        (
            "Your sentences vary in length and read well aloud.",
            "This is your own voice, and it stays yours to the end.",
            "The short sentence after the long one does its work.",
        ),
        (
            "Replace one general word in each paragraph by something one could touch.",
            "The same word appears three times in two lines.",
            "The last sentence explains what the one before it had already shown.",
        ),
    ),
}

_REWRITES = {
    "grammar": "Split it in two, or join it with a word.",
    "structure": "Say what this has to do with your claim.",
    "content": "Give the reader the evidence for it.",
    "style": "Say it with a word one could touch.",
}


@dataclass(frozen=True, slots=True)
class Text:
    """An essay's text and what the system stores about it.

    Attributes:
        title: its title.
        paragraphs: the paragraphs, in order.
    """

    title: str
    paragraphs: tuple[str, ...]

    @property
    def content(self) -> str:
        """The whole text, a blank line between paragraphs."""
        return "\n\n".join(self.paragraphs)


def count_words(content: str) -> int:
    """Return the number of words, separated by white space."""
    return len(content.split())


def reading_minutes(content: str) -> int:
    """Return how long a text takes to read: at least one minute, 200 words in each."""
    return max(1, count_words(content) // WORDS_PER_MINUTE)


def topics() -> list[str]:
    """Return the names of the topics there are paragraphs for."""
    return sorted(corpus_file("essay_coach")["essays"])


def essay_text(row: Row, number: int = 0, *, topic: str | None = None, length: int | None = None) -> Text:
    """Return an essay.

    Args:
        row: the row's source of values.
        number: which of a student's essays it is, from 0: two of one student are about different things, and
            from the sixth on told differently.
        topic: a topic of `topics`, drawn if None.
        length: the number of middle paragraphs, drawn if None.
    """
    names = topics()
    if topic is None:
        topic = names[(row.integer("topic", 0, len(names) - 1) + number) % len(names)]
    parts: Mapping[str, Any] = corpus_file("essay_coach")["essays"][topic]
    round_ = number // len(names)
    openings, middle, closings = parts["opening"], parts["middle"], parts["closing"]
    if length is None:
        length = row.integer("length", 2, len(middle))
    kept = sorted(row.sample(f"middle.{round_}", range(len(middle)), min(length, len(middle))))
    opening = openings[(row.integer("opening", 0, len(openings) - 1) + round_) % len(openings)]
    closing = closings[(row.integer("closing", 0, len(closings) - 1) + round_ // 2) % len(closings)]
    return Text(str(parts["title"]), (opening, *(middle[place] for place in kept), closing))


def earlier_versions(content: str, count: int) -> list[str]:
    """Return *count* versions that lead to *content*, the first first; the last of them is *content*.

    An earlier version lacks paragraphs, or has its sentences still in the order in which they came to mind.
    """
    paragraphs = content.split("\n\n")
    found = [content]
    while len(found) < count:
        if len(paragraphs) > 2:
            paragraphs = [*paragraphs[:-2], paragraphs[-1]]
        else:
            last = paragraphs[-1].split(". ")
            paragraphs = [*paragraphs[:-1], ". ".join(last[1:] + last[:1])]
        text = "\n\n".join(paragraphs)
        found.append(
            text if text not in found else f"{text}\n\n(Notes for version {count - len(found) + 1}.)"
        )
    return found[::-1]


CHANGES = (
    "First version.",
    "Added an example.",
    "Rewrote the ending.",
    "Moved the second paragraph up.",
    "Took the feedback on commas.",
    "Answered the other side.",
    "Shortened the opening.",
    "Read it aloud and cut what stumbled.",
)
"""What students write about a new version, in the order in which they come."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the AI says about one side of an essay.

    Attributes:
        kind: the feedback type's name.
        score: out of 100.
        confidence: 0 to 1.
        text: for the student.
        suggestions: original, suggested and explanation, as the application shows them.
        start, end, excerpt: the highlighted part of the text; None and empty when nothing is.
    """

    kind: str
    score: Decimal
    confidence: Decimal
    text: str
    suggestions: list[dict[str, str]] = field(default_factory=list)
    start: int | None = None
    end: int | None = None
    excerpt: str = ""

    @property
    def tokens(self) -> int:
        """Roughly what the answer costs in tokens."""
        return 400 + len(self.text) // 4 + len(json.dumps(self.suggestions)) // 4

    @property
    def response(self) -> dict[str, Any]:
        """The AI's raw answer, of which the feedback was made."""
        return {
            "score": float(self.score),
            "confidence": float(self.confidence),
            "feedback": self.text,
            "suggestions": self.suggestions,
        }


def cost(tokens: int) -> Decimal:
    """Return the price of an answer in US dollars, to six digits."""
    return (tokens * _PRICE_PER_TOKEN).quantize(Decimal("0.000001"))


def verdict(row: Row, kind: str, content: str, quality: int, confidence: float | None = None) -> Verdict:
    """Return the AI's verdict on one side of an essay.

    Args:
        row: the row's source of values.
        kind: the feedback type's name.
        content: the essay.
        quality: how good the essay is, 0 to 100; the score is near it.
        confidence: how sure the AI is, drawn from 0.70 to 0.98 if None.
    """
    score = Decimal(min(100, max(0, quality + row.integer(f"{kind}.score", -6, 6))))
    score = score.quantize(Decimal("0.01"))
    sure = (
        row.decimal(f"{kind}.confidence", Decimal("0.70"), Decimal("0.98"), 3)
        if confidence is None
        else Decimal(str(confidence)).quantize(Decimal("0.001"))
    )
    praise, advice = _REMARKS.get(
        kind,
        (corpus("essay_coach.texts.feedback_strengths"), corpus("essay_coach.texts.feedback_suggestions")),
    )
    said = [row.choice(f"{kind}.praise", praise)] if score >= 55 else []
    if score < 90:
        said.append(row.choice(f"{kind}.advice", advice))
    if sure < LOW_CONFIDENCE:
        said.append("I am not sure of this; ask your teacher to look at it.")
    suggestions: list[dict[str, str]] = []
    start = end = None
    excerpt = ""
    sentences = [part for part in content.replace("\n\n", " \n").split(". ") if len(part.strip()) > 20]
    if score < 90 and sentences:
        picked = row.choice(f"{kind}.sentence", sentences).split("\n")[-1].strip()
        place = content.find(picked)
        if place >= 0:
            start, end, excerpt = place, place + len(picked), picked
            suggestions = [
                {
                    "original": picked,
                    "suggested": "",
                    "explanation": _REWRITES.get(kind, "Look at this again."),
                }
            ]
    return Verdict(kind, score, sure, " ".join(said), suggestions, start, end, excerpt)


def prompt_of(kind: str, title: str) -> str:
    """Return what the AI was asked."""
    return (
        f'You read student essays. Judge the {kind} of the essay titled "{title}". Give a score out of 100,'
        " say how sure you are, and quote the sentence you would change first."
    )
