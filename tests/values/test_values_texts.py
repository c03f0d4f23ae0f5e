"""Texts that read like people, in order, at any length."""

from __future__ import annotations

import re
from functools import partial

import pytest

from scenarios.errors import ValuesError
from scenarios.values import Seeded, add_corpus, corpus, corpus_names, course
from scenarios.values import conversation as any_conversation
from scenarios.values.conversation import phases, script

PHASES = phases("dev_coach")
conversation = partial(any_conversation, system="dev_coach")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("handle", ["maya", "omar", "7"])
def test_five_thousand_messages_of_a_phase_stay_a_conversation(phase, handle):
    turns = list(conversation(Seeded("s").at(handle), phase, 5000))
    assert len(turns) == 5000
    assert [turn.role for turn in turns[:4]] == ["COACH", "USER", "COACH", "USER"]
    assert {turn.role for turn in turns[::2]} == {"COACH"}
    assert {turn.role for turn in turns[1::2]} == {"USER"}
    for earlier, later in zip(turns, turns[2:], strict=False):
        assert earlier.content != later.content
    for turn in turns[::2]:
        assert turn.content.count("?") == 1, turn.content
        assert 1 <= len(re.findall(r"[.!?](?=\s|$)", turn.content)) <= 4, turn.content
    assert not any("{" in turn.content or "  " in turn.content for turn in turns)


def test_each_reply_answers_the_question_before_it():
    turns = list(conversation(Seeded("s").at("maya"), "IDENTITY_REFINEMENT", 400, identities=["Maker"]))
    scripted = script("IDENTITY_REFINEMENT", "dev_coach").exchanges
    for coach, user in zip(turns[::2], turns[1::2], strict=True):
        fits = [e for e in scripted if any(coach.content.endswith(a.format(identity="Maker")) for a in e.ask)]
        assert fits
        assert any(user.content in [s.format(identity="Maker") for s in e.say] for e in fits)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 20, 101])
def test_any_length_and_several_phases_in_order(length):
    turns = list(conversation(Seeded("s").at("maya"), PHASES[:3], length, name="Maya"))
    assert len(turns) == length
    order = [PHASES.index(turn.phase) for turn in turns]
    assert order == sorted(order)
    if length >= 20:
        assert set(order) == {0, 1, 2}
        assert "Maya" in " ".join(turn.content for turn in turns)


@pytest.mark.parametrize("length", [0, 1, 2, 7, 40, 41])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_course_of_a_conversation_is_that_of_its_words(length, count):
    way = PHASES[:count]
    turns = conversation(Seeded("seed").at("maya"), way, length, name="Maya")
    assert course(way, length) == [turn.phase for turn in turns]


def test_a_longer_conversation_begins_like_the_shorter_one():
    row = Seeded("s").at("maya")
    assert list(conversation(row, "INTEGRATION", 500))[:40] == list(conversation(row, "INTEGRATION", 40))


def test_what_cannot_be_told_is_refused():
    row = Seeded("s").at("maya")
    with pytest.raises(ValuesError, match="no conversation is written for the phase 'NAPPING'"):
        conversation(row, "NAPPING", 3)
    with pytest.raises(ValuesError, match="-1 messages"):
        conversation(row, "INTEGRATION", -1)


def test_banks_hold_what_their_names_promise():
    assert all(text.startswith("I ") for text in corpus("dev_coach.texts.affirmations"))
    assert not any(re.match(r"(I|You) ", text) for text in corpus("dev_coach.texts.notes"))
    assert all(text.endswith(".") for text in corpus("dev_coach.texts.notes"))
    assert all(len(text) <= 255 for text in corpus("dev_coach.texts.self_descriptions"))
    for name in corpus_names():
        texts = corpus(name)
        assert len(set(texts)) == len(texts), name
        assert "lorem" not in " ".join(texts).lower()


def test_a_bank_of_ones_own():
    add_corpus("garden.plants", ["fern", "moss"])
    add_corpus("garden.plants", ["fern", "moss"])
    assert Seeded("s").at("x").text("garden.plants") in {"fern", "moss"}
    assert sorted(Seeded("s").at("x").texts("garden.plants", 2)) == ["fern", "moss"]
    with pytest.raises(ValuesError, match="already a text corpus"):
        add_corpus("garden.plants", ["oak"])
    with pytest.raises(ValuesError, match=r"no text corpus 'garden\.tools'"):
        corpus("garden.tools")


def test_coach_bot_chats_are_conversations_too():
    turns = list(conversation(Seeded("s").at("maya"), "CHAT", 301, name="Maya", system="coach_bot"))
    assert len(turns) == 301
    assert all(turn.content.count("?") == 1 for turn in turns[::2])
    assert all(one.content != other.content for one, other in zip(turns, turns[2:], strict=False))
