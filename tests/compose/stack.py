"""The stack in containers, as its operator has it: a copy of the repository, its own secrets, its own ports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from local import compose, containers, secrets
from local.containers import Container
from local.ports import free_port
from local.runs import Airflow, Run

REPOSITORY = Path(__file__).parents[2]
FILES = ("docker-compose.yaml", "compose.serving.yaml")
#: What a clone does not have, and what is none of the stack's.
OTHERS = shutil.ignore_patterns(".venv", "var", ".git", "__pycache__", ".*_cache", ".hypothesis", "*.pyc")
PROGRAMS = ("AIRFLOW", "MLFLOW", "WATCHER", "PROMETHEUS", "MAIL")
RUNS = count(1)
#: Rows as psql prints them for a program.
ROWS = "SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"


@dataclass(frozen=True)
class Containers:
    """The stack of one folder.

    Attributes:
        folder: The copy of the repository.
        project: What compose calls the stack.
        ports: On this machine, by program.
    """

    folder: Path
    project: str
    ports: dict[str, int]

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a person's shell has, and the ports."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTHON"))}
        ports = {f"SLUICE_PORT_{name}": str(port) for name, port in self.ports.items()}
        return kept | ports | {"COMPOSE_PROJECT_NAME": self.project}

    @cached_property
    def secrets(self) -> dict[str, str]:
        """What `make secrets` wrote."""
        return secrets.read(self.folder / ".env")

    @cached_property
    def command(self) -> list[str]:
        """How compose is called."""
        own = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        files = [part for name in FILES for part in ("--file", str(self.folder / name))]
        return [*(["docker", "compose"] if own else ["docker-compose"]), "--project-name", self.project, *files]

    def make(self, *words: str) -> str:
        """Run a target of the Makefile, as a person does.

        Raises:
            AssertionError: It fails; holds what it said.
        """
        done = subprocess.run(
            ["make", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, f"make {' '.join(words)}:\n{done.stdout[-8000:]}"
        return done.stdout

    def compose(self, *words: str) -> str:
        """Run a command of compose's, as a person does.

        Raises:
            AssertionError: It fails; holds what it said.
        """
        done = subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, f"compose {' '.join(words)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def empty(self, kept: str) -> None:
        """Stop the stack and remove every volume of its but one."""
        self.make("compose-down")
        mine = ["volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}"]
        self.engine("volume", "rm", *(set(self.engine(*mine).split()) - {f"{self.project}_{kept}"}))

    def engine(self, *words: str, check: bool = True) -> str:
        """Run a command of docker's."""
        done = subprocess.run(["docker", *words], capture_output=True, text=True, errors="replace", check=False)
        assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout

    def all(self) -> tuple[Container, ...]:
        """Every container of the stack."""
        return containers.look(self.command)

    def of(self, service: str) -> list[Container]:
        """The containers of one service."""
        return [each for each in self.all() if each.service == service]

    def inspected(self, *names: str) -> list[dict[str, Any]]:
        """What the engine tells of containers."""
        found: list[dict[str, Any]] = json.loads(self.engine("inspect", *names))
        return found

    def within(self, service: str, *words: str) -> str:
        """Run a command in a service's container."""
        return self.engine("exec", self.of(service)[0].name, *words)

    def seed(self, service: str, image: str) -> None:
        """Give the builder an image of the engine's, where no registry can be reached."""
        taking = "cat >/tmp/image.tar && buildah pull --quiet docker-archive:/tmp/image.tar && rm /tmp/image.tar"
        command = f"docker save {image} | docker exec --interactive {self.of(service)[0].name} sh -c '{taking}'"
        subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What the warehouse answers."""
        asking = ["psql", "--username", "postgres", "--dbname", "warehouse", "--tuples-only", "--no-align"]
        found: list[dict[str, Any]] = json.loads(
            self.within("postgres", *asking, "--command", ROWS.format(query=query))
        )
        return found

    def url(self, program: str) -> str:
        """Where a program answers."""
        return f"http://127.0.0.1:{self.ports[program]}"

    @contextmanager
    def airflow(self) -> Iterator[Airflow]:
        """Airflow, as its administrator sees it."""
        with Airflow(self.url("AIRFLOW"), "admin", self.secrets["SLUICE_ADMIN_PASSWORD"]) as airflow:
            yield airflow

    def start(self, airflow: Airflow, dag_id: str, **conf: Any) -> Run:
        """Trigger a DAG."""
        airflow.await_dag(dag_id)
        return airflow.trigger(dag_id, f"test-{next(RUNS)}", conf)

    def finish(self, airflow: Airflow, run: Run) -> Run:
        """Wait for a run's success."""
        *_, last = airflow.follow(run, every=2)
        if last.run.state != "success":
            raise airflow.failure(last.run)
        return last.run

    def mails(self) -> list[dict[str, Any]]:
        """What the mail catcher holds."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url('MAIL')}/messages", trust_env=False).json()
        return found

    def leftovers(self) -> dict[str, list[str]]:
        """What of the stack the engine still has."""
        mine = f"label=com.docker.compose.project={self.project}"
        found = {
            "containers": self.engine("ps", "--all", "--quiet", "--filter", mine).split(),
            "volumes": self.engine("volume", "ls", "--quiet", "--filter", mine).split(),
            "networks": self.engine("network", "ls", "--quiet", "--filter", mine).split(),
        }
        return {kind: names for kind, names in found.items() if names}


def copied(folder: Path) -> Containers:
    """A copy of the repository with secrets of its own, which has not been started."""
    shutil.copytree(REPOSITORY, folder, ignore=OTHERS, symlinks=True)
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    served = compose.published((folder / compose.FILE).read_text(encoding="utf-8"))
    ports = {name: free_port() for name in (*PROGRAMS, *(name.upper() for name in served))}
    stack = Containers(folder, f"sluice-{os.getpid()}", ports)
    stack.make("secrets", "DEV=1")
    return stack


def until(look: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What a look sees, as soon as it sees anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(1)
    return found
