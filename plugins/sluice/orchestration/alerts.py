"""Alerts: who is told, by mail, when a task or a run has failed.

One failure is one mail. A task that fails for good says so itself, from its own process, with its exception,
and leaves a note that it has. When the run ends, the run's callback looks for those notes: it stays silent
when every failed task has left one, and speaks for the others, whose process was killed or whose mail could
not be sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sluice.domain.errors import SluiceError
from sluice.settings import settings

if TYPE_CHECKING:
    from airflow.sdk import Context
    from jinja2 import Environment

    from sluice.domain.use_case import UseCase

CONNECTION = "smtp_default"

#: The note a failed task leaves when its mail is out: the try it was about.
ALERTED_XCOM = "sluice_alerted"

LOST = "Failed without a word: the process was killed, or its mail could not be sent."
LOST_ADVICE = "Look at the end of the log and for a lack of memory, then clear the failed tasks in the run."
RUN_REASONS = {
    "timed_out": "The run took longer than it may, and was stopped.",
    "all_tasks_deadlocked": "The run could not go on: every task waits for another.",
}

log = logging.getLogger(__name__)

Callback = Callable[["Context"], None]


@dataclass(frozen=True)
class Alerts:
    """The failure callbacks of one DAG: `task` for its default arguments, `run` for the DAG itself."""

    task: list[Callback]
    run: list[Callback]


@dataclass(frozen=True)
class Subject:
    """What the mails of one DAG are about, and who reads them."""

    name: str
    stage: str
    to: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """What a mail says.

    Attributes:
        headline: What failed; ends the subject line.
        facts: Label and value, in order.
        error: The exception's text, or what is known instead.
        advice: What to do next.
        links: Label and URL, in order.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    error: str
    advice: str
    links: tuple[tuple[str, str], ...]


def alerts(use_case: UseCase, stage: str) -> Alerts:
    """The callbacks for one stage of a use case; they write to its owner."""
    return _alerts(Subject(use_case.name, stage, use_case.owner.alerts))


def platform_alerts(stage: str) -> Alerts:
    """The callbacks for what no use case owns; they write to those who run the platform."""
    return _alerts(platform(stage))


def platform(stage: str) -> Subject:
    """What no use case owns."""
    return Subject("platform", stage, (settings().alerts_to,))


def _alerts(subject: Subject) -> Alerts:
    return Alerts([TaskAlert(subject)], [RunAlert(subject)])


@dataclass(frozen=True)
class TaskAlert:
    """Writes when a task has failed for good."""

    subject: Subject

    def __call__(self, context: Mapping[str, Any]) -> None:
        if context.get("exception") is None:
            # The task's process is gone and this is the DAG processor, once or twice for one failure. It
            # can leave no note: asking for one would block it until it is killed.
            log.info("The task cannot say what happened; its run will say that it failed.")
            return
        send(self.subject, task_failure(context))
        context["ti"].xcom_push(key=ALERTED_XCOM, value=context["ti"].try_number)


@dataclass(frozen=True)
class RunAlert:
    """Writes when a run has failed and any of its failed tasks could not do so itself."""

    subject: Subject

    def __call__(self, context: Mapping[str, Any]) -> None:
        failed = self._failed(context)
        if failed and all(failed.values()):
            log.info("Every failed task has sent its own mail: %s", ", ".join(failed))
            return
        silent = [task for task, told in failed.items() if not told]
        send(self.subject, run_failure(context, silent))

    @staticmethod
    def _failed(context: Mapping[str, Any]) -> dict[str, bool]:
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            return failed_tasks(context)
        except AirflowRuntimeError:
            log.exception("Cannot tell which tasks have sent a mail; the run sends one in any case.")
            return {}


