"""A Coach Bot state said with its builder: people, their chats, and who said what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from scenarios.domains.coach_bot.audit import sent_details
from scenarios.domains.coach_bot.defaults import LOG_DELAY
from scenarios.domains.coach_bot.models import SEND_MESSAGE
from scenarios.library.freezing.code.generator import CodeGenerator, word_of
from scenarios.library.freezing.code.words import Code, NotExpressible, call
from scenarios.library.planning.rows import Row


class CoachBot(CodeGenerator):
    """Says people, under each their chats, turn by turn."""

    tables = frozenset({"users", "chats", "messages", "logs"})
    as_given = False

    def statements(self) -> Iterable[str]:
        """Yield the statements."""
        self.people = {str(user.values["id"]): user.handle for user in self.of("users")}
        who = {user.handle: self.variables.name(user.handle) for user in self.of("users")}
        # All people first: a message may be another's.
        for user in self.of("users"):
            self.unchanged(user, "created_at")
            yield f"{who[user.handle]} = " + call(
                "scene.user",
                user.handle,
                username=user.values["username"],
                email=self.unsuffixed(user, "email"),
                joined=self.when(user.values["created_at"]),
            )
        for user in self.of("users"):
            for chat in (each for each in user.children if each.section.key == "chats"):
                yield ""
                yield from self.chat(who[user.handle], chat)

    def unchanged(self, row: Row, made: str) -> datetime:
        """Return when *row* was made; the builder has no words for one that was changed later.

        Raises:
            NotExpressible: it was.
        """
        at: datetime = row.values[made]
        if any(row.values[name] != at for name in ("created_at", "updated_at")):
            raise NotExpressible(f"{row.handle} was not stored when it was made, or changed later")
        return at

    def chat(self, who: str, row: Row) -> Iterable[str]:
        """Yield the statements about a conversation."""
        name = self.variables.name(row.handle)
        started = self.when(self.unchanged(row, "created_at"))
        yield f"{name} = " + call(f"{who}.chat", word_of(row), started=started)
        for child in row.children:
            if child.section.key == "messages":
                yield from self.message(name, child)
        for child in row.children:
            if child.section.key == "logs":
                yield self.log(name, child)

    def message(self, chat: str, row: Row) -> Iterable[str]:
        """Yield the statement about a message, and those about its other lines in the audit trail."""
        at = self.unchanged(row, "timestamp")
        values, owner = row.values, row.up(2).handle
        sender = self.people[str(values["sender_id"])]
        logs = list(row.children)
        own = next((log for log in logs if self.usual(log, row)), None)
        if own is not None:
            logs.remove(own)
        coach = row.given.get("") == "coach"
        if coach and (own is not None or sender != owner):
            raise NotExpressible(
                f"the coach says {row.handle} in somebody's name, or with a line in the audit trail"
            )
        yield call(
            f"{chat}.{'replies' if coach else 'says'}",
            values["content"],
            handle=word_of(row) if row.named else None,
            at=self.when(at),
            sender=sender if sender != owner else None,
            log=Code("False") if own is None and not coach else None,
        )
        for log in logs:
            yield self.log(chat, log)

    def usual(self, log: Row, message: Row) -> bool:
        """Return whether *log* is what the builder adds to *message* by itself."""
        values = log.values
        at = message.values["timestamp"] + LOG_DELAY
        return (
            values["action"] == SEND_MESSAGE
            and values["user_id"] == message.values["sender_id"]
            and values["details"] == sent_details(message.values["content"])
            and all(values[name] == at for name in ("timestamp", "created_at", "updated_at"))
        )

    def log(self, chat: str, row: Row) -> str:
        """Return the statement about a line of the audit trail."""
        at = self.unchanged(row, "timestamp")
        levels = 3 if row.up(1).section.key == "messages" else 2
        user = self.people[str(row.values["user_id"])]
        return call(
            f"{chat}.logged",
            row.values["action"],
            details=row.values["details"],
            at=self.when(at),
            user=user if user != row.up(levels).handle else None,
            handle=word_of(row) if row.named else None,
        )


SPEAKER = CoachBot
