"""A release started as a process of its own, so that the gate can query it before anyone depends on it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from sluice.domain.release import Release, Started

STOP_SECONDS = 15


#: How often a release is started whose port was taken between its choice and its use.
STARTS = 3


@contextmanager
def started(release: Release, budget_seconds: float) -> Iterator[Started]:
    """Start a release from its bento alone (no registry, no database), and stop it at the end.

    Args:
        release: What to start.
        budget_seconds: How long it may take until it is ready.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-probe-") as home:
        log = Path(home) / "serve.log"
        for start in range(1, STARTS + 1):
            port, begin = _free_port(), time.monotonic()
            process = _launch(release, home, port, log)
            url = f"http://127.0.0.1:{port}"
            try:
                ready = _wait(process, url, begin, budget_seconds)
                said = log.read_text(errors="replace")
                # Its own port or that of BentoML's supervisor: any connection of this machine may have taken it.
                if ready is None and start < STARTS and process.poll() is not None and "ddress already in use" in said:
                    continue
                how = "started as a process; no image was built"
                if ready is None:
                    how += f"; its log ends: {said[-1000:]}"
                yield Started(url=url, ready_seconds=ready, how=how)
                return
            finally:
                _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _launch(release: Release, home: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bentoml", "serve", release.bento_path, "--host", "127.0.0.1"]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  every argument is ours
            [*command, "--port", str(port)],
            env=_environment(release, home),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(release: Release, home: str) -> dict[str, str]:
    """Only what the process needs: it must not find the registry, the database or anybody's secrets."""
    # The stack's mark lets it end what a killed task leaves behind.
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SLUICE_STACK") if key in os.environ}
    return kept | {
        "BENTOML_HOME": home,
        "BENTOML_DO_NOT_TRACK": "true",
        "SLUICE_USE_CASE": release.use_case,
        "SLUICE_BUNDLE": f"{release.bento_path}/src/bundle",
    }


def _wait(process: subprocess.Popen[bytes], url: str, begin: float, budget: float) -> float | None:
    while (elapsed := time.monotonic() - begin) < budget and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return elapsed
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    # Whatever of the group is left, its workers too.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
