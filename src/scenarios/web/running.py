"""The process: a socket on loopback, the links that let people in, and an orderly end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.errors import ServerError
from scenarios.web.guard import Door

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from scenarios.library.library import Library
    from scenarios.settings import Settings

HOST = "127.0.0.1"
_CONNECTIONS = 100


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback.

    Raises:
        ServerError: the port is taken.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise ServerError(
            f"cannot listen on {HOST}:{port}", why=error.strerror, hint="choose another: --port 0 finds one"
        ) from error
    found.listen(128)
    return found


def configuration(app: Starlette) -> uvicorn.Config:
    """Return how *app* is served: bounded, and without a log of URLs, since one-time tokens stand in them."""
    import uvicorn

    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        server_header=False,
        lifespan="on",
    )


def run(
    library: Library,
    settings: Settings,
    *,
    url: str | None,
    port: int,
    save_to: Path | None,
    say: Callable[[str], None],
    token_variable: str,
) -> None:
    """Serve until interrupted.

    Args:
        library: the scenarios.
        settings: the run's.
        url: the database; None for throwaway ones.
        port: the port; 0 for a free one.
        save_to: where frozen scenarios go.
        say: prints a line.
        token_variable: the environment variable with the token of programs.

    Raises:
        ServerError: the port is taken, or the database named cannot be reached.
    """
    # The socket listens from here on: who opens the link at once waits for the imports, and is answered.
    sock = listen(port)
    try:
        address = f"http://{HOST}:{sock.getsockname()[1]}"
        given = os.environ.get(token_variable)

        def announce(token: str) -> None:
            say(f"The link was used. For another browser: {address}/enter?token={token}")

        door = Door(given, announce=announce, port=sock.getsockname()[1])
        import uvicorn

        from scenarios.web.databases import Databases

        # Before the link is shown: a database that cannot be reached ends the command.
        databases = Databases(settings, url)
        say(f"Working in {databases.describe()}.")
        say(f"Open {address}/enter?token={door.token}")
        programs = f"the value of {token_variable}" if given else door.api_token
        say(f"Programs: {address}/api/openapi.json, Authorization: Bearer with {programs}")
        from scenarios.web.app import create_app
        from scenarios.web.service import Service

        app = create_app(Service(library, databases, save_to), door)
        uvicorn.Server(configuration(app)).run(sockets=[sock])
    finally:
        sock.close()
