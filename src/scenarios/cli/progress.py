"""How far long work is, on a terminal; nothing in a pipe, so that a log of a job holds results only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scenarios.cli.common import notes

Shown = Callable[[str, int, int], None]
"""Is told what is being done, how many steps are done, and how many there are."""


@contextmanager
def shown(label: str, *, quiet: bool) -> Iterator[Shown | None]:
    """Yield what to tell how far the work is; None where nobody looks.

    Args:
        label: what is being done, as a word: ``freezing``.
        quiet: show nothing, also on a terminal.
    """
    terminal = notes()
    if quiet or not terminal.is_terminal:
        yield None
        return
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=escape(what), completed=done, total=total or None)

        yield tell
