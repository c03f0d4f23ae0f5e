"""Every setting, where its value came from, and its default.

A value nobody can trace is the usual cause of a test run that talks to the wrong database. So each setting is
looked up in one order (flag, ``SCENARIOS_*`` environment variable, ``[tool.scenarios]`` in
``pyproject.toml``, default) and keeps its origin, which every message about it repeats. ``DATABASE_URL``
is never read.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from scenarios.errors import SettingsError, hidden, redact

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A setting's value and its origin, as a phrase for messages (``"environment SCENARIOS_SEED"``)."""

    value: T
    source: str

    def __str__(self) -> str:
        return f"{redact(str(self.value)) or 'not set'} (from {self.source})"


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known of a setting before anyone gave it a value."""

    name: str
    default: Any
    parse: Callable[[str], Any]
    help: str

    @property
    def variable(self) -> str:
        return f"SCENARIOS_{self.name.upper()}"


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("expected yes or no")


def _text(text: str) -> str:
    return text


def _paths(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(os.pathsep) if part)


def _tcp(text: str) -> str:
    lowered = text.strip().lower()
    if lowered in {"on", "off"}:
        return lowered
    if lowered.isdigit() and 0 < int(lowered) < 65536:
        return lowered
    raise ValueError("expected on, off, or a port")


def _provider(text: str) -> str:
    if text in {"auto", "embedded", "container"} or text.startswith(
        ("postgresql://", "postgres://", "postgresql+")
    ):
        return text
    raise ValueError("expected auto, embedded, container, or a postgresql:// URL")


SPECS: Mapping[str, Spec] = {
    spec.name: spec
    for spec in (
        Spec(
            "provider",
            "auto",
            _provider,
            "Where the server comes from: auto, embedded, container, or a postgresql:// URL.",
        ),
        Spec("postgres_bin", "", _text, "Directory with initdb and postgres; empty: search for one."),
        Spec(
            "tcp",
            "off",
            _tcp,
            "Whether an embedded server also listens on 127.0.0.1: off, on (a free port), or a port.",
        ),
        Spec("image", "postgres:17", _text, "Container image when the server is a container."),
        Spec("require_container", False, _flag, "Fail instead of skipping when no container engine answers."),
        Spec("cache_dir", "", _text, "Cache for binaries and initdb results; empty: the user's cache."),
        Spec("runtime_dir", "", _text, "Where servers live; empty: tmpfs where there is room."),
        Spec("seed", "scenarios", _text, "Seed of all generated values."),
        Spec("locale", "en_US", _text, "Locale of generated names."),
        Spec(
            "schema",
            "",
            _text,
            "Where the project's own tables come from: package.module:name (a declarative base, a MetaData, "
            "a Domain, a function), a .sql file, a directory of them, or an alembic.ini.",
        ),
        Spec(
            "bundled",
            False,
            _flag,
            "Also show the scenarios that come with pg-scenarios in a project that has a schema of its own.",
        ),
        Spec(
            "ignore_missing_roles",
            False,
            _flag,
            "Pass over what a .sql file gives to a role that is not there: owners and rights.",
        ),
        Spec("library", (), _paths, "Directories with scenario files, besides the built-in library."),
        Spec("database", "", _text, "Database that load, instances, reset, unload and freeze work in."),
        Spec("keep_failed", False, _flag, "Keep the database of a failed test."),
        Spec("report", "", _text, "Write a report of the run: html or json."),
        Spec("max_rows", 0, int, "Budget of rows a single test may build; 0: no budget."),
        Spec(
            "lock_timeout",
            15.0,
            float,
            "Seconds a connection of a test's database waits for a lock before it fails; 0: without end.",
        ),
        Spec("coverage", False, _flag, "Say what no scenario reaches, and which scenarios no test uses."),
        Spec("keep_templates", 20, int, "Templates kept by clean-up, newest first."),
        Spec("template_age_days", 14, int, "Age in days after which clean-up drops an unused template."),
    )
}


TABLES: Mapping[str, str] = {
    "freeze": 'How far a freeze of rows goes: by foreign key ("rental.customer_id" = "down", "up" or '
    '"stop"), limits = {table = 100}, shared = ["table"].',
    "personal": 'What columns hold of people: "customer.email" = "email", or "no".',
}
"""Tables of settings inside ``[tool.scenarios]``, with what stands in them."""


class Settings:
    """The settings of one run.

    Args:
        flags: values given on a command line; ``None`` values count as not given.
        environ: the environment, by default the process's.
        project: directory from which ``pyproject.toml`` is looked for upwards, by default the current one.

    Raises:
        SettingsError: when a looked-up value cannot be used, naming its source.
    """

    def __init__(
        self,
        flags: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        project: Path | None = None,
    ) -> None:
        self._flags = {name: value for name, value in (flags or {}).items() if value is not None}
        self._environ = os.environ if environ is None else environ
        self._project = project or Path.cwd()
        unknown = sorted(set(self._flags) - set(SPECS))
        if unknown:
            raise SettingsError(
                f"unknown setting {unknown[0]!r}", hint=f"known settings are {', '.join(sorted(SPECS))}"
            )

    @cached_property
    def project_file(self) -> Path | None:
        """The nearest ``pyproject.toml``, or None."""
        for directory in (self._project, *self._project.parents):
            candidate = directory / "pyproject.toml"
            if candidate.is_file():
                return candidate
        return None

    @property
    def home(self) -> Path:
        """The directory of ``pyproject.toml``, from which a project's own code is imported; without one, that
        of the project."""
        return self._project if self.project_file is None else self.project_file.parent

    @cached_property
    def _table(self) -> dict[str, Any]:
        if self.project_file is None:
            return {}
        try:
            content = tomllib.loads(self.project_file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(
                "cannot read the project's settings",
                where=str(self.project_file),
                why=str(error),
                hint="mend the file; [tool.scenarios] is optional",
            ) from error
        table: dict[str, Any] = content.get("tool", {}).get("scenarios", {})
        unknown = sorted(set(table) - set(SPECS) - set(TABLES))
        if unknown:
            from difflib import get_close_matches

            near = get_close_matches(unknown[0], [*SPECS, *TABLES], n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"unknown setting {unknown[0]!r}",
                where=f"{self.project_file}, [tool.scenarios]",
                hint=f"{meant}known settings are {', '.join(sorted([*SPECS, *TABLES]))}",
            )
        return table

    def table(self, name: str) -> Setting[dict[str, Any]]:
        """Return ``[tool.scenarios.NAME]``, one of `TABLES`; empty where there is none.

        Raises:
            SettingsError: it is not a table.
        """
        given = self._table.get(name, {})
        where = f"{self.project_file}, [tool.scenarios.{name}]"
        if not isinstance(given, dict):
            raise SettingsError(f"{name!r} is a table of settings", where=where, hint=TABLES[name])
        return Setting(given, where if given else "the default")

    @property
    def misspelt(self) -> list[str]:
        """A sentence on each ``SCENARIOS_*`` variable that is none of ours and all but reads like one.

        Others may be a project's own, so none of them is an error.
        """
        known = {spec.variable for spec in SPECS.values()}
        others = [name for name in self._environ if name.startswith("SCENARIOS_") and name not in known]
        if not others:
            return []
        from difflib import get_close_matches

        said = []
        for name in sorted(others):
            # The common beginning would make any two alike.
            near = get_close_matches(name[10:], [each[10:] for each in known], n=1, cutoff=0.75)
            if near:
                said.append(f"{name} in the environment is no setting; did you mean SCENARIOS_{near[0]}?")
        return said

    def get(self, name: str) -> Setting[Any]:
        """Return the setting *name* with its source.

        Raises:
            KeyError: there is no such setting.
            SettingsError: its value cannot be used.
        """
        spec = SPECS[name]
        if name in self._flags:
            return self._parsed(spec, self._flags[name], "the command line")
        if spec.variable in self._environ:
            return self._parsed(spec, self._environ[spec.variable], f"environment {spec.variable}")
        if name in self._table:
            if spec.parse is _paths and self.project_file is not None:
                # A path in a file is meant from where the file stands, wherever the command is given.
                given = self._table[name]
                given = [given] if isinstance(given, str) else given
                paths = tuple(str(self.project_file.parent / each) for each in given)
                return Setting(paths, f"{self.project_file}, [tool.scenarios]")
            return self._parsed(spec, self._table[name], f"{self.project_file}, [tool.scenarios]")
        return Setting(spec.default, "the default")

    def __getitem__(self, name: str) -> Any:
        return self.get(name).value

    def _parsed(self, spec: Spec, raw: Any, source: str) -> Setting[Any]:
        if isinstance(raw, list):
            raw = os.pathsep.join(map(str, raw))
        try:
            return Setting(spec.parse(raw) if isinstance(raw, str) else type(spec.default)(raw), source)
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"setting {spec.name!r} cannot be {hidden(str(raw))!r}",
                where=source,
                why=str(error),
                hint=spec.help,
            ) from error
