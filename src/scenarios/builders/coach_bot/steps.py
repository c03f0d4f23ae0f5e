"""The sentences of a Coach Bot scenario: what can be said, what may follow, and what is refused at once.

Each step class has the methods that make sense there and inherits those of the steps it may return to, so an
editor completes what can be said next, and a mistake is reported at its line instead of by a constraint when
the scenario is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scenarios.builders.base import Step, When, calling_line, did_you_mean, given
from scenarios.builders.coach_bot.plans import ChatPlan, GeneratedBlockPlan, LogPlan, MessagePlan, UserPlan
from scenarios.builders.coach_bot.program import CoachBotProgram
from scenarios.domains.coach_bot.models import ACTION_LENGTH, EMAIL_LENGTH, USERNAME_LENGTH


class ScenarioStep(Step[CoachBotProgram]):
    """A scenario: add people, then build or load it."""

    def user(
        self,
        handle: str,
        *,
        username: str | None = None,
        email: str | None = None,
        joined: When | None = None,
    ) -> UserStep:
        """Add a person.

        Args:
            handle: their name in the scenario.
            username: need not be unique; by default the handle.
            email: kept as it is in the instance that bears the scenario's name; others add their suffix.
            joined: when the account was made, by default an hour before anything else of theirs.

        Raises:
            BuilderError: the handle is taken or malformed, a text does not fit its column, the address is
                another's but for its case, or a time cannot be read.
        """
        program = self.program
        for name, value, limit in (("username", username, USERNAME_LENGTH), ("email", email, EMAIL_LENGTH)):
            if value is not None and not 0 < len(value) <= limit:
                program.refuse(f"{name} has {len(value)} characters", hint=f"use 1 to {limit}")
        if email is not None:
            if "@" not in email.strip("@"):
                program.refuse(f"{email!r} is not an address", hint="write it as maya@example.com")
            for other in program.users:
                if str(other.columns.get("email", "")).lower() == email.lower():
                    program.refuse(
                        f"{other.handle} has the address {other.columns['email']!r}",
                        why="upper and lower case count as the same",
                        hint="give this person another address",
                    )
        if joined is not None:
            program.moment(joined)
        plan = UserPlan(
            handle=program.claim(handle, "user"),
            columns=given(username=username, email=email),
            joined=joined,
            source=calling_line(),
        )
        program.users.append(plan)
        return UserStep(program, plan)


class UserStep(ScenarioStep):
    """A person: their chats, or another person."""

    def __init__(self, program: CoachBotProgram, plan: UserPlan) -> None:
        super().__init__(program)
        self.user_plan = plan

    def chat(self, handle: str | None = None, *, started: When | None = None) -> ChatStep:
        """Begin a conversation of this person.

        Args:
            handle: its name under the person's: ``chat("goals")`` of ``maya`` is ``maya.goals``.
            started: by default some seconds before its first message, a day after the chat before.

        Raises:
            BuilderError: the handle is taken or malformed, or the time cannot be read.
        """
        program, owner = self.program, self.user_plan.handle
        if started is not None:
            program.moment(started)
        name = f"{owner}.{handle}" if handle is not None else program.free_name(f"{owner}.chat")
        plan = ChatPlan(program.claim(name, "chat"), started, calling_line())
        self.user_plan.chats.append(plan)
        return ChatStep(program, self.user_plan, plan)

    def chats(self, count: int, *, messages: int = 6) -> UserStep:
        """Add *count* conversations of *messages* generated messages each.

        Raises:
            BuilderError: a number is negative.
        """
        if count < 0:
            self.program.refuse(f"there cannot be {count} chats", hint="give 0 or more")
        for _ in range(count):
            chat = self.chat()
            if messages:
                chat.conversation(messages)
        return UserStep(self.program, self.user_plan)


class ChatStep(UserStep):
    """A conversation: what is said in it, its audit trail, or anything that may follow a person."""

    def __init__(self, program: CoachBotProgram, user: UserPlan, plan: ChatPlan) -> None:
        super().__init__(program, user)
        self.chat_plan = plan

    def says(
        self,
        content: str,
        *,
        handle: str | None = None,
        at: When | None = None,
        sender: str | None = None,
        log: bool = True,
    ) -> ChatStep:
        """Let the person say something; the audit trail tells of it.

        Args:
            content: the text.
            handle: its name under the chat's.
            at: by default some seconds after what came before.
            sender: the handle of somebody else who says it. The database allows it, the application does not.
            log: False leaves the line of the audit trail out, as when writing it failed.

        Raises:
            BuilderError: the text is blank, the sender unknown, or the time cannot be read.
        """
        return self._turn(content, handle, at, sender, reply=False, log=log)

    def replies(self, content: str, *, handle: str | None = None, at: When | None = None) -> ChatStep:
        """Let the coach answer.

        Raises:
            BuilderError: nothing was said yet, the text is blank, or the time cannot be read.
        """
        if not self.chat_plan.spoken:
            self.program.refuse(
                f"in {self.chat_plan.handle} the coach answers before anything was said",
                hint="begin the chat with says()",
            )
        return self._turn(content, handle, at, None, reply=True, log=False)

    def conversation(
        self,
        messages: int,
        *,
        at: When | None = None,
        every: timedelta | None = None,
        log: bool = True,
    ) -> ChatStep:
        """Add generated messages in turns, beginning with the person.

        Args:
            messages: how many; an odd number ends with an unanswered question.
            at: when it begins, by default some seconds after what came before.
            every: the time from one message to the next, by default 40 seconds; ``timedelta(0)`` gives all of
                them one time.
            log: False leaves the audit trail out.

        Raises:
            BuilderError: the number or the pace is negative, or the time cannot be read.
        """
        pace = timedelta(seconds=40) if every is None else every
        if messages < 1 or pace < timedelta():
            self.program.refuse("a conversation needs messages and a pace that is not negative")
        if at is not None:
            self.program.moment(at)
        handle = self.program.claim(self.program.free_name(f"{self.chat_plan.handle}.stretch"), "stretch")
        self.chat_plan.parts.append(GeneratedBlockPlan(handle, messages, at, pace, log, calling_line()))
        return ChatStep(self.program, self.user_plan, self.chat_plan)

    def logged(
        self,
        action: str,
        *,
        details: Mapping[str, Any] | None = None,
        at: When | None = None,
        user: str | None = None,
        handle: str | None = None,
    ) -> ChatStep:
        """Add a line of the audit trail.

        Args:
            action: at most 255 characters.
            details: any JSON object.
            at: by default just after what came before.
            user: the handle of somebody else who did it.
            handle: its name under the chat's.

        Raises:
            BuilderError: the action does not fit, the user is unknown, or the time cannot be read.
        """
        if not 0 < len(action) <= ACTION_LENGTH:
            self.program.refuse(f"an action has 1 to {ACTION_LENGTH} characters, this has {len(action)}")
        if at is not None:
            self.program.moment(at)
        self._known(user)
        name = self._name(handle, "log")
        self.chat_plan.parts.append(LogPlan(name, action, details, at, user, calling_line()))
        return ChatStep(self.program, self.user_plan, self.chat_plan)

    def _turn(
        self, content: str, handle: str | None, at: When | None, sender: str | None, *, reply: bool, log: bool
    ) -> ChatStep:
        if not content.strip() or "\x00" in content:
            self.program.refuse("nothing is said here", hint="give a text without the character U+0000")
        if at is not None:
            self.program.moment(at)
        self._known(sender)
        name = self._name(handle, "message")
        self.chat_plan.parts.append(MessagePlan(name, content, reply, at, sender, log, calling_line()))
        return ChatStep(self.program, self.user_plan, self.chat_plan)

    def _name(self, handle: str | None, unit: str) -> str:
        chat = self.chat_plan.handle
        name = f"{chat}.{handle}" if handle is not None else self.program.free_name(f"{chat}.{unit}")
        return self.program.claim(name, unit)

    def _known(self, handle: str | None) -> None:
        people = [user.handle for user in self.program.users]
        if handle is not None and handle not in people:
            self.program.refuse(f"there is no user {handle!r}", hint=did_you_mean(handle, people))
