"""Notices: what the DAGs tell people beside that something has failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sluice.domain.alert import PLATFORM, Alert
from sluice.domain.report import Report
from sluice.orchestration import alerts
from sluice.orchestration.failures import question

if TYPE_CHECKING:
    from sluice.domain.errors import SpecError
    from sluice.domain.evidence import Decision, Subject

#: Decisions against a candidate that are no news: nothing has changed, or a person has just said so.
NO_NEWS = ("reject:unchanged", "reject:approval")


def decided(subject: Subject, decision: Decision, run_id: str) -> None:
    """Tell people of a candidate that is not promoted, and that a later one is.

    Args:
        subject: What was decided about.
        decision: What was decided.
        run_id: The run in which that was.
    """
    cause = f"gate:{subject.use_case}"
    if decision.code == "promote":
        alerts.heal(cause)
    if decision.code in (*NO_NEWS, "promote", "needs_approval"):
        return
    dag_id = f"{subject.use_case}_promote"
    undecided = decision.code.startswith("undecided")
    champion = "none" if subject.champion_version is None else f"version {subject.champion_version}, which goes on"
    page = f"{alerts.airflow_url()}{Report.of_run(subject.use_case, 'decision', run_id).path}"
    alerts.raise_alert(
        Alert(
            cause=cause,
            use_case=subject.use_case,
            stage="promote",
            kind="gate_rejected",
            headline=f"version {subject.version}, {decision.code}",
            facts=(
                ("Version", str(subject.version)),
                ("Champion", champion),
                ("Decision", f"{decision.code}, by {decision.actor}"),
                ("Run", run_id),
            ),
            error=decision.message,
            advice="Mend the cause, promote again."
            if undecided
            else "Look at the report: mend what the candidate is made of, or the limit where that is wrong.",
            links=(("Report", page), ("Run", alerts.run_url(dag_id, run_id))),
            # Then the run fails.
            occasion=alerts.occasion(dag_id, run_id) if undecided else "",
        )
    )


def withdrawn(use_case: str, version: int, champion: int, why: str, run_id: str) -> None:
    """Tell people that a release did badly beside the champion.

    Args:
        use_case: Whose release.
        version: The challenger.
        champion: What goes on serving.
        why: What was seen.
        run_id: The run of the canary DAG, which fails for it.
    """
    dag_id = f"{use_case}_canary"
    alerts.raise_alert(
        Alert(
            cause=f"canary:{use_case}.{version}",
            use_case=use_case,
            stage="promote",
            kind="canary_withdrawn",
            headline=f"version {version}",
            facts=(("Version", str(version)), ("Champion", f"version {champion}, which goes on"), ("Run", run_id)),
            error=why,
            advice="Mend what is named and train again.",
            links=(("Run", alerts.run_url(dag_id, run_id)),),
            occasion=alerts.occasion(dag_id, run_id),
        )
    )


def broken(errors: tuple[SpecError, ...], dag_id: str, run_id: str) -> None:
    """Tell people of each use case whose spec is broken, and of each whose is no longer.

    Args:
        errors: What is wrong with those that are.
        dag_id: The DAG that looked.
        run_id: The run that looked, which fails for it.
    """
    found = {_spec_cause(error): error for error in errors}
    for cause, error in found.items():
        alerts.raise_alert(
            Alert(
                cause=cause,
                # Not the use case: who owns it, the spec would say.
                use_case=PLATFORM,
                stage="check",
                kind="spec_broken",
                headline="/".join(_path(error).parts[-2:]),
                facts=(("File", error.where),),
                error=error.what,
                advice=f"{error.action.capitalize()}. Its DAGs are gone until then, and what serves goes on.",
                links=(("Run", alerts.run_url(dag_id, run_id)),),
                occasion=alerts.occasion(dag_id, run_id),
            )
        )
    alerts.heal("spec:", still=tuple(found))


def waiting(subject: str, use_case: str, stage: str, run_id: str, task_id: str, hours: float) -> None:
    """Tell people of a question that is about to be put: an answer that came while it is being told would be lost.

    Args:
        subject: The question.
        use_case: Whose promotion, or training, it is about.
        stage: Whose DAG asks.
        run_id: The run that asks.
        task_id: The task that will wait for the answer.
        hours: After which no answer is a no.
    """
    dag_id = f"{use_case}_{stage}"
    run = alerts.run_url(dag_id, run_id)
    alerts.dismiss(question(dag_id))
    alerts.raise_alert(
        Alert(
            cause=question(dag_id, run_id),
            use_case=use_case,
            stage=stage,
            kind="approval_waiting",
            headline=subject,
            facts=(("Run", run_id), ("Until", f"{hours:g} hours from now; no answer is a no")),
            advice="Look at the evidence and answer under Required Actions, with a reason.",
            links=(("Required Actions", f"{run}/tasks/{task_id}/required_actions"), ("Run", run)),
        )
    )


def _spec_cause(error: SpecError) -> str:
    return f"spec:{_path(error).parent.name}"


def _path(error: SpecError) -> Path:
    """The spec's file; what is said of its place ends with a line."""
    return Path(error.where.rsplit(":", 1)[0] if error.where.rsplit(":", 1)[-1].isdigit() else error.where)
