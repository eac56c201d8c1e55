"""A release started as a process of its own, so that the gate can query it before anyone depends on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sluice.domain.release import Release, Started, Stopped
from sluice.release.probe import Probe, free_port, wait

#: How often a release is started whose port was taken between its choice and its use.
STARTS = 3
#: How long one that nobody asked to stop may take for it.
STOP_SECONDS = 15


@contextmanager
def started(release: Release, budget_seconds: float, reason: str) -> Iterator[Probe]:
    """Start a release from its bento alone (no registry, no database), and stop it at the end.

    Args:
        release: What to start.
        budget_seconds: How long it may take until it is ready.
        reason: Why it runs as a process and not as a container.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-probe-") as home:
        log = Path(home) / "serve.log"
        for start in range(1, STARTS + 1):
            port, begin = free_port(), time.monotonic()
            process = _launch(release, home, port, log)
            try:
                url = f"http://127.0.0.1:{port}"
                ready = wait(url, partial(_runs, process), begin, budget_seconds)
                said = log.read_text(errors="replace")
                # Its own port or that of BentoML's supervisor: any connection of this machine may have taken it.
                if ready is None and start < STARTS and process.poll() is not None and "ddress already in use" in said:
                    continue
                how = f"started as a process: {reason}"
                if ready is None:
                    how += f"; its log ends: {said[-1000:]}"
                yield Probe(Started(url=url, ready_seconds=ready, how=how), stop=partial(_stop, process))
                return
            finally:
                _stop(process, STOP_SECONDS)


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
        # Nobody but this machine reaches it, and the gate has no key.
        "SLUICE_ACCESS": "open",
        "SLUICE_BUNDLE": f"{release.bento_path}/src/bundle",
    }


def _runs(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def _stop(process: subprocess.Popen[bytes], patience: float) -> Stopped:
    begin, seconds = time.monotonic(), None
    if _runs(process):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
        seconds = time.monotonic() - begin
    # Whatever of the group is left, its workers too.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    # As a shell and a container engine tell the end by a signal.
    return Stopped(seconds=seconds, exit_code=code if code >= 0 else 128 - code)
