"""The five ways to serve: how each is started, how it is asked, and what it costs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pandas as pd
import psutil

from local import keys
from serving_sides.pipelines import USE_CASE, Trained
from sluice.settings import REPOSITORY
from tests.bentos.servers import eventually, free_port

Name = Literal["tutorial", "mlflow", "bentoml", "floor", "sluice"]
Records = Sequence[dict[Any, Any]]

BENCHMARKS = REPOSITORY / "benchmarks"
#: Variables of whoever runs this that would change how the services run.
FOREIGN = ("SLUICE_", "MLFLOW_", "BENTOML_", "PYTHONPATH")
#: Every side computes in one thread, as ONNX Runtime does in Sluice: where several requests are under way, boosting in
#: scikit-learn answers more of them so than with OpenMP's default of one thread for each core.
THREADS = {"OMP_NUM_THREADS": "1"}
#: A server that used less than this share of a core for so many seconds has nothing left to do.
QUIET, PAUSE = 0.05, 0.4


@dataclass(frozen=True)
class Side:
    """One way to serve a pipeline.

    Attributes:
        command: Starts it; the port comes last.
        folder: Where it is started.
        environment: What it is told.
        ready: The address that answers 200 once predictions can be asked for.
        path: Where they are asked for.
        body: Rows to the JSON document that asks for them.
        answer: The JSON document of an answer to the predictions.
        key: What lets a caller in; empty where everybody may come.
    """

    name: Name
    command: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    ready: str
    path: str
    body: Callable[[Records], Any]
    answer: Callable[[Any], list[float]]
    key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request."""
        return {"x-api-key": self.key} if self.key else {}


def sides(trained: Trained, warehouse: str, scratch: Path) -> tuple[Side, ...]:
    """The ways to serve one pipeline, one process each.

    Args:
        trained: The pipeline.
        warehouse: Address of the database that Sluice logs its predictions in.
        scratch: Where BentoML's services have their homes.
    """
    python = f"{REPOSITORY / 'plugins'}:{BENCHMARKS}"
    pickled = {"PYTHONPATH": python, "MODEL": str(trained.pickle)}
    bentoml = (sys.executable, "-m", "bentoml", "serve")
    host = ("--host", "127.0.0.1", "--port")
    held = scratch / "api-keys.jsonl"
    # One among others, as where it is used.
    key = [keys.make(held, f"caller-{number}") for number in range(5)][2]
    return (
        Side(
            name="tutorial",
            command=(sys.executable, "-m", "uvicorn", "serving_sides.tutorial:app", *host),
            folder=BENCHMARKS,
            environment=pickled,
            ready="/ready",
            path="/predict",
            body=_instances,
            answer=lambda document: document["predictions"],
        ),
        Side(
            name="mlflow",
            command=(
                *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(trained.mlflow)),
                *("--env-manager", "local", *host),
            ),
            folder=scratch,
            # The server is started by the name of its program.
            environment={"PYTHONPATH": python, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            ready="/ping",
            path="/invocations",
            body=_split,
            answer=lambda document: document["predictions"],
        ),
        Side(
            name="bentoml",
            command=(*bentoml, "serving_sides.documented:Houses", *host),
            folder=BENCHMARKS,
            environment=pickled | _home(scratch / "bentoml"),
            ready="/readyz",
            path="/predict",
            body=_instances,
            answer=lambda document: document,
        ),
        Side(
            name="floor",
            command=(*bentoml, "serving_sides.floor:Floor", *host),
            folder=BENCHMARKS,
            environment={"PYTHONPATH": python} | _home(scratch / "floor"),
            ready="/readyz",
            path="/predict",
            body=_instances,
            answer=lambda document: [],
        ),
        Side(
            name="sluice",
            command=(*bentoml, "tabular.service:Tabular", *host),
            folder=trained.service,
            environment=_home(scratch / "sluice")
            | {
                "SLUICE_USE_CASE": USE_CASE,
                "SLUICE_BUNDLE": str(trained.bundle),
                "SLUICE_WAREHOUSE_DSN": warehouse,
                "SLUICE_ACCESS": "keys",
                "SLUICE_API_KEYS": str(held),
                # Counted for every request, and never reached.
                "SLUICE_RATE": "1000000",
            },
            ready="/readyz",
            path="/api/v1/predict",
            body=_instances,
            answer=lambda document: [row["prediction"] for row in document["predictions"]],
            key=key,
        ),
    )


@dataclass(frozen=True)
class Server:
    """A side that runs.

    Attributes:
        log: What it prints.
    """

    side: Side
    port: int
    log: Path
    process: psutil.Popen

    @classmethod
    def start(cls, side: Side, log: Path) -> Server:
        """Start it, without waiting."""
        spared = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        port = free_port()
        with log.open("wb") as said:
            process = psutil.Popen(
                [*side.command, str(port)],
                cwd=side.folder,
                env=spared | THREADS | side.environment,
                stdout=said,
                stderr=said,
            )
        return cls(side, port, log, process)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Whether predictions can be asked for."""
        if self.process.poll() is not None:
            raise SystemExit(f"{self.side.name} ended before it was ready:\n{self.log.read_text()[-3000:]}")
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}{self.side.ready}", trust_env=False).status_code == httpx.codes.OK
        return False

    def predict(self, body: str) -> list[float]:
        """Ask once."""
        headers = {"content-type": "application/json", **self.side.headers}
        answer = httpx.post(f"{self.url}{self.side.path}", content=body, headers=headers, timeout=30, trust_env=False)
        if answer.is_error:
            raise SystemExit(f"{self.side.name} answers {answer.status_code}: {answer.text[:2000]}")
        return self.side.answer(answer.json())

    def dropped(self) -> int:
        """Rows that were answered and not logged so far."""
        if self.side.name != "sluice":
            return 0
        text = httpx.get(f"{self.url}/metrics", headers=self.side.headers, trust_env=False, timeout=30).text
        found = re.search(r"^prediction_log_dropped_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def rest(self) -> float:
        """Wait until it has nothing left to do, and return the CPU seconds that it used since it was started."""
        used = cpu(self.process)
        while True:
            time.sleep(PAUSE)
            before, used = used, cpu(self.process)
            if used - before < QUIET * PAUSE:
                return used

    def stop(self) -> None:
        """End it and whatever it started."""
        family = [*self.process.children(recursive=True), self.process]
        self.process.terminate()
        for left in psutil.wait_procs(family, timeout=15)[1]:
            left.kill()


@contextlib.contextmanager
def running(known: Sequence[Side], scratch: Path) -> Iterator[list[Server]]:
    """Start every side, and stop them all afterwards.

    Yields:
        The servers, once all of them are ready.
    """
    servers: list[Server] = []
    try:
        for side in known:
            servers.append(Server.start(side, scratch / f"{side.name}.log"))  # noqa: PERF401 - those before one that fails are stopped
        for server in servers:
            eventually(server.is_ready, within=180, every=0.3)
        yield servers
    finally:
        for server in servers:
            server.stop()


def cpu(process: psutil.Process) -> float:
    """CPU seconds that a process and those that it started have used."""
    used = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            used += times.user + times.system
    return used


def text(side: Side, rows: pd.DataFrame) -> str:
    """The body of a request for some rows."""
    return json.dumps(side.body(rows.to_dict("records")), separators=(",", ":"))


def _instances(records: Records) -> Any:
    return {"instances": records}


def _split(records: Records) -> Any:
    return {"dataframe_split": {"columns": list(records[0]), "data": [list(row.values()) for row in records]}}


def _home(folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    return {"BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}
