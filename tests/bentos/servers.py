"""Real servers for the tests of the service: the service itself, MLflow, and a way to a database that can be cut."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from psycopg2.extensions import make_dsn, parse_dsn

from local.ports import free_port
from tests.bentos.bundles import USE_CASE

BENTOS = Path(__file__).resolve().parents[2] / "bentos"


def eventually(check: Callable[[], Any], within: float = 30.0, every: float = 0.05) -> Any:
    """Wait until a check gives something true, and return that."""
    deadline = time.monotonic() + within
    while True:
        if found := check():
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {within} s"
        time.sleep(every)


@dataclass
class Service:
    """`bentoml serve` from the sources, as the stack starts it.

    Attributes:
        home: Its own folder; also holds its log.
        environment: What it is told beside the use case.
    """

    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Service:
        """Start it, without waiting."""
        self.home.mkdir(parents=True, exist_ok=True)
        spared = {k: v for k, v in os.environ.items() if not k.startswith(("SLUICE_", "MLFLOW_", "PYTHONPATH"))}
        own = {
            "BENTOML_HOME": str(self.home),
            "BENTOML_DO_NOT_TRACK": "True",
            "SLUICE_USE_CASE": USE_CASE,
            "SLUICE_POLL_SECONDS": "0.2",
            "SLUICE_ACCESS": "open",
        }
        command = [sys.executable, "-m", "bentoml", "serve", "tabular.service:Tabular"]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=BENTOS,
                env=spared | own | self.environment,
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.home / "log").read_text()

    @property
    def worker(self) -> psutil.Process:
        """The process that answers."""
        assert self.process
        return psutil.Process(self.process.pid).children()[0]

    def is_ready(self) -> bool:
        """Whether a release is loaded."""
        assert self.process
        assert self.process.poll() is None, self.log
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz").status_code == 200
        return False

    def wait(self) -> Service:
        """Wait until it is ready."""
        eventually(self.is_ready, within=90, every=0.1)
        return self

    def card(self) -> dict[str, Any]:
        """What it says of itself; empty while it does not answer."""
        with contextlib.suppress(httpx.TransportError):
            document: dict[str, Any] = httpx.get(self.url).json()
            return document
        return {}

    def predict(self, *instances: dict[str, Any], **headers: str) -> httpx.Response:
        """Ask for predictions."""
        return httpx.post(f"{self.url}/api/v1/predict", json={"instances": instances}, headers=headers)

    def stop(self, patience: float = 20) -> int | None:
        """End it as a supervisor does, and return its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def kill(self) -> None:
        """End everything of it at once."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in [*psutil.Process(self.process.pid).children(recursive=True)]:
                process.kill()
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Mlflow:
    """A real MLflow server, spoken to as any client may."""

    url: str
    artifacts: Path
    """Where it keeps the artifacts."""

    def publish(self, bundle: Path, named: str = "") -> int:
        """Store a bundle as the next version of the model, the way the training run does; maybe under a false name."""
        with httpx.Client(base_url=f"{self.url}/api/2.0", timeout=30) as client:
            client.post("/mlflow/registered-models/create", json={"name": USE_CASE})
            run = client.post("/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
            for name in ("manifest.json", *json.loads((bundle / "manifest.json").read_text())["files"]):
                path = f"/mlflow-artifacts/artifacts/0/{run['run_id']}/artifacts/bundle/{name}"
                client.put(path, content=(bundle / name).read_bytes()).raise_for_status()
            sha256 = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
            source = {
                "name": USE_CASE,
                "source": f"runs:/{run['run_id']}/bundle",
                "run_id": run["run_id"],
                "tags": [{"key": "bundle_sha256", "value": named or sha256}],
            }
            answer = client.post("/mlflow/model-versions/create", json=source).raise_for_status()
        return int(answer.json()["model_version"]["version"])

    def promote(self, version: int) -> None:
        """Make a version the champion."""
        self._point("champion", version)

    def demote(self) -> None:
        """Let there be no champion."""
        self._unpoint("champion")

    def challenge(self, version: int, share: str | None) -> None:
        """Make a version the challenger, with this tag for its share."""
        if share is not None:
            self.share(version, share)
        self._point("challenger", version)

    def share(self, version: int, share: str) -> None:
        """Say how much of the traffic a challenger gets."""
        tag = {"name": USE_CASE, "version": str(version), "key": "share", "value": share}
        httpx.post(f"{self.url}/api/2.0/mlflow/model-versions/set-tag", json=tag).raise_for_status()

    def withdraw(self) -> None:
        """Let there be no challenger."""
        self._unpoint("challenger")

    def _point(self, alias: str, version: int) -> None:
        given = {"name": USE_CASE, "alias": alias, "version": str(version)}
        httpx.post(f"{self.url}/api/2.0/mlflow/registered-models/alias", json=given).raise_for_status()

    def _unpoint(self, alias: str) -> None:
        address = f"{self.url}/api/2.0/mlflow/registered-models/alias"
        httpx.request("DELETE", address, json={"name": USE_CASE, "alias": alias}).raise_for_status()


@dataclass
class Tracker:
    """An MLflow server's process; started again, it has the same port and everything it kept.

    Attributes:
        folder: Where it keeps everything.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mlflow:
        """Start it, and wait until it answers."""
        options = {
            "--backend-store-uri": f"sqlite:///{self.folder}/mlflow.db",
            "--artifacts-destination": str(self.folder / "artifacts"),
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--workers": "1",
        }
        command = [sys.executable, "-m", "mlflow", "server", *(part for pair in options.items() for part in pair)]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        server = Mlflow(f"http://127.0.0.1:{self.port}", self.folder / "artifacts")

        def answers() -> bool:
            assert self.process
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{server.url}/health").status_code == 200
            return False

        eventually(answers, within=120, every=0.2)
        return server

    def stop(self) -> None:
        """End it as a supervisor does."""
        if self.process is None:
            return
        descendants = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        self.process.wait(20)
        for leftover in psutil.wait_procs(descendants, timeout=5)[1]:
            leftover.kill()
        self.process = None

    def kill(self) -> None:
        """End everything of it at once."""
        assert self.process
        for process in psutil.Process(self.process.pid).children(recursive=True):
            process.kill()
        self.process.kill()
        self.process.wait()
        self.process = None


@contextlib.contextmanager
def mlflow(folder: Path) -> Iterator[Mlflow]:
    """A running MLflow server that keeps everything in a folder."""
    tracker = Tracker(folder)
    try:
        yield tracker.start()
    finally:
        tracker.stop()


class Relay:
    """A way to a TCP server that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._passes = threading.Event()
        self.port = free_port()

    @classmethod
    def before(cls, dsn: str) -> Relay:
        """A way to a database."""
        parts = parse_dsn(dsn)
        return cls(parts["host"], int(parts["port"]))

    def around(self, dsn: str) -> str:
        """The address of that database by this way."""
        return make_dsn(**parse_dsn(dsn) | {"port": self.port})

    def mend(self) -> None:
        """Let connections through."""
        self._passes.set()
        if self._listener:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def swallow(self) -> None:
        """Take whatever comes, refuse nobody, and bring nothing to the other end."""
        self._passes.clear()

    def cut(self) -> None:
        """Break what goes through and refuse what comes."""
        self._passes.set()
        if self._listener:
            # Without a shutdown the thread that waits on it would keep it alive.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        while self._open:
            end = self._open.pop()
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._passes.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
