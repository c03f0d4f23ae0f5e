"""Which extensions a server of these binaries can create, and where those come from.

`CREATE EXTENSION "uuid-ossp"` and `pgcrypto` stand at the top of a large part of the world's schemas, and the
wheels differ in what they bring. From PostgreSQL 18 a server looks for extensions in other directories, too
(``extension_control_path``, with ``dynamic_library_path``), so one that a server's own installation lacks is
taken from another installation of the same major version. What is offered is what is there *and* loads: a
library that wants another one which this machine does not have is left out.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from scenarios.errors import ServerError
from scenarios.postgres.binaries import (
    Binaries,
    Search,
    no_binaries,
    open_to_all,
    readable_for,
    usable_binaries,
)
from scenarios.postgres.locks import exclusive
from scenarios.postgres.places import Account, cache_directory, server_account
from scenarios.settings import Settings

SEARCHES_ELSEWHERE = 18
"""The first major version that looks for extensions in more than one directory."""

STAND_INS = ("uuid-ossp",)
"""Extensions of which this project has one written in SQL, for where the real one does not load."""

MOST_NAMED = 6
"""Extensions that are named where it is said in a sentence what was added."""

_SERVER_PART = {"xml2": b"\0pg_xml_init\0", "sslinfo": b"\0be_tls_get_version\0"}
"""Symbols a server has only when it was built with what the extension is about: libxml, OpenSSL."""

_SERVER_FILE = {"unaccent": "unaccent.rules", "dict_xsyn": "xsyn_sample.rules"}
"""Files an extension looks for in the server's own ``tsearch_data`` and nowhere else."""

