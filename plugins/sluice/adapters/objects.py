"""The object store: immutable files under keys, on a disk or in a bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sluice.adapters import buckets
from sluice.domain.errors import StateError


@dataclass(frozen=True)
class ObjectStore:
    """Files under keys such as `snapshots/housing/0f3a.parquet`.

    Every method raises a `StateError` where a setting or a right keeps the store from answering, and a
    `TransientError` where the store is away.

    Attributes:
        root: URL of the folder or bucket that holds everything; `file:///...` on one host, `s3://bucket/prefix` for
            many.
    """

    root: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        try:
            filesystem, folder = fsspec.core.url_to_fs(self.root, **buckets.options(self.root))
        except (ImportError, ValueError) as error:
            raise StateError(
                f"no such store can be opened: {error}", self.root, "correct SLUICE_OBJECT_STORE"
            ) from error
        return filesystem, folder.rstrip("/")

    @contextmanager
    def _reached(self, key: str) -> Iterator[tuple[Any, str]]:
        """The file system and a key's path in it; what it raises in the block is said in our words."""
        url = self.url(key)
        filesystem, folder = self._place
        try:
            yield filesystem, f"{folder}/{key}"
        # Each kind of store has errors of its own.
        except Exception as error:
            told = buckets.meaning(error, url)
            if told is None:
                raise
            raise told from error

    def url(self, key: str) -> str:
        """The address of a key."""
        return f"{self.root.rstrip('/')}/{_checked(key)}"

    def exists(self, key: str) -> bool:
        """Whether the key holds a file."""
        with self._reached(key) as (filesystem, path):
            try:
                return bool(filesystem.info(path)["type"] == "file")
            except FileNotFoundError:
                return False

    def write_bytes(self, key: str, data: bytes) -> str:
        """Write a file whole or not at all, and return its URL."""
        with self._reached(key) as (filesystem, path):
            if isinstance(filesystem, LocalFileSystem):
                # A bucket's write is all or nothing by itself, and needs no folder; on a disk only a rename is.
                filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
                partial = f"{path}.{uuid4().hex}.partial"
                filesystem.pipe_file(partial, data)
                filesystem.mv(partial, path)
            else:
                filesystem.pipe_file(path, data)
        return self.url(key)

    def read_bytes(self, key: str) -> bytes:
        """The content of a key.

        Raises:
            StateError: There is no such key.
        """
        with self._reached(key) as (filesystem, path):
            content: bytes = filesystem.cat_file(path)
        return content

    def put_folder(self, local: Path, prefix: str, last: str = "") -> None:
        """Copy the files of a local folder below a prefix.

        Args:
            local: The folder.
            prefix: Where its files go.
            last: The file that is written when all others are there, because readers take it for the word that they
                are.
        """
        names = sorted(path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file())
        for name in sorted(names, key=lambda name: name == last):
            self.write_bytes(f"{prefix}/{name}", (local / name).read_bytes())

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a prefix; where there is nothing, nothing changes."""
        with self._reached(key) as (filesystem, path):
            if filesystem.exists(path):
                filesystem.rm(path, recursive=True)

    def sha256(self, key: str) -> str:
        """Hex digest of a key's content."""
        return hashlib.sha256(self.read_bytes(key)).hexdigest()


def _checked(key: str) -> str:
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts:
        raise ValueError(f"{key!r} is not a key of the object store")
    return key
