"""The object store: immutable files under keys, on a disk or in a bucket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sluice.domain.errors import StateError


@dataclass(frozen=True)
class ObjectStore:
    """Files under keys such as `snapshots/housing/0f3a.parquet`.

    Attributes:
        root: URL of the folder or bucket that holds everything; `file:///...` on one host.
    """

    root: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        filesystem, folder = fsspec.core.url_to_fs(self.root)
        return filesystem, folder.rstrip("/")

    def url(self, key: str) -> str:
        """The address of a key."""
        return f"{self.root.rstrip('/')}/{_checked(key)}"

    def exists(self, key: str) -> bool:
        """Whether the key holds a file."""
        filesystem, folder = self._place
        return bool(filesystem.isfile(f"{folder}/{_checked(key)}"))

    def write_bytes(self, key: str, data: bytes) -> str:
        """Write a file whole or not at all, and return its URL."""
        filesystem, folder = self._place
        path = f"{folder}/{_checked(key)}"
        filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        if isinstance(filesystem, LocalFileSystem):
            # A bucket's write is all or nothing by itself; on a disk only a rename is.
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
        filesystem, folder = self._place
        try:
            content: bytes = filesystem.cat_file(f"{folder}/{_checked(key)}")
        except FileNotFoundError as error:
            raise StateError("a file is missing from the object store", self.url(key), "restore it") from error
        return content

    def put_folder(self, local: Path, prefix: str) -> None:
        """Copy the files of a local folder below a prefix."""
        for path in sorted(p for p in local.rglob("*") if p.is_file()):
            self.write_bytes(f"{prefix}/{path.relative_to(local).as_posix()}", path.read_bytes())

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a prefix; where there is nothing, nothing changes."""
        filesystem, folder = self._place
        path = f"{folder}/{_checked(key)}"
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