_LIBRARY = re.compile(r"^module_pathname\s*=\s*'(?:\$libdir/)?([^'/]+)'", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Addition:
    """Extensions that a server finds in another installation.

    Attributes:
        source: the installation, for people; empty for the stand-ins of this project.
        share: the directory with `extension`.
        libraries: the directory of their libraries; None where they need none.
        names: the extensions.
    """

    source: str
    share: Path
    libraries: Path | None
    names: frozenset[str]

    @property
    def origin(self) -> str:
        """Where they come from, for people."""
        return f"of {self.source}" if self.source else "as a stand-in in SQL"


@dataclass(frozen=True, slots=True)
class Offer:
    """Binaries, and the extensions a server of them can create.

    Attributes:
        binaries: the server's.
        own: extensions of its own installation.
        additions: those it finds elsewhere.
    """

    binaries: Binaries
    own: frozenset[str]
    additions: tuple[Addition, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All extensions."""
        return self.own.union(*(each.names for each in self.additions))

    @property
    def put_in(self) -> Path | None:
        """The directory of stand-ins for a server that looks in its own installation alone; see `usable`."""
        elsewhere = self.binaries.major >= SEARCHES_ELSEWHERE
        return next((each.share for each in self.additions if not elsewhere), None)

    def usable(self, account: Account | None, cache: Path) -> Binaries:
        """Return the binaries, or where need be a copy that *account* can read and that has the stand-ins."""
        return readable_for(self.binaries, account, cache, added=self.put_in)

    @property
    def server_settings(self) -> dict[str, str]:
        """What the server is started with, to find them."""
        if not self.additions or self.put_in is not None:
            return {}
        # The stand-in comes first: it is there because the server's own of that name does not load.
        ahead = [str(each.share) for each in self.additions if not each.source]
        behind = [str(each.share) for each in self.additions if each.source]
        libraries = [str(each.libraries) for each in self.additions if each.libraries is not None]
        found = {"extension_control_path": ":".join([*ahead, "$system", *behind])}
        if libraries:
            found["dynamic_library_path"] = ":".join(["$libdir", *libraries])
        return found

    def __str__(self) -> str:
        said = [f"{_said(each.names)} {each.origin}" for each in self.additions]
        return f"with {'; '.join(said)}" if said else ""


def _said(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found) if len(found) <= MOST_NAMED else f"{len(found)} extensions"


def offers(settings: Settings, search: Search, account: Account | None = None) -> Iterator[Offer]:
    """Give each usable installation with its extensions, in the order of preference.

    Raises:
        ServerError: a directory was named in the settings and cannot be used.
    """
    others = list(usable_binaries(settings, Search(), demanded_only=False, lenders=True))
    for binaries in usable_binaries(settings, search):
        yield _offer(binaries, others, settings, account)


def choose(settings: Settings, needed: Iterable[str], search: Search) -> Offer:
    """Return the first installation that has all the extensions *needed*, else the first that has most.

    Raises:
        ServerError: there is none at all.
    """
    wanted = frozenset(needed)
    best: Offer | None = None
    for each in offers(settings, search, server_account()):
        if wanted <= each.names:
            return each
        if best is None or len(wanted & each.names) > len(wanted & best.names):
            best = each
    if best is None:
        raise no_binaries(search)
    return best


def _offer(
    binaries: Binaries, others: Iterable[Binaries], settings: Settings, account: Account | None
) -> Offer:
    here = _places(binaries)
    if here is None:
        return Offer(binaries, frozenset())
    listed = _listed(here.share)
    # Of one made as a wheel or a package the libraries are there; only what has a stand-in is looked at.
    broken = _broken(listed if binaries.libraries else listed & set(STAND_INS), here, binaries)
    own = frozenset(listed - broken)
    had, additions = set(listed), []
    for other in others if binaries.major >= SEARCHES_ELSEWHERE else ():
        there = _places(other) if other.major == binaries.major and other.bin != binaries.bin else None
        if there is None:
            continue
        new = {name for name in _listed(there.share) - had if _has_part(binaries, here.share, name)}
        new -= _broken(new, there, other)
        if new:
            reached = _places(readable_for(other, account, cache_directory(settings))) or there
            source = f"{other.source} {other.version}"
            additions.append(Addition(source, reached.share, reached.libraries, frozenset(new)))
            had |= new
    lacking = frozenset(STAND_INS) - own.union(*(each.names for each in additions))
    if lacking and (binaries.major >= SEARCHES_ELSEWHERE or binaries.source.startswith("wheel")):
        additions.append(Addition("", stand_ins(cache_directory(settings)), None, lacking))
    return Offer(binaries, own, tuple(additions))


@dataclass(frozen=True, slots=True)
class _Places:
    share: Path
    libraries: Path


def _places(binaries: Binaries) -> _Places | None:
    """Return where an installation has its extensions; None where that cannot be told."""
    home, major = binaries.bin.parent, binaries.major
    shares = (home / "share", home / "share" / "postgresql", Path(f"/usr/share/postgresql/{major}"))
    libraries = (home / "lib", home / "lib" / "postgresql")
    share = next((each for each in shares if (each / "postgres.bki").is_file()), None)
    library = next((each for each in libraries if any(each.glob("plpgsql.*"))), None)
    if share is None or library is None:
        told = _told(binaries.bin)
        share, library = share or told.get("SHAREDIR"), library or told.get("PKGLIBDIR")
    return _Places(share, library) if share is not None and library is not None else None


def _told(bin: Path) -> dict[str, Path]:
    """Return what the installation's own `pg_config` says of its directories."""
    with suppress(OSError):
        answer = subprocess.run([bin / "pg_config"], capture_output=True, text=True, check=False)
        return {name.strip(): Path(value.strip()) for name, _, value in _split(answer.stdout)}
    return {}


def _split(text: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition("=") for line in text.splitlines() if "=" in line)


def _listed(share: Path) -> set[str]:
    """Return the names of the extensions with a primary control file there."""
    return {file.stem for file in (share / "extension").glob("*.control") if "--" not in file.stem}


def _has_part(binaries: Binaries, share: Path, name: str) -> bool:
    if name in _SERVER_FILE and not (share / "tsearch_data" / _SERVER_FILE[name]).is_file():
        return False
    return name not in _SERVER_PART or _SERVER_PART[name] in _content(binaries.postgres)


@cache
def _content(program: Path) -> bytes:
    return program.read_bytes()


def _broken(names: Iterable[str], places: _Places, binaries: Binaries) -> set[str]:
    """Return those of *names* whose library wants another one that is not on this machine."""
    wanted = {}
    for name in names:
        file = _library(name, places)
        if file is not None:
            wanted[str(file)] = name
    if not wanted or not sys.platform.startswith("linux"):
        return set()
    try:
        answer = subprocess.run(
            ["ldd", *wanted], capture_output=True, text=True, check=False, env=environment(binaries)
        )
    except OSError:
        return set()  # No such program here: the server tells.
    missing, current = set(), next(iter(wanted)) if len(wanted) == 1 else ""
    # musl's says it on stderr, of symbols of the server as well, which are no fault.
    for line in (answer.stdout + answer.stderr).splitlines():
        if line.startswith("/") and line.rstrip().endswith(":"):
            current = line.rstrip().removesuffix(":")
        elif ("not found" in line or "Error loading shared library" in line) and current in wanted:
            missing.add(wanted[current])
    return missing


def _library(name: str, places: _Places) -> Path | None:
    """Return the file with the functions of an extension; None for one in SQL alone."""
    control = places.share / "extension" / f"{name}.control"
    match = _LIBRARY.search(control.read_text("utf-8", "replace"))
    if match is None:
        return None
    return next((file for file in places.libraries.glob(f"{match[1]}.*") if file.suffix != ".a"), None)


def environment(binaries: Binaries) -> dict[str, str]:
    """Return the environment for a program of *binaries*."""
    found = {**os.environ, "LC_ALL": "C"}
    if binaries.libraries is not None and sys.platform.startswith("linux"):
        before = found.get("LD_LIBRARY_PATH")
        found["LD_LIBRARY_PATH"] = f"{binaries.libraries}:{before}" if before else str(binaries.libraries)
    return found


def stand_ins(cache: Path) -> Path:
    """Return the share directory with the extensions of this project, where the server's user can read it."""
    with as_file(files("scenarios.postgres") / "stand_ins") as packaged:
        sources = sorted(packaged.iterdir())
        content = b"".join(file.name.encode() + file.read_bytes() for file in sources)
        place = cache / f"stand-ins-{hashlib.sha256(content).hexdigest()[:12]}"
        with exclusive(cache / f"{place.name}.lock"):
            if not place.is_dir():
                half = cache / f"{place.name}.half"
                shutil.rmtree(half, ignore_errors=True)
                try:
                    (half / "extension").mkdir(parents=True)
                    for file in sources:
                        shutil.copyfile(file, half / "extension" / file.name)
                    open_to_all(half)
                    half.rename(place)
                except OSError as error:
                    shutil.rmtree(half, ignore_errors=True)
                    raise ServerError(
                        "cannot put the stand-ins for extensions where the server's user can read them",
                        where=str(place),
                        why=str(error),
                        hint="free space there, or name another place with SCENARIOS_CACHE_DIR",
                    ) from error
    os.utime(place)
    return place
