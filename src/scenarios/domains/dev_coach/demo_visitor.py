"""The other process of ``scenarios demo``: an application that knows a database URL and nothing else."""

from __future__ import annotations

import sys

import psycopg

INSERT_MESSAGE = """
INSERT INTO chat_messages_chatmessage (user_id, role, content, "timestamp")
SELECT user_id, 'USER', 'Can we look at the first one again?', max("timestamp") + interval '90 seconds'
FROM chat_messages_chatmessage
GROUP BY user_id
"""

ACCEPT_IDENTITIES = "UPDATE identities_identity SET state = 'REFINEMENT_COMPLETE' WHERE state = 'ACCEPTED'"

DELETE_NEWEST_USER = """
DELETE FROM users_user
WHERE id = (SELECT id FROM users_user ORDER BY created_at DESC, email LIMIT 1)
"""


def main(dsn: str) -> None:
    """Insert messages, update identities, delete a user with all that is theirs: one commit each."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in (INSERT_MESSAGE, ACCEPT_IDENTITIES, DELETE_NEWEST_USER):
            connection.execute(statement)


if __name__ == "__main__":
    main(sys.argv[1])
