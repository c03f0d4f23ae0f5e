"""Deterministic values: seeded picks, ids, unique spaces, the scenario clock, text corpora, conversations.

Start at `seeded`: a value is a seeded hash of its address, and everything else here builds on that.
"""

from scenarios.values.clock import DEFAULT_ANCHOR, Clock, Timeline, offset
from scenarios.values.conversation import Turn, conversation, course
from scenarios.values.corpora import add_corpus, corpus, corpus_names
from scenarios.values.instances import add_to_email, add_to_title, add_to_word, instance_word
from scenarios.values.locales import locale_data
from scenarios.values.passwords import TEST_PASSWORD, password_hash
from scenarios.values.seeded import Row, Seeded, handle_slug, slug
from scenarios.values.unique import Permutation, UniqueSpace

__all__ = [
    "DEFAULT_ANCHOR",
    "TEST_PASSWORD",
    "Clock",
    "Permutation",
    "Row",
    "Seeded",
    "Timeline",
    "Turn",
    "UniqueSpace",
    "add_corpus",
    "add_to_email",
    "add_to_title",
    "add_to_word",
    "conversation",
    "corpus",
    "corpus_names",
    "course",
    "handle_slug",
    "instance_word",
    "locale_data",
    "offset",
    "password_hash",
    "slug",
]
