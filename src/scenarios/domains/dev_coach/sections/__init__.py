"""Dev Coach in scenario files: people, with all that is theirs standing under them.

A person's identities, conversation, notes and coaching state belong together when one reads them, although
they lie in ten tables. The centre is `people.USERS`.
"""

from __future__ import annotations

from scenarios.domains.dev_coach import DOMAIN, Base
from scenarios.domains.dev_coach.sections.people import PROMPTS, USERS
from scenarios.domains.dev_coach.sections.progress import facts_of
from scenarios.library.planning.sections import Handles, Sections, mappers_of

SECTIONS = Sections(
    domain=DOMAIN,
    sections=(PROMPTS, USERS),
    handles=(
        Handles("test_scenario_testscenariouser", "users_user", "handle", {"user_id": "id"}),
        Handles(
            "test_scenario_testscenariochatmessage",
            "chat_messages_chatmessage",
            "handle",
            {"user_id": "user_id", "message_id": "id"},
        ),
    ),
    people="users_user",
    facts=facts_of,
    phase="current_phase",
    classes=mappers_of(Base),
)
