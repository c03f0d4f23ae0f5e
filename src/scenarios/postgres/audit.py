"""Python's audit events, for as long as somebody listens.

An audit hook cannot be taken out of an interpreter again (`sys.addaudithook`), so there is one, put in when
it is first needed, which does nothing while nobody listens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], object]

_listeners: tuple[Listener, ...] = ()
_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners:
        listener(event, arguments)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let *listener* hear every audit event of the process; what it raises is raised by what it hears of."""
    global _hooked, _listeners
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    _listeners = (*_listeners, listener)
    try:
        yield
    finally:
        _listeners = tuple(each for each in _listeners if each is not listener)
