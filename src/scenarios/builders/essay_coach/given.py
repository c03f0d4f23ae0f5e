"""Rows exactly as they were said: for a state that was taken from life.

A factory that fills what nobody said makes a good example and a false copy. Here a column that was not said
has the default of its table; only what follows from a text (its words, the part that is highlighted) is
counted, and names and addresses, which have to be there, are made up when nobody said them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scenarios.builders.base import Rendered, Source
from scenarios.builders.essay_coach.plans import EssayPlan, PersonPlan, Said, Told
from scenarios.builders.essay_coach.render import timed
from scenarios.domains.essay_coach import defaults
from scenarios.domains.essay_coach.enums import EssayStatus, ProcessingStatus
from scenarios.domains.essay_coach.models import (
    AIResponse,
    Analytics,
    Essay,
    Feedback,
    Institution,
    Log,
    RefreshToken,
    Report,
    Submission,
    User,
    UserProfile,
)
from scenarios.factories.context import FactoryContext
from scenarios.factories.essay_coach.rows import PROCESSING, token_hash
from scenarios.factories.essay_coach.texts import METRICS, TYPES, count_words, reading_minutes
from scenarios.graph import Graph
from scenarios.values import TEST_PASSWORD, add_to_email, add_to_title, add_to_word, password_hash


def render_as_given(program: Told, context: FactoryContext, instance: str) -> Rendered:
    """Make the rows of *instance* of the scenario *program*, and nothing else."""
    rendered = Rendered(Graph(), context.id(""), instance)
    given = _Given(context, rendered, own=instance == program.name)
    schools = {
        handle: given.institution(handle, columns, source) for handle, columns, source in program.institutions
    }
    for plan in program.people:
        given.person(plan, schools[plan.institution])
    for number, (columns, when) in enumerate(program.system_logs, 1):
        given.keep(f"log_{number}", Log(user=None, created_at=context.clock.at(when), **columns), None)
    return rendered


class _Given:
    def __init__(self, context: FactoryContext, rendered: Rendered, *, own: bool) -> None:
        self.context = context
        self.rendered = rendered
        self.own = own
        """Whether it bears the name of the scenario: its unique words are as they were said then."""

    def keep(self, handle: str, row: Any, source: Source | None) -> None:
        self.rendered.graph.add(row, handle=handle, source=source)
        self.rendered.handles[handle] = row

    def timed(self, columns: dict[str, Any], *made: str) -> dict[str, Any]:
        """Return *columns* with moments for times; those of *made* that were not said are now."""
        found = timed(columns, self.context.clock)
        for name in made:
            found.setdefault(name, self.context.clock.now)
        return found

    def institution(self, handle: str, columns: dict[str, Any], source: Source | None) -> Institution:
        said = self.timed({"name": handle, **columns}, "created_at")
        if not self.own:
            said["name"] = add_to_title(said["name"], self.rendered.name)
        row = Institution(**said)
        self.keep(handle, row, source)
        return row

    def person(self, plan: PersonPlan, school: Institution) -> None:
        context, handle = self.context, plan.handle
        said = self.timed(plan.columns, "date_joined", "created_at", "updated_at")
        row_of, instance = context.row(plan.full_handle), context.instance
        for name, mine, add in (
            ("username", defaults.username(row_of, instance), add_to_word),
            ("email", defaults.email(row_of, said.get("last_name") or handle, instance), add_to_email),
        ):
            if name not in said:
                said[name] = mine
            elif not self.own:
                said[name] = add(said[name], instance)
        row = User(institution=school, role=plan.role.value, password=password_hash(), **said)
        self.keep(handle, row, plan.source)
        self.rendered.sign_in.append(
            {"handle": handle, "email": row.email, "password": TEST_PASSWORD, "role": plan.role.value}
        )
        if plan.profile is not None:
            self.keep(f"{handle}.profile", UserProfile(user=row, **plan.profile), plan.source)
        for essay in plan.essays:
            self.essay(essay, row)
        clock = context.clock
        for number, (metric, value, when, columns) in enumerate(plan.measured, 1):
            measured = Analytics(
                user=row, metric_type_id=METRICS[metric], value=value, created_at=clock.at(when), **columns
            )
            self.keep(f"{handle}.{metric}_{number}", measured, plan.source)
        for name, columns, when, source in plan.reports:
            report = self.timed({"created_at": when, "updated_at": when, **columns})
            self.keep(name, Report(user=row, **report), source)
        for token in plan.tokens:
            self.token(token, row)
        for number, (columns, when) in enumerate(plan.logs, 1):
            log = Log(user=row, created_at=clock.at(when), **columns)
            self.keep(f"{handle}.log_{number}", log, plan.source)

    def token(self, token: Said, person: User) -> None:
        context = self.context
        row = context.row(token.handle)
        said = self.timed(token.columns)
        said.setdefault("expires_at", said["issued_at"] + timedelta(days=7))
        if token.replaced_by is not None:
            said["replaced_by"] = context.id(token.replaced_by)
        made = RefreshToken(
            id=context.id(token.handle),
            user=person,
            family_id=context.row(token.session).uuid("family"),
            jti=row.uuid("jti"),
            token_hash=token_hash(context, token.handle),
            **said,
        )
        self.keep(token.handle, made, token.source)

    def essay(self, plan: EssayPlan, author: User) -> None:
        said = self.timed({"title": "Untitled", "content": "", **plan.columns}, "created_at", "updated_at")
        content = said["content"]
        if plan.at is not None and plan.status is not EssayStatus.DRAFT:
            said["submitted_at"] = self.context.clock.at(plan.at)
        cancelled = plan.why == "cancelled"
        said.setdefault(
            "ai_processing_status",
            (ProcessingStatus.CANCELLED if cancelled else PROCESSING[plan.status]).value,
        )
        said.setdefault("word_count", count_words(content))
        said.setdefault("character_count", len(content))
        said.setdefault("reading_time_minutes", reading_minutes(content))
        row = Essay(author=author, status=plan.status.value, **said)
        self.keep(plan.handle, row, plan.source)
        for number, each in enumerate(plan.explicit_versions, 1):
            version = self._of(each)
            version.setdefault("word_count", count_words(version["content"]))
            version.setdefault("version_number", number)
            self.keep(each.handle, Submission(essay=row, **version), each.source)
        for each in plan.explicit_answers:
            answer = AIResponse(essay=row, feedback_type_id=TYPES[each.kind], **self._of(each))
            self.keep(each.handle, answer, each.source)
        for each in plan.explicit_feedback:
            told = self._of(each)
            if told.get("start_index") is not None:
                told.setdefault("highlighted_text", content[told["start_index"] : told["end_index"]])
            self.keep(each.handle, Feedback(essay=row, type_id=TYPES[each.kind], **told), each.source)

    def _of(self, said: Said) -> dict[str, Any]:
        times = {"created_at": said.at} if said.at is not None else {}
        return self.timed({**times, **said.columns}, "created_at")
