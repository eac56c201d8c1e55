"""Where releases come from: the registry, the object store's copies, the bundle in the image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlsplit

import fsspec
import httpx

from tabular import contract as documents
from tabular.bundle import MANIFEST
from tabular.contract import Manifest, Named
from tabular.errors import BundleError, UnreachableError

Name = Literal["registry", "object_store", "baked", "none"]
ALIAS = "champion"
API = "/api/2.0"
#: How MLflow says that there is no such model, and no such alias.
_NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


class Source(Protocol):
    """Says which version should serve, and hands out its bundle."""

    @property
    def name(self) -> Name:
        """Which one it is."""

    def champion(self) -> int | None:
        """The version that should serve; None where there is none.

        Raises:
            UnreachableError: The source does not answer.
        """

    def fetch(self, version: int, folder: Path) -> Path:
        """Bring a version's bundle here.

        Args:
            version: As `champion` gave it.
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

    def champion(self) -> int | None:
        query = {"name": self.model, "alias": ALIAS}
        response = self._get(f"{API}/mlflow/registered-models/alias", query)
        if response.is_success:
            return int(_json(response)["model_version"]["version"])
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

    def champion(self) -> int | None:
        text = self._read("champion.json")
        return None if text is None else documents.parse(Named, text, "champion.json").version

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
            filesystem, root = fsspec.core.url_to_fs(self.root)
            content: bytes = filesystem.cat_file(str(PurePosixPath(root, "releases", self.use_case, key)))
        except FileNotFoundError:
            return None
        # Each kind of store has errors of its own; whichever it is, the next source is asked.
        except Exception as error:
            raise UnreachableError(f"the object store does not answer ({type(error).__name__}: {error})") from error
        return content


@dataclass(frozen=True)
class Image:
    """The bundle that came with the code, and `release.json` that says which version it is."""

    bundle: Path
    name: Name = "baked"

    def champion(self) -> int | None:
        path = self.bundle / "release.json"
        return documents.read(Named, path).version if path.exists() else None

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
