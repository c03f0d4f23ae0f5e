"""Whatever can be said loads and passes every check; the same seed gives the same bytes everywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from budgets import examples
from scenarios.builders.dev_coach import ScenarioStep, UserStep, a_scenario
from scenarios.domains.dev_coach import (
    DOMAIN,
    ActionType,
    CoachingPhase,
    IdentityCategory,
    IdentityState,
    PromptType,
)
from scenarios.errors import BuilderError
from scenarios.postgres import Database, Server
from scenarios.validation import validate

TABLES = sorted(DOMAIN.metadata.tables)


@pytest.fixture(scope="module")
def shared_db(server: Server) -> Iterator[Database]:
    """One database for all programs of the module; each takes its rows back."""
    with server.database(DOMAIN) as database:
        yield database


times = st.one_of(st.none(), st.integers(1, 60 * 24 * 20).map(lambda minutes: f"-{minutes}m"))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)

calls = st.one_of(
    st.tuples(
        st.just("in_phase"),
        st.fixed_dictionaries(
            {"phase": st.sampled_from(CoachingPhase)},
            optional={
                "skipped": st.lists(st.sampled_from(IdentityCategory), max_size=3, unique=True),
                "asked": st.integers(0, 5),
                "who_you_are": st.lists(texts, min_size=1, max_size=3),
            },
        ),
    ),
    st.tuples(
        st.just("identity"),
        st.fixed_dictionaries(
            {"handle": st.sampled_from(["maker", "keeper", "runner", "reader"])},
            optional={
                "category": st.sampled_from(IdentityCategory),
                "state": st.sampled_from(IdentityState),
                "name": texts,
                "affirmation": texts,
                "created": times,
            },
        ),
    ),
    st.tuples(st.just("identities"), st.fixed_dictionaries({"count": st.integers(1, 4)})),
    st.tuples(st.just("as_current"), st.just({})),
    st.tuples(st.just("as_proposed"), st.just({})),
    st.tuples(
        st.just("conversation"),
        st.fixed_dictionaries(
            {"turns": st.integers(1, 60)},
            optional={"at": times, "phase": st.sampled_from(CoachingPhase), "sessions": st.booleans()},
        ),
    ),
    st.tuples(st.just("coach"), st.fixed_dictionaries({"content": texts}, optional={"at": times})),
    st.tuples(st.just("says"), st.fixed_dictionaries({"content": texts}, optional={"at": times})),
    st.tuples(
        st.just("triggers"),
        st.fixed_dictionaries(
            {"type": st.sampled_from(ActionType)}, optional={"succeeded": st.booleans(), "summary": texts}
        ),
    ),
    st.tuples(st.just("noted"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("note"), st.fixed_dictionaries({"text": texts})),
    st.tuples(
        st.just("action"),
        st.one_of(
            st.fixed_dictionaries({"type": st.sampled_from(ActionType)}),
            st.fixed_dictionaries(
                {
                    "type": st.just(ActionType.TRANSITION_PHASE),
                    "parameters": st.fixed_dictionaries({"to_phase": st.sampled_from(CoachingPhase)}),
                }
            ),
        ),
    ),
    st.tuples(st.just("session"), st.fixed_dictionaries({}, optional={"open": st.booleans()})),
    st.tuples(st.just("profile"), st.just({})),
    st.tuples(st.just("verification"), st.just({})),
    st.tuples(
        st.just("user"),
        st.fixed_dictionaries(
            {"handle": st.sampled_from(["omar", "zoe", "li"])},
            optional={"joined": times, "first_name": texts, "verified": st.booleans()},
        ),
    ),
    st.tuples(
        st.just("prompt"),
        st.fixed_dictionaries(
            {"phase": st.one_of(st.none(), st.sampled_from(CoachingPhase))},
            optional={"prompt_type": st.sampled_from(PromptType)},
        ),
    ),
)


def follow(program: list[tuple[str, dict[str, object]]]) -> ScenarioStep:
    """Say what can be said of *program*; a call that is refused, or cannot follow, leaves no trace."""
    step: ScenarioStep = a_scenario("program").user("maya")
    for method, arguments in program:
        call = getattr(step, method, None)
        if call is None and isinstance(step, ScenarioStep):
            continue
        with suppress(BuilderError):
            said = call(**arguments)
            # A prompt leads back to the scenario; the person goes on speaking.
            step = said if isinstance(said, UserStep) else step
    return step


@settings(
    max_examples=examples(30),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(program=st.lists(calls, max_size=14))
def test_every_program_loads_and_passes_every_check(shared_db, program):
    refused = None
    try:
        scenario = follow(program).build()
    except BuilderError as error:
        refused = error
    if refused is not None:
        # What only becomes known with all of it said is refused as plainly.
        assert refused.where
        assert refused.hint
        return
    with shared_db.connect() as connection, connection.transaction(force_rollback=True):
        scenario.load(connection)
        assert validate(connection, DOMAIN) == []


SCENARIO = """
import sys
from scenarios.builders.dev_coach import a_scenario
from scenarios.domains.dev_coach import ActionType, CoachingPhase
(
    a_scenario("bytes", seed="s", locale="en_US")
    .user("maya").in_phase(CoachingPhase.INTEGRATION).identities(4).conversation(41).note("x").profile()
    .coach("So?").triggers(ActionType.UPDATE_WHO_YOU_ARE, succeeded=True).says("yes").noted("y")
    .user("omar", verified=False)
    .prompt(CoachingPhase.COMPLETED)
    .build().load(__import__("psycopg").connect(sys.argv[1], autocommit=True))
)
"""


def dump(connection: psycopg.Connection) -> str:
    """Return a hash over every row of every table, as the server writes it out."""
    digest = hashlib.sha256()
    for table in TABLES:
        everything = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT").format(sql.Identifier(table))
        with connection.cursor().copy(everything) as rows:
            digest.update(table.encode() + b"".join(bytes(block) for block in rows))
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_other_processes(server):
    dumps = set()
    for hash_seed in ("0", "1"):
        with server.database(DOMAIN) as database:
            subprocess.run(
                [sys.executable, "-c", SCENARIO, database.dsn],
                check=True,
                env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": f"Etc/GMT+{hash_seed}"},
            )
            with database.connect() as connection:
                # When a row of the link tables was written is the database's own time.
                dumps.add(dump(connection))
    assert len(dumps) == 1


def test_a_turn_put_in_between_changes_no_other_content():
    def contents(*, more: bool) -> dict[str, tuple[str, str]]:
        step: UserStep = a_scenario("stable").user("maya").in_phase(CoachingPhase.IDENTITY_REFINEMENT)
        step = step.identity("maker").coach("Hello", handle="hello")
        if more:
            step = step.says("hi", handle="hi")
        step = step.coach("So", handle="so").identity("keeper").user("omar")
        built = step.build()
        return {
            handle: (str(row.id), str(getattr(row, "name", getattr(row, "email", None))))
            for handle, row in built.rendered.handles.items()
        }

    plain, more = contents(more=False), contents(more=True)
    assert {handle: more[handle] for handle in plain} == plain


def test_another_seed_and_locale_give_other_people():
    def person(**given: str) -> tuple[str, str]:
        maya = a_scenario("people", **given).user("maya").build()["maya"]
        return (maya.first_name, maya.last_name)

    assert person(seed="a") == person(seed="a")
    assert len({person(seed="a"), person(seed="b"), person(seed="a", locale="de_DE")}) == 3
