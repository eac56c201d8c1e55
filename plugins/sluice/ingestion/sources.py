"""Sources: a path, a URL or the embedded sample becomes one local file with a known hash."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from sluice.domain.errors import SourceError, TransientError
from sluice.domain.use_case import UseCase
from sluice.ingestion import samples

#: Bytes read at a time.
CHUNK = 1 << 20

#: Most bytes taken from a URL.
MAX_BYTES = 20 << 30

#: Seconds to wait for a connection, and for the next bytes.
TIMEOUT = 30.0

#: Answers that may be different the next time.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class SourceFile:
    """A source as a file of this machine.

    Attributes:
        uri: Where it came from, without credentials.
        path: Where it is now.
        sha256: Hex digest of its bytes.
        bytes: Its size.
        modified: When it was last written, in nanoseconds since 1970.
    """

    uri: str
    path: Path
    sha256: str
    bytes: int
    modified: int

    def changed(self) -> bool:
        """Whether the file is no longer the one that was hashed."""
        stat = self.path.stat()
        return (stat.st_size, stat.st_mtime_ns) != (self.bytes, self.modified)


@contextmanager
def resolve(use_case: UseCase, folder: Path, override: str | None = None) -> Iterator[SourceFile]:
    """Open the source of a use case: the override, else the spec's `source.uri`, else its sample.

    Args:
        use_case: Says where its rows come from.
        folder: The use case's folder; holds the sample's declaration, and is where relative paths start.
        override: A path, a URL, or `sample:<use case>` with the optional query `rows`, `seed`, `drift`.

    Yields:
        The file; a copy made for the purpose is gone when the block ends.

    Raises:
        SourceError: It cannot be read, now or later.
        SpecError: The sample is asked for and cannot be drawn.
        TransientError: It did not answer this time.
    """
    uri = override or use_case.source.uri or f"sample:{use_case.name}"
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise SourceError(f"the address cannot be understood: {error}", uri, "correct it") from error
    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        copy = Path(scratch) / "source.csv"
        if parts.scheme == "sample":
            uri = _draw(use_case, folder, parts.path, parts.query, copy)
        elif parts.scheme in ("http", "https"):
            uri = _public(uri)
            _download(urlunsplit(parts), uri, copy)
        elif parts.scheme == "s3":
            _fetch(uri, copy)
        elif parts.scheme in ("", "file"):
            copy = (folder / (unquote(parts.path) if parts.scheme else uri)).resolve()
            uri = copy.as_uri()
        else:
            advice = "use a path, file://, http://, https://, s3:// or sample:"
            raise SourceError(f"sources of the kind {parts.scheme!r} cannot be read", _public(uri), advice)
        yield _hashed(uri, copy)


def _hashed(uri: str, path: Path) -> SourceFile:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            stat = path.stat()
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"the source cannot be read: {reason}", uri, "check the path and rights") from error
    return SourceFile(uri, path, digest.hexdigest(), stat.st_size, stat.st_mtime_ns)


def _draw(use_case: UseCase, folder: Path, name: str, query: str, copy: Path) -> str:
    """Draw the embedded sample into a file; its URI says everything that the bytes depend on."""
    asked = dict(parse_qsl(query))
    unknown = sorted(set(asked) - {"rows", "seed", "drift"})
    if name not in ("", use_case.name) or unknown:
        raise SourceError(
            f"{use_case.name} has no sample {name!r}" if not unknown else f"a sample has no {unknown[0]!r}",
            f"sample:{name}?{query}",
            f"use sample:{use_case.name}?rows=..&seed=..&drift=..",
        )
    sample = samples.read(folder)
    place = f"sample:{name}?{query}"
    try:
        rows, seed = int(asked.get("rows", sample.rows)), int(asked.get("seed", sample.seed))
    except ValueError as error:
        raise SourceError("rows and seed are whole numbers", place, "correct them") from error
    drift = asked.get("drift") or None
    samples.write(copy, sample, use_case.columns, rows, seed, drift)
    words = {"rows": rows, "seed": seed} | ({"drift": drift} if drift else {})
    return f"sample:{use_case.name}?{urlencode(words)}"


def _download(address: str, uri: str, copy: Path) -> None:
    # Local: orchestration imports this module when a DAG is parsed, which must stay light.
    import httpx

    try:
        with httpx.stream("GET", address, follow_redirects=True, timeout=TIMEOUT) as answer:
            _refuse(answer.status_code, answer.headers.get("content-type", ""), uri)
            size = 0
            with copy.open("wb") as file:
                for chunk in answer.iter_bytes(CHUNK):
                    size += file.write(chunk)
                    if size > MAX_BYTES:
                        raise SourceError(f"the source is larger than {MAX_BYTES} bytes", uri, "split it")
    except httpx.InvalidURL as error:
        raise SourceError(f"the address cannot be understood: {error}", uri, "correct it") from error
    except httpx.UnsupportedProtocol as error:
        raise SourceError(f"the address cannot be followed: {error}", uri, "correct it") from error
    except httpx.HTTPError as error:
        what = f"the source did not answer: {type(error).__name__} {error}".strip()
        raise TransientError(what, uri, "try again when it is reachable") from error


def _fetch(uri: str, copy: Path) -> None:
    """Copy a file of a bucket, whose server and key are the object store's."""
    import fsspec

    from sluice.adapters import buckets

    try:
        filesystem, path = fsspec.core.url_to_fs(uri, **buckets.options(uri))
        size = filesystem.info(path)["size"]
        if size <= MAX_BYTES:
            filesystem.get_file(path, str(copy))
    # Whatever a bucket says, in the words of a source.
    except Exception as error:
        told = buckets.meaning(error, uri)
        if told is None or isinstance(told, TransientError):
            raise told or error from error
        if isinstance(error, FileNotFoundError):
            raise SourceError("there is no such file in a bucket", uri, "correct the address") from error
        raise SourceError(told.what, uri, "check the address, and who may read it: AWS_ACCESS_KEY_ID") from error
    if size > MAX_BYTES:
        raise SourceError(f"the source is larger than {MAX_BYTES} bytes", uri, "split it")


def _refuse(status: int, content_type: str, uri: str) -> None:
    """Raise for an answer that holds no rows."""
    if status in PASSING:
        raise TransientError(f"the source answered {status}", uri, "try again later")
    if status != 200:
        raise SourceError(f"the source answered {status}", uri, "check the address and who may read it")
    if content_type.split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        raise SourceError("the source answered with a web page", uri, "give the address of the file itself")


def _public(uri: str) -> str:
    """An address without user and password."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
