"""The reference pages, made from the code at each build of the site, and its diagrams (a hook of mkdocs).

A reference that is written by hand is wrong after the first change that forgot it. Nothing generated here is
kept in the repository, so nothing can be stale. ``python docs/generate.py DIRECTORY`` writes the pages out.
The theme would fetch the script that draws diagrams whenever a page is read; pages that have one carry it.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

MERMAID = "assets/mermaid.min.js"
"""Where the site has the script that draws its diagrams."""

PUBLIC = {
    "scenarios.postgres": ("start_server", "attach", "Server", "Database"),
    "scenarios.journal": (
        "Snapshot",
        "Restored",
        "Changes",
        "assert_changes",
        "inserted",
        "updated",
        "deleted",
        "diff",
    ),
    "scenarios.library": ("Library", "Instance", "scenario"),
    "scenarios.domain": ("Domain", "Scope", "get_domain"),
    "scenarios.graph": ("Graph", "write", "write_async"),
    "scenarios.factories": ("factory_for", "factory_context"),
    "scenarios.values": ("Seeded", "Clock"),
    "scenarios.validation": ("validate", "SqlCheck", "Finding", "Health"),
    "scenarios.coming_from.pytest_postgresql": (
        "postgresql_proc",
        "postgresql",
        "postgresql_async",
        "scenario_schema",
        "Process",
    ),
    "scenarios.coming_from.django_database": ("django_schema", "pointed_at"),
    "scenarios.coming_from.rollback_fixture": ("session", "redirected", "HiddenByRollback"),
    "scenarios.coming_from.sqlalchemyseed": ("convert", "Converted"),
}


def _cell(text: object) -> str:
    """Return *text* as one cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def python_page() -> str:
    """Return the page of public classes and functions; mkdocstrings fills it in."""
    parts = ["# Python\n\nThe public names. Everything else may change without notice.\n"]
    for module, names in PUBLIC.items():
        parts.append(f"## `{module}`\n")
        parts += [f"::: {module}.{name}\n    options: {{heading_level: 3}}\n" for name in names]
    return "\n".join(parts)


def _fixtures() -> Iterator[tuple[str, str, str]]:
    from scenarios.pytest_plugin import fixtures

    for name, value in vars(fixtures).items():
        marker = getattr(value, "_fixture_function_marker", None)
        if marker is not None and not name.startswith("_"):
            yield name, str(marker.scope), inspect.getdoc(value._fixture_function) or ""


def pytest_page() -> str:
    """Return the page of fixtures, markers and options."""
    from _pytest.config.argparsing import Parser

    from scenarios.pytest_plugin import plugin

    parser = Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    group = parser.getgroup("scenarios")
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "--markers", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [
        line.removeprefix("@pytest.mark.") for line in said.splitlines() if "@pytest.mark.scenario" in line
    ]
    out = [
        "# pytest\n",
        "The plugin is installed with the package and does nothing until a test asks.\n",
        "## Fixtures\n",
    ]
    out += ["| fixture | scope | what it is |", "|---|---|---|"]
    out += [f"| `{name}` | {scope} | {_cell(doc)} |" for name, scope, doc in _fixtures()]
    out += ["\n## Markers\n"]
    out += [f"- `{line.partition(':')[0]}`: {line.partition(':')[2].strip()}" for line in lines]
    out += ["\n## Options\n", "| option | what it does |", "|---|---|"]
    out += [
        f"| `{' '.join(each.names())}` | {_cell(each.attrs().get('help', ''))} |" for each in group.options
    ]
    return "\n".join(out) + "\n"


def commands_page() -> str:
    """Return the page of commands with their arguments and options."""
    import typer

    from scenarios.cli import main

    main._register()
    root: Any = typer.main.get_command(main.app)
    out = [
        "# Commands\n",
        "`scenarios --help` lists them, `scenarios COMMAND --help` shows one as here. Exit codes: 0 done, "
        "1 the work failed, 2 wrong usage.\n",
    ]

    def tell(name: str, command: Any) -> None:
        if getattr(command, "commands", None):
            for child, each in sorted(command.commands.items()):
                tell(f"{name} {child}", each)
            return
        text, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
        out.append(f"## `{name}`\n\n{text.strip()}\n")
        if example:
            out.append(f"```sh\n{' '.join(example.split())}\n```\n")
        rows = [each for each in command.params if not getattr(each, "hidden", False)]
        if rows:
            out.extend(["| argument or option | what it says | default |", "|---|---|---|"])
            out.extend(map(_parameter, rows))
            out.append("")

    tell("scenarios", root)
    return "\n".join(out)


