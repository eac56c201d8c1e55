"""Copies: files of a folder or a bucket, read once each, and known by their digests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from local.errors import StackError
from local.places import Folder

BLOCK = 1 << 20
#: So many files are read at once: those in a bucket take longer to ask for than to read.
AT_ONCE = 8
#: What is written and not there yet.
UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.partial$")


@dataclass(frozen=True)
class File:
    """One file of a backup.

    Attributes:
        path: Below the backup's folder.
        bytes: How long it is.
        sha256: Its digest.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Tree:
    """The files of a folder or a bucket, by their keys below it."""

    folder: Folder

    @cached_property
    def _place(self) -> tuple[Any, str]:
        filesystem, root = fsspec.core.url_to_fs(self.folder.root)
        return filesystem, root.rstrip("/")

    def listed(self) -> list[str]:
        """The keys that there are; none where there is no such folder."""
        filesystem, root = self._place
        # What somebody else listed or wrote since is seen too.
        filesystem.invalidate_cache()
        found: list[str] = []
        for part in self.folder.parts or ("",):
            found += filesystem.find(f"{root}/{part}".rstrip("/"))
        keys = (path.removeprefix(root).lstrip("/") for path in found)
        return sorted(key for key in keys if not UNFINISHED.search(key))

    def has(self, key: str) -> bool:
        """Whether there is such a file."""
        filesystem, root = self._place
        return bool(filesystem.isfile(f"{root}/{key}"))

    def read(self, key: str) -> Iterator[bytes]:
        """A file's content, block by block."""
        filesystem, root = self._place
        with filesystem.open(f"{root}/{key}", "rb") as file:
            yield from _blocks(file)

    def sha256(self, key: str) -> str | None:
        """A file's digest; None where there is no such file."""
        digest = hashlib.sha256()
        try:
            for block in self.read(key):
                digest.update(block)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def write(self, key: str, source: Path, sha256: str) -> None:
        """Put a file under a key, whole or not at all.

        Raises:
            StackError: The source is not the one that the digest speaks of.
        """
        filesystem, root = self._place
        path = f"{root}/{key}"
        on_disk = isinstance(filesystem, LocalFileSystem)
        target = f"{path}.{uuid4().hex}.partial" if on_disk else path
        filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        try:
            with source.open("rb") as read, filesystem.open(target, "wb") as write:
                if _pour(_blocks(read), write).hexdigest() != sha256:
                    # In a bucket, what is not closed does not come into being.
                    getattr(write, "discard", lambda: None)()
                    raise StackError("a file of the backup was changed while it was read", str(source), "restore again")
            if on_disk:
                Path(target).chmod(0o600 if self.folder.private else 0o644)
                Path(target).replace(path)
        except BaseException:
            if on_disk:
                Path(target).unlink(missing_ok=True)
            raise

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files, and the folders that are empty then; what is not there is no error."""
        filesystem, root = self._place
        for key in keys:
            with suppress(FileNotFoundError):
                filesystem.rm_file(f"{root}/{key}")
            if isinstance(filesystem, LocalFileSystem):
                with suppress(OSError):
                    for parent in PurePosixPath(key).parents[:-1]:
                        Path(root, parent).rmdir()

    def copy(self, keys: Iterable[str], into: Path, given: Mapping[str, bytes]) -> Iterator[tuple[str, File | None]]:
        """Copy files to a folder of this machine.

        Args:
            keys: Which.
            into: The folder; its own name begins the paths.
            given: Contents that stand for those of their keys.

        Yields:
            Each key with its copy, or with None where the file has gone meanwhile.
        """

        def one(key: str) -> tuple[str, File | None]:
            target = into / key
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with target.open("wb") as write:
                    digest = _pour(iter([given[key]]) if key in given else self.read(key), write)
            except FileNotFoundError:
                target.unlink()
                return key, None
            return key, File(f"{into.name}/{key}", target.stat().st_size, digest.hexdigest())

        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(one, keys)


def digest(path: Path) -> str:
    """The digest of a file of this machine."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pour(blocks: Iterator[bytes], file: IO[bytes]) -> Any:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
        file.write(block)
    return digest


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
