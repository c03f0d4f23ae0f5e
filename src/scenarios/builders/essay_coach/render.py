"""From what was said of EssayCoach to rows: ids from handles, times from the clock, the rest filled in.

An essay's rows lie in five tables and have to agree; made in several places they would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from scenarios.builders.base import Rendered, Source
from scenarios.builders.essay_coach.plans import EssayPlan, PersonPlan, Told
from scenarios.domains.essay_coach import defaults
from scenarios.domains.essay_coach.enums import (
    EssayStatus,
    LogLevel,
    ProcessingStatus,
    RevokeReason,
    Role,
)
from scenarios.domains.essay_coach.models import Essay, Institution, User
from scenarios.factories.context import FactoryContext, entered
from scenarios.factories.essay_coach import rows as factories
from scenarios.factories.essay_coach.texts import earlier_versions, essay_text, verdict
from scenarios.graph import Graph
from scenarios.values import TEST_PASSWORD, Clock, add_to_title

_ROTATION = timedelta(days=1)
TIMES = frozenset(
    {
        "created_at", "updated_at", "date_joined", "last_login", "submitted_at", "processing_started_at",
        "processing_completed_at", "issued_at", "expires_at", "revoked_at",
    }
)  # fmt: skip
"""Columns that hold a moment; what is said of them may be an offset."""
_ANSWERED = {EssayStatus.PROCESSING, EssayStatus.COMPLETED}


def render(program: Told, context: FactoryContext, instance: str) -> Rendered:
    """Make the rows of *instance* of the scenario *program*."""
    rendered = Rendered(Graph(), context.id(""), instance)
    with entered(context):
        schools: dict[str, Institution] = {}
        for handle, columns, source in program.institutions:
            said = timed(columns, context.clock)
            if "name" in said and instance != program.name:
                said["name"] = add_to_title(said["name"], instance)
            schools[handle] = factories.InstitutionFactory.build(handle=handle, **said)
            _keep(rendered, handle, schools[handle], source)
        for plan in program.people:
            _PersonRenderer(plan, schools[plan.institution], context, rendered).render()
        for number, (columns, when) in enumerate(program.system_logs, 1):
            handle = f"log_{number}"
            log = factories.LogFactory.build(
                handle=handle, user=None, created_at=context.clock.at(when), **columns
            )
            _keep(rendered, handle, log, None)
    return rendered


def timed(columns: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """Return *columns* with times as moments."""
    return {
        name: clock.at(value) if name in TIMES and value is not None else value
        for name, value in columns.items()
    }


def _keep(rendered: Rendered, handle: str, row: Any, source: Source | None, *, named: bool = True) -> None:
    rendered.graph.add(row, handle=handle, source=source)
    if named:
        rendered.handles[handle] = row


@dataclass(slots=True)
class _PersonRenderer:
    """Makes the rows of one person."""

    plan: PersonPlan
    school: Institution
    context: FactoryContext
    rendered: Rendered

    def render(self) -> None:
        plan, clock = self.plan, self.context.clock
        said = timed(plan.columns, clock)
        said.setdefault("date_joined", self._joined())
        person = factories.UserFactory.build(
            handle=plan.full_handle,
            institution=self.school,
            educator=plan.role is Role.EDUCATOR,
            admin=plan.role is Role.ADMIN,
            **said,
        )
        self._keep(plan.handle, person)
        self.rendered.sign_in.append(
            {
                "handle": plan.handle,
                "email": person.email,
                "password": TEST_PASSWORD,
                "role": plan.role.value,
            }
        )
        if plan.profile is not None:
            profile = factories.UserProfileFactory.build(
                handle=f"{plan.full_handle}.profile", user=person, **plan.profile
            )
            self._keep(f"{plan.handle}.profile", profile)
        for essay in plan.essays:
            self._essay(person, essay)
        for number, (metric, value, when, columns) in enumerate(plan.measured, 1):
            handle = f"{plan.handle}.{metric}_{number}"
            measured = factories.AnalyticsFactory.build(
                handle=handle, user=person, metric=metric, value=value, created_at=clock.at(when), **columns
            )
            self._keep(handle, measured)
        for handle, columns, when, source in plan.reports:
            made = clock.at(when)
            given = timed(columns, clock)
            report = factories.ReportFactory.build(handle=handle, user=person, created_at=made, **given)
            _keep(self.rendered, handle, report, source)
        for handle, tokens, when, live in plan.sessions:
            self._session(person, handle, tokens, clock.at(when), live)
        self._tokens(person)
        for number, (columns, when) in enumerate(plan.logs, 1):
            handle = f"{plan.handle}.log_{number}"
            self._keep(
                handle,
                factories.LogFactory.build(handle=handle, user=person, created_at=clock.at(when), **columns),
            )

    def _keep(self, handle: str, row: Any) -> None:
        _keep(self.rendered, handle, row, self.plan.source)

    def _joined(self) -> datetime:
        clock = self.context.clock
        times = [clock.at(essay.at) for essay in self.plan.essays if essay.at is not None]
        times += [clock.at(when) for _, _, when, _ in self.plan.measured]
        times += [clock.at(when) for _, _, when, _ in self.plan.reports]
        times += [clock.at(when) for _, _, when, _ in self.plan.sessions]
        times += [clock.at(token.columns["issued_at"]) for token in self.plan.tokens]
        return defaults.joined(clock.now, times)

    def _essay(self, author: User, plan: EssayPlan) -> None:
        clock = self.context.clock
        row = self.context.row(plan.handle)
        said = timed(plan.columns, clock)
        if "content" not in said:
            text = essay_text(self.context.row(self.plan.handle), plan.number)
            said = {"title": text.title, **said, "content": text.content}
        if plan.at is not None:
            at = clock.at(plan.at)
            if plan.status is EssayStatus.DRAFT:
                said.setdefault("created_at", at)
            else:
                said["submitted_at"] = at
                said.setdefault("created_at", at - timedelta(days=max(1, plan.versions)))
        else:
            # The latest essay is the most recent one.
            later = len(self.plan.essays) - self.plan.essays.index(plan)
            said.setdefault("created_at", clock.now - timedelta(days=7 * later))
        if plan.why == "cancelled":
            said["ai_processing_status"] = ProcessingStatus.CANCELLED.value
        essay = factories.EssayFactory.build(
            handle=plan.handle, author=author, status=plan.status.value, **said
        )
        _keep(self.rendered, plan.handle, essay, plan.source)
        self._versions(essay, plan)
        if plan.status is EssayStatus.FAILED and plan.why != "cancelled":
            handle = f"{plan.handle}.failure"
            failed_at = (essay.processing_started_at or essay.created_at) + timedelta(seconds=30)
            log = factories.LogFactory.build(
                handle=handle,
                user=author,
                level=LogLevel.ERROR.value,
                source="ai_pipeline",
                event="essay_processing_failed",
                message=plan.why,
                created_at=failed_at,
            )
            self._keep(handle, log)
            if essay.updated_at < failed_at:
                essay.updated_at = failed_at
        if plan.status in _ANSWERED:
            quality = plan.quality if plan.quality is not None else row.integer("quality", 52, 94)
            told = {each.kind for each in plan.explicit_feedback}
            answered = {each.kind for each in plan.explicit_answers}
            for kind in plan.kinds:
                # One verdict for both: the feedback is what the raw answer says.
                said_of_it = verdict(row, kind, essay.content, quality, plan.confidence)
                for handle, made_by, there in (
                    (f"{plan.handle}.{kind}_response", factories.AIResponseFactory, answered),
                    (f"{plan.handle}.{kind}", factories.FeedbackFactory, told),
                ):
                    if kind not in there:
                        made = made_by.build(handle=handle, essay=essay, kind=kind, said=said_of_it)
                        self._keep(handle, made)
        self._told(essay, plan)

    def _told(self, essay: Essay, plan: EssayPlan) -> None:
        """Make the answers and the feedback that were said word by word."""
        for made_by, told in (
            (factories.AIResponseFactory, plan.explicit_answers),
            (factories.FeedbackFactory, plan.explicit_feedback),
        ):
            for each in told:
                columns = timed(each.columns, self.context.clock)
                if "start_index" in columns:
                    start, end = columns["start_index"], columns["end_index"]
                    columns["highlighted_text"] = essay.content[start:end]
                if each.at is not None:
                    columns["created_at"] = self.context.clock.at(each.at)
                row = made_by.build(handle=each.handle, essay=essay, kind=each.kind, **columns)
                _keep(self.rendered, each.handle, row, each.source)

    def _versions(self, essay: Essay, plan: EssayPlan) -> None:
        if plan.explicit_versions:
            self._explicit_versions(essay, plan)
            return
        if plan.status is EssayStatus.DRAFT and plan.versions == 1:
            return
        texts = earlier_versions(essay.content, plan.versions)
        end = essay.submitted_at or essay.updated_at
        for number, text in enumerate(texts, 1):
            handle = f"{plan.handle}.version_{number}"
            version = factories.SubmissionFactory.build(
                handle=handle,
                essay=essay,
                version_number=number,
                content=text,
                created_at=essay.created_at + (end - essay.created_at) * number / len(texts)
                if end > essay.created_at
                else essay.created_at + timedelta(minutes=number),
            )
            self._keep(handle, version)

    def _explicit_versions(self, essay: Essay, plan: EssayPlan) -> None:
        end = essay.submitted_at or essay.updated_at
        for number, each in enumerate(plan.explicit_versions, 1):
            columns = dict(each.columns)
            if each.at is not None:
                columns["created_at"] = self.context.clock.at(each.at)
            else:
                columns["created_at"] = essay.created_at + (end - essay.created_at) * number / len(
                    plan.explicit_versions
                )
            version = factories.SubmissionFactory.build(
                handle=each.handle, essay=essay, version_number=number, **columns
            )
            _keep(self.rendered, each.handle, version, each.source)

    def _tokens(self, person: User) -> None:
        """Make the tokens that were said one by one."""
        for token in self.plan.tokens:
            columns = timed(token.columns, self.context.clock)
            if token.replaced_by is not None:
                columns["replaced_by"] = self.context.id(token.replaced_by)
            row = factories.RefreshTokenFactory.build(
                handle=token.handle,
                user=person,
                family_id=self.context.row(token.session).uuid("family"),
                **columns,
            )
            _keep(self.rendered, token.handle, row, token.source)

    def _session(self, person: User, handle: str, tokens: int, began: datetime, live: bool) -> None:
        family = self.context.row(handle).uuid("family")
        made = []
        for number in range(1, tokens + 1):
            issued = began + _ROTATION * (number - 1)
            last = number == tokens
            reason = RevokeReason.LOGOUT if last else RevokeReason.ROTATED
            revoked = None if last and live else issued + _ROTATION
            token = factories.RefreshTokenFactory.build(
                handle=f"{handle}_{number}",
                user=person,
                family_id=family,
                issued_at=issued,
                revoked_at=revoked,
                revoke_reason=reason.value if revoked else None,
            )
            made.append(token)
            self._keep(f"{handle}_{number}", token)
        for older, newer in pairwise(made):
            older.replaced_by = newer.id
