"""An EssayCoach state said with its builder: institutions, their people, and each essay word by word."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.domains.essay_coach.enums import EssayStatus, ProcessingStatus, Role
from scenarios.factories.essay_coach.rows import PROCESSING
from scenarios.factories.essay_coach.texts import METRICS, TYPES, count_words, reading_minutes
from scenarios.library.freezing.code.generator import CodeGenerator, word_of
from scenarios.library.freezing.code.words import Code, NotExpressible, call
from scenarios.library.planning.rows import Row

_KINDS = {key: kind for kind, key in TYPES.items()}
_METRICS = {key: metric for metric, key in METRICS.items()}
_MOVES = {
    EssayStatus.SUBMITTED: "submitted",
    EssayStatus.PROCESSING: "processing",
    EssayStatus.COMPLETED: "completed",
    EssayStatus.FAILED: "failed",
}


class EssayCoach(CodeGenerator):
    """Says institutions, under each their people, under each student the essays."""

    tables = frozenset(
        {
            "institutions",
            "users",
            "user_profiles",
            "essays",
            "submissions",
            "ai_responses",
            "feedback",
            "analytics",
            "reports",
            "refresh_tokens",
            "logs",
        }
    )

    def statements(self) -> Iterator[str]:
        """Yield the statements."""
        for school in self.of("institutions"):
            yield ""
            name = self.variables.name(school.handle)
            yield f"{name} = " + call(
                "scene.institution",
                word_of(school),
                name=self.unsuffixed(school, "name"),
                created=self.when(school.values["created_at"]),
            )
            for person in school.children:
                yield ""
                yield from self.person(name, person)
        for log in self.of("logs"):
            if log.parent is None:
                yield self.event("scene.happened", log)

    def below(self, row: Row, key: str) -> list[Row]:
        """Return the rows of the section *key* under *row*."""
        return [child for child in row.children if child.section.key == key]

    # -- people ----------------------------------------------------------------------------------------

    def person(self, school: str, row: Row) -> Iterator[str]:
        """Yield the statements about one person."""
        values = row.values
        name = self.variables.name(row.handle)
        columns = {
            "username": self.unsuffixed(row, "username"),
            "email": self.unsuffixed(row, "email"),
            **self.rest(
                row, "username", "email", "first_name", "last_name", "role", "grade_level", "date_joined",
                "last_login",
            ),
        }  # fmt: skip
        student = values["role"] == Role.STUDENT.value
        if not student and values["grade_level"]:
            columns["grade_level"] = values["grade_level"]
        yield f"{name} = " + call(
            f"{school}.{values['role']}",
            word_of(row),
            first_name=values["first_name"],
            last_name=values["last_name"],
            grade_level=values["grade_level"] if student else None,
            joined=self.when(values["date_joined"]),
            last_login=self.when(values.get("last_login")),
            columns=columns,
        )
        for profile in self.below(row, "profile"):
            yield call(f"{name}.profile", **self.rest(profile))
        for token in self.below(row, "tokens"):
            yield self.token(name, token)
        for report in self.below(row, "reports"):
            yield self.report(name, report, student=student)
        for log in self.below(row, "logs"):
            yield self.event(f"{name}.logged", log)
        for metric in METRICS:
            for measured in self.below(row, metric):
                yield self.measured(name, measured)
        for essay in self.below(row, "essays"):
            yield ""
            yield from self.essay(name, essay)

    def token(self, who: str, row: Row) -> str:
        """Return the statement about one refresh token."""
        values = row.values
        others = self.of("refresh_tokens", family_id=values["family_id"])
        following = self.of("refresh_tokens", id=values["replaced_by"]) if values.get("replaced_by") else []
        return call(
            f"{who}.token",
            word_of(row),
            issued=self.when(values["issued_at"]),
            session=word_of(others[0]) if len(others) > 1 else None,
            expires=self.when(values["expires_at"]),
            revoked=self.when(values.get("revoked_at")),
            why=values.get("revoke_reason"),
            replaced_by=word_of(following[0]) if following else None,
            user_agent=values.get("user_agent") or None,
            ip=values.get("ip"),
        )

    def report(self, who: str, row: Row, *, student: bool) -> str:
        """Return the statement about a report."""
        values = row.values
        if values["updated_at"] != values["created_at"]:
            raise NotExpressible(f"{row.handle} was changed after it was made")
        own = {} if student else {"kind": values["report_type"], "public": values["is_public"] or None}
        return call(
            f"{who}.report",
            word_of(row),
            title=values["title"],
            summary=values["summary"] or None,
            data=values["data"] or None,
            at=self.when(values["created_at"]),
            expires=self.when(values.get("expires_at")),
            **own,
        )

    def measured(self, who: str, row: Row) -> str:
        """Return the statement about a measurement."""
        values = row.values
        if values.get("essay_id") is not None:
            raise NotExpressible(f"a measurement of an essay: {row.handle}")
        return call(
            f"{who}.measured",
            _METRICS[values["metric_type_id"]],
            values["value"],
            at=self.when(values["created_at"]),
            session=values.get("session_id") or None,
            details=values.get("metadata") or None,
        )

    def event(self, target: str, row: Row) -> str:
        """Return the statement about an event of the system's log."""
        values = row.values
        if values.get("request_id") is not None:
            raise NotExpressible(f"an event of a request: {row.handle}")
        return call(
            target,
            values["event"],
            level=values["level"],
            source=values["source"],
            message=values["message"] or None,
            at=self.when(values["created_at"]),
            context=values["context"] or None,
        )

    # -- writing ---------------------------------------------------------------------------------------

    def essay(self, who: str, row: Row) -> Iterator[str]:
        """Yield the statements about an essay."""
        values = row.values
        name = self.variables.name(row.handle)
        status = EssayStatus(values["status"])
        content = values["content"]
        cancelled = values["ai_processing_status"] == ProcessingStatus.CANCELLED.value
        counted = {
            "word_count": count_words(content),
            "character_count": len(content),
            "reading_time_minutes": reading_minutes(content),
            "ai_processing_status": values["ai_processing_status"] if cancelled else PROCESSING[status].value,
        }
        columns = self.rest(
            row, "title", "content", "category_id", "status", "submitted_at",
            *(column for column, value in counted.items() if values[column] == value),
        )  # fmt: skip
        yield f"{name} = " + call(
            f"{who}.essay",
            word_of(row),
            title=values["title"],
            content=content,
            category=values.get("category_id"),
            columns=columns or None,
        )
        if status is not EssayStatus.DRAFT:
            move = "cancelled" if cancelled else _MOVES[status]
            yield call(f"{name}.{move}", at=self.when(values["submitted_at"]))
        for number, version in enumerate(self.below(row, "versions"), 1):
            yield self.version(name, version, number)
        for answer in self.below(row, "responses"):
            yield self.answer(name, answer)
        for feedback in self.below(row, "feedback"):
            yield self.feedback(name, feedback, content)

    def version(self, essay: str, row: Row, number: int) -> str:
        """Return the statement about a version of the text."""
        values = row.values
        if values["version_number"] != number or values["word_count"] != count_words(values["content"]):
            raise NotExpressible(f"a version that is counted otherwise: {row.handle}")
        return call(
            f"{essay}.version",
            values["content"],
            change=values["change_summary"] or None,
            at=self.when(values["created_at"]),
        )

    def answer(self, essay: str, row: Row) -> str:
        """Return the statement about a raw answer of the AI."""
        values = row.values
        return call(
            f"{essay}.answer",
            self.kind(row, "feedback_type_id"),
            Code("{}") if not values["response"] else values["response"],
            at=self.when(values["created_at"]),
            prompt=values["prompt"],
            tokens=values["tokens_used"],
            cost=values["cost_usd"],
            seconds=values["processing_time_seconds"],
            model=values["model_name"],
            model_version=values["model_version"],
        )

    def feedback(self, essay: str, row: Row, content: str) -> str:
        """Return the statement about one side's feedback."""
        values = row.values
        said = ["type_id", "score", "feedback", "created_at", "confidence", "suggestions", "start_index"]
        said += ["end_index", "processing_time_seconds"]
        start, end = values.get("start_index"), values.get("end_index")
        if start is not None and values.get("highlighted_text") == content[start:end]:
            said.append("highlighted_text")
        return call(
            f"{essay}.feedback",
            self.kind(row, "type_id"),
            values["score"],
            values["feedback"],
            at=self.when(values["created_at"]),
            confidence=values["confidence"],
            suggestions=values["suggestions"] or None,
            highlight=Code(f"({start}, {end})") if start is not None else None,
            seconds=values["processing_time_seconds"],
            columns=self.rest(row, *said) or None,
        )

    def kind(self, row: Row, column: str) -> str:
        """Return the side of the essay that *row* is about.

        Raises:
            NotExpressible: it is none that every database has.
        """
        found = _KINDS.get(row.values[column])
        if found is None:
            raise NotExpressible(f"feedback of a type of its own: {row.handle}")
        return found


SPEAKER = EssayCoach
