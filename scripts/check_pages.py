"""What the pages name is there: paths, relative links, and tests where a table says what shows a statement.

    python scripts/check_pages.py [ROOT]

A table whose last column is headed "test" or "shown by" has a test in each row, or in place of one the words
*not ours* and a reason. A test is named by its file and name, by its name alone where a page is about one
part, or by its file. Prints each fault with its file and line, and exits with 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PLACE = re.compile(
    r"`((?:src|schema|scenario_library|docs|tests|examples|benchmarks|scripts|\.ci)/[\w./-]*)`"
)
TEST = re.compile(r"`(?:([\w/]*test_\w+\.py)::)?(test_\w+)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
NOT_OURS = "*not ours*"


@cache
def tests(root: Path) -> dict[Path, frozenset[str]]:
    """The names of the functions of each file of tests."""
    found = {}
    for file in (root / "tests").rglob("test_*.py"):
        body = ast.parse(file.read_text("utf-8")).body
        functions = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found[file] = frozenset(functions)
    return found


def is_there(root: Path, file: str, name: str) -> bool:
    """Whether a test is there; *file* is a path or its last part, or empty where *name* stands alone."""
    if file:
        return any(str(path).endswith(f"/{file}") and name in names for path, names in tests(root).items())
    return any(name == path.stem or name in names for path, names in tests(root).items())


def faults_of_row(root: Path, header: list[str], cells: list[str]) -> Iterator[str]:
    """What a row lacks that its table promises: a test or a reason, and a place where the table has them."""
    shown = cells[-1]
    if not re.match(r"shown by|test$", header[-1]):
        return
    if NOT_OURS in cells:
        if len(shown) <= 20 or "::" in shown:
            yield "what is not ours has a reason of a sentence, and no test"
        return
    named = TEST.findall(shown)
    if not named:
        yield "the row names no test"
    for file, name in named:
        if not is_there(root, file, name):
            yield f"there is no test {name}" + (f" in {file}" if file else "")
    if {"where", "place"} & set(header) and not re.search(r"`[\w.-]+(/|\.toml)", cells[-2]):
        yield "the row names no place"


def faults_of_page(root: Path, page: Path) -> Iterator[str]:
    """All faults of *page*, with file and line."""
    header: list[str] | None = None
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        at = f"{page.relative_to(root)}:{number}"
        for place in PLACE.findall(line):
            if not (root / place).exists():
                yield f"{at}: there is no {place}"
        for link in LINK.findall(line):
            if not (page.parent / link).exists():
                yield f"{at}: the link to {link} leads nowhere"
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if header is None:
            header = cells
        elif not set(line) <= set("|- :"):
            for fault in faults_of_row(root, header, cells):
                yield f"{at}: {fault}"


def main(root: Path) -> int:
    """Check all pages under *root*; return the exit status."""
    pages = [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("*.md"))]
    faults = [fault for page in pages for fault in faults_of_page(root, page)]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()))
