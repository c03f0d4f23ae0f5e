"""The sentences of an EssayCoach scenario: what can be said, what may follow, and what is refused at once.

Each step has the methods that make sense there and inherits those of the steps it may return to, so an editor
completes exactly what can be said next, and a mistake is reported at its line, not by a constraint later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from scenarios.builders.base import BuiltScenario, Step, When, calling_line, did_you_mean, given
from scenarios.builders.essay_coach.person import Person
from scenarios.builders.essay_coach.plans import EssayPlan, PersonPlan, event_of
from scenarios.builders.essay_coach.program import EssayCoachProgram
from scenarios.builders.essay_coach.writing import Writing
from scenarios.domains.essay_coach.enums import (
    LogLevel,
    ReportType,
    Role,
)
from scenarios.factories.essay_coach.texts import METRICS


class ScenarioStep(Step[EssayCoachProgram]):
    """A scenario: add institutions, then build or load it."""

    def institution(
        self, handle: str, *, name: str | None = None, created: When | None = None
    ) -> InstitutionStep:
        """Add a school. People said next belong to it.

        Args:
            handle: its name in the scenario.
            name: what it is called.
            created: when it was entered.

        Raises:
            BuilderError: the handle is taken or malformed, or the name is too long.
        """
        program = self.program
        if name is not None and not 1 <= len(name.strip()) <= 86:
            program.refuse(
                "an institution's name has 1 to 86 characters", hint="instances add their mark to it"
            )
        if created is not None:
            program.moment(created)
        columns = given(name=name, created_at=created)
        program.institutions.append((program.claim(handle, "institution"), columns, calling_line()))
        return InstitutionStep(program)

    def happened(
        self,
        event: str,
        *,
        level: str = LogLevel.INFO,
        source: str = "app",
        message: str = "",
        at: When = "-1h",
        context: Mapping[str, Any] | None = None,
    ) -> Self:
        """Add an event of the system's log that is about nobody.

        Raises:
            BuilderError: there is no such level, or the time cannot be read.
        """
        self.program.moment(at)
        columns = event_of(self.program, event, level, source, message, context)
        self.program.system_logs.append((columns, at))
        return self

    def build(self) -> BuiltScenario:
        """Return the scenario.

        Raises:
            BuilderError: nothing was said.
        """
        if not self.program.institutions:
            self.program.refuse("the scenario is empty", hint=".institution(...) begins one")
        return super().build()


class InstitutionStep(ScenarioStep):
    """An institution: add its people."""

    def _person(self, handle: str, role: Role, said: Mapping[str, Any]) -> PersonPlan:
        program = self.program
        columns = {name: value for name, value in said.items() if value is not None}
        for name in ("date_joined", "last_login"):
            if name in columns:
                program.moment(columns[name])
        plan = PersonPlan(
            program.claim(handle, role.value),
            role,
            program.institutions[-1][0],
            columns,
            profile=None if program.as_given else {},
            source=calling_line(),
        )
        program.people.append(plan)
        return plan

    def student(
        self,
        handle: str,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        grade_level: str | None = None,
        joined: When | None = None,
        last_login: When | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> StudentStep:
        """Add a student of the institution said last.

        Args:
            handle: their name in the scenario.
            first_name: by default what the handle says, Maya for maya.
            last_name: by default drawn.
            grade_level: by default drawn.
            joined: by default before anything else of theirs.
            last_login: by default never.
            columns: any column that has no argument of its own.

        Raises:
            BuilderError: the handle is taken or malformed, a time cannot be read, a text is too long.
        """
        if grade_level is not None and len(grade_level) > 20:
            self.program.refuse("a grade level has at most 20 characters")
        said = {
            "first_name": first_name,
            "last_name": last_name,
            "grade_level": grade_level,
            "date_joined": joined,
            "last_login": last_login,
            **(columns or {}),
        }
        return StudentStep(self.program, self._person(handle, Role.STUDENT, said))

    def students(self, count: int, *, essays: int = 0, quality: int | None = None) -> InstitutionStep:
        """Add *count* students, each with *essays* completed essays, one a fortnight.

        Raises:
            BuilderError: a number is out of range.
        """
        if not 1 <= count <= 100_000 or not 0 <= essays <= 1000:
            self.program.refuse("students come in 1 to 100,000, their essays in 0 to 1,000")
        for _ in range(count):
            student = self.student(self.program.free_name("student"))
            if essays:
                student.essays(essays, quality=quality)
        return InstitutionStep(self.program)

    def educator(
        self,
        handle: str,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        joined: When | None = None,
        last_login: When | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> StaffStep:
        """Add an educator of the institution said last; the arguments are those of `student`."""
        said = given(
            columns, first_name=first_name, last_name=last_name, date_joined=joined, last_login=last_login
        )
        return StaffStep(self.program, self._person(handle, Role.EDUCATOR, said))

    def admin(
        self,
        handle: str,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        joined: When | None = None,
        last_login: When | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> StaffStep:
        """Add an admin of the institution said last; the arguments are those of `student`."""
        said = given(
            columns, first_name=first_name, last_name=last_name, date_joined=joined, last_login=last_login
        )
        return StaffStep(self.program, self._person(handle, Role.ADMIN, said))


class _PersonStep(Person, InstitutionStep):
    def __init__(self, program: EssayCoachProgram, person: PersonPlan) -> None:
        super().__init__(program)
        self.person = person


class StaffStep(_PersonStep):
    """An educator or admin: what they did."""

    def report(
        self,
        handle: str,
        *,
        title: str = "The class this term",
        kind: str = ReportType.CLASS_PERFORMANCE,
        summary: str = "",
        data: Mapping[str, Any] | None = None,
        public: bool = False,
        at: When = "-1d",
        expires: When | None = None,
    ) -> StaffStep:
        """Add a report; a public one is for the whole institution.

        Raises:
            BuilderError: the type is unknown, a time cannot be read, or it expires before it is made.
        """
        self._report(
            handle,
            title=title,
            kind=str(kind),
            summary=summary,
            data=data or {},
            public=public,
            at=at,
            expires=expires,
        )
        return self


class StudentStep(_PersonStep):
    """A student: what they wrote and what became of it."""

    def essay(
        self,
        handle: str,
        *,
        title: str | None = None,
        content: str | None = None,
        category: int | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> EssayStep:
        """Add an essay, a draft until said otherwise.

        Args:
            handle: its name under the student's.
            title: by default the text's first words, or the title of the text that is made up.
            content: by default made up.
            category: the key of a category every database has, 1 to 6.
            columns: any column that has no argument of its own.

        Raises:
            BuilderError: the handle is taken or malformed, or the title is blank or too long.
        """
        program = self.program
        if title is not None and (not title.strip() or len(title) > 200):
            program.refuse("a title has 1 to 200 characters")
        said = {"title": title, "content": content, "category_id": category, **(columns or {})}
        if content is not None and title is None:
            said["title"] = content.split("\n")[0][:60] or "Untitled"
        plan = EssayPlan(
            program.claim(f"{self.person.handle}.{handle}", "essay"),
            columns={name: value for name, value in said.items() if value is not None},
            number=len(self.person.essays),
            source=calling_line(),
        )
        self.person.essays.append(plan)
        return EssayStep(program, self.person, plan)

    def essays(
        self, count: int, *, quality: int | None = None, trend: int = 0, days_apart: int = 14
    ) -> StudentStep:
        """Add *count* completed essays, the last one *days_apart* days ago at most.

        Args:
            quality: of the first one, 0 to 100; drawn if None.
            trend: by how much each is better than the one before.

        Raises:
            BuilderError: a number is out of range.
        """
        if not 1 <= count <= 10_000 or days_apart < 1:
            self.program.refuse("essays come in 1 to 10,000, at least a day apart")
        for number in range(count):
            good = None if quality is None else min(100, max(0, quality + trend * number))
            name = self.program.free_name(f"{self.person.handle}.essay").rpartition(".")[2]
            step = self.essay(name).with_versions(1 + number % 3)
            step.completed(quality=good, at=timedelta(days=-days_apart * (count - number)))
        return StudentStep(self.program, self.person)

    def measured(
        self,
        metric: str,
        value: float,
        *,
        at: When = "-1h",
        session: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> StudentStep:
        """Add a measurement.

        Raises:
            BuilderError: the metric is unknown, or the time cannot be read.
        """
        if metric not in METRICS:
            self.program.refuse(f"there is no metric {metric!r}", hint=did_you_mean(metric, METRICS))
        if value != value:
            self.program.refuse("a measurement has to be a number")
        self.program.moment(at)
        columns = given(session_id=session)
        if details is not None:
            columns["details"] = dict(details)
        self.person.measured.append((metric, value, at, columns))
        return self

    def suspended(self) -> StudentStep:
        """Take the student's access away."""
        self.person.columns["is_active"] = False
        return self

    def without_profile(self) -> StudentStep:
        """Leave the profile out, as accounts from before profiles do."""
        self.person.profile = None
        return self

    def report(
        self,
        handle: str,
        *,
        title: str = "My progress",
        summary: str = "",
        data: Mapping[str, Any] | None = None,
        at: When = "-1d",
        expires: When | None = None,
    ) -> StudentStep:
        """Add a report the student made for themselves."""
        self._report(
            handle,
            title=title,
            kind=ReportType.STUDENT_PROGRESS.value,
            summary=summary,
            data=data or {},
            public=False,
            at=at,
            expires=expires,
        )
        return self


class EssayStep(Writing, StudentStep):
    """An essay: how far it is, and what was said of it."""

    def __init__(self, program: EssayCoachProgram, person: PersonPlan, essay: EssayPlan) -> None:
        super().__init__(program, person)
        self.plan = essay
