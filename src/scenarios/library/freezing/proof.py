"""The proof that a frozen scenario loads where none of its rows are: in an empty database of its schema.

A file that reads well and loads nowhere else is found out by a colleague, weeks later. So it is loaded once
before it is handed out, with every constraint and trigger that the schema has.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scenarios.errors import FreezeError, LibraryError, ScenariosError

if TYPE_CHECKING:
    from scenarios.library.freezing.freeze import Frozen
    from scenarios.settings import Settings


def prove(frozen: Frozen, settings: Settings) -> None:
    """Load *frozen* into an empty database of its schema, made for that on the project's server.

    Raises:
        FreezeError: it does not load, or not with the same number of rows.
        ServerError: no server can be had.
        TemplateError: the schema cannot be built.
    """
    from scenarios.postgres import start_server

    definition = frozen.definition
    with start_server(settings=settings) as server, server.database(definition.domain) as db:
        try:
            instance = definition.load(db)
        except (LibraryError, ScenariosError) as error:
            raise FreezeError(
                "the frozen scenario does not load into an empty database of the schema",
                where=error.where,
                why=f"{error.what}{f': {error.why}' if error.why else ''}",
                hint="rows that the schema itself brings are named by `shared` in [tool.scenarios.freeze]; "
                "--no-proof writes the file all the same",
            ) from error
        loaded = Counter(instance.counts)
        wanted = Counter(frozen.rows)
        if loaded != wanted:
            table = next(iter((loaded - wanted) | (wanted - loaded)))
            raise FreezeError(
                f"the frozen scenario loads {loaded[table]} rows of {table}, and {wanted[table]} were frozen"
            )
