"""Airflow's web server, with the accounts of the stack in containers or with those of the local one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import psycopg2
from cryptography.fernet import Fernet

from local.ports import free_port
from tests.bentos.servers import eventually
from tests.conftest import REPOSITORY

Manager = Literal["fab", "simple"]
Who = Literal["viewer", "user", "op", "admin", "watcher"]

CLASSES = {
    "fab": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    "simple": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
}
#: With each role of Airflow's own.
ROLES = {"viewer": "Viewer", "user": "User", "op": "Op", "admin": "Admin"}
PEOPLE: tuple[Who, ...] = ("viewer", "user", "op", "admin")
#: The one that asks people.
ASKS = "ask_approval"


def password(who: Who) -> str:
    """As which somebody signs in."""
    return f"the-word-of-{who}"


@dataclass
class Airflow:
    """A web server and its command line, on a database.

    Attributes:
        home: Its own folder; also holds its log.
        database: Airflow's.
        warehouse: Sluice's.
        manager: Who signs people in.
    """

    home: Path
    database: str
    warehouse: str
    manager: Manager = "fab"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[Who, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.home / "server.log").read_text()

    @cached_property
    def environment(self) -> dict[str, str]:
        """What it is told."""
        foreign = ("AIRFLOW", "MLFLOW", "SLUICE_", "PYTHON")
        spared = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({who: password(who) for who in PEOPLE}) + "\n")
        return spared | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
            "AIRFLOW__API_AUTH__JWT_SECRET": "signs-what-the-tests-show-" * 3,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": "signs-the-sessions-of-the-tests",
            "AIRFLOW__CORE__AUTH_MANAGER": CLASSES[self.manager],
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{who}:{who}" for who in PEOPLE),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database.replace("postgresql:", "postgresql+psycopg2:"),
            "AIRFLOW__FAB__CONFIG_FILE": str(self.home / "webserver_config.py"),
            "AIRFLOW_CONN_SMTP_DEFAULT": "smtp://ada:the-word-of-ada@127.0.0.1:2525/?disable_ssl=true&disable_tls=true",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
            "OMP_NUM_THREADS": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY / "plugins")]),
            "SLUICE_ADMIN_PASSWORD": password("admin"),
            "SLUICE_OBJECT_STORE": (self.home / "store").as_uri(),
            "SLUICE_OPTUNA_DSN": self.warehouse,
            "SLUICE_USE_CASES": str(self.use_cases),
            "SLUICE_WAREHOUSE_DSN": self.warehouse,
            "SLUICE_WATCHER_AIRFLOW_PASSWORD": password("watcher"),
        }

    @property
    def secrets(self) -> dict[str, str]:
        """What .env would hold of it."""
        return {
            "POSTGRES_PASSWORD": str(urlsplit(self.database).password),
            "SLUICE_ADMIN_PASSWORD": password("admin"),
            "SLUICE_API_SECRET": self.environment["AIRFLOW__API__SECRET_KEY"],
            "SLUICE_FERNET_KEY": self.environment["AIRFLOW__CORE__FERNET_KEY"],
            "SLUICE_JWT_SECRET": self.environment["AIRFLOW__API_AUTH__JWT_SECRET"],
            "SLUICE_SMTP": self.environment["AIRFLOW_CONN_SMTP_DEFAULT"],
        }

    @cached_property
    def use_cases(self) -> Path:
        """A folder with one of those that ship, whose promotions ask a person."""
        shutil.copytree(REPOSITORY / "include" / "use_cases" / "housing", self.home / "use_cases" / "housing")
        spec = self.home / "use_cases" / "housing" / "use_case.yaml"
        spec.write_text(spec.read_text().replace("\ngate:\n", "\ngate:\n  approval: required\n"))
        return self.home / "use_cases"

    def run(self, *command: str, **changed: str) -> str:
        """Run a command as one of its processes, and return all that it says."""
        done = subprocess.run(
            command, env=self.environment | changed, cwd=self.home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self) -> Airflow:
        """Start it, and wait until it answers."""
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["airflow", "api-server"],
                executable=str(Path(sys.executable).parent / "airflow"),
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
            )
        eventually(self._answers, within=240, every=0.5)
        return self

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)

    def sign_in(self, who: Who, word: str | None = None) -> httpx.Response:
        """Ask for a token."""
        body = {"username": who, "password": word or password(who)}
        return httpx.post(f"{self.url}/auth/token", json=body, timeout=60, trust_env=False)

    def ask(self, who: Who | None, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask as somebody, or as nobody."""
        if who and who not in self.tokens:
            self.tokens[who] = self.sign_in(who).json()["access_token"]
        headers = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.request(
            method, f"{self.url}{path}", json=body, headers=headers, timeout=60, trust_env=False, follow_redirects=False
        )

    def begin(self, dag_id: str, **conf: Any) -> str:
        """Begin a run, whose tasks nobody executes, and return its id."""
        body = {"logical_date": None, "conf": conf}
        answer = self.ask("op", "POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["dag_run_id"])

    def wait_for_a_person(self, dag_id: str, task_id: str = ASKS) -> str:
        """Begin a run that has come to the question, and return the path of the answer."""
        run_id = self.begin(dag_id)
        with closing(psycopg2.connect(self.database)) as link, link, link.cursor() as cursor:
            cursor.execute(
                "UPDATE task_instance SET state = 'awaiting_input' WHERE run_id = %s AND task_id = %s RETURNING id",
                (run_id, task_id),
            )
            [(task_instance,)] = cursor.fetchall()
            cursor.execute(
                "INSERT INTO hitl_detail (ti_id, options, subject, multiple, params, params_input, created_at)"
                " VALUES (%s, %s, 'May it serve?', false, '{}', '{}', now())",
                (task_instance, json.dumps(["Approve", "Reject"])),
            )
        return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log[-3000:]
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v2/monitor/health", trust_env=False).status_code == 200
        return False
