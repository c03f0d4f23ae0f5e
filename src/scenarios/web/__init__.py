"""``scenarios serve``: the QA page and the HTTP door.

The centre is `service.Service`, which calls the library as the commands do; `app.create_app` puts pages and
the HTTP API before it, `guard` decides who comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.web.app import create_app
    from scenarios.web.service import Service

__all__ = ["Service", "create_app"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    homes = {"create_app": "app", "Service": "service"}
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
