"""What the documentation of EssayCoach says of passwords is so."""

from __future__ import annotations


def test_passwords_are_djangos(ec_db):
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    from scenarios.builders.essay_coach import a_scenario
    from scenarios.values import TEST_PASSWORD

    loaded = a_scenario("hashed").institution("east").student("lena").load(ec_db)
    stored = loaded["lena"].password
    assert stored.startswith("pbkdf2_sha256$")
    assert PBKDF2PasswordHasher().verify(TEST_PASSWORD, stored)
