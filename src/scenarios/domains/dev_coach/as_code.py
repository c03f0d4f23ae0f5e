"""A Dev Coach state said with its builder, a statement for each thing somebody would say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from scenarios.domains.dev_coach import (
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    MessageRole,
    PromptType,
)
from scenarios.library.freezing.code.generator import CodeGenerator, word_of
from scenarios.library.freezing.code.words import Code, NotExpressible, call, member, members
from scenarios.library.planning.columns import specs
from scenarios.library.planning.plan import Plan
from scenarios.library.planning.rows import Row

_USER, _STATE, _IDENTITY = "users_user", "coach_states_coachstate", "identities_identity"
_MESSAGE, _NOTE = "chat_messages_chatmessage", "user_notes_usernote"
_ACTION, _RESULT = "actions_action", "actions_actionresult"
_SESSION, _IN_SESSION = "coach_states_coachingsession", "coach_states_coachingsessionmessage"
_PROFILE, _VERIFICATION, _PROMPT = "users_userprofile", "authentication_verification", "prompts_prompt"
_KNOWN = frozenset({
    _USER, _STATE, _IDENTITY, _MESSAGE, _NOTE, _ACTION, _RESULT, _SESSION, _IN_SESSION, _PROFILE,
    _VERIFICATION, _PROMPT,
})  # fmt: skip

_MADE_UP = (
    "bio", "timezone", "date_of_birth", "coaching_goals", "preferred_coaching_style", "session_frequency",
    "notification_frequency", "language",
)  # fmt: skip


class DevCoach(CodeGenerator):
    """Says people with what is theirs, in the order in which one would tell it."""

    tables = _KNOWN
    vocabulary = (
        "ActionType",
        "CoachingPhase",
        "IdentityCategory",
        "IdentityState",
        "MessageRole",
        "PromptType",
    )
    vocabulary_in = "scenarios.domains.dev_coach"

    def __init__(self, name: str, plan: Plan) -> None:
        super().__init__(name, plan)
        self.by_id = {str(row.values.get("id")): row for row in plan.rows}

    def statements(self) -> Iterable[str]:
        """Yield the statements."""
        for prompt in self.of(_PROMPT):
            yield self.prompt(prompt)
        for user in self.of(_USER):
            yield ""
            yield from self.person(user)

    # -- people ----------------------------------------------------------------------------------------

    def person(self, row: Row) -> Iterable[str]:
        """Yield the statements about one person."""
        values = row.values
        handle = row.handle
        who = self.variables.name(handle)
        names = ("first_name", "last_name", "email", "username", "is_staff", "is_active", "is_superuser")
        said = {name: self.unsuffixed(row, name) for name in names}
        columns = self.rest(
            row, "created_at", "last_login", *(name for name in names if said[name] is not None)
        )
        yield f"{who} = " + call(
            "scene.user",
            handle,
            **{name: value for name, value in said.items() if value is not True and value is not False},
            **{
                name: value
                for name, value in said.items()
                if isinstance(value, bool) and value != specs(row.table)[name].default
            },
            joined=self.when(values["created_at"]),
            last_login=self.when(values.get("last_login")),
            columns=columns or None,
        )
        states = self.of(_STATE, user_id=values["id"])
        if not states:
            raise NotExpressible(f"a person without a coach state: {handle}")
        (state,) = states
        yield self.state(who, state)
        for profile in self.of(_PROFILE, user_id=values["id"]):
            columns = self.rest(profile)
            # The builder makes up what is not said.
            said = {name: columns.get(name, profile.values.get(name)) for name in _MADE_UP}
            said = {name: Code("None") if each is None else self.value(each) for name, each in said.items()}
            yield call(f"{who}.profile", **{**columns, **said})
        for each in self.of(_VERIFICATION, user_id=values["id"]):
            columns = self.rest(each)
            if columns.get("email") == values.get("email"):
                del columns["email"]
            yield call(f"{who}.verification", **_handle(each, "verification"), **columns)
        for identity in self.of(_IDENTITY, user_id=values["id"]):
            yield self.identity(who, identity, state)
        yield from self.conversation(who, row)

    def state(self, who: str, row: Row) -> str:
        """Return the statement about a person's phase."""
        values = row.values
        focus = values.get("identity_focus")
        columns = self.rest(
            row, "current_phase", "who_you_are", "who_you_want_to_be",
            "skipped_identity_categories", "metadata", "identity_focus",
        )  # fmt: skip
        if focus is None:
            columns["identity_focus"] = None
        if values.get("metadata") is None:
            columns["metadata_"] = None
        return call(
            f"{who}.in_phase",
            member(CoachingPhase, values["current_phase"]),
            who_you_are=values["who_you_are"] or None,
            who_you_want_to_be=values["who_you_want_to_be"] or None,
            skipped=members(IdentityCategory, values["skipped_identity_categories"])
            if values["skipped_identity_categories"]
            else None,
            focus=member(IdentityCategory, focus),
            metadata=values.get("metadata") or None,
            columns=columns or None,
        )

    def identity(self, who: str, row: Row, state: Row) -> str:
        """Return the statement about an identity."""
        values = row.values
        columns = self.rest(
            row, "category", "state", "name", "affirmation", "visualization", "notes", "created_at"
        )
        if values.get("state") is None:
            columns["state"] = None
        if values.get("category") is None:
            raise NotExpressible(f"an identity without a category: {row.handle}")
        text = call(
            f"{who}.identity",
            word_of(row),
            category=member(IdentityCategory, values["category"]),
            state=member(IdentityState, values.get("state")),
            name=values.get("name"),
            affirmation=values.get("affirmation"),
            visualization=values.get("visualization"),
            notes=values.get("notes") or None,
            created=self.when(values["created_at"]),
            columns=columns or None,
        )
        if state.values.get("current_identity_id") == values["id"]:
            text += ".as_current()"
        if state.values.get("proposed_identity_id") == values["id"]:
            text += ".as_proposed()"
        return text

    # -- conversation ----------------------------------------------------------------------------------

    def conversation(self, who: str, user: Row) -> Iterable[str]:
        """Yield the statements about what was said, in its order."""
        owner = user.values["id"]
        sittings = self._by(_IN_SESSION, "message_id")
        notes, actions = self._by(_NOTE, "source_message_id"), self._by(_ACTION, "coach_message_id")
        sessions = {str(row.values["id"]): row for row in self.of(_SESSION, user_id=owner)}
        waiting = dict(sessions)
        current: str | None = None
        turns = sorted(self.of(_MESSAGE, user_id=owner), key=lambda row: row.values["timestamp"])
        late: list[str] = []
        for number, row in enumerate(turns, 1):
            links = [str(link.values["session_id"]) for link in sittings.get(str(row.values["id"]), [])]
            wanted = links[0] if links else None
            if len(links) > 1 or (wanted != current and wanted not in waiting):
                raise NotExpressible(f"the sittings in which {row.handle} was said")
            if wanted is not None and wanted != current:
                yield self.session(who, waiting.pop(wanted))
                current = wanted
            word = word_of(row) if row.named else f"turn_{number}"
            coach = row.values["role"] == MessageRole.COACH
            mine, done = notes.get(str(row.values["id"]), []), actions.get(str(row.values["id"]), [])
            text = call(
                f"{who}.{'coach' if coach else 'says'}",
                row.values["content"],
                handle=word if row.named or (mine and coach) or (done and not coach) else None,
                at=self.when(row.values["timestamp"]),
                metadata=row.values.get("metadata"),
            )
            for action in done:
                if coach:
                    text += call(".triggers", *self.action(action)[0], **self.action(action)[1])
                else:
                    late.append(
                        call(f"{who}.action", *self.action(action)[0], message=word, **self.action(action)[1])
                    )
            for note in mine:
                if coach:
                    late.append(self.note(f"{who}.note", note, source=word))
                else:
                    text += self.note(".noted", note)
            yield text
        yield from late
        for session in waiting.values():
            yield self.session(who, session)
        for note in self.of(_NOTE, user_id=owner):
            if note.values.get("source_message_id") is None:
                yield self.note(f"{who}.note", note)
        for action in self.of(_ACTION, user_id=owner):
            if action.values.get("coach_message_id") is None:
                raise NotExpressible(f"an action without a message: {action.handle}")

    def _by(self, table: str, column: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.plan.of(table):
            found.setdefault(str(row.values.get(column)), []).append(row)
        return found

    def session(self, who: str, row: Row) -> str:
        """Return the statement with which a sitting begins."""
        values = row.values
        return call(
            f"{who}.session",
            **_handle(row, "session"),
            phase=member(CoachingPhase, values["phase"]),
            started=self.when(values["started_at"]),
            ended=self.when(values.get("ended_at")),
            open=True if values.get("ended_at") is None else None,
        )

    def note(self, target: str, row: Row, **named: Any) -> str:
        """Return the call about a note."""
        return call(
            target,
            row.values["note"],
            **named,
            at=self.when(row.values["created_at"]),
            handle=word_of(row) if row.named else None,
        )

    def action(self, row: Row) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of the call about an action."""
        values = row.values
        result = next(iter(self.of(_RESULT, action_id=values["id"])), None)
        return [member(ActionType, values["action_type"])], {
            "parameters": self.with_handles(values.get("parameters")) or None,
            "summary": values.get("result_summary"),
            "result": None
            if result is None
            else {
                name: self.value(result.values.get(name))
                for name in specs(result.table)
                if name not in ("id", "user_id", "action_id", "test_scenario_id")
            },
            "at": self.when(values["timestamp"]),
            "handle": word_of(row) if row.named else None,
        }

    def with_handles(self, value: Any) -> Any:
        """Return *value* with the ids of rows as the builder writes them: ``"@maya.maker"``."""
        if isinstance(value, dict):
            return {key: self.with_handles(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.with_handles(item) for item in value]
        if isinstance(value, str | UUID) and str(value) in self.by_id:
            return f"@{self.by_id[str(value)].handle}"
        return value

    def prompt(self, row: Row) -> str:
        """Return the statement about a version of a prompt."""
        values = row.values
        return call(
            "scene.prompt",
            member(CoachingPhase, values.get("coaching_phase")) or Code("None"),
            version=values["version"],
            name=values.get("name"),
            body=values.get("body"),
            description=values.get("description"),
            required_context_keys=values.get("required_context_keys"),
            allowed_actions=None
            if values.get("allowed_actions") is None
            else members(ActionType, values["allowed_actions"]),
            prompt_type=member(PromptType, values.get("prompt_type")),
            is_active=values.get("is_active"),
        )


def _handle(row: Row, unit: str) -> dict[str, Any]:
    word = word_of(row)
    return {"handle": word if row.named and not word.startswith(f"{unit}_") else None}


SPEAKER = DevCoach
