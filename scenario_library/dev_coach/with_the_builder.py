"""Scenarios of Dev Coach that are said with the builder."""

from __future__ import annotations

from scenarios.library import scenario


@scenario(system="dev_coach", tags=["builder", "refinement"], owner="platform")
def said_with_the_builder() -> object:
    """The shortest way to two people in different phases.

    Written with the fluent builder; it stands in the same catalogue as the files.
    """
    # Imported when the rows are made: a catalogue is listed more often than one of its scenarios is loaded.
    from scenarios.builders.dev_coach import a_scenario
    from scenarios.domains.dev_coach import CoachingPhase

    return (
        a_scenario("said_with_the_builder")
        .user("maya", first_name="Maya")
        .in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        .identities(3)
        .conversation(turns=12)
        .note("Prefers mornings")
        .user("omar")
        .in_phase(CoachingPhase.GET_TO_KNOW_YOU)
        .build()
    )
