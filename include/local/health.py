"""Health: one question to each program, answered from outside as its users would ask it."""

from __future__ import annotations

import atexit
import smtplib
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import httpx
import psycopg2

PATIENCE = 10.0
"""How long one question may take, in seconds."""


@dataclass(frozen=True)
class Health:
    """The answer, and what to say about it."""

    ok: bool
    note: str = ""


def database(dsn: str) -> Health:
    """Whether a database answers a query."""
    try:
        connection = psycopg2.connect(dsn, connect_timeout=int(PATIENCE))
    except psycopg2.OperationalError as error:
        return Health(False, str(error).strip().splitlines()[-1])
    connection.close()
    return Health(True)


def page(url: str) -> Health:
    """Whether a URL answers with success."""
    try:
        answer = _client().get(url)
    except httpx.HTTPError as error:
        return Health(False, type(error).__name__)
    return Health(answer.is_success, "" if answer.is_success else f"HTTP {answer.status_code}")


def mail(port: int, inbox: str) -> Health:
    """Whether mail is accepted and can be looked at."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            client.noop()
    except OSError as error:
        return Health(False, str(error))
    return page(f"{inbox}/messages")


def component(base: str, name: str, started: float) -> Health:
    """Whether a part of Airflow gave a sign of life since it was started.

    Args:
        base: URL of the API server.
        name: As the API server calls it: scheduler, dag_processor, triggerer.
        started: When the process was started, in seconds since the epoch; signs of an earlier one do not count.
    """
    try:
        answer = _client().get(f"{base}/api/v2/monitor/health")
        part = answer.raise_for_status().json()[name]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return Health(False, f"the API server does not say ({type(error).__name__})")
    beat = part.get(f"latest_{name}_heartbeat")
    if part.get("status") != "healthy" or not beat:
        return Health(False, str(part.get("status") or "no sign of life"))
    if datetime.fromisoformat(beat).timestamp() < started:
        return Health(False, "no sign of life yet")
    return Health(True)


def model(base: str) -> Health:
    """Whether a model server lives; the note says whether it has a model to answer with."""
    alive = page(f"{base}/livez")
    if not alive.ok:
        return alive
    return Health(True, "" if page(f"{base}/readyz").ok else "no release yet")


@cache
def _client() -> httpx.Client:
    """One client for all questions: making one costs more than asking, because it reads the certificates."""
    # No proxy stands between this machine and itself.
    client = httpx.Client(timeout=PATIENCE, trust_env=False)
    atexit.register(client.close)
    return client
