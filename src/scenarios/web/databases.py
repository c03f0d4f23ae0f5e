"""Where the instances of a page are: one named database, or a throwaway one for each system.

People who only want to look must not be asked for a URL first, and those who name one must not find
anything else touched. Throwaway databases are made when the first scenario of their system is loaded, and
are gone when the page ends.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scenarios.postgres import Database, Server, attach, start_server

if TYPE_CHECKING:
    from scenarios.domain import Domain
    from scenarios.settings import Settings


class Databases:
    """The databases a page works in.

    Args:
        settings: the run's.
        url: the database to work in; None for throwaway ones.

    Raises:
        ServerError: the database named cannot be reached.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._made: dict[str, Database] = {}
        self.named: Database | None = None
        if url:
            self.named = attach(url)
            self._stack.callback(self.named.close)

    def all(self) -> list[Database]:
        """Return the databases there are now."""
        with self._lock:
            return [self.named] if self.named is not None else list(self._made.values())

    def of(self, domain: Domain) -> Database:
        """Return the database for scenarios of *domain*; makes it where none was named.

        Raises:
            ServerError: no server can be had.
            TemplateError: the schema cannot be built.
        """
        with self._lock:
            if self.named is not None:
                return self.named
            if self._server is None:
                self._server = self._stack.enter_context(start_server(settings=self._settings))
            if domain.name not in self._made:
                made = self._stack.enter_context(self._server.database(domain))
                self._made[domain.name] = made
            return self._made[domain.name]

    def describe(self) -> str:
        """Return what the databases are, for people, without a password."""
        if self.named is not None:
            ours = "a throwaway database of ours" if self.named.owned else "a shared database"
            return f"{self.named.safe_url} ({ours})"
        return "throwaway databases, gone when this page ends"

    def close(self) -> None:
        """Give everything back."""
        with self._lock:
            self._made.clear()
            self._stack.close()
