"""What came out of the stages, read where each of them keeps it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from local.errors import RunError
from local.runs import Airflow, Run
from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase


@dataclass(frozen=True)
class Batch:
    """The rows in use after ingestion."""

    number: int
    rows: int
    quarantined: int
    source: str
    is_new: bool
    is_newly_used: bool

    def __str__(self) -> str:
        held = f"batch {self.number}: {self.rows:,} rows, {self.quarantined:,} in quarantine, from {self.source}"
        if self.is_new:
            return held
        return f"{'in use again' if self.is_newly_used else 'unchanged'}, no new batch; {held}"


@dataclass(frozen=True)
class Verdict:
    """What the gate decided."""

    code: str
    message: str
    version: int
    champion: int | None
    metrics: dict[str, float]

    @property
    def promotes(self) -> bool:
        """Whether the version was to become the champion."""
        return self.code == "promote"

    @property
    def serving(self) -> int | None:
        """The version that has to serve after the decision."""
        return self.version if self.promotes else self.champion


@dataclass(frozen=True)
class Answer:
    """What the live endpoint answered."""

    said: str
    """The prediction in words."""
    doubts: tuple[tuple[str, str], ...]
    """How sure it is: an interval, or the probabilities and the prediction set. Name and words of each."""
    version: int
    prediction_id: str


def now(warehouse: Warehouse) -> datetime:
    """The time by the warehouse's clock."""
    [row] = warehouse.rows(warehouse.statement("local/clock"))
    moment: datetime = row["now"]
    return moment


def batch(warehouse: Warehouse, use_case: str, since: datetime) -> Batch:
    """The batch in use, compared with what was before a moment."""
    row = _one(warehouse, "local/batch", {"use_case": use_case, "since": since})
    return Batch(
        row["batch_id"], row["rows"], row["quarantined"], row["source_uri"], row["is_new"], row["is_newly_used"]
    )


def snapshot(warehouse: Warehouse, snapshot_id: str) -> str:
    """A snapshot in words."""
    row = _one(warehouse, "local/snapshot", {"snapshot_id": snapshot_id})
    parts = (
        f"{row['train_rows']:,} to train on, {row['calibration_rows']:,} for intervals, {row['test_rows']:,} held out"
    )
    return f"snapshot {row['snapshot_id']}: {row['rows']:,} rows, {parts}"


def candidate(airflow: Airflow, run: Run) -> str:
    """The candidate of a training run in words: a new version, or one that was recognised and not trained again."""
    version = airflow.result(run, "register_candidate")
    if not any(task.task_id == "open_study" and task.state == "skipped" for task in airflow.tasks(run)):
        return f"version {version} is the candidate"
    return f"nothing has changed since version {version} was made: it is the candidate again (again=true trains anew)"


def way_back(airflow: Airflow, run: Run) -> str:
    """What a rollback came to, in words."""
    if any(task.task_id == "choose" and task.state == "skipped" for task in airflow.tasks(run)):
        return "it serves already: nothing was changed"
    processes = int(airflow.result(run, "confirm_live"))
    return f"live in {processes} process{'es' if processes > 1 else ''}"


def verdict(warehouse: Warehouse, use_case: str, run_id: str) -> Verdict:
    """The gate's decision in one promotion run."""
    row = _one(warehouse, "local/decision", {"use_case": use_case, "dag_run_id": run_id})
    metrics = {name: value for part in row["evidence"] for name, value in part["metrics"].items()}
    return Verdict(row["code"], row["message"], row["version"], row["champion_version"], metrics)


def drift(warehouse: Warehouse, use_case: str, run_id: str) -> tuple[str, str | None]:
    """The drift check's verdict in words, and the path of its report."""
    row = _one(warehouse, "local/drift", {"use_case": use_case, "dag_run_id": run_id})
    return str(row["message"]), row["report_uri"]


def family(mlflow: str, use_case: str, version: int) -> str:
    """The family of models that a registered version is of."""
    query = {"name": use_case, "version": str(version)}
    found = _get(f"{mlflow}/api/2.0/mlflow/model-versions/get", query)["model_version"]
    tags = {tag["key"]: tag["value"] for tag in found.get("tags", ())}
    return str(tags.get("family", "unknown"))


def ask(url: str, use_case: UseCase, version: int | None, patience: float = 30.0) -> Answer:
    """Have the live endpoint predict for the spec's example.

    Args:
        url: Base of the model server.
        use_case: Whose example.
        version: Who must answer; a server takes a moment to change versions.
        patience: How long that moment may be, in seconds.

    Raises:
        RunError: Nothing, or another version, answers.
    """
    deadline = time.monotonic() + patience
    body = {"instances": [dict(use_case.serving.example)]}
    while True:
        last = ""
        try:
            response = httpx.post(f"{url}/api/v1/predict", json=body, timeout=10, trust_env=False)
            if response.is_success and response.json()["model_version"] == version:
                return _answer(use_case, response.json())
            last = f"HTTP {response.status_code}: {response.text[:300]}"
        except httpx.TransportError as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise RunError(f"version {version} does not answer ({last})", url, "run make logs for the server's log")
        time.sleep(0.5)


def lineage(warehouse: Warehouse, prediction_id: str, patience: float = 20.0) -> list[dict[str, Any]]:
    """The source files behind a prediction, which is logged a moment after it was answered.

    Raises:
        RunError: It is not logged in time, or nothing is known about where it came from.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := warehouse.rows(warehouse.statement("lineage/prediction"), {"prediction_id": prediction_id}):
            return found
        time.sleep(0.2)
    raise RunError(f"prediction {prediction_id} has no lineage", "serving.predictions", "read the model server's log")


def _answer(use_case: UseCase, content: dict[str, Any]) -> Answer:
    [first] = content["predictions"]
    level = f"{content['level']:.0%} " if content.get("level") else ""
    said, doubts = _class(use_case, first, level) if use_case.classes else _number(first, content["unit"], level)
    return Answer(said, tuple(doubts), content["model_version"], first["prediction_id"])


def _number(row: dict[str, Any], unit: str | None, level: str) -> tuple[str, list[tuple[str, str]]]:
    said = f"{plain(row['prediction'], 6)} {unit or ''}".strip()
    if not row["interval"]:
        return said, []
    low, high = (plain(end, 6) for end in row["interval"])
    return said, [(f"{level}interval", f"{low} to {high}")]


def _class(use_case: UseCase, row: dict[str, Any], level: str) -> tuple[str, list[tuple[str, str]]]:
    value, title = row["prediction"], row["prediction_label"]
    titles = {name: use_case.labels.get(name, name) for name in use_case.classes}
    ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])
    doubts = [("probabilities", ", ".join(f"{titles.get(name, name)} {plain(share)}" for name, share in ranked))]
    if row["prediction_set"] is not None:
        doubts.append((f"{level}set", ", ".join(titles.get(name, name) for name in row["prediction_set"])))
    return (title if title == value else f"{title} ({value})"), doubts


def _one(warehouse: Warehouse, statement: str, values: dict[str, Any]) -> dict[str, Any]:
    rows = warehouse.rows(warehouse.statement(statement), values)
    if not rows:
        raise RunError(f"the warehouse has no row for {statement}", str(values), "look at the runs in Airflow")
    return rows[0]


def _get(url: str, query: dict[str, str]) -> dict[str, Any]:
    try:
        response = httpx.get(url, params=query, timeout=30, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise RunError(f"it does not answer: {error}", url, "run make status") from error
    content: dict[str, Any] = response.json()
    return content
