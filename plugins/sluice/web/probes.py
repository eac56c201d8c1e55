"""Probes: how each integration is looked at."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import httpx
import psycopg2
from fsspec.implementations.local import LocalFileSystem

from sluice.adapters import buckets
from sluice.adapters.warehouse import Warehouse, place
from sluice.domain.services import EVIDENTLY, HUGGING_FACE, WANDB, Service
from sluice.settings import Settings
from sluice.web.facts import worst
from sluice.web.inquiry import inquire
from sluice.web.integrations import Probe, Sight, bare
from sluice.web.overview import standings
from sluice.web.rendering import since
from sluice.web.rights import Rights

if TYPE_CHECKING:
    from sluice.domain.use_case import UseCase

#: What a single call may take; less than what all of them together may.
SECONDS = 4
#: A watcher that was not heard of for so long is silent.
SILENT = timedelta(minutes=2)
#: Less space than this on the object store's disk is a reason to look.
LITTLE_SPACE = 0.1

#: Where each publisher's place is named.
_REPOSITORY, _SPACE = "SLUICE_PUBLISH_HUGGINGFACE_REPOSITORY", "SLUICE_PUBLISH_HUGGINGFACE_SPACE"
_PROJECT, _WORKSPACE = "SLUICE_PUBLISH_WANDB_PROJECT", "SLUICE_PUBLISH_EVIDENTLY_URL"

#: Finds a connection of Airflow by its id; None where there is none.
Find = Callable[[str], Any | None]

_VERSIONS: dict[str, list[str]] = {
    "docker": ["docker", "version", "--format", "{{.Server.Version}}"],
    "podman": ["podman", "version", "--format", "{{.Version}}"],
    "buildah": ["buildah", "--version"],
    "buildctl": ["buildctl", "debug", "workers"],
}


def warehouse(asked: Warehouse) -> Probe:
    """The warehouse: whether it answers, and has every migration that this code knows."""
    return Probe("Warehouse", _place(asked.dsn), "SLUICE_WAREHOUSE_DSN", partial(_warehouse, asked))


def studies(dsn: str) -> Probe:
    """The database of the searches: whether it answers."""
    return Probe("Searches (Optuna)", _place(dsn), "SLUICE_OPTUNA_DSN", partial(_answers, dsn))


def registry(uri: str) -> Probe:
    """The model registry: whether it answers, and can read its database."""
    return Probe("Model registry (MLflow)", bare(uri), "MLFLOW_TRACKING_URI", partial(_registry, uri.rstrip("/")))


def store(root: str) -> Probe:
    """The object store: whether it is there and can be listed; nothing is written."""
    return Probe("Object store", bare(root), "SLUICE_OBJECT_STORE", partial(_store, root))


def engine(name: str) -> Probe:
    """The container engine: whether it answers on this machine."""
    return Probe("Container engine", name, "SLUICE_CONTAINER_ENGINE", partial(_engine, name))


def mail(find: Callable[[], Any | None], shown: bool) -> Probe:
    """The mail server: whether it greets; nothing is sent.

    Args:
        find: Finds Airflow's connection; None where there is none. Called when it is looked at.
        shown: Whether the reader may know where that leads.
    """
    return Probe("Mail", "", "AIRFLOW_CONN_SMTP_DEFAULT", partial(_mail, find, shown))


def airflow(health: Callable[[], dict[str, Any]]) -> Probe:
    """Airflow's own parts: whether each gave a sign of life lately.

    Args:
        health: Airflow's own word on them.
    """
    return Probe("Airflow", "", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", partial(_airflow, health))


def serving(asked: Warehouse, use_cases: Sequence[UseCase], rights: Rights, now: datetime) -> Probe:
    """The endpoints: whether each use case's processes report themselves, on the champion."""
    return Probe("Serving", "", "SLUICE_USE_CASES", partial(_serving, asked, use_cases, rights, now))


def watcher(asked: Warehouse, now: datetime) -> Probe:
    """The watcher: whether it gave a sign of life lately."""
    return Probe("Watcher", "", "SLUICE_WATCHER_INTERVAL", partial(_watcher, asked, now))


def model(settings: Settings, find: Find) -> Probe:
    """The model repositories of releases: off, or whether there is a key; nobody signs in."""
    return _publisher(HUGGING_FACE, "models", settings.publish_huggingface_repository, _REPOSITORY, find)


