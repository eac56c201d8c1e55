"""Where releases come from: the registry, the object store's copies, the bundle in the image.

Only the registry names a challenger: the others are for when it is away, and then nothing is tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlsplit

import fsspec
import httpx

from tabular.errors import BundleError, ShareError, UnreachableError
from tabular.releases import contract as documents
from tabular.releases.bundle import MANIFEST
from tabular.releases.contract import Manifest, Named

Name = Literal["registry", "object_store", "baked", "none"]
API = "/api/2.0"
#: How MLflow says that there is no such model, and no such alias.
_NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


#: Of a bucket: nothing that was listed once is believed, a file is read by one request, and one that does not answer
#: is left for the next source.
_BUCKET: dict[str, Any] = {
    "use_listings_cache": False,
    "max_concurrency": 1,
    "config_kwargs": {"connect_timeout": 3, "read_timeout": 20, "retries": {"mode": "standard", "max_attempts": 2}},
}

#: A share as a tag may say it.
_SHARE = re.compile(r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Pointer:
    """A version that a source names.

    Attributes:
        tags: What the source says of it.
    """

    version: int
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def bundle_sha256(self) -> str | None:
        """Digest of its bundle; None where the source does not say."""
        return self.tags.get("bundle_sha256")

    @property
    def share(self) -> float:
        """Of the requests, that it shall answer as the challenger.

        Raises:
            ShareError: The source does not say, or not clearly.
        """
        given = self.tags.get("share")
        if given is None:
            raise ShareError(f"version {self.version}: it has no tag `share`; set it, 0 for shadow")
        if not _SHARE.fullmatch(given) or not 0 <= float(given) <= 1:
            raise ShareError(f"version {self.version}: its tag `share` is {given[:40]!r}, and no number from 0 to 1")
        return float(given)


class Source(Protocol):
    """Says which version should serve, and hands out its bundle."""

    @property
    def name(self) -> Name:
        """Which one it is."""

    def champion(self) -> Pointer | None:
        """The version that should serve; None where there is none.

        Raises:
            UnreachableError: The source does not answer.
        """

    def challenger(self) -> Pointer | None:
        """The version that is tried beside it; None where there is none.

        Raises:
            UnreachableError: The source does not answer.
        """

    def fetch(self, version: int, folder: Path) -> Path:
        """Bring a version's bundle here.

        Args:
            version: As `champion` or `challenger` gave it.
            folder: An empty folder that may be written to.

        Returns:
            The folder that holds the bundle's files.

        Raises:
            UnreachableError: The source does not answer.
            BundleError: The bundle is incomplete.
        """


@dataclass(frozen=True)
class Registry:
    """An MLflow server, by its REST interface: the client library takes seconds to import.

    Attributes:
        client: Has the server as its base URL.
        model: Name of the registered model.
    """

    client: httpx.Client
    model: str
    name: Name = "registry"

    def champion(self) -> Pointer | None:
        return self._aliased("champion")

    def challenger(self) -> Pointer | None:
        return self._aliased("challenger")

    def _aliased(self, alias: str) -> Pointer | None:
        response = self._get(f"{API}/mlflow/registered-models/alias", {"name": self.model, "alias": alias})
        if response.is_success:
            found = _json(response)["model_version"]
            tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}
            return Pointer(int(found["version"]), tags)
        if response.status_code in (400, 404) and _json(response).get("error_code") in _NOT_FOUND:
            return None
        raise UnreachableError(f"the registry answers {response.status_code}")

    def fetch(self, version: int, folder: Path) -> Path:
        root = self._root(version)
        (folder / MANIFEST).write_bytes(self._file(f"{root}/{MANIFEST}"))
        for name in documents.read(Manifest, folder / MANIFEST).files:
            (folder / name).write_bytes(self._file(f"{root}/{quote(name)}"))
        return folder

    def _root(self, version: int) -> str:
        """The address below which the registry hands out a version's files."""
        query = {"name": self.model, "version": str(version)}
        place = urlsplit(self._ask("model-versions/get-download-uri", query)["artifact_uri"])
        if place.scheme == "runs":
            run, _, path = place.path.strip("/").partition("/")
            artifacts = self._ask("runs/get", {"run_id": run})["run"]["info"]["artifact_uri"]
            place = urlsplit(f"{artifacts.rstrip('/')}/{path}")
        if place.scheme != "mlflow-artifacts":
            raise BundleError(f"it lies at {place.scheme}:, which the registry does not hand out")
        return f"{API}/mlflow-artifacts/artifacts/{quote(place.path.strip('/'))}"

    def _ask(self, method: str, query: dict[str, str]) -> dict[str, Any]:
        response = self._get(f"{API}/mlflow/{method}", query)
        if not response.is_success:
            raise UnreachableError(f"the registry answers {response.status_code} to {method}")
        return _json(response)

    def _file(self, path: str) -> bytes:
        response = self._get(path)
        if response.status_code == httpx.codes.NOT_FOUND:
            raise BundleError(f"{path.rsplit('/', 1)[1]} is missing in the registry")
        if not response.is_success:
            raise UnreachableError(f"the registry answers {response.status_code} for {path}")
        return response.content

    def _get(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        try:
            return self.client.get(path, params=query)
        except httpx.HTTPError as error:
            raise UnreachableError(f"the registry does not answer ({type(error).__name__})") from error


@dataclass(frozen=True)
class ObjectStore:
    """The copies under `releases/<use case>/`, on a disk or in a bucket.

    Attributes:
        root: URL of the store.
        use_case: Whose releases.
    """

    root: str
    use_case: str
    name: Name = "object_store"

    def champion(self) -> Pointer | None:
        text = self._read("champion.json")
        return None if text is None else Pointer(documents.parse(Named, text, "champion.json").version)

    def challenger(self) -> Pointer | None:
        return None

    def fetch(self, version: int, folder: Path) -> Path:
        (folder / MANIFEST).write_bytes(self._file(f"{version}/{MANIFEST}"))
        for name in documents.read(Manifest, folder / MANIFEST).files:
            (folder / name).write_bytes(self._file(f"{version}/{name}"))
        return folder

    def _file(self, key: str) -> bytes:
        content = self._read(key)
        if content is None:
            raise BundleError(f"{key} is missing in the object store")
        return content

    def _read(self, key: str) -> bytes | None:
        try:
            filesystem, root = fsspec.core.url_to_fs(self.root, **(_BUCKET if self.root.startswith("s3:") else {}))
            content: bytes = filesystem.cat_file(str(PurePosixPath(root, "releases", self.use_case, key)))
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error.__cause__):
                raise UnreachableError("the object store has no such bucket") from error
            return None
        # Each kind of store has errors of its own; whichever it is, the next source is asked.
        except Exception as error:
            raise UnreachableError(f"the object store does not answer ({type(error).__name__})") from error
        return content


@dataclass(frozen=True)
class Image:
    """The bundle that came with the code, and `release.json` that says which version it is."""

    bundle: Path
    name: Name = "baked"

    def champion(self) -> Pointer | None:
        path = self.bundle / "release.json"
        return Pointer(documents.read(Named, path).version) if path.exists() else None

    def challenger(self) -> Pointer | None:
        return None

    def fetch(self, version: int, folder: Path) -> Path:
        return self.bundle


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError as error:
        raise UnreachableError("the registry's answer is not JSON") from error
    if not isinstance(document, dict):
        raise UnreachableError("the registry's answer is not an object")
    return document
