"""What can be told of an essay: how far it is, and each version, answer and piece of feedback by itself.

"Completed, and good" is what most tests want. A state that was taken from life, and a test about one sentence
of feedback, want the row itself; what is told word by word takes the place of what would be made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from scenarios.builders.base import When, calling_line, did_you_mean, given
from scenarios.builders.essay_coach.plans import EssayPlan, Said
from scenarios.builders.essay_coach.program import EssayCoachProgram
from scenarios.domains.essay_coach.enums import WORDS_MAX, WORDS_MIN, EssayStatus
from scenarios.factories.essay_coach.texts import TYPES, count_words


class Writing:
    """What can be told of an essay."""

    program: EssayCoachProgram
    plan: EssayPlan

    def with_versions(self, count: int) -> Self:
        """Let the essay have gone through *count* versions.

        Raises:
            BuilderError: the number is out of range.
        """
        if not 1 <= count <= 1000:
            self.program.refuse("an essay has 1 to 1,000 versions")
        self.plan.versions = count
        return self

    def started(self, at: When) -> Self:
        """Say when a draft was begun."""
        self.program.moment(at)
        if self.plan.status is not EssayStatus.DRAFT:
            self.program.refuse(f"{self.plan.handle} was handed in; say when in that call")
        self.plan.at = at
        return self

    def submitted(self, *, at: When = "-1h") -> Self:
        """Hand the essay in.

        Raises:
            BuilderError: it was handed in already, its text is too short or long, the time cannot be read.
        """
        return self._move(EssayStatus.SUBMITTED, at)

    def processing(
        self, *, at: When = "-30s", done: tuple[str, ...] = ("grammar",), quality: int | None = None
    ) -> Self:
        """Hand the essay in and let the AI be at work; it has judged the sides in *done*.

        Raises:
            BuilderError: as for `submitted`; *done* names an unknown side, or all of them.
        """
        for kind in done:
            if kind not in TYPES:
                self.program.refuse(f"there is no feedback type {kind!r}", hint=did_you_mean(kind, TYPES))
        if len(set(done)) == len(TYPES):
            self.program.refuse("an essay with all its feedback is completed", hint="say .completed(...)")
        self.plan.kinds = tuple(kind for kind in TYPES if kind in done)
        self._judged(quality, None)
        return self._move(EssayStatus.PROCESSING, at)

    def completed(
        self, *, at: When | None = None, quality: int | None = None, confidence: float | None = None
    ) -> Self:
        """Hand the essay in and let the AI have judged it.

        Args:
            at: when it was handed in; by default a week after the one before it.
            quality: how good it is, 0 to 100: the scores are near it.
            confidence: how sure the AI is, 0 to 1.

        Raises:
            BuilderError: as for `submitted`; a number is out of range.
        """
        self._judged(quality, confidence)
        return self._move(EssayStatus.COMPLETED, at)

    def failed(self, why: str = "The model did not answer within 60 seconds.", *, at: When = "-1d") -> Self:
        """Hand the essay in and let the AI fail on it; the log says why."""
        self.plan.why = why
        return self._move(EssayStatus.FAILED, at)

    def cancelled(self, *, at: When = "-1d") -> Self:
        """Hand the essay in and let somebody cancel its processing."""
        self.plan.why = "cancelled"
        return self._move(EssayStatus.FAILED, at)

    def _judged(self, quality: int | None, confidence: float | None) -> None:
        if quality is not None and not 0 <= quality <= 100:
            self.program.refuse(f"quality is 0 to 100, not {quality}")
        if confidence is not None and not 0 <= confidence <= 1:
            self.program.refuse(f"confidence is 0 to 1, not {confidence}")
        self.plan.quality, self.plan.confidence = quality, confidence

    def _move(self, status: EssayStatus, at: When | None) -> Self:
        plan, program = self.plan, self.program
        if plan.status is not EssayStatus.DRAFT:
            program.refuse(
                f"{plan.handle} is {plan.status.value} already",
                why="a draft is handed in once",
                hint="say only how far it is now",
            )
        if at is not None:
            program.moment(at)
        content = plan.columns.get("content")
        if (
            not program.as_given
            and isinstance(content, str)
            and not WORDS_MIN <= count_words(content) <= WORDS_MAX
        ):
            program.refuse(
                f"{plan.handle} has {count_words(content)} words and cannot be handed in",
                why=f"a submitted essay has {WORDS_MIN} to {WORDS_MAX}",
                hint="leave it a draft, or write more",
            )
        plan.status = status
        plan.at = at if at is not None else plan.at
        return self

    def version(self, content: str, *, change: str | None = None, at: When | None = None) -> Self:
        """Add one version of the essay's text; the last one said should be the essay's.

        Args:
            content: the text.
            change: what was changed.
            at: when, by default between the versions around it.

        Raises:
            BuilderError: the time cannot be read.
        """
        self._told(
            self.plan.explicit_versions, "version", "", {"content": content}, at, change_summary=change
        )
        return self

    def answer(
        self,
        kind: str,
        response: Mapping[str, Any],
        *,
        at: When | None = None,
        prompt: str | None = None,
        tokens: int | None = None,
        cost: float | str | None = None,
        seconds: float | None = None,
        model: str | None = None,
        model_version: str | None = None,
    ) -> Self:
        """Add one raw answer of the AI; each attempt has its own.

        Args:
            kind: the side of the essay it is about: grammar, structure, content, style.
            response: the answer, or the error it came to.
            at: when it came.
            prompt: what was asked.
            tokens: how many it took.
            cost: in US dollars.
            seconds: how long it took.
            model: the model's name.
            model_version: and its version.

        Raises:
            BuilderError: the side is unknown, or the time cannot be read.
        """
        columns = given(
            prompt=prompt,
            tokens_used=tokens,
            cost_usd=cost,
            processing_time_seconds=seconds,
            model_name=model,
            model_version=model_version,
        )
        self._told(self.plan.explicit_answers, "answer", kind, {"response": dict(response), **columns}, at)
        return self

    def feedback(
        self,
        kind: str,
        score: float | str,
        text: str,
        *,
        at: When | None = None,
        confidence: float | str | None = None,
        suggestions: Sequence[Any] | None = None,
        highlight: tuple[int, int] | None = None,
        seconds: float | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> Self:
        """Add what the AI says about one side of the essay.

        Args:
            kind: the side: grammar, structure, content, style.
            score: 0 to 100.
            text: what the student reads.
            at: when it was made.
            confidence: how sure the AI is, 0 to 1.
            suggestions: what to do, one after another.
            highlight: first and last place in the text that it is about.
            seconds: how long it took.
            columns: any column that has no argument of its own.

        Raises:
            BuilderError: the side is unknown or has its feedback, or the time cannot be read.
        """
        if any(each.kind == kind for each in self.plan.explicit_feedback):
            self.program.refuse(f"{self.plan.handle} has its feedback on {kind} already")
        said = given(columns, score=score, text=text, confidence=confidence, processing_time_seconds=seconds)
        if suggestions is not None:
            said["suggestions"] = list(suggestions)
        if highlight is not None:
            said["start_index"], said["end_index"] = highlight
        self._told(self.plan.explicit_feedback, "", kind, said, at)
        return self

    def _told(
        self, into: list[Said], unit: str, kind: str, columns: dict[str, Any], at: When | None, **said: Any
    ) -> None:
        program = self.program
        if unit != "version" and kind not in TYPES:
            program.refuse(f"there is no feedback type {kind!r}", hint=did_you_mean(kind, TYPES))
        if at is not None:
            program.moment(at)
        name = f"{self.plan.handle}.{'_'.join(filter(None, (kind, unit)))}"
        # An answer is called grammar_response as one that is made up is, then grammar_response_2 ....
        name = name.replace("_answer", "_response")
        handle = name if name not in program.handles and unit != "version" else program.free_name(name)
        into.append(
            Said(
                program.claim(handle, unit or "feedback"),
                {**columns, **given(**said)},
                at,
                kind,
                source=calling_line(),
            )
        )
