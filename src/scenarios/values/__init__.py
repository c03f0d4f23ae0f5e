"""Deterministic values: keyed picks, ids, unique spaces, the scenario clock, text banks, conversations.

Start at `keyed`: a value is a keyed hash of its address, and everything else here builds on that.
"""

from scenarios.values.banks import add_bank, bank, bank_names
from scenarios.values.clock import DEFAULT_ANCHOR, Clock, Timeline, offset
from scenarios.values.conversation import Turn, conversation, course
from scenarios.values.instances import add_to_email, add_to_title, add_to_word, instance_word
from scenarios.values.keyed import Keyed, Row, handle_slug, slug
from scenarios.values.locales import locale_data
from scenarios.values.passwords import TEST_PASSWORD, password_hash
from scenarios.values.unique import Permutation, UniqueSpace

__all__ = [
    "DEFAULT_ANCHOR",
    "TEST_PASSWORD",
    "Clock",
    "Keyed",
    "Permutation",
    "Row",
    "Timeline",
    "Turn",
    "UniqueSpace",
    "add_bank",
    "add_to_email",
    "add_to_title",
    "add_to_word",
    "bank",
    "bank_names",
    "conversation",
    "course",
    "handle_slug",
    "instance_word",
    "locale_data",
    "offset",
    "password_hash",
    "slug",
]
