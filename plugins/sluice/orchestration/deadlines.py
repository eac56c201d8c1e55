"""Deadlines: tells people that a run takes longer than it should, while it may still end well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from sluice.domain.alert import Alert
from sluice.orchestration import alerts
from sluice.orchestration.failures import Subject

#: The end of what a run may take, in which it is late.
LAST_HOURS = 0.5


def deadline(subject: Subject, hours: float) -> DeadlineAlert:
    """The deadline of a DAG's runs.

    Args:
        subject: Whose DAG it is.
        hours: After which a run has failed; it is late half an hour before, of short ones after half of that.
    """
    return due(subject, timedelta(hours=max(hours / 2, hours - LAST_HOURS)))


def due(subject: Subject, after: timedelta) -> DeadlineAlert:
    """A deadline some time after a run was asked for. Its callback is a process of the executor's."""
    kwargs = {"use_case": subject.use_case, "stage": subject.stage, "after": str(after)}
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=after,
        callback=SyncCallback(missed, kwargs=kwargs),
    )


def missed(use_case: str, stage: str, after: str, context: Mapping[str, Any]) -> None:
    """Tell people that a run is late.

    Args:
        use_case: Whose it is.
        stage: Which one.
        after: How long it might have taken, in words.
        context: Airflow's, for deadlines: `dag_run` is what the REST API says about it.
    """
    run = context["dag_run"]
    # A run that has failed meanwhile keeps its deadline, and has said so itself.
    if run["state"] not in ("queued", "running"):
        return
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    alerts.raise_alert(
        Alert(
            cause=f"deadline:{dag_id}",
            use_case=use_case,
            stage=stage,
            kind="deadline_missed",
            headline=dag_id,
            facts=(("Dag", dag_id), ("Run", run_id), ("Asked for", str(run["queued_at"])), ("Due after", after)),
            error=f"The run is {run['state']}, {after} after it was asked for.",
            advice="See which task it is at and what that waits for; it is stopped when it takes too long altogether.",
            links=(("Run", alerts.run_url(dag_id, run_id)),),
        )
    )
