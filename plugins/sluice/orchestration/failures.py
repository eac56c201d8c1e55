"""Failures: what the tasks and the runs of a DAG say when they fail, and when they are well again.

A task that fails for good says so itself, from its own process, with its exception and the end of its log, and
leaves a note that it has. When the run ends, the run's callback speaks for the tasks that have left none, whose
process was killed or whose mail could not be sent. One run is one mail: the ledger counts what else fails in it with
what was told first. The next run that succeeds says that the DAG has recovered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sluice.domain.alert import Alert, Kind
from sluice.domain.errors import SluiceError
from sluice.orchestration import alerts, import_errors, logs

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The note a failed task leaves when people know of it: the try it was about.
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
class Callbacks:
    """What Airflow calls when a task has failed, when the run has, and when the run has succeeded."""

    task: list[Callback]
    run: list[Callback]
    success: list[Callback]


@dataclass(frozen=True)
class Subject:
    """Whose DAG it is, of which stage or purpose, and as what kind of thing a failed task of it is told."""

    use_case: str
    stage: str
    kind: Kind = "task_failed"


def callbacks(use_case: str, stage: str, kind: Kind = "task_failed") -> Callbacks:
    """The callbacks for one stage of a use case.

    Args:
        use_case: Whose.
        stage: Its verb, or the purpose of the DAG.
        kind: As what a failed task is told.
    """
    subject = Subject(use_case, stage, kind)
    return Callbacks([TaskFailed(subject)], [RunFailed(subject)], [RunSucceeded()])


@dataclass(frozen=True)
class TaskFailed:
    """Speaks when a task has failed for good."""

    subject: Subject

    def __call__(self, context: Mapping[str, Any]) -> None:
        if context.get("exception") is None:
            # The task's process is gone and this is the DAG processor, once or twice for one failure. It
            # can leave no note: asking for one would block it until it is killed.
            log.info("The task cannot say what happened; its run will say that it failed.")
            return
        if alerts.raise_alert(task_failure(self.subject, context)):
            context["ti"].xcom_push(key=ALERTED_XCOM, value=context["ti"].try_number)


@dataclass(frozen=True)
class RunFailed:
    """Speaks when a run has failed and any of its failed tasks could not do so itself."""

    subject: Subject

    def __call__(self, context: Mapping[str, Any]) -> None:
        alerts.dismiss(question(context["dag"].dag_id))
        failed = self._failed(context)
        if failed and all(failed.values()):
            log.info("People know of every failed task: %s", ", ".join(failed))
            return
        silent = [task for task, told in failed.items() if not told]
        alerts.raise_alert(run_failure(self.subject, context, silent))

    @staticmethod
    def _failed(context: Mapping[str, Any]) -> dict[str, bool]:
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            return failed_tasks(context)
        except AirflowRuntimeError:
            log.exception("Cannot tell which tasks have sent a mail; the run sends one in any case.")
            return {}


@dataclass(frozen=True)
class RunSucceeded:
    """Says that a DAG has recovered, where people know of a failure."""

    def __call__(self, context: Mapping[str, Any]) -> None:
        dag = context["dag"]
        alerts.dismiss(question(dag.dag_id))
        # Its file could be read, or there would be no run.
        read = import_errors.cause(dag.fileloc)
        alerts.heal(f"task:{dag.dag_id}.", f"run:{dag.dag_id}", f"deadline:{dag.dag_id}", read)


def question(dag_id: str, run_id: str = "") -> str:
    """The cause of a question that waits for a person's answer, or of all of a DAG."""
    return f"approval:{dag_id}.{run_id}"


def task_failure(subject: Subject, context: Mapping[str, Any]) -> Alert:
    """What there is to say about a failed task.

    Args:
        subject: Whose it is.
        context: Airflow's, as it is in the task's process after the task.
    """
    ti, exception, run_id = context["ti"], context["exception"], context["run_id"]
    cause = _cause(exception)
    advice = cause.action if cause else ""
    return Alert(
        # Without the map index: tasks that are mapped and fail together have one cause.
        cause=f"task:{ti.dag_id}.{ti.task_id}",
        use_case=subject.use_case,
        stage=subject.stage,
        kind=subject.kind,
        headline=ti.task_id,
        facts=(
            ("Task", f"{ti.dag_id}.{ti.task_id}" + (f" [{ti.map_index}]" if ti.map_index >= 0 else "")),
            ("Run", run_id),
            ("Try", f"{ti.try_number} of {context['task'].retries + 1}"),
        ),
        error=str(cause or _words(exception, context["task"])),
        advice=advice or "Read the log, mend the cause, then clear the task in the run to go on from there.",
        links=(("Log", ti.log_url), ("Run", alerts.run_url(ti.dag_id, run_id))),
        log=logs.tail(ti),
        occasion=alerts.occasion(ti.dag_id, run_id),
    )


def run_failure(subject: Subject, context: Mapping[str, Any], silent: list[str]) -> Alert:
    """What there is to say about a failed run.

    Args:
        subject: Whose it is.
        context: Airflow's, for a DAG's callback; only `dag`, `run_id` and `reason` are always there.
        silent: Its failed tasks of which nobody knows.
    """
    dag, run_id = context["dag"], context["run_id"]
    run = alerts.run_url(dag.dag_id, run_id)
    links = tuple((f"Log of {name}", f"{run}/tasks/{_place(*_instance(dag, name))}") for name in silent)
    reason = str(context.get("reason") or "unknown")
    return Alert(
        cause=f"task:{dag.dag_id}.{_instance(dag, silent[0])[0]}" if silent else f"run:{dag.dag_id}",
        use_case=subject.use_case,
        stage=subject.stage,
        kind="task_lost" if silent else "run_failed",
        headline=", ".join(silent) or reason.replace("_", " "),
        facts=(("Dag", dag.dag_id), ("Run", run_id), ("Reason", reason)),
        error=LOST if silent else RUN_REASONS.get(reason, "The run failed as a whole."),
        advice=LOST_ADVICE if silent else "Look at the run, mend the cause, then clear it to run it again.",
        links=(*links, ("Run", run)),
        log=_log_of(context, silent),
        occasion=alerts.occasion(dag.dag_id, run_id),
    )


def failed_tasks(context: Mapping[str, Any]) -> dict[str, bool]:
    """The failed tasks of a run, each with whether people know of it by itself.

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


def _log_of(context: Mapping[str, Any], silent: list[str]) -> tuple[str, ...]:
    """The end of the log of the one lost task, where the callback is about it."""
    ti = context.get("ti")
    if ti is None or len(silent) != 1 or (ti.task_id, ti.map_index) != _instance(context["dag"], silent[0]):
        return ()
    return logs.tail(ti)


def _cause(exception: BaseException | None) -> SluiceError | None:
    """The error of ours that an exception was made from, if it was."""
    while exception is not None and not isinstance(exception, SluiceError):
        exception = exception.__cause__
    return exception


def _words(exception: BaseException, task: Any) -> str:
    from airflow.sdk.exceptions import AirflowTaskTimeout

    if isinstance(exception, AirflowTaskTimeout):
        return f"The task took longer than it may, {task.execution_timeout}, and was stopped."
    return f"{type(exception).__name__}: {exception}"
