"""Pseudonyms are what their column takes, and find a name however a text spells it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from scenarios.errors import FreezeError
from scenarios.library.privacy.pseudonyms import Pseudonyms


def column(kind, sort, **more):
    table = sa.Table("account", sa.MetaData(), sa.Column("it", sort, info={"personal": kind}, **more))
    return table.columns["it"]


@pytest.mark.parametrize(
    ("kind", "length", "values"),
    [
        ("phone", 30, [f"+49 30 1234{n:04d}" for n in range(300)]),
        ("last_name", 40, [f"Name{n}" for n in range(600)]),
        ("email", 20, [f"a{n}@b.example" for n in range(100)]),
        ("username", 8, [f"user{n}" for n in range(20)]),
    ],
)
def test_unique_columns_get_as_many_as_they_have_and_short_ones_short_ones(kind, length, values):
    unique = column(kind, sa.String(length), unique=True)
    made = Pseudonyms("key")
    found = [made.fitting(unique, each) for each in values]
    assert len(set(found)) == len(values)
    assert max(map(len, found)) <= length
    assert not set(found) & set(values)
    assert [made.fitting(unique, each) for each in values] == found
    if kind == "email":
        assert all("@" in each for each in found)


def test_a_column_without_room_is_named():
    with pytest.raises(FreezeError, match=r"account\.it has too few values"):
        Pseudonyms("key").fitting(column("email", sa.String(6)), "a@b.co")
    full = column("first_name", sa.String(1), unique=True)
    made = Pseudonyms("key")
    with pytest.raises(FreezeError, match=r"account\.it has too few values"):
        [made.fitting(full, f"{number}") for number in range(60)]


def test_lists_are_replaced_one_by_one():
    found = Pseudonyms("key").fitting(column("email", sa.ARRAY(sa.String)), ["b@corp.example", None])
    assert found[1] is None
    assert found[0].endswith("@example.com")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Weiß", "Frau Weiß, WEISS, weiß"),
        ("Großmann", "Herr GROSSMANN (Großmann)"),
        ("Demir", "Bay DEM\u0130R, Demir"),
        ("Dem\u0130r", "Bay DEM\u0130R"),
        ("José", "Jose\u0301 y José"),
        ("李明", "我是李明的朋友"),
    ],
)
def test_names_are_found_however_they_are_spelled(name, text):
    made = Pseudonyms("key")
    made.know({"it": name}, [column("last_name", sa.Text())])
    found = made.text(text)
    for spelled in (name, name.upper(), name.casefold(), "Jose\u0301"):
        assert spelled not in found or spelled not in text, found


@pytest.mark.parametrize("address", ["jörg@müller.example", "o'tool@b.example", "a+b@x-y.example"])
def test_addresses_of_any_form_and_keys_of_objects(address):
    found = Pseudonyms("key").text({address: [f"Write to {address}."]})
    assert address not in str(found)
    assert address.partition("@")[0] not in str(found)
