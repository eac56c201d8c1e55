"""The environment of the programs: the caller's own, less what would change the stack, plus its settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from local import workers
from local.addresses import Addresses
from local.processes import MARK
from local.state import REPOSITORY, State

FOREIGN = ("AIRFLOW", "MLFLOW", "_MLFLOW", "BENTOML", "SLUICE_", "PYTHON", "VIRTUAL_ENV", "SUPERVISOR", "PG", "OTEL_")
"""Beginnings of variables that programs would take orders from; the stack sets those that it means."""

SILENT = {
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
}
"""Nothing in the stack tells anybody about its use."""

RUNBOOK = REPOSITORY / "docs" / "operations.md"
"""What alerts link to where nobody says at which address people read it."""


def inherited(person: Mapping[str, str]) -> dict[str, str]:
    """What the supervisor, and so every program, keeps of the environment of whoever starts the stack."""
    return {name: value for name, value in person.items() if not name.startswith(FOREIGN)}


def common(state: State) -> dict[str, str]:
    """What every program gets."""
    binaries = str(Path(sys.executable).parent)
    return {
        MARK: str(state.root),
        "SLUICE_VAR": str(state.root),
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # An unpinned OpenMP makes gradient boosting thirty times slower on a busy machine.
        "OMP_NUM_THREADS": "1",
        **SILENT,
    }


def object_store(state: State) -> str:
    """The object store: a folder of the stack, or the bucket that whoever starts it names."""
    # The URL is not quoted: fsspec takes the rest of a file: URL for a path as it is.
    return os.environ.get("SLUICE_OBJECT_STORE") or f"file://{state.store}"


def artifacts(state: State) -> str:
    """Where MLflow keeps what is too large for its database: beside the object store, where that is a bucket."""
    store = object_store(state)
    return f"{store}/mlflow" if store.startswith("s3:") else state.artifacts.as_uri()


def sluice(state: State, addresses: Addresses) -> dict[str, str]:
    """What Sluice's own code reads; `SLUICE_PUBLISH_EVIDENTLY_URL=... make up` and the like switch publishers on."""
    publishers = {name: value for name, value in os.environ.items() if name.startswith("SLUICE_PUBLISH_")}
    return {
        "SLUICE_WAREHOUSE_DSN": addresses.database("warehouse"),
        "SLUICE_OPTUNA_DSN": addresses.database("optuna"),
        "SLUICE_OBJECT_STORE": object_store(state),
        "SLUICE_USE_CASES": str(use_cases_folder()),
        "SLUICE_BENTO_STORE": str(state.bentos),
        "SLUICE_CONTAINER_ENGINE": os.environ.get("SLUICE_CONTAINER_ENGINE") or "none",
        "SLUICE_ALERTS_FROM": "sluice@localhost",
        "SLUICE_RUNBOOK_URL": os.environ.get("SLUICE_RUNBOOK_URL") or RUNBOOK.as_uri(),
        "MLFLOW_TRACKING_URI": addresses.mlflow,
        **publishers,
    }


def airflow(state: State, addresses: Addresses) -> dict[str, str]:
    """What Airflow reads, and the tasks in it."""
    return (
        sluice(state, addresses)
        | workers.executor(state)
        | {
            "AIRFLOW_HOME": str(state.root),
            "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": os.environ.get("SLUICE_DAGS") or str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__FERNET_KEY": addresses.credentials.fernet_key,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(state.passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{addresses.airflow}/execution/",
            "AIRFLOW__API__BASE_URL": addresses.airflow,
            "AIRFLOW__API__PORT": str(addresses.ports["airflow"]),
            "AIRFLOW__API__SECRET_KEY": addresses.credentials.api_secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": addresses.credentials.jwt_secret,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": addresses.database("airflow", "postgresql+psycopg2"),
            "AIRFLOW_CONN_SMTP_DEFAULT": _mail(addresses),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
            # Drawn into a log, a progress bar is one long line marked as an error.
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }
    )


def serving(state: State, addresses: Addresses, use_case: str) -> dict[str, str]:
    """What one use case's model server reads."""
    return {
        "SLUICE_USE_CASE": use_case,
        "SLUICE_OBJECT_STORE": object_store(state),
        "SLUICE_WAREHOUSE_DSN": addresses.database("warehouse"),
        "SLUICE_BENTO_STORE": str(state.bentos),
        # The supervisor starts it again with the bento that the release was tested in.
        "SLUICE_ON_NEW_RUNTIME": "exit",
        "MLFLOW_TRACKING_URI": addresses.mlflow,
        "BENTOML_HOME": str(state.serving(use_case)),
        "SLUICE_WORKERS": os.environ.get("SLUICE_WORKERS") or "1",
        # Nobody but this machine reaches the stack; `SLUICE_ACCESS=keys make up` tries out how keys work.
        "SLUICE_ACCESS": os.environ.get("SLUICE_ACCESS") or "open",
        "SLUICE_API_KEYS": str(state.keys),
        # Empty is absent: then the log leaves out what should be hashed.
        "SLUICE_HASH_KEY": os.environ.get("SLUICE_HASH_KEY", ""),
    }


def watcher(state: State, addresses: Addresses) -> dict[str, str]:
    """What the watcher reads; `SLUICE_WATCHER_PATIENCE=20 make up` and the like overrule it."""
    asked = {name: value for name, value in os.environ.items() if name.startswith("SLUICE_WATCHER_")}
    own = {
        "AIRFLOW__API__BASE_URL": addresses.airflow,
        "SLUICE_SMTP": _mail(addresses),
        "SLUICE_WATCHER_AIRFLOW_USER": "viewer",
        "SLUICE_WATCHER_AIRFLOW_PASSWORD": addresses.credentials.viewer,
        "SLUICE_WATCHER_DISKS": str(state.root),
        "SLUICE_WATCHER_PORT": str(addresses.ports["watcher"]),
        "SLUICE_WATCHER_SERVING": ",".join(f"{name}={addresses.serving(name)}" for name in addresses.use_cases),
        "SLUICE_WATCHER_STATE": str(state.root / "watcher.json"),
    }
    return sluice(state, addresses) | own | asked


def _mail(addresses: Addresses) -> str:
    options = urlencode({"disable_ssl": "true", "disable_tls": "true", "from_email": "sluice@localhost"})
    return f"smtp://127.0.0.1:{addresses.ports['smtp']}/?{options}"


def use_cases_folder() -> Path:
    """Where the use cases are."""
    return Path(os.environ.get("SLUICE_USE_CASES") or REPOSITORY / "include" / "use_cases")
