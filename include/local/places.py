"""Places: the databases and the files that a backup holds, wherever a stack keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local import environment
from local.addresses import Addresses
from local.errors import StackError
from local.state import State

#: The databases, and the variables that name them in containers. Who refers to others comes before them: what is in
#: a later one may be newer than what refers to it, and never older.
DATABASES = {
    "airflow": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "warehouse": "SLUICE_WAREHOUSE_DSN",
    "mlflow": "MLFLOW_BACKEND_STORE_URI",
    "optuna": "SLUICE_OPTUNA_DSN",
}
STORE, ARTIFACTS, BENTOS, KEYS = "store", "artifacts", "bentos", "keys"
FERNET = "AIRFLOW__CORE__FERNET_KEY"
#: What of a BENTOML_HOME lasts; beside it there are caches.
BUILT = ("bentos", "models")


@dataclass(frozen=True)
class Folder:
    """A folder or a bucket.

    Attributes:
        name: What it is called in a backup.
        root: Its URL or path; not percent-encoded.
        parts: What of it is meant: files, or folders below it; everything if empty.
        private: Whether only its owner may read its files.
    """

    name: str
    root: str
    parts: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True)
class Places:
    """Where a stack keeps what outlives it.

    Attributes:
        databases: Name -> DSN, in the order of `DATABASES`.
        folders: Where its files are.
        fernet_key: What Airflow's connections and variables are encrypted with; several with commas between them.
    """

    databases: Mapping[str, str]
    folders: tuple[Folder, ...]
    fernet_key: str

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Digests of the Fernet keys, by which one is known again and nobody gets to know it."""
        return tuple(sha256(key.strip().encode()).hexdigest() for key in self.fernet_key.split(",") if key.strip())

    def folder(self, name: str) -> Folder:
        """One of the folders."""
        return next(folder for folder in self.folders if folder.name == name)


def of_stack(here: State, addresses: Addresses) -> Places:
    """The places of a local stack.

    Args:
        here: Its state folder.
        addresses: Its database server's port and password are asked for.
    """
    return Places(
        {name: addresses.database(name) for name in DATABASES},
        _folders(environment.object_store(here), environment.artifacts(here), here.bentos, here.keys),
        addresses.credentials.fernet_key,
    )


def of_environment(variables: Mapping[str, str]) -> Places:
    """The places that the variables name which the programs in containers get.

    Raises:
        StackError: One of the variables is missing.
    """
    names = (*DATABASES.values(), "SLUICE_OBJECT_STORE", "MLFLOW_ARTIFACTS_DESTINATION", FERNET)
    if missing := [name for name in names if not variables.get(name)]:
        raise StackError(
            "it is not said where the databases and the files are",
            ", ".join(missing),
            "set them, or run this where they are set: as the service of the compose file",
        )
    return Places(
        {name: plain(variables[variable]) for name, variable in DATABASES.items()},
        _folders(
            variables["SLUICE_OBJECT_STORE"],
            variables["MLFLOW_ARTIFACTS_DESTINATION"],
            Path(variables.get("SLUICE_BENTO_STORE") or "/nonexistent"),
            Path(variables.get("SLUICE_API_KEYS") or "/nonexistent/api-keys.jsonl"),
        ),
        variables[FERNET],
    )


def plain(dsn: str) -> str:
    """A DSN as the database's own programs take it: without the driver that SQLAlchemy is told."""
    scheme, separator, rest = dsn.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def _folders(store: str, artifacts: str, bentos: Path, keys: Path) -> tuple[Folder, ...]:
    # MLflow's address of a folder of this machine is percent-encoded, and nobody else's is.
    place = unquote(urlsplit(artifacts).path) if artifacts.startswith("file:") else artifacts
    apart = (Folder(ARTIFACTS, place),) if not place.startswith(f"{store.rstrip('/')}/") else ()
    return (
        Folder(STORE, store),
        # In the store's own folder, they are copied with it.
        *apart,
        Folder(BENTOS, str(bentos), BUILT),
        # Digests of keys, no keys; but whoever reads them knows who has one.
        Folder(KEYS, str(keys.parent), (keys.name,), private=True),
    )
