"""One password hash per run.

A production-grade hash takes a tenth of a second. Where each generated user gets its own, hashing is most of
what a test suite does; the users of a scenario share one, in the format Django reads and verifies.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b, pbkdf2_hmac

TEST_PASSWORD = "let-me-practise"
"""The password of generated users; public, and therefore never one for a real system."""

ITERATIONS = 1_000
"""PBKDF2 rounds: a millisecond once per run. Django accepts any count and would rehash on the next login."""


@lru_cache(maxsize=64)
def password_hash(password: str = TEST_PASSWORD, *, iterations: int = ITERATIONS) -> str:
    """Return the hash of *password* as ``pbkdf2_sha256$iterations$salt$hash``, at most 128 characters.

    The salt is taken from the password, so the same run gives the same bytes; that would be an error in
    production and is what a reproducible test database needs.
    """
    salt = blake2b(password.encode(), digest_size=11, person=b"salt").hexdigest()
    digest = pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return f"pbkdf2_sha256${iterations}${salt}${b64encode(digest).decode()}"
