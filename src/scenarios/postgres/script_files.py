"""Which files of a directory make a schema, in which order, and which half of each.

Migration tools keep what undoes a step beside the step: in the same file, or in one with another ending. Run
in alphabetical order, such a directory leaves nothing, or something else. What is not known is asked about.
"""

from __future__ import annotations

import re
from pathlib import Path

from scenarios.errors import TemplateError

_UNDOING = re.compile(r"\.(down|undo|revert|rollback)\.sql$", re.IGNORECASE)
_FLYWAY = re.compile(r"(?P<kind>[VBUR])(?P<version>\d+(?:[._]\d+)*)?__.*\.sql$")
_STEP_FILES = ("up.sql", "migration.sql")
"""What Diesel and Hasura, and Prisma, call the step in each directory of steps."""
_HALVES = (
    # the tool, where its upward half begins, where its downward half does
    (r"--\s*migrate:up\b", r"--\s*migrate:down\b"),  # dbmate
    (r"--\s*\+goose\s+up\b", r"--\s*\+goose\s+down\b"),
    (r"--\s*\+migrate\s+up\b", r"--\s*\+migrate\s+down\b"),  # sql-migrate
    (r"--\s*up\s+migration\b", r"--\s*down\s+migration\b"),  # node-pg-migrate
    (r"(?:#|--)\s*-*\s*!ups\b", r"(?:#|--)\s*-*\s*!downs\b"),  # Play
    (r"", r"-+\s*create above\s*/\s*drop below\s*-*"),  # tern
    (r"", r"--\s*//\s*@undo\b"),  # MyBatis
)


def upward_half(text: str) -> str:
    """Return *text* without what undoes it; lines keep their numbers."""
    for up, down in _HALVES:
        downward = re.compile(down, re.IGNORECASE)
        if not any(downward.match(line) for line in text.splitlines()) and not (
            up and re.search(rf"^{up}", text, re.IGNORECASE | re.MULTILINE)
        ):
            continue
        upward = re.compile(up, re.IGNORECASE) if up else None
        runs, kept = upward is None, []
        for line in text.split("\n"):
            begins = upward is not None and upward.match(line) is not None
            runs = begins or (runs and not downward.match(line))
            kept.append(line if runs and not begins else "")
        return "\n".join(kept)
    return text


def scripts_in(directory: Path) -> list[Path]:
    """Return the files that make the schema kept in *directory*, in the order of their running.

    Raises:
        TemplateError: there are none, or it cannot be told which or in which order.
    """
    plan = directory / "sqitch.plan"
    if plan.is_file():
        return _by_plan(plan)
    here = [file for file in directory.glob("*.sql") if file.is_file() and not _UNDOING.search(file.name)]
    steps = [file for name in _STEP_FILES for file in directory.glob(f"*/{name}")]
    if steps and not here:
        return sorted(steps, key=lambda file: natural(file.parent.name))
    below = sorted({file.relative_to(directory).parts[0] for file in directory.glob("*/**/*.sql")})
    below = [name for name in below if not name.startswith(".")]
    if below:
        raise TemplateError(
            "it cannot be told in which order the files of a schema are to be run",
            where=str(directory),
            why=f"directories in it hold .sql files as well: {', '.join(below)}",
            hint="give a .sql file that names them in order, each by a line: \\ir tables/a.sql",
        )
    if not here:
        raise TemplateError("a directory given as schema holds no .sql file", where=str(directory))
    named = [(file, match) for file in here if (match := _FLYWAY.match(file.name)) is not None]
    if any(match["kind"] == "V" and match["version"] for _, match in named):
        return _by_flyway(named)
    return sorted(here, key=lambda file: natural(file.name))


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return what *name* is sorted by: numbers in it by their value, so that ``10_`` comes after ``2_``."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]


def _by_flyway(named: list[tuple[Path, re.Match[str]]]) -> list[Path]:
    """Order by version, what is repeatable last; below a baseline nothing is run, undoing never."""

    def version(match: re.Match[str]) -> list[int]:
        return [int(part) for part in re.split(r"[._]", match["version"] or "0")]

    baselines = [(version(match), file) for file, match in named if match["kind"] == "B"]
    begin, base = max(baselines, default=([-1], None))
    steps = sorted((version(match), file) for file, match in named if match["kind"] == "V")
    again = sorted(file for file, match in named if match["kind"] == "R")
    return [*filter(None, [base]), *(file for number, file in steps if number > begin), *again]


def _by_plan(plan: Path) -> list[Path]:
    """Return the scripts that deploy a plan of sqitch: a change that was reworked has one for each time."""
    changes: list[str] = []
    tagged: dict[int, str] = {}
    for line in plan.read_text("utf-8").splitlines():
        words = line.split("#", 1)[0].split()
        if not words or line.startswith("%"):
            continue
        if words[0].startswith("@"):
            for number in range(len(changes)):
                tagged.setdefault(number, words[0])
        elif not words[0].startswith("-"):
            changes.append(words[0].removeprefix("+") or words[1])
    files = []
    for number, change in enumerate(changes):
        again = change in changes[number + 1 :]
        files.append(plan.parent / "deploy" / f"{change}{tagged.get(number, '') if again else ''}.sql")
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise TemplateError(
            "a change of the plan has no script", where=str(missing), hint="write it, or mend the plan"
        )
    return files
