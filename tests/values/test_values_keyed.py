"""The promise of seeded values: nothing but its own address changes a value."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets import examples
from scenarios.errors import ValuesError
from scenarios.values import Seeded, handle_slug, password_hash

TEXT = st.text(max_size=20)


@settings(max_examples=examples(100), deadline=None)
@given(TEXT, TEXT, TEXT, TEXT)
def test_a_value_depends_on_its_address_alone(seed, scenario, handle, field):
    first = Seeded(seed, scenario).at(handle)
    first.word("something asked before")
    second = Seeded(seed, scenario, instance="another").at(handle)
    assert first.word(field) == second.word(field)


@settings(max_examples=examples(200), deadline=None)
@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_different_addresses_give_different_words(one, other):
    words = [Seeded(seed, scenario).at(handle).word("f") for seed, scenario, handle in (one, other)]
    assert (words[0] == words[1]) == (one == other)


def test_parts_of_an_address_do_not_run_together():
    assert Seeded("a", "bc").at("x").word("f") != Seeded("ab", "c").at("x").word("f")
    assert Seeded("a").at("xy").word("f") != Seeded("a").at("x").word("yf")


@pytest.mark.parametrize("suffix", ["", "#link", "#é"])
@pytest.mark.parametrize("handle", ["maya.conversation_1", "ü", ""])
def test_ids_of_numbered_rows_are_those_of_their_handles(handle, suffix):
    seeded = Seeded("seed", "scenario", instance="one")
    numbered = list(seeded.numbered_ids(handle, 1003, suffix))
    assert numbered == [seeded.id(f"{handle}#{number}{suffix}") for number in range(1, 1004)]
    assert numbered[7] == seeded.at(f"{handle}#8{suffix}").uuid()
    assert list(seeded.numbered_ids(handle, 0, suffix)) == []


def test_ids_belong_to_the_instance_and_values_to_the_scenario():
    one = Seeded("seed", "refinement", instance="one").at("maya")
    two = Seeded("seed", "refinement", instance="two").at("maya")
    assert one.uuid() != two.uuid()
    assert one.uuid() == Seeded("seed", "refinement", instance="one").at("maya").uuid()
    assert one.uuid().version == 4
    assert one.name() == two.name()


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(), st.integers(min_value=0, max_value=2**80))
def test_integers_stay_in_their_range(low, span):
    row = Seeded("seed").at("row")
    assert low <= row.integer("f", low, low + span) <= low + span


def test_choices_reach_every_option_about_equally():
    seeded = Seeded("seed")
    counts = dict.fromkeys("abcd", 0)
    for number in range(4000):
        counts[seeded.at(f"row {number}").choice("f", "abcd")] += 1
    assert all(850 < count < 1150 for count in counts.values())


def test_weights_are_honoured():
    seeded = Seeded("seed")
    picked = [seeded.at(str(n)).weighted("f", [("rare", 1), ("never", 0), ("often", 9)]) for n in range(2000)]
    assert "never" not in picked
    assert 120 < picked.count("rare") < 280


def test_shuffles_and_samples_keep_their_elements():
    row = Seeded("seed").at("row")
    assert sorted(row.shuffle("f", range(50))) == list(range(50))
    assert row.shuffle("f", range(50)) != row.shuffle("g", range(50))
    assert len(set(row.sample("f", range(10), 10))) == 10
    with pytest.raises(ValuesError, match="cannot take 3 different ones of 2"):
        row.sample("f", "ab", 3)


def test_skewed_lengths_have_their_median_and_a_tail():
    seeded = Seeded("seed")
    lengths = sorted(seeded.at(str(n)).skewed("length", 2, 5000, 40) for n in range(2000))
    assert lengths[0] >= 2
    assert 35 <= lengths[1000] <= 60
    assert lengths[-1] > 3000


def test_decimals_durations_and_tokens():
    row = Seeded("seed").at("row")
    amount = row.decimal("price", 1, Decimal("9.99"))
    assert Decimal(1) <= amount <= Decimal("9.99")
    assert amount.as_tuple().exponent == -2
    gap = row.duration("gap", timedelta(seconds=1), timedelta(seconds=2))
    assert timedelta(seconds=1) <= gap <= timedelta(seconds=2)
    assert len(row.token("t", 64)) == 64
    assert row.token("t", 10) == row.token("t", 64)[:10]


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "fr_FR", "ja_JP", "zh_CN", "pt_BR", "ar_SA", "fa_IR"])
def test_every_locale_gives_names_places_and_jobs(locale):
    seeded = Seeded("seed", locale=locale)
    rows = [seeded.at(str(number)) for number in range(60)]
    for method in ("first_name", "last_name", "city", "job"):
        picked = [getattr(row, method)() for row in rows]
        assert all(picked)
        assert not any("{{" in text for text in picked)
        assert len(set(picked)) > 10


def test_names_are_those_of_faker_for_the_locale():
    from faker.providers.address.de_DE import Provider as German
    from faker.providers.person.en_US import Provider as American

    assert Seeded("s").at("x").first_name() in American.first_names
    assert Seeded("s", locale="de_DE").at("x").city() in German.cities


def test_any_method_of_faker_can_be_picked_from():
    row = Seeded("s", locale="fr_FR").at("x")
    assert row.faker("company")
    assert row.faker("company") == Seeded("s", locale="fr_FR").at("x").faker("company")
    with pytest.raises(ValuesError, match="Faker has no 'no_such_thing'"):
        row.faker("no_such_thing")


def test_an_unknown_locale_is_refused():
    with pytest.raises(ValuesError, match="no locale 'xx_YY'"):
        Seeded("s", locale="xx_YY").at("x").first_name()


@settings(max_examples=examples(300), deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_addresses_are_unique_because_handles_are(one, other):
    assert (handle_slug(one) == handle_slug(other)) == (one == other)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(min_size=1, max_size=300), st.sampled_from(["en_US", "ja_JP", "de_DE"]))
def test_addresses_have_a_shape_everything_accepts(handle, locale):
    import re

    address = Seeded("s", locale=locale).at(handle).email(suffix="x1")
    assert re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", address)
    assert len(address) <= 254
    assert len(address.partition("@")[0]) <= 64
    assert "..." not in address


def test_one_password_hash_serves_a_run_and_django_accepts_it():
    from django.conf import settings as django_settings

    if not django_settings.configured:
        django_settings.configure()
    from django.contrib.auth.hashers import check_password

    from scenarios.values import TEST_PASSWORD

    encoded = Seeded("s").at("a").password_hash()
    assert encoded is Seeded("t").at("b").password_hash()
    assert len(encoded) <= 128
    assert check_password(TEST_PASSWORD, encoded)
    assert password_hash("another") != encoded


def test_a_handle_that_looks_like_a_hashed_one_is_no_twin_of_it():
    hashed = handle_slug("Ana!")
    assert hashed.startswith("ana--")
    assert handle_slug(hashed) != hashed
