"""The scenario clock, and spaces in which nothing repeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets import examples
from scenarios.errors import ValuesError
from scenarios.values import Clock, Permutation, Seeded, UniqueSpace, offset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-3d 2h", timedelta(days=-3, hours=-2)),
        ("-3d +2h", timedelta(days=-3, hours=2)),
        ("+1w", timedelta(weeks=1)),
        ("90m", timedelta(minutes=90)),
        ("-250ms", timedelta(milliseconds=-250)),
        ("now", timedelta()),
    ],
)
def test_offsets_read_as_people_write_them(text, expected):
    assert offset(text) == expected


@pytest.mark.parametrize("text", ["yesterday", "-3 days", "3", "-1d at nine", "1x"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValuesError, match="cannot read the offset"):
        offset(text)


def test_times_are_relative_to_the_anchor():
    clock = Clock(datetime(2026, 3, 4, 16, tzinfo=UTC))
    assert clock.at("-1d @09:30") == datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
    assert clock.at(timedelta(hours=-1)) == datetime(2026, 3, 4, 15, tzinfo=UTC)
    with pytest.raises(ValuesError, match="time of day"):
        clock.at("-1d @25:00")
    with pytest.raises(ValuesError, match="no time zone"):
        Clock(datetime(2026, 3, 4))


@settings(max_examples=examples(100), deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-(10**7), 0))
def test_a_weekday_stable_clock_keeps_weekdays_and_times_of_day(now, minutes):
    clock = Clock(weekday_stable=True)
    moved = clock.shifted(now.replace(tzinfo=UTC))
    before, after = clock.at(timedelta(minutes=minutes)), moved.at(timedelta(minutes=minutes))
    assert before.weekday() == after.weekday()
    assert before.time() == after.time()
    assert timedelta() <= now.replace(tzinfo=UTC) - moved.now < timedelta(weeks=1)


def test_a_plain_clock_moves_exactly():
    now = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    assert Clock().shifted(now).now == now
    assert Clock().shifted(None) == Clock()


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.timedeltas(timedelta(-5), timedelta(5))), min_size=2, max_size=40)
)
def test_times_on_a_timeline_strictly_increase(steps):
    clock = Clock()
    line = clock.timeline("-10d", Seeded("s").at("maya"))
    times = [
        line.tick(timedelta(), timedelta(minutes=1)) if tick else line.not_before(clock.now + by)
        for tick, by in steps
    ]
    assert all(a < b for a, b in pairwise(times))


def test_a_stretch_of_times_fits_its_window_or_says_so():
    clock = Clock()
    line = clock.timeline("-1h", Seeded("s").at("maya"))
    times = list(line.spread(5000, clock.now))
    assert len(set(times)) == 5000
    assert times == sorted(times)
    assert clock.at("-1h") <= times[0]
    assert times[-1] < clock.now
    with pytest.raises(ValuesError, match="do not fit"):
        list(line.spread(10**10, clock.now))


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 700), st.binary(min_size=1, max_size=64))
def test_a_permutation_is_a_bijection(size, key):
    order = Permutation(size, key)
    assert sorted(order[index] for index in range(size)) == list(range(size))


def test_a_permutation_of_a_huge_space_costs_no_memory():
    order = Permutation(10**18, b"key")
    assert len({order[index] for index in range(1000)}) == 1000
    assert order[0] != 0 or order[1] != 1
    with pytest.raises(IndexError):
        order[10**18]


def test_claims_are_stable_and_never_repeat():
    space = UniqueSpace(range(50), b"key", column="seats.number", constraint="seats_number_key")
    claimed = {handle: space.claim(handle) for handle in map(str, range(50))}
    assert sorted(claimed.values()) == list(range(50))
    assert space.claim("7") == claimed["7"]
    with pytest.raises(ValuesError) as caught:
        space.claim("one more")
    message = str(caught.value)
    for part in ("seats.number", "seats_number_key", "holds 50 values", "51 were asked for"):
        assert part in message


def test_a_claim_depends_on_its_handle_unless_taken():
    alone = UniqueSpace(range(10_000), b"key").claim("maya")
    crowd = UniqueSpace(range(10_000), b"key")
    for number in range(20):
        crowd.claim(f"other {number}")
    assert crowd.claim("maya") == alone


def test_asking_beforehand_for_too_many_fails_at_once():
    with pytest.raises(ValuesError, match="space holds 3 values and 4 were asked for"):
        UniqueSpace(["a", "b", "c"], b"key", column="t.c", reserve=4)
    with pytest.raises(ValuesError, match="space holds 0 values"):
        UniqueSpace([], b"key")[0]
    assert len(set(UniqueSpace("abc", b"key"))) == 3
