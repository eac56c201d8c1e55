"""Steps: what every task and every DAG of Sluice has in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import CronTriggerTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from sluice.domain.alert import PLATFORM
from sluice.domain.errors import StateError, TerminalError
from sluice.domain.use_case import UseCase
from sluice.orchestration.deadlines import deadline
from sluice.orchestration.failures import Subject, callbacks

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

DOCS = "The runbook is docs/operations.md."


def step(function: Callable[..., Any], *, minutes: float, **options: Any) -> Callable[..., Any]:
    """A task from a function: terminal errors fail at once, everything else is retried.

    Args:
        function: What the task does; its name is the task's id.
        minutes: After which it is stopped.
        **options: Passed to Airflow's `task`.
    """
    return task(execution_timeout=timedelta(minutes=minutes), **options)(failing_at_once(function))


def failing_at_once(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The one place where a terminal error tells Airflow not to try again."""

    @functools.wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            refuse_unknown_fields(get_current_context())
            return function(*args, **kwargs)
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error

    return run


def refuse_unknown_fields(context: Mapping[str, Any]) -> None:
    """Refuse a run that was asked for with a field its form does not have, which Airflow would ignore.

    Raises:
        StateError: There is such a field; names the one that was likely meant.
    """
    # The DAG's own, because the run's would hold whatever it was asked for.
    known = list(context["dag"].params)
    for field in context["dag_run"].conf or {}:
        if field not in known:
            near = get_close_matches(field, known, n=1)
            action = f"use {near[0]!r}" if near else f"use one of: {', '.join(known) or 'none'}"
            raise StateError(f"the run was triggered with {field!r}, which the DAG does not know", action=action)


def common(use_case: UseCase, stage: str, doc: str, hours: float) -> dict[str, Any]:
    """What the DAGs of every stage share.

    Args:
        use_case: Whose DAG it is.
        stage: The stage's verb: ingest, train, promote, monitor.
        doc: Markdown shown in the UI.
        hours: After which a run has failed.
    """
    calls = callbacks(use_case.name, stage)
    return {
        "dag_id": f"{use_case.name}_{stage}",
        "dag_display_name": f"{use_case.title}: {stage}",
        "description": doc.strip().splitlines()[0],
        "doc_md": f"{doc.strip()}\n\n{DOCS}",
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=hours),
        "tags": ["sluice", use_case.name, stage],
        "default_args": {
            "owner": use_case.owner.name,
            "retries": 2,
            "retry_delay": timedelta(seconds=5),
            "retry_exponential_backoff": 2.0,
            "on_failure_callback": calls.task,
        },
        "on_failure_callback": calls.run,
        "on_success_callback": calls.success,
        "deadline": deadline(Subject(use_case.name, stage), hours),
    }


def platform(purpose: str, doc: str, hours: float) -> dict[str, Any]:
    """What the platform's own DAGs share, which are no use case's.

    Args:
        purpose: Names the DAG, `sluice_<purpose>`, and its mails.
        doc: Markdown shown in the UI.
        hours: After which a run has failed.
    """
    calls = callbacks(PLATFORM, purpose)
    return {
        "dag_id": f"sluice_{purpose}",
        "dag_display_name": f"Sluice: {purpose}",
        "description": doc.strip().splitlines()[0],
        "doc_md": f"{doc.strip()}\n\n{DOCS}",
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=hours),
        "tags": ["sluice"],
        "default_args": {"owner": "sluice", "retries": 0, "on_failure_callback": calls.task},
        "on_failure_callback": calls.run,
        "on_success_callback": calls.success,
        "deadline": deadline(Subject(PLATFORM, purpose), hours),
    }


def cron(expression: str | None) -> CronTriggerTimetable | None:
    """A schedule in UTC, or none.

    A DAG that Airflow sees for the first time waits for its next date; with a start date, or without the minute's
    grace, it would run at once for the last one, and find nothing there yet.
    """
    if expression is None:
        return None
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(minutes=1))


def reason(description: str) -> Param:
    """The field of every trigger form that asks why."""
    return Param(None, type=["null", "string"], title="Reason", description=description)
