"""DAG runs, asked for and followed through Airflow's REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from local.errors import RunError

DONE = frozenset({"success", "failed"})
TASK_DONE = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
PATIENCE = 120.0
"""How long an API server that does not answer is asked again, in seconds; it may be starting anew."""
PARSING = 180.0
"""How long a DAG may take to appear, in seconds."""
LAST_LINES = 15
PAGE = 100
"""Most task instances that one answer holds, as Airflow limits it."""


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: str
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it is not over."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


@dataclass(frozen=True)
class Task:
    """One task of a run, or one of the instances that a mapped task has."""

    task_id: str
    state: str
    seconds: float
    attempt: int
    map_index: int = -1
    """Which of the instances, from 0; -1 where the task is not mapped."""

    @property
    def name(self) -> str:
        """The task's id, with the instance of a mapped one."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    run: Run
    tasks: tuple[Task, ...]


class Airflow:
    """Airflow, as a user of it sees it.

    Args:
        url: Base URL.
        user: Who asks.
        password: Of that user.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url, self._login = url, {"username": user, "password": password}
        # No proxy stands between this machine and itself.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._token = ""

    def __enter__(self) -> Airflow:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def await_dag(self, dag_id: str) -> None:
        """Wait until a DAG is known and takes runs.

        Raises:
            RunError: It does not appear in time, or is paused.
        """
        deadline = time.monotonic() + PARSING
        while (answer := self._ask("GET", f"/dags/{dag_id}")).status_code == httpx.codes.NOT_FOUND:
            if time.monotonic() > deadline:
                raise RunError(f"Airflow does not know {dag_id}", self._url, self._why_unknown())
            time.sleep(0.5)
        if _json(answer)["is_paused"]:
            raise RunError(f"{dag_id} is paused", f"{self._url}/dags/{dag_id}", "unpause it there")

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> Run:
        """Start a run.

        Args:
            dag_id: Of which DAG.
            run_id: Its name. Asking twice for the same one starts one run, so a lost answer does no harm.
            conf: Its params.

        Raises:
            RunError: Airflow does not take it, for example because a param has an impossible value.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._ask("POST", f"/dags/{dag_id}/dagRuns", json=body)
        if answer.is_error and answer.status_code != httpx.codes.CONFLICT:
            raise RunError(f"Airflow does not start {dag_id}: {answer.text}", self._url)
        return self.run(dag_id, run_id)

    def run(self, dag_id: str, run_id: str) -> Run:
        """A run as it is now."""
        row = self._get(f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
        return Run(dag_id, run_id, row["state"], _moment(row["start_date"]), _moment(row["end_date"]))

    def tasks(self, run: Run) -> tuple[Task, ...]:
        """The tasks of a run as they are now, in the order in which they started; what waits, in the DAG's order."""
        return tuple(
            Task(
                task_id=row["task_id"],
                state=row["state"] or "waiting",
                seconds=float(row["duration"] or 0),
                attempt=int(row["try_number"]),
                map_index=int(row["map_index"]),
            )
            for row in sorted(self.instances(run), key=_turn)
        )

    def follow(self, run: Run, every: float = 0.5) -> Iterator[Progress]:
        """Look at a run until it is over; the last look is at how it ended."""
        while True:
            run = self.run(run.dag_id, run.run_id)
            yield Progress(run, self.tasks(run))
            if run.state in DONE:
                return
            time.sleep(every)

    def result(self, run: Run, task_id: str, map_index: int = -1) -> Any:
        """What a task returned, or one instance of a mapped task."""
        path = f"{self._path(run)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self._get(path, params={"map_index": map_index})["value"]

    def started_by(self, run: Run, dag_id: str, patience: float = 60.0) -> Run:
        """The run of another DAG that an asset of this run started.

        Raises:
            RunError: There is none in time.
        """
        query = {"source_dag_id": run.dag_id, "source_run_id": run.run_id}
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for event in self._get("/assets/events", params=query)["asset_events"]:
                for created in event["created_dagruns"]:
                    if created["dag_id"] == dag_id:
                        return self.run(dag_id, created["run_id"])
            time.sleep(0.5)
        raise RunError(f"{run.dag_id} did not start {dag_id}", f"{self._url}/dags/{dag_id}", "look at its runs there")

    def failure(self, run: Run) -> RunError:
        """What went wrong in a failed run: its failed tasks, the end of the first one's log, where to look."""
        failed = [task for task in self.tasks(run) if task.state == "failed"]
        page = f"{self._url}/dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}"
        if not failed:
            return RunError(f"{run.dag_id} failed as a whole", page, "look at the run there")
        lines = "\n".join(f"    {line}" for line in self.log(run, failed[0]))
        names = ", ".join(task.name for task in failed)
        instance = f"/mapped/{failed[0].map_index}" if failed[0].map_index >= 0 else ""
        place = f"{page}/tasks/{failed[0].task_id}{instance}"
        return RunError(f"{run.dag_id} failed in {names}\n{lines}\n", place, "see the log")

    def instances(self, run: Run) -> list[dict[str, Any]]:
        """The task instances of a run, as Airflow tells of them."""
        rows: list[dict[str, Any]] = []
        while True:
            query = {"limit": PAGE, "offset": len(rows), "order_by": "id"}
            page = self._get(f"{self._path(run)}/taskInstances", params=query)
            rows += page["task_instances"]
            if not page["task_instances"] or len(rows) >= page["total_entries"]:
                return rows

    def log(self, run: Run, task: Task) -> list[str]:
        """The end of what a task wrote into its log."""
        path = f"{self._path(run)}/taskInstances/{task.task_id}/logs/{task.attempt}"
        query = {"full_content": "true", "map_index": task.map_index}
        answer = self._ask("GET", path, params=query, headers={"accept": "application/json"})
        if answer.is_error:
            return [f"its log cannot be read: HTTP {answer.status_code}"]
        lines = (_line(entry) for entry in _json(answer)["content"])
        return [line for line in lines if not line.startswith("::")][-LAST_LINES:]

    def _why_unknown(self) -> str:
        errors = self._get("/importErrors")["import_errors"]
        if not errors:
            return "read the log of the dag-processor"
        return "; ".join(f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors)

    @staticmethod
    def _path(run: Run) -> str:
        return f"/dags/{run.dag_id}/dagRuns/{quote(run.run_id, safe='')}"

    def _get(self, path: str, **options: Any) -> dict[str, Any]:
        answer = self._ask("GET", path, **options)
        if answer.is_error:
            raise RunError(f"Airflow answers {answer.status_code}: {answer.text[:300]}", f"{self._url}/api/v2{path}")
        return _json(answer)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})

        def ask() -> httpx.Response:
            bearer = {"authorization": f"Bearer {self._token}"}
            return self._http.request(method, f"/api/v2{path}", headers=headers | bearer, **options)

        if not self._token:
            self._sign_in()
        answer = self._patiently(ask)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._sign_in()
            answer = self._patiently(ask)
        return answer

    def _sign_in(self) -> None:
        answer = self._patiently(lambda: self._http.post("/auth/token", json=self._login))
        if answer.is_error:
            raise RunError(f"Airflow does not let {self._login['username']} in: HTTP {answer.status_code}", self._url)
        self._token = _json(answer)["access_token"]

    def _patiently(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Ask again while nothing answers or the server is failing."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = ask()
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise RunError(f"Airflow does not answer ({error})", self._url, "run make status") from error
            else:
                if not answer.is_server_error or time.monotonic() > deadline:
                    return answer
            time.sleep(1)


def _json(answer: httpx.Response) -> dict[str, Any]:
    content: dict[str, Any] = answer.json()
    return content


def _turn(row: dict[str, Any]) -> tuple[bool, str, int, int]:
    """When a task's turn is. Airflow gives a task the more weight the more depends on it."""
    began = row["start_date"] or row["end_date"]
    return began is None, began or "", -int(row["priority_weight"] or 0), int(row["map_index"])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _line(entry: dict[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    details = (f"{detail.get('exc_type')}: {detail.get('exc_value')}" for detail in entry.get("error_detail") or ())
    return " ".join((str(entry.get("event", "")), *details))
