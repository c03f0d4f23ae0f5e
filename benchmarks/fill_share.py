"""Say of how many tables of other people's schemas a derived factory makes a row that PostgreSQL accepts.

    python benchmarks/fill_share.py DIRECTORY_OR_FILE...

Each SQL file becomes a database of its own. A table counts as filled when a row of it, with the parents it
needs, can be written; what cannot is printed with the reason.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path

from scenarios import start_server
from scenarios.factories import factory_context, factory_for
from scenarios.graph import Graph, write
from scenarios.postgres import Database, Server
from scenarios.projects import reflected


def fill(database: Database) -> tuple[int, dict[str, str]]:
    """Return how many tables were filled, and why others were not."""
    filled, refused = 0, {}
    with database.engine.connect() as asked:
        for table in reflected(database).tables.values():
            with database.connect(autocommit=False) as connection:
                graph = Graph()
                try:
                    with factory_context(table.fullname, graph=graph, connection=asked):
                        factory_for(table).create()
                    write(connection, graph)
                    filled += 1
                except Exception as error:  # noqa: BLE001 - whatever it is, the table is not filled
                    refused[table.fullname] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                connection.rollback()
            asked.rollback()
    return filled, refused


def measure(server: Server, path: Path) -> Counter[str]:
    """Print what is filled of one file's schema and return the counts."""
    with server.database(path) as database:
        filled, refused = fill(database)
    for table, why in refused.items():
        print(f"    {table}: {why[:300]}")
    print(f"{path.stem}: {filled} of {filled + len(refused)}")
    return Counter(filled=filled, refused=len(refused))


def main() -> None:
    """Measure what the command line names."""
    warnings.simplefilter("ignore")
    given = [Path(each) for each in sys.argv[1:]]
    paths = [file for each in given for file in (sorted(each.glob("*.sql")) if each.is_dir() else [each])]
    total: Counter[str] = Counter()
    with start_server() as server:
        for path in paths:
            try:
                total += measure(server, path)
            except Exception as error:  # noqa: BLE001 - a schema that cannot be built here says nothing
                print(f"{path.stem}: not built: {' '.join(str(error).split())[:300]}")
    tables = total.total()
    print(f"filled {total['filled']} of {tables} tables, {total['filled'] / max(tables, 1):.1%}")


if __name__ == "__main__":
    main()
