"""Airflow as its API server tells of it: whether its parts give signs of life; with a login, what is late or broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

import httpx

from sluice.domain.alert import PLATFORM, Alert, Kind
from watcher.sight import CannotTell, Seen

SHARED_SECONDS = 0.5
"""For so long an answer is as good as a new one."""
PARTS: dict[str, Kind] = {
    "scheduler": "scheduler_down",
    "dag_processor": "dag_processor_down",
    "triggerer": "triggerer_down",
}
CONSEQUENCES = {
    "scheduler": "No task and no run begins until it is back.",
    "dag_processor": "Changed DAG files are not read, and nobody is told of failed runs, until it is back.",
    "triggerer": "What waits for an answer or a moment does not go on until it is back.",
}


class Airflow:
    """The API server.

    Args:
        http: Asks.
        url: Its base URL.
        user: Who signs in; nobody where empty.
        password: Of that user.
    """

    def __init__(self, http: httpx.Client, url: str, user: str = "", password: str = "") -> None:
        self.url = url.rstrip("/")
        self.has_login = bool(user)
        self._http, self._login, self._token = http, {"username": user, "password": password}, ""
        self._lock, self._asked = Lock(), float("-inf")
        self._health: tuple[dict[str, Any], datetime] | httpx.HTTPError = httpx.RequestError("nobody has asked yet")

    def health(self) -> tuple[dict[str, Any], datetime]:
        """What it says of its parts, and the time by its own clock; who ask at once share an answer.

        Raises:
            httpx.HTTPError: It does not answer.
        """
        with self._lock:
            if time.monotonic() - self._asked > SHARED_SECONDS:
                try:
                    self._health = self._ask_health()
                except httpx.HTTPError as error:
                    self._health = error
                self._asked = time.monotonic()
            known = self._health
        if isinstance(known, httpx.HTTPError):
            raise known
        return known

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """What it answers to a user.

        Raises:
            CannotTell: It does not answer, or not to this user.
        """
        try:
            answer = self._ask(path, query)
            # Forbidden is also what it answers to a token that was signed with an older secret.
            if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                self._token = ""
                answer = self._ask(path, query)
            content: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise CannotTell(f"{path} is not answered: {said(error)}") from error
        return content

    def _ask_health(self) -> tuple[dict[str, Any], datetime]:
        answer = self._http.get(f"{self.url}/api/v2/monitor/health").raise_for_status()
        date = answer.headers.get("date")
        try:
            content = dict(answer.json())
            return content, parsedate_to_datetime(date) if date else datetime.now(UTC)
        except (ValueError, TypeError) as error:
            raise httpx.DecodingError(f"that is no health: {answer.text[:80]!r}") from error

    def _ask(self, path: str, query: dict[str, Any]) -> httpx.Response:
        if not self._token:
            answer = self._http.post(f"{self.url}/auth/token", json=self._login).raise_for_status()
            self._token = answer.json()["access_token"]
        bearer = {"authorization": f"Bearer {self._token}"}
        return self._http.get(f"{self.url}/api/v2{path}", params=query, headers=bearer)


def server(airflow: Airflow, link: str) -> Seen:
    """Whether the API server answers, and has its database.

    Args:
        airflow: The API server.
        link: The watcher's page, because Airflow's cannot be opened then.
    """
    try:
        health, _ = airflow.health()
    except httpx.HTTPError as error:
        return _away(f"{airflow.url} does not answer: {said(error)}", link)
    if health.get("metadatabase", {}).get("status") != "healthy":
        return _away(f"{airflow.url} says that its database does not answer", link)
    return Seen(note=airflow.url)


def part(airflow: Airflow, name: str, patience: float, link: str) -> Seen:
    """Whether a part gave a sign of life lately.

    Args:
        airflow: The API server that is asked.
        name: As it calls the part.
        patience: Seconds after which a sign of life is too old.
        link: Where people open Airflow.

    Raises:
        CannotTell: The API server does not say.
    """
    try:
        health, now = airflow.health()
    except httpx.HTTPError as error:
        raise CannotTell(f"the API server does not say: {said(error)}") from error
    if health.get("metadatabase", {}).get("status") != "healthy":
        raise CannotTell("the API server's database does not answer")
    beat = (health.get(name) or {}).get(f"latest_{name}_heartbeat")
    if not beat:
        return _dead(name, f"It has never given a sign of life. {CONSEQUENCES[name]}", link)
    age = (now - datetime.fromisoformat(beat)).total_seconds()
    if age > patience:
        return _dead(name, f"Its last sign of life was at {beat}, {age:.0f} s ago. {CONSEQUENCES[name]}", link)
    return Seen(note=f"sign of life {max(age, 0):.0f} s ago")


def overdue(airflow: Airflow, late: float, link: str, known: Callable[[], frozenset[str]]) -> Seen:
    """Whether a DAG's next run should have begun and has not.

    Args:
        airflow: The API server that is asked.
        late: Seconds after which a run is late.
        link: Where people open Airflow.
        known: Gives the names of the use cases.

    Raises:
        CannotTell: The API server does not say.
    """
    alerts = []
    now = datetime.now(UTC)
    rows = airflow.get("/dags", paused="false", limit=1000)["dags"]
    due = [row for row in rows if row.get("next_dagrun_run_after") and not row.get("is_stale")]
    for row in due:
        since = datetime.fromisoformat(row["next_dagrun_run_after"])
        behind = (now - since).total_seconds()
        if behind > late and not _is_busy(airflow, row["dag_id"]):
            alerts.append(_late(row["dag_id"], since, behind, link, known()))
    return Seen(tuple(alerts), f"{len(due)} DAGs with a next run")


def untaken(airflow: Airflow, late: float, link: str) -> Seen:
    """Whether a task waits in its queue and no worker takes it.

    Raises:
        CannotTell: The API server does not say.
    """
    now = datetime.now(UTC)
    rows = airflow.get("/dags/~/dagRuns/~/taskInstances", state="queued", limit=100, order_by="id")["task_instances"]
    waiting: dict[str, list[str]] = {}
    for row in rows:
        since = row.get("queued_when")
        if since and (now - datetime.fromisoformat(since)).total_seconds() > late:
            waiting.setdefault(str(row.get("queue") or "default"), []).append(f"{row['dag_id']}.{row['task_id']}")
    alerts = tuple(
        Alert(
            cause=f"worker:{queue}",
            use_case=PLATFORM,
            stage="airflow",
            kind="worker_down",
            headline=f"the workers of queue {queue}",
            facts=(("Queue", queue), ("Tasks that wait", f"{len(tasks)}: {', '.join(sorted(set(tasks))[:5])}")),
            error=f"For more than {late:.0f} s no worker has taken what waits in the queue.",
            advice="Look whether the workers run and have room, and start them again.",
            links=(("Tasks that wait", f"{link}/task_instances?task_state=queued"),),
        )
        for queue, tasks in waiting.items()
    )
    return Seen(alerts, f"{len(rows)} tasks in queues")


def unreadable(airflow: Airflow, link: str, told: Callable[[], tuple[str, ...]]) -> Seen:
    """Whether a DAG file cannot be read.

    Args:
        airflow: The API server that is asked.
        link: Where people open Airflow.
        told: Gives the causes that people know of: who told them may have known the file by its whole path.

    Raises:
        CannotTell: The API server does not say.
    """
    known = told()
    alerts = []
    for row in airflow.get("/importErrors", limit=100)["import_errors"]:
        file = str(row["filename"])
        cause = next((each for each in known if _is_of(each, file)), f"import:{file}")
        alerts.append(
            Alert(
                cause=cause,
                use_case=PLATFORM,
                stage="import",
                kind="import_error",
                headline=file.rsplit("/", 1)[-1],
                facts=(("File", file),),
                error=str(row.get("stack_trace") or "").strip(),
                advice="Mend the file or what it imports. Its DAGs do not run until then.",
                links=(("All import errors", f"{link}/dags"),),
            )
        )
    return Seen(tuple(alerts), f"{len(alerts)} broken files" if alerts else "")


def said(error: BaseException) -> str:
    """An error in a few words."""
    text = " ".join(str(error).split()).split(" For more information")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_of(cause: str, file: str) -> bool:
    path = cause.partition(":")[2]
    return path == file or path.endswith(f"/{file}")


def _is_busy(airflow: Airflow, dag_id: str) -> bool:
    """Whether a run of it is there or waits; the next one may have to wait for it."""
    runs = airflow.get(f"/dags/{dag_id}/dagRuns", state=["running", "queued"], limit=1)
    return bool(runs["dag_runs"])


def _late(dag_id: str, since: datetime, behind: float, link: str, known: frozenset[str]) -> Alert:
    use_case, _, stage = dag_id.rpartition("_")
    if use_case not in known:
        use_case, stage = PLATFORM, dag_id
    return Alert(
        cause=f"deadline:{dag_id}",
        use_case=use_case,
        stage=stage,
        kind="deadline_missed",
        headline=dag_id,
        facts=(("Dag", dag_id), ("Should have begun", f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")),
        error=f"Its run should have begun {behind / 60:.0f} minutes ago, and has not.",
        advice="Look at the DAG and at the scheduler's log; trigger the DAG by hand for today's run.",
        links=(("Dag", f"{link}/dags/{dag_id}"),),
    )


def _away(error: str, link: str) -> Seen:
    return _down("airflow", "airflow_down", "api-server", error, ("What the watcher sees", link))


def _dead(name: str, error: str, link: str) -> Seen:
    return _down(name, PARTS[name], name.replace("_", "-"), error, ("Airflow", f"{link}/"))


def _down(cause: str, kind: Kind, program: str, error: str, link: tuple[str, str]) -> Seen:
    alert = Alert(
        cause=cause,
        use_case=PLATFORM,
        stage="airflow",
        kind=kind,
        headline=program,
        error=error,
        advice=f"Look at its log (`make logs SERVICE={program}`, or the container's) and start it again.",
        links=(link,),
    )
    return Seen((alert,), error)
