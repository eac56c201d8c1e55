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
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: How often each step is timed, and most rows in all: the log holds no more.
TIMES, ROWS = 1000, 10_000
#: Seconds within which it must have loaded its release.
PATIENCE = 60
#: The log writes four times a second; after this long everything is written.
PAUSE = 1.0
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
        log: Writing the rows to the database, in the thread that does nothing else.
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
    """Time a request in a process of its own.

    Args:
        environment: What the service is told.
        folder: Where its package is.
        body: Of the request.
        headers: Of the request, beside those that every one has.
    """
    home = Path(environment["BENTOML_HOME"], "steps")
    home.mkdir(exist_ok=True)
    # Several processes may serve, so that BentoML has them count in files.
    told = {**os.environ, **environment, "PROMETHEUS_MULTIPROC_DIR": str(home)}
    told |= {"PYTHONPATH": str(folder), HEADERS: json.dumps(dict(headers))}
    ended = subprocess.run(  # noqa: S603 - our own
        (sys.executable, __file__), input=body, env=told, stdout=subprocess.PIPE, text=True, check=True
    )
    return Steps(**json.loads(ended.stdout))


def steps(body: bytes) -> Steps:
    """CPU milliseconds of a request's steps: each a mean, on the clock of the thread that does it.

    The clock of the whole process would count what threads do that no request asks for.
    """
    from tabular.releases import bundle as bundles

    folder = Path(os.environ["SLUICE_BUNDLE"])
    runtime = json.loads((folder / "contract.json").read_text())["runtime_sha256"]
    bundle = bundles.load(folder, os.environ["SLUICE_USE_CASE"], runtime)
    rows = bundle.schema.instances(body)
    tensors = bundle.schema.tensors(rows)
    times = min(TIMES, ROWS // len(rows))
    read = _time(lambda: bundle.schema.instances(body), times)
    fed = _time(lambda: bundle.schema.tensors(rows), times)
    graph = _time(lambda: bundle.predict(tensors), times)
    whole, log = asyncio.run(_application(body, times))
    return Steps(read=read, tensors=fed, graph=graph, answer=whole - read - fed - graph, log=log)


def _time(step: Callable[[], Any], times: int) -> float:
    step()
    begun = time.thread_time()
    for _ in range(times):
        step()
    return (time.thread_time() - begun) / times * 1000


async def _application(body: bytes, times: int) -> tuple[float, float]:
    """What a request costs the thread that answers, and the one that writes."""
    from tabular.service import Tabular

    service = Tabular()
    service.start()
    async with asyncio.timeout(PATIENCE):
        while not await service.__is_ready__():
            await asyncio.sleep(0.05)
    await _ask(service.application, body)
    log = next(thread for thread in threading.enumerate() if thread.name == "log")
    clock = time.pthread_getcpuclockid(log.ident or 0)
    written = time.clock_gettime(clock)
    time.sleep(PAUSE)
    # What it uses without any request: it looks whether there is something, and shows that the process lives.
    idle, since = (time.clock_gettime(clock) - written) / PAUSE, time.monotonic()
    begun, written = time.thread_time(), time.clock_gettime(clock)
    for _ in range(times):
        await _ask(service.application, body)
    used = time.thread_time() - begun
    time.sleep(PAUSE)
    logged = time.clock_gettime(clock) - written - idle * (time.monotonic() - since)
    service.stop()
    return used / times * 1000, logged / times * 1000


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


if __name__ == "__main__":
    print(json.dumps(asdict(steps(sys.stdin.buffer.read()))))