def task_failure(context: Mapping[str, Any]) -> Failure:
    """What there is to say about a failed task.

    Args:
        context: Airflow's, as it is in the task's process after the task.
    """
    ti, exception = context["ti"], context["exception"]
    cause = _cause(exception)
    advice = cause.action if cause else ""
    return Failure(
        headline=ti.task_id,
        facts=(
            ("Task", f"{ti.dag_id}.{ti.task_id}" + (f" [{ti.map_index}]" if ti.map_index >= 0 else "")),
            ("Run", context["run_id"]),
            ("Try", f"{ti.try_number} of {context['task'].retries + 1}"),
        ),
        error=str(cause or f"{type(exception).__name__}: {exception}"),
        advice=advice or "Read the log, mend the cause, then clear the task in the run to go on from there.",
        links=(("Log", ti.log_url), ("Run", _run_url(ti.dag_id, context["run_id"]))),
    )


def run_failure(context: Mapping[str, Any], silent: list[str]) -> Failure:
    """What there is to say about a failed run.

    Args:
        context: Airflow's, for a DAG's callback; only `dag`, `run_id` and `reason` are always there.
        silent: Its failed tasks that have not sent a mail.
    """
    dag, run_id = context["dag"], context["run_id"]
    run = _run_url(dag.dag_id, run_id)
    logs = tuple((f"Log of {name}", f"{run}/tasks/{_place(*_instance(dag, name))}") for name in silent)
    reason = str(context.get("reason") or "unknown")
    return Failure(
        headline=", ".join(silent) or "the run",
        facts=(("Dag", dag.dag_id), ("Run", run_id), ("Reason", reason)),
        error=LOST if silent else RUN_REASONS.get(reason, "The run failed as a whole."),
        advice=LOST_ADVICE if silent else "Look at the run, mend the cause, then clear it to run it again.",
        links=(*logs, ("Run", run)),
    )


def failed_tasks(context: Mapping[str, Any]) -> dict[str, bool]:
    """The failed tasks of a run, each with whether it has sent its own mail.

    Args:
        context: Airflow's, for a DAG's callback. Empty when it holds no task to ask through.
    """
    ti = context.get("ti")
    if ti is None:
        return {}
    run_id = context["run_id"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[run_id]).get(run_id, {})
    failed = [name for name, state in states.items() if state == "failed"]
    return {name: _has_alerted(context, name) for name in failed}


def _has_alerted(context: Mapping[str, Any], name: str) -> bool:
    task_id, index = _instance(context["dag"], name)
    return context["ti"].xcom_pull(task_ids=task_id, map_indexes=index, key=ALERTED_XCOM) is not None


def _instance(dag: Any, name: str) -> tuple[str, int]:
    """The task and map index behind a name; an instance of a mapped task is named <task>_<index>."""
    task_id, _, index = name.rpartition("_")
    if name in dag.task_ids or not index.isdecimal():
        return name, -1
    return task_id, int(index)


def _place(task_id: str, index: int) -> str:
    return quote(task_id) + (f"/mapped/{index}" if index >= 0 else "")


def send(subject: Subject, failure: Failure) -> None:
    """Write the mail.

    Raises:
        Exception: Whatever the connection raises; Airflow writes it to the log of the task or the DAG.
    """
    # Local: DAG files are parsed far more often than they fail.
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    title, body = render(subject, failure)
    with SmtpHook(smtp_conn_id=CONNECTION) as hook:
        hook.send_email_smtp(to=list(subject.to), subject=title, html_content=body, from_email=settings().alerts_from)


def render(subject: Subject, failure: Failure) -> tuple[str, str]:
    """The mail's subject line, on which a filter can rely, and its HTML body."""
    title = " ".join(f"[sluice] {subject.name} {subject.stage} failed: {failure.headline}".split())
    return title, _templates().get_template("failure.html.j2").render(title=title, failure=failure)


def _cause(exception: BaseException | None) -> SluiceError | None:
    """The error of ours that an exception was made from, if it was."""
    while exception is not None and not isinstance(exception, SluiceError):
        exception = exception.__cause__
    return exception


def _run_url(dag_id: str, run_id: str) -> str:
    return f"{airflow_url()}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def airflow_url() -> str:
    """Where people open Airflow, without a slash at the end."""
    return settings().airflow_url.rstrip("/")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "mails"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
