"""The bytes of a snapshot file: written in frames, read in bounded memory, believed only after the checksum.

Whatever comes from a disk may be cut short, altered, or made by somebody with a grudge: a length that claims
terabytes, a stream that unpacks for ever. Nothing here trusts a byte that it has not counted.

Layout, version 1: a line ``pg-scenarios snapshot 1``, a zlib stream, and the SHA-256 of all bytes before it.
The stream holds frames, each a length in four bytes and that many bytes: the header as JSON, then for each
table the data as `COPY .. TO STDOUT` gives them, ended by an empty frame.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scenarios.errors import SnapshotFileError

FORMAT = 1
#: How large a frame is written at most.
FRAME = 1 << 20
_MAGIC = b"pg-scenarios snapshot "
#: No frame, and so no header, may claim to be larger; a damaged length must not eat the memory.
_LARGEST = 64 << 20
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """What a snapshot file says about itself.

    Attributes:
        path: where it is.
        database: the name of the database it was made from.
        created: when, ISO 8601, UTC.
        server_version: ``server_version_num`` of the server it was made on.
        fingerprint: of the schema it was made from.
        size: bytes of the file.
        header: everything, as written.
    """

    path: Path
    database: str
    created: str
    server_version: int
    fingerprint: str
    size: int
    header: dict[str, Any]


class Writer:
    """Writes a header and the frames after it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._compress = zlib.compressobj(6)
        self._write(_MAGIC + str(FORMAT).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def frame(self, data: bytes) -> None:
        self._write(self._compress.compress(len(data).to_bytes(4, "big") + data))

    def finish(self) -> None:
        self._write(self._compress.flush())
        self._file.write(self._digest.digest())


def read_header(path: str | Path) -> SnapshotFile:
    """Return what the file says about itself, without checking the rest of it.

    Raises:
        SnapshotFileError: it is not a snapshot file of this format.
    """
    source = Path(path)
    with _frames(source) as frames:
        header = _parsed(source, next(frames, b""))
    return SnapshotFile(
        path=source,
        database=str(header.get("database", "")),
        created=str(header.get("created", "")),
        server_version=int(header["server_version"]),
        fingerprint=str(header["fingerprint"]),
        size=source.stat().st_size,
        header=header,
    )


def check_file(path: str | Path) -> SnapshotFile:
    """Like `read_header`, after comparing the whole file with its checksum.

    Raises:
        SnapshotFileError: it is truncated, altered, or no snapshot file of this format.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            _require_format(source, file)
            left = source.stat().st_size - _DIGEST
            file.seek(0)
            digest = hashlib.sha256()
            while left > 0 and (chunk := file.read(min(FRAME, left))):
                digest.update(chunk)
                left -= len(chunk)
            if file.read() != digest.digest():
                raise _damaged(source, "its checksum is not that of its content")
    except OSError as error:
        raise SnapshotFileError("cannot read the snapshot file", where=str(source), why=str(error)) from error
    return read_header(source)


@contextmanager
def content(path: Path) -> Iterator[Iterator[tuple[dict[str, Any], Iterator[bytes]]]]:
    """Yield each table of a checked file, as the header describes it, with the chunks of its rows.

    The chunks of a table are to be taken before the next table is.
    """
    with _frames(path) as frames:
        header = _parsed(path, next(frames, b""))
        yield ((table, iter(frames.__next__, b"")) for table in header["tables"])


@contextmanager
def _frames(source: Path) -> Iterator[Iterator[bytes]]:
    try:
        with source.open("rb") as file:
            _require_format(source, file)
            yield _unpacked(source, file)
    except OSError as error:
        raise SnapshotFileError("cannot read the snapshot file", where=str(source), why=str(error)) from error


def _unpacked(source: Path, file: IO[bytes]) -> Iterator[bytes]:
    left = source.stat().st_size - file.tell() - _DIGEST
    inflate = zlib.decompressobj()
    held = b""
    packed = b""
    wanted: int | None = None
    while True:
        if wanted is None and len(held) >= 4:
            wanted, held = int.from_bytes(held[:4], "big"), held[4:]
            if wanted > _LARGEST:
                raise _damaged(source, f"a frame claims {wanted} bytes")
        if wanted is not None and len(held) >= wanted:
            yield held[:wanted]
            held, wanted = held[wanted:], None
            continue
        if not packed:
            packed = file.read(max(0, min(FRAME, left)))
            left -= len(packed)
        try:
            grown = inflate.decompress(packed, FRAME)
        except zlib.error as error:
            raise _damaged(source, str(error)) from error
        packed = inflate.unconsumed_tail
        if not grown and not packed and left <= 0:
            if held or wanted is not None:
                raise _damaged(source, "it ends in the middle of a frame")
            return
        held += grown


def _require_format(source: Path, file: IO[bytes]) -> None:
    line = file.readline(64)
    if not line.startswith(_MAGIC) or not line.endswith(b"\n"):
        raise SnapshotFileError(
            "this is not a snapshot file",
            where=str(source),
            why=f"it does not begin with {_MAGIC.decode().strip()!r}",
        )
    version = line.removeprefix(_MAGIC).strip().decode("ascii", "replace")
    if version != str(FORMAT):
        raise SnapshotFileError(
            "the snapshot file has another format",
            where=str(source),
            why=f"it is of format {version}, and this release reads format {FORMAT}",
            hint="make the file anew with this release",
        )


def _parsed(source: Path, data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
        if not isinstance(header, dict):
            raise TypeError("the header is not an object")
        for name in ("server_version", "fingerprint", "schema", "tables", "sequences", "views"):
            header[name]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(source, f"its header cannot be read ({error!r})") from error
    return header


def _damaged(source: Path, why: str) -> SnapshotFileError:
    return SnapshotFileError(
        "the snapshot file is damaged", where=str(source), why=why, hint="make or copy the file anew"
    )