def _parameter(each: Any) -> str:
    """Return the row of an argument or option of a command."""
    if each.param_type_name == "argument":
        names = f"`{each.name.upper()}`"
    else:
        names = " ".join(f"`{option}`" for option in (*each.opts, *each.secondary_opts))
    default = "*required*" if each.required else ""
    if not each.required and each.default not in (None, False, (), [], ""):
        default = f"`{each.default}`"
    return f"| {names} | {_cell(getattr(each, 'help', '') or '')} | {default} |"


def settings_page() -> str:
    """Return the page of settings."""
    from scenarios.settings import SPECS

    out = [
        "# Settings\n",
        "A flag wins over the environment, which wins over `[tool.scenarios]` in the nearest "
        "`pyproject.toml`, which wins over the default. Every message that names a setting says where its "
        "value came from. `DATABASE_URL` is never read.\n",
        "| in `pyproject.toml` | in the environment | default | what it is |",
        "|---|---|---|---|",
    ]
    for spec in SPECS.values():
        default = json.dumps(list(spec.default) if isinstance(spec.default, tuple) else spec.default)
        out.append(f"| `{spec.name}` | `{spec.variable}` | `{default}` | {_cell(spec.help)} |")
    return "\n".join(out) + "\n"


def scenario_file_page() -> str:
    """Return the page of the scenario files' format, from its published JSON Schema."""
    from scenarios.resources import resource

    out = [
        "# Scenario file format\n",
        "From the published JSON Schemas; [Scenario files](../scenario_files.md) explains them.\n",
    ]
    for system in ("dev_coach", "coach_bot", "essay_coach"):
        path = resource("schema") / f"scenario-file.{system}.schema.json"
        schema = json.loads(path.read_text("utf-8"))
        out.append(f"## {system}\n\n`schema/{path.name}`\n")
        out += ["| key | type | what it says |", "|---|---|---|"]
        for key, value in schema.get("properties", {}).items():
            out.append(f"| `{key}` | {_cell(_type(value))} | {_cell(value.get('description', ''))} |")
        out.append("")
        for name, value in schema.get("$defs", {}).items():
            rows = value.get("properties") or {}
            if rows:
                out += [f"### {system}: {name}\n", "| key | type | what it says |", "|---|---|---|"]
                out += [
                    f"| `{k}` | {_cell(_type(v))} | {_cell(v.get('description', ''))} |"
                    for k, v in rows.items()
                ]
                out.append("")
    return "\n".join(out)


def _type(value: Mapping[str, Any] | bool) -> str:
    if isinstance(value, bool):
        return "anything"
    if "enum" in value:
        return "one of " + ", ".join(f"`{each}`" for each in value["enum"])
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    for many in ("anyOf", "oneOf"):
        if many in value:
            return " or ".join(dict.fromkeys(_type(each) for each in value[many]))
    kind = value.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def errors_page() -> str:
    """Return the page of errors, as the tree they are."""
    import scenarios.journal  # noqa: F401 (defines errors of its own)
    from scenarios.errors import ScenariosError

    out = [
        "# Errors\n",
        "Every error raised on purpose is a `scenarios.ScenariosError` with `what`, `where`, `why`, "
        "`hint`. No message contains a password.\n",
    ]

    def tell(error: type[ScenariosError], depth: int) -> None:
        if error.__module__.startswith("scenarios."):
            doc = (inspect.getdoc(error) or "").partition("\n\n")[0]
            out.append(f"{'    ' * depth}- `{error.__module__}.{error.__name__}`: {_cell(doc)}")
        for child in sorted(error.__subclasses__(), key=lambda each: each.__name__):
            tell(child, depth + 1)

    tell(ScenariosError, 0)
    return "\n".join(out) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/python.md": python_page,
    "reference/pytest.md": pytest_page,
    "reference/commands.md": commands_page,
    "reference/settings.md": settings_page,
    "reference/scenario_file.md": scenario_file_page,
    "reference/errors.md": errors_page,
}


def mermaid_script() -> Path:
    """Return the script that draws diagrams: a package has it, so that the repository need not."""
    from importlib.resources import files

    return Path(str(files("diagram_renderer"))) / "renderers" / "static" / "js" / "mermaid.min.js"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the script to the site."""
    from mkdocs.structure.files import File

    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    files.append(File.generated(config, MERMAID, abs_src_path=str(mermaid_script())))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let a page that has a diagram bring the script along; the theme then fetches none."""
    from mkdocs.utils import get_relative_url

    if 'class="mermaid"' not in html:
        return html
    html = html.replace('<pre class="mermaid">', '<div class="diagram"><pre class="mermaid">')
    html = re.sub(r'(<pre class="mermaid">.*?</pre>)', r"\1</div>", html, flags=re.DOTALL)
    return f'{html}\n<script src="{get_relative_url(MERMAID, page.url)}"></script>'


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for path, make in PAGES.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(make(), "utf-8")