def space(settings: Settings, find: Find) -> Probe:
    """The Spaces of releases: off, or whether there is a key; nobody signs in."""
    return _publisher(HUGGING_FACE, "Spaces", settings.publish_huggingface_space, _SPACE, find)


def runs(settings: Settings, find: Find) -> Probe:
    """The project that releases are entered in: off, or whether there is a key; nobody signs in."""
    return _publisher(WANDB, "runs", settings.publish_wandb_project, _PROJECT, find)


def reports(settings: Settings) -> Probe:
    """The workspace of drift reports: off, or whether it answers."""
    url = settings.publish_evidently_url
    return Probe(f"{EVIDENTLY.name} (reports)", bare(url), _WORKSPACE, partial(_reports, url.rstrip("/")))


def _place(dsn: str) -> str:
    try:
        return place(dsn)
    except psycopg2.ProgrammingError:
        return "an address that cannot be read"


def _answers(dsn: str) -> Sight:
    with closing(psycopg2.connect(dsn, connect_timeout=SECONDS)) as connection:
        return Sight("ok", f"PostgreSQL {connection.info.parameter_status('server_version')} answers.")


def _warehouse(asked: Warehouse) -> Sight:
    _answers(asked.dsn)
    with inquire(asked) as inquiry:
        [row] = inquiry.rows("migrations", {})
    known = {path.stem for path in (asked.statements / "migrations").glob("*.sql")}
    absent = sorted(known - set(row["applied"] or ()))
    if absent:
        return Sight(
            "bad",
            f"It lacks {', '.join(absent)} of {len(known)} migrations.",
            "run `python -m sluice.adapters.migrations`; `make up` does so, too",
        )
    return Sight("ok", f"PostgreSQL {row['server']} answers and has all {len(known)} migrations.")


def _registry(uri: str) -> Sight:
    with httpx.Client(timeout=SECONDS, trust_env=False) as client:
        answer = client.get(f"{uri}/api/2.0/mlflow/registered-models/search", params={"max_results": 1})
        version = client.get(f"{uri}/version").text.strip()[:20] if answer.is_success else ""
    if answer.status_code != httpx.codes.OK:
        return Sight("bad", f"It answers {answer.status_code} when asked for its models.", "look at its log")
    return Sight("ok", f"MLflow {version} answers and can read its models.")


