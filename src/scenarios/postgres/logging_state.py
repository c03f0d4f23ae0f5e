"""Logging as it was, after code that configures it for itself.

The ``env.py`` that ``alembic init`` makes calls `logging.config.fileConfig`, which disables every logger
there is, takes the handlers off the root logger and closes all handlers of the process: in a test run no test
would see a log record any more, and no log file another line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def logging_kept() -> Iterator[None]:
    """Put levels, handlers, filters and switches of all loggers back in the end."""
    before = [
        (
            logger,
            (logger.level, logger.propagate, logger.disabled),
            list(logger.handlers),
            list(logger.filters),
        )
        for logger in _loggers()
    ]
    levels = {handler: handler.level for _, _, handlers, _ in before for handler in handlers}
    files = {each: each.stream for each in levels if isinstance(each, logging.FileHandler)}
    threshold = logging.root.manager.disable
    try:
        yield
    finally:
        logging.disable(threshold)
        known = {logger for logger, *_ in before}
        for logger in _loggers():
            if logger not in known:
                logger.disabled = False
        for logger, (level, propagate, disabled), handlers, filters in before:
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled
            logger.handlers[:], logger.filters[:] = handlers, filters
        for handler, level in levels.items():
            handler.setLevel(level)
        for handler, stream in files.items():
            if stream is not None and stream.closed:
                # A file that was begun anew is not opened again once closed, one that is added to is.
                handler.mode = handler.mode.replace("w", "a")


def _loggers() -> list[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(each for each in list(named) if isinstance(each, logging.Logger))]
