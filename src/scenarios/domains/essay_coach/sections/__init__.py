"""EssayCoach in scenario files: institutions, their people, and under each student the essays.

The centre is `people.INSTITUTIONS`.
"""

from __future__ import annotations

from scenarios.domains.essay_coach import DOMAIN
from scenarios.domains.essay_coach.models import Base
from scenarios.domains.essay_coach.sections.people import INSTITUTIONS
from scenarios.domains.essay_coach.sections.records import SYSTEM_LOGS
from scenarios.library.planning.sections import Sections, mappers_of

SECTIONS = Sections(
    domain=DOMAIN,
    sections=(INSTITUTIONS, SYSTEM_LOGS),
    people="users",
    classes=mappers_of(Base),
)
"""How EssayCoach's rows are arranged in scenario files."""
