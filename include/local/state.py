"""The state folder: where everything that the stack keeps lies."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class State:
    """The paths under one state folder; two folders are two stacks that know nothing of each other."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.root / "postgres"

    @property
    def log(self) -> Path:
        """One log file per program."""
        return self.root / "log"

    @property
    def mail(self) -> Path:
        """The mails that were caught, one file each."""
        return self.root / "mail"

    @property
    def store(self) -> Path:
        """The object store."""
        return self.root / "store"

    @property
    def artifacts(self) -> Path:
        """What MLflow keeps beside its database."""
        return self.root / "mlflow"

    @property
    def bentos(self) -> Path:
        """BENTOML_HOME of the builds."""
        return self.root / "bentoml"

    @property
    def run(self) -> Path:
        """What the running stack needs: configuration, process records."""
        return self.root / "run"

    @property
    def workplace(self) -> Path:
        """The working directory of the programs."""
        return self.run / "work"

    @property
    def records(self) -> Path:
        """One record per program: which process it is."""
        return self.run / "processes"

    @property
    def passwords(self) -> Path:
        """The users of Airflow."""
        return self.root / "airflow-passwords.json"

    @property
    def keys(self) -> Path:
        """Digests of the keys that open the model servers, where they ask for keys."""
        return self.root / "api-keys.jsonl"

    @property
    def endpoints(self) -> Path:
        """Every address and login of the running stack."""
        return self.root / "endpoints.json"

    @property
    def control(self) -> Path:
        """The supervisor's socket. In the temporary folder, because a socket's path may have 100 bytes only."""
        name = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"sluice-{os.getuid()}-{name}" / "control"

    @property
    def broker(self) -> Path:
        """What waits for a worker, where there are workers."""
        return self.root / "redis"

    def worker(self, name: str) -> Path:
        """The disk of one worker."""
        return self.root / "workers" / name

    def serving(self, use_case: str) -> Path:
        """BENTOML_HOME of one use case's server; a server wipes parts of its own when it starts."""
        return self.root / "serving" / use_case

    def create(self) -> None:
        """Make the folders.

        Raises:
            StackError: The folder belongs to somebody else.
        """
        try:
            for folder in (self.log, self.mail, self.store, self.artifacts, self.bentos, self.workplace, self.records):
                folder.mkdir(parents=True, exist_ok=True)
            self.control.parent.mkdir(mode=0o700, exist_ok=True)
        except PermissionError as error:
            raise StackError(
                "the state folder cannot be written",
                str(error.filename),
                "run as the user who owns it, or name another one with SLUICE_VAR",
            ) from error
        if self.control.parent.stat().st_uid != os.getuid():
            raise StackError("the supervisor's folder belongs to another user", str(self.control.parent), "remove it")


def state() -> State:
    """The state folder of this clone, or the one that `SLUICE_VAR` names."""
    return State(Path(os.environ.get("SLUICE_VAR") or REPOSITORY / "var").absolute())


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file.

    Raises:
        StackError: The file is not JSON.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, json.JSONDecodeError) as error:
        raise StackError(f"the file cannot be read: {error}", str(path), "restore it or remove it") from error
    return content


def write_private(path: Path, content: str) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)
