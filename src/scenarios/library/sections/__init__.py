"""How each system's rows are arranged in its scenario files. The centre is `base.Section`."""

from __future__ import annotations

from scenarios.library.planning.sections import Section, Sections
from scenarios.library.sections.generic import sections_of

__all__ = ["Section", "Sections", "sections_of"]
