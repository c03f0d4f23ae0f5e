"""What can be told of any person, word by word: profile, tokens, reports, and what the log says of them.

"A student who signed in" is what most tests want. A state that was taken from life, and a test about one
token, want the row itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from scenarios.builders.base import When, calling_line, did_you_mean, given
from scenarios.builders.essay_coach.plans import PersonPlan, Said, event_of
from scenarios.builders.essay_coach.program import EssayCoachProgram
from scenarios.domains.essay_coach.enums import LogLevel, ReportType, Role
from scenarios.values import Clock


class Person:
    """What can be told of any person."""

    program: EssayCoachProgram
    person: PersonPlan

    def profile(
        self,
        *,
        bio: str | None = None,
        timezone: str | None = None,
        preferences: Mapping[str, Any] | None = None,
        avatar: str | None = None,
    ) -> Self:
        """Say what the person tells about themselves."""
        said = given(bio=bio, timezone=timezone, avatar=avatar)
        if preferences is not None:
            said["preferences"] = dict(preferences)
        self.person.profile = {**(self.person.profile or {}), **said}
        return self

    def token(
        self,
        handle: str,
        *,
        issued: When,
        session: str | None = None,
        expires: When | None = None,
        revoked: When | None = None,
        why: str | None = None,
        replaced_by: str | None = None,
        user_agent: str | None = None,
        ip: str | None = None,
    ) -> Self:
        """Add one refresh token.

        Args:
            handle: its name under the person's.
            issued: when it was given out.
            session: tokens with the same word belong to one login session; by default each is its own.
            expires: by default a week later.
            revoked: when it was taken back.
            why: the reason for that: rotated, logout, reuse_detected ....
            replaced_by: the handle, under the person's, of the token that took its place.
            user_agent: what it was used with.
            ip: the address it was used from.

        Raises:
            BuilderError: the handle is taken or malformed, or a time cannot be read.
        """
        program = self.program
        times = given(issued_at=issued, expires_at=expires, revoked_at=revoked)
        for when in times.values():
            program.moment(when)
        full = program.claim(f"{self.person.handle}.{handle}", "token")
        self.person.tokens.append(
            Said(
                full,
                {**times, **given(revoke_reason=why, user_agent=user_agent, ip=ip)},
                session=f"{self.person.handle}.{session or handle}",
                replaced_by=f"{self.person.handle}.{replaced_by}" if replaced_by else None,
                source=calling_line(),
            )
        )
        return self

    def signed_in(
        self, handle: str = "phone", *, tokens: int = 1, at: When = "-1d", live: bool = True
    ) -> Self:
        """Add a login session whose refresh token was rotated each day; not *live*: it was logged out.

        Raises:
            BuilderError: the handle is taken or malformed, the number is out of range, or the time cannot be
                read.
        """
        program = self.program
        program.moment(at)
        if not 1 <= tokens <= 1000:
            program.refuse("a session has 1 to 1,000 tokens")
        full = program.claim(f"{self.person.handle}.{handle}", "session")
        for number in range(1, tokens + 1):
            program.claim(f"{full}_{number}", "token")
        self.person.sessions.append((full, tokens, at, live))
        return self

    def logged(
        self,
        event: str,
        *,
        level: str = LogLevel.INFO,
        source: str = "app",
        message: str = "",
        at: When = "-1h",
        context: Mapping[str, Any] | None = None,
    ) -> Self:
        """Add an event of the system's log about the person."""
        self.person.logs.append((event_of(self.program, event, level, source, message, context), at))
        self.program.moment(at)
        return self

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
            program.refuse(f"there is no report type {kind!r}", hint=did_you_mean(kind, list(ReportType)))
        if self.person.role is Role.STUDENT and kind != ReportType.STUDENT_PROGRESS and not program.as_given:
            program.refuse(
                f"{self.person.handle} is a student and cannot make a report of type {kind}",
                hint="let an educator or admin make it",
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
