"""Where the files are that travel with the code: the scenario library and the schemas.

In a checkout they stand at the top of the repository; in an installed wheel they lie inside the package.
A caller that assumed either would work on the author's machine only.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Return the directory ``name`` (``"scenario_library"`` or ``"schema"``).

    Raises:
        FileNotFoundError: neither the wheel's copy nor the checkout's exists.
    """
    candidates = (_PACKAGE / "_data" / name, _PACKAGE.parent.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no directory {name!r}; looked at {', '.join(map(str, candidates))}")
