"""A PostgreSQL server in a container, for machines without binaries and for the image production uses.

A container is asked for with the same throwaway settings as an embedded server, its data in memory. It is
ready when it answers a query over TCP: the log line people wait for appears once before the real start as
well. It is found again by a label, so one whose starter was killed can be removed.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.errors import ServerError
from scenarios.postgres.connections import connect
from scenarios.postgres.embedded import START_SECONDS, SUPERUSER, THROWAWAY
from scenarios.postgres.registry import CONTAINER_NOTE, Record
from scenarios.settings import Setting, Settings

if TYPE_CHECKING:
    import docker

LABEL = "pg-scenarios.server"
"""Label whose value is the machine and the server's directory on it."""

_USUAL_SOCKET = "unix:///var/run/docker.sock"
_PORT = 5432
_DATA = "/scenarios"
_NOT_OURS = frozenset({"dynamic_shared_memory_type", "lc_messages"})
"""Settings of `THROWAWAY` an image decides itself."""


def start(settings: Settings, directory: Path) -> Record:
    """Start a container for the server in *directory*.

    Raises:
        ServerError: no engine answers, the image is missing, or PostgreSQL does not come up; no container is
            left behind.
    """
    image = settings.get("image")
    _client().close()  # No note, and so nothing to end, where there is no engine.
    from docker.errors import APIError, DockerException, ImageNotFound
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    (directory / CONTAINER_NOTE).touch()
    command = ["postgres", "-c", f"cluster_name={directory.name}"]
    for name, value in THROWAWAY.items():
        if name not in _NOT_OURS:
            command += ["-c", f"{name}={value}"]
    password = secrets.token_urlsafe(24)
    reaper_was_off = testcontainers_config.ryuk_disabled
    # The reaper ends containers with the process that started them; ours are shared, and end by lease.
    testcontainers_config.ryuk_disabled = True
    try:
        container = (
            DockerContainer(image.value)
            .with_env("POSTGRES_USER", SUPERUSER)
            .with_env("POSTGRES_PASSWORD", password)
            .with_env("PGDATA", f"{_DATA}/data")
            .with_env("POSTGRES_INITDB_ARGS", "--no-sync")
            .with_tmpfs_mount(_DATA)
            .with_exposed_ports(_PORT)
            .with_command(command)
            .with_kwargs(labels={LABEL: _label(directory)})
        )
        container.start()
    except ImageNotFound as error:
        raise _no_image(image, str(error)) from error
    except APIError as error:
        if "pull access denied" in str(error) or "manifest" in str(error) or error.status_code in (404, 500):
            raise _no_image(image, str(error)) from error
        raise _no_engine(str(error)) from error
    except (DockerException, OSError) as error:
        raise _no_engine(str(error)) from error
    finally:
        testcontainers_config.ryuk_disabled = reaper_was_off
    try:
        host = container.get_container_host_ip()
        parameters = {
            "host": "127.0.0.1" if host == "localhost" else host,
            "port": str(container.get_exposed_port(_PORT)),
            "user": SUPERUSER,
            "password": password,
            "dbname": "postgres",
        }
        _await_answer(parameters, directory.name, container.get_wrapped_container(), image)
        identity = container.get_container_id()
    finally:
        container.get_docker_client().client.close()
    return Record("container", parameters, f"image {image}", os.getpid(), identity, directory.name)


def _await_answer(parameters: dict[str, str], cluster: str, wrapped: Any, image: Setting[Any]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connect(parameters, cluster=cluster).close()
            return
        except ServerError as error:
            wrapped.reload()
            if wrapped.status == "running" and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            said = wrapped.logs(tail=20).decode(errors="replace").strip()
            raise ServerError(
                "PostgreSQL in the container does not answer",
                where=f"image {image}",
                why=said or str(error.why),
                hint="name another image with SCENARIOS_IMAGE; it must understand POSTGRES_USER, "
                "POSTGRES_PASSWORD and PGDATA as the official one does",
            ) from error


def engine_refusal() -> str | None:
    """Return why no container engine can be used; None when one answers."""
    try:
        _client().close()
    except ServerError as error:
        return error.why or error.what
    return None


def is_running(identity: str) -> bool:
    """Whether the container *identity* runs; False as well when no engine answers."""
    from docker.errors import NotFound

    try:
        client = _client()
    except ServerError:
        return False
    try:
        return bool(client.containers.get(identity).status == "running")
    except NotFound:
        return False
    finally:
        client.close()


def end(directory: Path) -> None:
    """Remove every container of the server in *directory*, with its volumes.

    Raises:
        ServerError: no engine answers, so it cannot be known.
    """
    from docker.errors import NotFound

    client = _client()
    try:
        for found in client.containers.list(all=True, filters={"label": f"{LABEL}={_label(directory)}"}):
            with suppress(NotFound):
                found.remove(force=True, v=True)
    finally:
        client.close()


def all_labelled() -> list[Path]:
    """Return the server directories on this machine of all containers of ours, running or not.

    Raises:
        ServerError: no engine answers.
    """
    client = _client()
    try:
        found = client.containers.list(all=True, filters={"label": LABEL})
        labels = {str(container.labels[LABEL]) for container in found}
        here = f"{platform.node()}:"
        return sorted(Path(label.removeprefix(here)) for label in labels if label.startswith(here))
    finally:
        client.close()


def _label(directory: Path) -> str:
    return f"{platform.node()}:{directory}"


def _client() -> docker.DockerClient:
    refused = _socket_refusal()
    if refused is not None:
        raise _no_engine(refused)
    _require_testcontainers()
    from docker.errors import DockerException
    from testcontainers.core.docker_client import DockerClient

    try:
        client = DockerClient(timeout=30).client
        client.ping()
    except (DockerException, OSError) as error:
        raise _no_engine(str(error)) from error
    return client


def _socket_refusal() -> str | None:
    """Return why the engine's socket cannot be used, asked before a heavy import; None if it can, or is none.

    The docker package leaves its own socket open when it is refused.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        with suppress(OSError):
            if "currentContext" in (Path.home() / ".docker" / "config.json").read_text():
                return None
        host = _USUAL_SOCKET
    if not host.startswith("unix://"):
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(host.removeprefix("unix://"))
        except OSError as error:
            return f"{host}: {error.strerror or error}"
    return None


def _require_testcontainers() -> None:
    from importlib.util import find_spec

    if find_spec("testcontainers") is None or find_spec("docker") is None:
        raise ServerError(
            "a container cannot be started",
            why="testcontainers is not installed",
            hint="pip install 'pg-scenarios[container]'",
        )


def _no_engine(said: str) -> ServerError:
    return ServerError(
        "no container engine answers",
        why=said,
        hint="start Docker or Podman, or point DOCKER_HOST at it; "
        "or use embedded binaries: pip install 'pg-scenarios[embedded]'",
    )


def _no_image(image: Setting[Any], said: str) -> ServerError:
    return ServerError(
        "the container image cannot be had",
        where=f"image {image}",
        why=said,
        hint=f"run `docker pull {image.value}`, or name one that is here with SCENARIOS_IMAGE; "
        "without a registry, build one (see docs/servers.md)",
    )
