"""Files sent to a server by curl, and what that took."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from serving_sides.sides import Server, cpu

#: Seconds between two looks at a server's memory.
EVERY = 0.02
MEGABYTE = 1e6


@dataclass(frozen=True)
class Sent:
    """A file that was sent and answered.

    Attributes:
        seconds: From the first byte sent to the last received.
        cpu: CPU seconds of the server's processes.
    """

    seconds: float
    cpu: float


def send(one: Server, file: Path, answer: Path, path: str = "/predict/file") -> Sent:
    """Send a file to one of a server's addresses and keep the answer.

    Raises:
        SystemExit: It was not answered.
    """
    headers = [f"{name}: {value}" for name, value in one.side.headers.items()]
    if one.side.name == "sluice":
        body = ["-T", str(file), "-X", "POST", "-H", "content-type: text/csv"]
    else:
        body = ["-F", f"file=@{file};type=text/csv"]
    options = [part for header in headers for part in ("-H", header)]
    command = ["curl", "-sS", "--fail", "--noproxy", "*", *options, *body, "-o", str(answer)]
    before, begun = cpu(one.process), time.perf_counter()
    ended = subprocess.run(  # noqa: S603
        [*command, f"{one.url}{path}"], check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - begun
    if ended.returncode:
        raise SystemExit(f"{one.side.name} does not answer a file: {ended.stderr}\n{one.log.read_text()[-2000:]}")
    return Sent(seconds, cpu(one.process) - before)


@contextlib.contextmanager
def watched(process: psutil.Process) -> Iterator[list[float]]:
    """The megabytes of memory that a server's processes take together, each page counted once, again and again.

    Each look stops the process for milliseconds and takes as much CPU: what is timed is not watched.
    """
    seen, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            seen.append(_memory(process) / MEGABYTE)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    taken = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            taken += one.memory_full_info().pss
    return taken
