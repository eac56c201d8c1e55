"""Probes: releases that were started only to be queried, and that are stopped afterwards."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from sluice.domain.release import Started, Stopped


@dataclass(frozen=True)
class Probe:
    """A release that runs until it is told to stop.

    Attributes:
        started: Where and how it runs.
        stop: Sends it the signal to stop, waits for its end for as many seconds as it is given, kills it after
            them, and says how it ended.
    """

    started: Started
    stop: Callable[[float], Stopped]


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait(url: str, alive: Callable[[], bool], begin: float, budget_seconds: float) -> float | None:
    """Wait until a release says that it is ready.

    Args:
        url: Where it will answer.
        alive: Whether it still runs.
        begin: When it was started, as `time.monotonic` has it.
        budget_seconds: How long it may take from then on.

    Returns:
        How many seconds it took; None when it ended before, or did not get ready in time.
    """
    while (elapsed := time.monotonic() - begin) < budget_seconds and alive():
        try:
            if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200:
                return elapsed
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    return None
