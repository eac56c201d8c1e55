"""The table of faults, told by the watcher as it is started: each is one mail to whom it concerns, and one more."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.environment import inherited
from local.ports import free_port
from local.state import REPOSITORY
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from tests.unit.watcher.conftest import Answers, Inbox

HEALTH = "/api/v2/monitor/health"
TASKS = "/api/v2/dags/~/dagRuns/~/taskInstances"
NEVER, LONG_AGO = "2100-01-01T00:00:00+00:00", "2001-01-01T00:00:00+00:00"
LATE = {"dag_id": "housing_ingest", "next_dagrun_run_after": LONG_AGO, "is_stale": False}
PARTS = ("scheduler", "dag_processor", "triggerer")


def health(beat: str) -> dict[str, Any]:
    return {"metadatabase": {"status": "healthy"}} | {name: {f"latest_{name}_heartbeat": beat} for name in PARTS}


def lost(count: int) -> str:
    return f"# TYPE prediction_log_dropped_total counter\nprediction_log_dropped_total {count}\n"


WELL = {
    HEALTH: health(NEVER),
    "/api/v2/dags": {"dags": [{**LATE, "next_dagrun_run_after": NEVER}]},
    "/api/v2/dags/housing_ingest/dagRuns": {"dag_runs": []},
    "/api/v2/importErrors": {"import_errors": []},
    TASKS: {"task_instances": []},
    "/health": "OK",
    "/readyz": "",
    "/metrics": lost(0),
}
#: What is answered while things are bad, and what the mails say: the use case, the failure, the recovery.
FAULTS: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "programs": (
        {HEALTH: health(LONG_AGO), "/health": None, "/readyz": None, "/metrics": lost(7)},
        [
            ("platform", "airflow is dead: scheduler", "airflow recovered: scheduler"),
            ("platform", "airflow is dead: dag-processor", "airflow recovered: dag-processor"),
            ("platform", "airflow is dead: triggerer", "airflow recovered: triggerer"),
            ("platform", "registry does not answer: MLflow", "registry recovered: MLflow"),
            ("housing", "serving is not ready: the endpoint", "serving recovered: the endpoint"),
            (
                "housing",
                "serving predictions are not logged: the prediction log",
                "serving recovered: the prediction log",
            ),
        ],
    ),
    "work": (
        {
            "/api/v2/dags": {"dags": [LATE]},
            "/api/v2/importErrors": {"import_errors": [{"filename": "torn.py", "stack_trace": "NameError"}]},
            TASKS: {"task_instances": [{"dag_id": "d", "task_id": "t", "queue": "gpu", "queued_when": LONG_AGO}]},
        },
        [
            ("housing", "ingest is late: housing_ingest", "ingest recovered: housing_ingest"),
            ("platform", "import cannot be read: torn.py", "import recovered: torn.py"),
            ("platform", "airflow is dead: the workers of queue gpu", "airflow recovered: the workers of queue gpu"),
        ],
    ),
    "server": (
        {HEALTH: None},
        [("platform", "airflow does not answer: api-server", "airflow recovered: api-server")],
    ),
}


@pytest.fixture(scope="module")
def deployed(warehouse: Warehouse) -> Warehouse:
    """A warehouse whose ledger says that housing was deployed."""
    warehouse.execute(
        "INSERT INTO ml.deployments (use_case, to_version, actor, reason) VALUES ('housing', 1, 'gate', 'promote')"
    )
    return warehouse


@pytest.fixture
def watcher(deployed: Warehouse, answers: Answers, inbox: Inbox, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watcher in a hurry, of a world in which all is well."""
    deployed.execute("TRUNCATE monitoring.incidents")
    answers.by_path.update(WELL)
    settings = {
        "PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}",
        "SLUICE_WAREHOUSE_DSN": deployed.dsn,
        "MLFLOW_TRACKING_URI": answers.url,
        "AIRFLOW__API__BASE_URL": answers.url,
        "SLUICE_SMTP": f"smtp://127.0.0.1:{inbox.server.port}/?disable_ssl=true&disable_tls=true",
    }
    own = {"INTERVAL": "0.2", "PATIENCE": "0.4", "START": "60", "CALM": "4", "PORT": str(free_port()), "DISK_FULL": "1"}
    own |= {"STATE": str(tmp_path / "watcher.json"), "DISKS": str(tmp_path), "SERVING": f"housing={answers.url}"}
    own |= {"AIRFLOW_USER": "viewer", "AIRFLOW_PASSWORD": "right"}
    variables = inherited({}) | settings | {f"SLUICE_WATCHER_{name}": value for name, value in own.items()}
    process = subprocess.Popen((sys.executable, "-m", "watcher"), env=variables)
    try:
        # Each question was asked and answered well.
        until(lambda: all(sum(path in asked for asked in answers.asked) >= 3 for path in (TASKS, "/metrics")))
        yield process
    finally:
        process.kill()
        process.wait()


def until(look: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it was not seen in time"
        time.sleep(0.1)


@pytest.mark.parametrize("name", FAULTS)
def test_each_is_one_mail_to_whom_it_concerns_and_its_end_another(
    watcher: subprocess.Popen[bytes], answers: Answers, inbox: Inbox, housing: UseCase, name: str
) -> None:
    bad, told = FAULTS[name]
    failures = {f"[sluice] {use_case} {failure}" for use_case, failure, _ in told}
    everything = failures | {f"[sluice] {use_case} {recovery}" for use_case, _, recovery in told}

    answers.by_path.update(bad)
    until(lambda: set(inbox.subjects()) >= failures)
    time.sleep(0.5)
    during = Counter(inbox.subjects())
    answers.by_path.update({**WELL, "/metrics": bad.get("/metrics", lost(0))})
    until(lambda: set(inbox.subjects()) >= everything)
    time.sleep(0.5)
    watcher.terminate()

    assert watcher.wait(timeout=20) == 0
    assert during == dict.fromkeys(failures, 1)
    assert Counter(inbox.subjects()) == dict.fromkeys(everything, 1)
    for mail in inbox.mails():
        assert mail.to == (housing.owner.alerts if " housing " in mail.subject else ("ops@localhost",))
