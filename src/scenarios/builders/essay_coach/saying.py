"""What the sentences about a person and an essay share: the checks that are made at once.

Without one place for them a student's report and an educator's would refuse different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from scenarios.builders.base import Step, calling_line, did_you_mean
from scenarios.builders.essay_coach.plans import EssayPlan, PersonPlan, When
from scenarios.builders.essay_coach.program import EssayCoachProgram
from scenarios.domains.essay_coach.enums import (
    WORDS_MAX,
    WORDS_MIN,
    EssayStatus,
    LogLevel,
    ReportType,
    Role,
)
from scenarios.factories.essay_coach.texts import count_words
from scenarios.values.clock import Clock


class SayingOfPerson(Step[EssayCoachProgram]):
    """What the calls about a person are made of."""

    person: PersonPlan

    def _session(self, handle: str, tokens: int, at: When, live: bool) -> None:
        program = self.program
        program.moment(at)
        if not 1 <= tokens <= 1000:
            program.refuse("a session has 1 to 1,000 tokens")
        full = program.claim(f"{self.person.handle}.{handle}", "session")
        for number in range(1, tokens + 1):
            program.claim(f"{full}_{number}", "token")
        self.person.sessions.append((full, tokens, at, live))

    def _log(self, event: str, level: str, source: str, message: str, at: When) -> None:
        if level not in set(LogLevel):
            self.program.refuse(
                f"there is no log level {level!r}", remedy=did_you_mean(level, list(LogLevel))
            )
        self.program.moment(at)
        columns = {"event": event, "level": level, "source": source, "message": message}
        self.person.logs.append((columns, at))

    def _report(
        self,
        handle: str,
        *,
        title: str,
        kind: str,
        summary: str,
        data: Mapping[str, Any],
        public: bool,
        at: When,
        expires: When | None,
    ) -> None:
        program = self.program
        if kind not in set(ReportType):
            program.refuse(f"there is no report type {kind!r}", remedy=did_you_mean(kind, list(ReportType)))
        if self.person.role is Role.STUDENT and kind != ReportType.STUDENT_PROGRESS:
            program.refuse(
                f"{self.person.handle} is a student and cannot make a report of type {kind}",
                remedy="let an educator or admin make it",
            )
        program.moment(at)
        columns: dict[str, Any] = {
            "title": title,
            "report_type": kind,
            "summary": summary,
            "data": dict(data),
            "is_public": public,
        }
        if expires is not None:
            program.moment(expires)
            if Clock().at(expires) <= Clock().at(at):
                program.refuse("a report cannot expire before it is made")
            columns["expires_at"] = expires
        full = program.claim(f"{self.person.handle}.{handle}", "report")
        self.person.reports.append((full, columns, at, calling_line()))


class SayingOfEssay(Step[EssayCoachProgram]):
    """What the calls about an essay are made of."""

    plan: EssayPlan

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
                remedy="say only how far it is now",
            )
        if at is not None:
            program.moment(at)
        content = plan.columns.get("content")
        if isinstance(content, str) and not WORDS_MIN <= count_words(content) <= WORDS_MAX:
            program.refuse(
                f"{plan.handle} has {count_words(content)} words and cannot be handed in",
                why=f"a submitted essay has {WORDS_MIN} to {WORDS_MAX}",
                remedy="leave it a draft, or write more",
            )
        plan.status = status
        plan.at = at if at is not None else plan.at
        return self