def _store(root: str) -> Sight:
    filesystem, folder = fsspec.core.url_to_fs(root, **buckets.options(root))
    if not isinstance(filesystem, LocalFileSystem):
        return _bucket(filesystem, folder, root)
    if not Path(folder).is_dir():
        return Sight("could not tell", "The folder is not there yet; the first task that stores something makes it.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Sight("bad", "The web server may not read and write the folder.", "correct its owner or its mode")
    disk = shutil.disk_usage(folder)
    free = f"{disk.free / 1e9:,.0f} GB of its disk are free"
    if disk.free < LITTLE_SPACE * disk.total:
        return Sight("bad", f"Only {free}.", "make room, or run `sluice_retention`")
    return Sight("ok", f"The folder may be read and written, and {free}. Writing was not tried.")


def _bucket(filesystem: Any, folder: str, root: str) -> Sight:
    try:
        found = filesystem.ls(folder, detail=False)
    # Each kind of store has errors of its own; a folder without files is one that is not found, by nobody's refusal.
    except Exception as error:
        if isinstance(error, FileNotFoundError) and error.__cause__ is None:
            return Sight("could not tell", "There is nothing yet; the first task that stores something makes it.")
        told = buckets.meaning(error, root)
        if told is None:
            raise
        return Sight("bad", f"{told.what[0].upper()}{told.what[1:]}.", told.action)
    return Sight("ok", f"It can be listed and holds {len(found)} folders. Writing was not tried.")


def _engine(name: str) -> Sight:
    if name == "none":
        return Sight("off", "No images are built: a release is a bento alone, and the decision says so.")
    if shutil.which(name) is None:
        message = f"`{name}` is not on the web server's machine; tasks may run where it is."
        return Sight("could not tell", message, "look at the last promotion's decision: it says how it was started")
    done = subprocess.run(  # noqa: S603  every argument is ours
        _VERSIONS[name], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        return Sight("bad", f"It does not answer: {done.stderr.strip()[-200:]}", f"start {name}")
    return Sight("ok", f"It answers: {done.stdout.strip().splitlines()[0][:80] if done.stdout.strip() else name}.")


def _mail(find: Callable[[], Any | None], shown: bool) -> Sight:
    connection = find()
    if connection is None or not connection.host:
        return Sight("bad", "There is no mail server, so nobody hears of failures.", "set AIRFLOW_CONN_SMTP_DEFAULT")
    plain = str(connection.extra_dejson.get("disable_ssl", "false")).lower() == "true"
    where = f" at {connection.host}:{connection.port}" if shown else ""
    client = smtplib.SMTP if plain else smtplib.SMTP_SSL
    try:
        with client(connection.host, connection.port or 0, timeout=SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as error:
        reason = f": {error}" if shown else ""
        return Sight("bad", f"The mail server{where} does not answer{reason}.", "start it, or correct the connection")
    return Sight("ok", f"The mail server{where} greets. Nothing was sent, and nobody signed in.")


def _publisher(service: Service, what: str, place: str, setting: str, find: Find) -> Probe:
    return Probe(f"{service.name} ({what})", place, setting, partial(_published, service, place, setting, find))


def _published(service: Service, place: str, setting: str, find: Find) -> Sight:
    conn_id = service.connection
    if not place:
        advice = f"to publish, set {setting} and make the connection {conn_id} with the key as its password"
        return Sight("off", "Nothing is published there.", advice)
    connection = find(conn_id)
    if connection is None or not connection.password:
        return Sight("bad", "It is named and there is no key to it.", f"make the connection {conn_id}, with a password")
    return Sight("ok", "Champions are published there, and there is a key. Whether it opens, each publishing run says.")


def _reports(url: str) -> Sight:
    if not url:
        return Sight(
            "off", "Nothing is published there.", f"to publish, set {_WORKSPACE} to the address of its service"
        )
    answer = httpx.get(f"{url}/api/version", timeout=SECONDS, trust_env=False)
    if not answer.is_success:
        return Sight("bad", f"It answers {answer.status_code} when asked for its version.", "look at its log")
    return Sight("ok", f"{answer.json()['application']} {answer.json()['version']} answers.")


def _airflow(health: Callable[[], dict[str, Any]]) -> Sight:
    states = {part: told.get("status") for part, told in health().items()}
    dead = [part.replace("_", " ") for part, state in states.items() if state not in ("healthy", None)]
    if dead:
        return Sight(
            "bad", f"No sign of life lately: {', '.join(dead)}.", "look at their logs; `make status` names them"
        )
    alive = [part.replace("_", " ") for part, state in states.items() if state == "healthy"]
    return Sight("ok", f"Signs of life of: {', '.join(alive)}.")


def _serving(asked: Warehouse, use_cases: Sequence[UseCase], rights: Rights, now: datetime) -> Sight:
    with inquire(asked) as inquiry:
        found = standings(inquiry, use_cases, rights, now)
    endpoints = {s.name: fact for s in found for fact in s.facts if fact.label == "Endpoint"}
    if not endpoints:
        return Sight("could not tell", "There is no use case whose endpoint is yours to see.")
    said = "; ".join(f"{name}: {fact.value}" for name, fact in endpoints.items())
    tone = worst(fact.tone for fact in endpoints.values())
    if tone in ("bad", "unsure"):
        state: Any = "bad" if tone == "bad" else "could not tell"
        return Sight(state, f"{said}.", "open the use case; `make status` names the processes")
    return Sight("ok" if tone == "good" else "off", f"{said}.")


def _watcher(asked: Warehouse, now: datetime) -> Sight:
    with inquire(asked) as inquiry:
        beats = inquiry.rows("heartbeats", {"component": "watcher"})
    if not beats:
        return Sight("off", "It has never reported itself: nobody watches what Airflow cannot tell.", "start it")
    seen, note = beats[0]["seen_at"], beats[0]["note"]
    said = f"Last heard of {since(seen, now)}" + (f": {note}" if note else "")
    if now - seen > SILENT:
        return Sight("bad", f"{said}.", "start it again; until then nobody is told when Airflow is down")
    return Sight("ok", f"{said}.")
