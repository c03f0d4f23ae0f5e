"""What stands for a person: the same everywhere, nothing of theirs left, and nothing else changed."""

from __future__ import annotations

from datetime import date, timedelta
from ipaddress import ip_address

import pytest
import sqlalchemy as sa

from scenarios.errors import FreezeError
from scenarios.library.privacy.pseudonyms import (
    Pseudonyms,
    needs_classification,
    require_classified,
    unclassified,
)

COLUMNS = [
    sa.Column("first", sa.Text, info={"personal": "first_name"}),
    sa.Column("last", sa.Text, info={"personal": "last_name"}),
    sa.Column("login", sa.Text, info={"personal": "username"}),
    sa.Column("mail", sa.Text, info={"personal": "email"}),
    sa.Column("note", sa.Text, info={"personal": "text"}),
]


def knowing(**person: object) -> Pseudonyms:
    pseudonyms = Pseudonyms("key")
    pseudonyms.know(person, COLUMNS)
    return pseudonyms


def test_each_name_of_a_person_is_replaced_in_texts_by_what_replaces_it_in_its_column():
    pseudonyms = knowing(first="Ana Lucía", last="Rey", login="anita7")
    first, last, login = (
        pseudonyms.replace(kind, value)
        for kind, value in (("first_name", "Ana Lucía"), ("last_name", "Rey"), ("username", "anita7"))
    )
    assert pseudonyms.text("Ana Lucía Rey is anita7") == f"{first} {last} is {login}"
    assert {first, last, login}.isdisjoint({"Ana Lucía", "Rey", "anita7"})


def test_the_case_of_a_name_in_a_text_stays():
    pseudonyms = knowing(first="Maya")
    name = pseudonyms.replace("first_name", "Maya")
    assert pseudonyms.text("Maya, MAYA and maya") == f"{name}, {name.upper()} and {name.lower()}"


def test_words_that_hold_a_name_and_single_letters_stay():
    pseudonyms = knowing(first="Ana B", last="  ")
    assert pseudonyms.text("Banana, Anatomy and B stay") == "Banana, Anatomy and B stay"
    assert Pseudonyms("key").text("Ana is unknown") == "Ana is unknown"


def test_a_person_who_is_learnt_later_is_replaced_as_well():
    pseudonyms = knowing(first="Ana")
    assert "Ana" not in pseudonyms.text("Ana and Noor")
    pseudonyms.know({"first": "Noor", "last": None, "login": 5, "note": "Ben"}, COLUMNS)
    assert "Noor" not in pseudonyms.text("Ana and Noor")
    assert "Ana" not in pseudonyms.text("Ana and Noor")
    assert pseudonyms.text("Ben") == "Ben", "a text is no name"


def test_texts_and_names_inside_json_are_replaced_and_its_shape_stays():
    pseudonyms = knowing(first="Ana")
    name = pseudonyms.replace("first_name", "Ana")
    said = pseudonyms.text({"Ana": ["Ana", 5, None, True, {"by": "Ana"}]})
    assert said == {name: [name, 5, None, True, {"by": name}]}


def test_addresses_and_numbers_in_texts_are_replaced_though_nobody_was_named():
    pseudonyms = Pseudonyms("key")
    said = pseudonyms.text("ana@mail.example.org, +34 612 345 678, 12:30, 4096")
    mail, phone, *rest = said.split(", ")
    assert mail == pseudonyms.replace("email", "ANA@mail.example.org")
    assert mail.endswith("@example.com")
    assert phone == pseudonyms.replace("phone", "+34612345678")
    assert phone.startswith("+1 555 01")
    assert rest == ["12:30", "4096"]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(
    "kind", ["email", "first_name", "phone", "text", "date_of_birth", "address", "secret"]
)
def test_nothing_stays_nothing(kind, value):
    pseudonyms = Pseudonyms("key")
    assert pseudonyms.replace(kind, value) == value
    assert pseudonyms.replace(None, "not personal") == "not personal"
    assert pseudonyms.replaced == 0


def test_a_birthday_moves_by_a_month_to_eleven_and_by_the_same_everywhere():
    pseudonyms = Pseudonyms("key")
    born = [date(1990, 1, 1) + timedelta(days=number) for number in range(400)]
    moved = {day: day - pseudonyms.replace("date_of_birth", day) for day in born}
    assert timedelta(30) <= min(moved.values()) < timedelta(40)
    assert timedelta(320) < max(moved.values()) <= timedelta(330)
    assert moved == {day: day - Pseudonyms("key").replace("date_of_birth", day) for day in born}
    assert pseudonyms.replace("date_of_birth", "unknown") == "unknown"
    assert pseudonyms.replaced == 400


def test_a_network_address_becomes_one_of_documentation_and_a_place_another_place():
    pseudonyms = Pseudonyms("key")
    assert ip_address(pseudonyms.replace("address", "192.168.7.9/24")) in set(
        map(ip_address, (f"203.0.113.{host}" for host in range(1, 255)))
    )
    assert pseudonyms.replace("address", "fe80::1").startswith("2001:db8::")
    assert pseudonyms.replace("address", "Calle Mayor 5") != "Calle Mayor 5"


def test_a_secret_keeps_its_length_up_to_sixty_four():
    pseudonyms = Pseudonyms("key")
    assert [len(pseudonyms.replace("secret", "x" * length)) for length in (8, 64, 200)] == [8, 64, 64]


def test_another_key_gives_other_names():
    assert Pseudonyms("key").replace("email", "a@b.example") != Pseudonyms("kez").replace(
        "email", "a@b.example"
    )


def test_what_could_be_personal_has_to_be_classified():
    personal = sa.Table(
        "person",
        sa.MetaData(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("of", sa.ForeignKey("person.id")),
        sa.Column("name", sa.Text),
        sa.Column("names", sa.ARRAY(sa.Text)),
        sa.Column("born", sa.Date),
        sa.Column("face", sa.LargeBinary),
        sa.Column("more", sa.JSON),
        sa.Column("said", sa.Text, info={"personal": None}),
        sa.Column("kind", sa.Enum("a", "b", name="kind")),
        sa.Column("kinds", sa.ARRAY(sa.Enum("a", "b", name="kind"))),
        sa.Column("sizes", sa.ARRAY(sa.Integer)),
        sa.Column("size", sa.Integer),
        sa.Column("at", sa.DateTime),
        sa.Column("is", sa.Boolean),
        sa.Column("n", sa.Numeric),
        sa.Column("u", sa.Uuid),
    )
    said = ["name", "names", "born", "face", "more"]
    assert unclassified([personal]) == [f"person.{name}" for name in said]
    assert needs_classification(personal.c.said)
    with pytest.raises(FreezeError, match="5 columns hold") as refused:
        require_classified([personal])
    assert "person.face" in str(refused.value)
    for name in said:
        personal.c[name].info["personal"] = "text"
    require_classified([personal])
    del personal.c.face.info["personal"]
    with pytest.raises(FreezeError, match="1 column holds"):
        require_classified([personal])
