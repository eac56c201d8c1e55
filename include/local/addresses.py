"""Addresses: where every part of the stack answers, and the file that tells people and tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import postgres
from local.credentials import Credentials
from local.errors import StackError
from local.state import State, read_json, write_private


@dataclass(frozen=True)
class Addresses:
    """The addresses and logins of one stack."""

    ports: Mapping[str, int]
    credentials: Credentials
    use_cases: tuple[str, ...]

    @property
    def airflow(self) -> str:
        """Base URL of Airflow."""
        return self._http("airflow")

    @property
    def mlflow(self) -> str:
        """Base URL of MLflow."""
        return self._http("mlflow")

    @property
    def inbox(self) -> str:
        """The page of the mails that were caught."""
        return self._http("inbox")

    @property
    def watcher(self) -> str:
        """The page of what the watcher sees."""
        return self._http("watcher")

    def serving(self, use_case: str) -> str:
        """Base URL of one use case's model server."""
        return self._http(f"serving_{use_case}")

    def database(self, name: str, scheme: str = "postgresql") -> str:
        """DSN of one database."""
        return postgres.dsn(self.ports["postgres"], self.credentials.postgres, name, scheme)

    def document(self) -> dict[str, Any]:
        """What `endpoints.json` holds."""
        return {
            "airflow": self.airflow,
            "mlflow": self.mlflow,
            "warehouse": self.database("warehouse"),
            "optuna": self.database("optuna"),
            "smtp_inbox": self.inbox,
            "watcher": self.watcher,
            "serving": {name: self.serving(name) for name in self.use_cases},
            "logins": {"airflow": {"admin": self.credentials.admin, "viewer": self.credentials.viewer}},
        }

    def _http(self, program: str) -> str:
        return f"http://127.0.0.1:{self.ports[program]}"


def publish(state: State, addresses: Addresses) -> None:
    """Write `endpoints.json`."""
    write_private(state.endpoints, json.dumps(addresses.document(), indent=2) + "\n")


def published(state: State) -> dict[str, Any]:
    """What `endpoints.json` says.

    Raises:
        StackError: The stack is not up.
    """
    document = read_json(state.endpoints)
    if not document:
        raise StackError("the stack is not up", str(state.endpoints), "run make up")
    return document
