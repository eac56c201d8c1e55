"""Evidently's own service, on an empty workspace."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from local.ports import free_port
from tests.bentos.servers import eventually

SECRET = "only-for-tests"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The service, with a secret; its address."""
    port = free_port()
    command = [Path(sys.executable).with_name("evidently"), "ui", "--workspace", folder / "workspace"]
    environment = os.environ | {"DO_NOT_TRACK": "1", "EVIDENTLY_SECRET": SECRET}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        # It imports for half a minute, and longer beside whoever asks all the time whether it has.
        eventually(lambda: _answers(port), within=300, every=1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def asked(service: str, path: str) -> Any:
    """What the service says."""
    headers = {"evidently-secret": SECRET}
    return httpx.get(f"{service}/api/{path}", headers=headers, trust_env=False, timeout=30).raise_for_status().json()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
