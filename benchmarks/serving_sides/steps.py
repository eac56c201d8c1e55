"""Steps: where the CPU of Sluice goes for one request, with no server around it.

`python steps.py` is told by its environment what a service is told, reads a request's body from its standard input,
and prints what it took, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

#: How often each step is timed, and most rows in all: the log holds no more.
TIMES, ROWS = 1000, 10_000
#: Seconds within which it must have loaded its release.
PATIENCE = 60
#: The log looks for rows four times a second; two looks without any work are the end.
PAUSE, QUIET = 0.6, 0.03
#: The variable that holds a request's own headers.
HEADERS = "REQUEST_HEADERS"


@dataclass(frozen=True)
class Steps:
    """CPU milliseconds of each step of a request.

    Attributes:
        read: From the body to rows that keep the contract.
        tensors: From the rows to the graph's inputs.
        graph: From the inputs to predictions, in ONNX Runtime.
        answer: All else that its application does: key, headers, ids, the answer's JSON text, metrics.
        log: Writing the rows to the database, and what the thread that does it costs the others.
    """

    read: float
    tensors: float
    graph: float
    answer: float
    log: float

    @property
    def whole(self) -> float:
        """All of them."""
        times: dict[str, float] = asdict(self)
        return sum(times.values())


def measure(environment: Mapping[str, str], folder: Path, body: str, headers: Mapping[str, str]) -> Steps:
    """Time a request with the log and without, each in a process of its own.

    Args:
        environment: What the service is told.
        folder: Where its package is.
        body: Of the request.
        headers: Of the request, beside those that every one has.
    """
    told = {**environment, "PYTHONPATH": str(folder), HEADERS: json.dumps(dict(headers))}
    logged = _run(told, body)
    bare = _run({**told, "SLUICE_WAREHOUSE_DSN": ""}, body)
    inner = {name: value for name, value in bare.items() if name != "application"}
    return Steps(
        **inner,
        answer=bare["application"] - sum(inner.values()),
        log=logged["application"] - bare["application"],
    )


def _run(environment: Mapping[str, str], body: str) -> dict[str, float]:
    home = Path(environment["BENTOML_HOME"], "steps")
    home.mkdir(exist_ok=True)
    # Several processes may serve, so that BentoML has them count in files.
    told = {**os.environ, **environment, "PROMETHEUS_MULTIPROC_DIR": str(home)}
    ended = subprocess.run(  # noqa: S603 - our own
        (sys.executable, __file__), input=body, env=told, stdout=subprocess.PIPE, text=True, check=True
    )
    times: dict[str, float] = json.loads(ended.stdout)
    return times


def steps(body: bytes) -> dict[str, float]:
    """CPU milliseconds of a request's steps, and of the whole application."""
    from tabular.releases import bundle as bundles

    folder = Path(os.environ["SLUICE_BUNDLE"])
    runtime = json.loads((folder / "contract.json").read_text())["runtime_sha256"]
    bundle = bundles.load(folder, os.environ["SLUICE_USE_CASE"], runtime)
    rows = bundle.schema.instances(body)
    tensors = bundle.schema.tensors(rows)
    times = min(TIMES, ROWS // len(rows))
    return {
        "read": _time(lambda: bundle.schema.instances(body), times),
        "tensors": _time(lambda: bundle.schema.tensors(rows), times),
        "graph": _time(lambda: bundle.predict(tensors), times),
        "application": asyncio.run(_application(body, times)),
    }


def _time(step: Callable[[], Any], times: int) -> float:
    seen: list[float] = []
    for _ in range(times):
        begun = time.process_time()
        step()
        seen.append((time.process_time() - begun) * 1000)
    return median(seen)


async def _application(body: bytes, times: int) -> float:
    """The mean, until nothing is left to write."""
    from tabular.service import Tabular

    service = Tabular()
    service.start()
    async with asyncio.timeout(PATIENCE):
        while not await service.__is_ready__():
            await asyncio.sleep(0.05)
    await _ask(service.application, body)
    _rest()
    begun = time.process_time()
    for _ in range(times):
        await _ask(service.application, body)
    used = _rest() - begun
    service.stop()
    return used / times * 1000


async def _ask(application: Callable[..., Any], body: bytes) -> None:
    """One request, as a server hands it over."""
    usual = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(body))}
    headers = usual | json.loads(os.environ[HEADERS])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise SystemExit(f"Sluice's application answers {message['status']}")

    await application(scope, receive, send)


def _rest() -> float:
    """Wait until this process has nothing left to do, and return the CPU seconds that it had used by then."""
    used = time.process_time()
    while True:
        time.sleep(PAUSE)
        before, used = used, time.process_time()
        if used - before < QUIET * PAUSE:
            return before


if __name__ == "__main__":
    print(json.dumps(steps(sys.stdin.buffer.read())))
