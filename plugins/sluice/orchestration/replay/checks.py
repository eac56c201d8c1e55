"""The daily checks of a replayed day, by the functions that the monitoring DAG's tasks call, and what follows them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from sluice.adapters.incidents import Incidents
from sluice.domain.alert import Alert
from sluice.domain.use_case import UseCase
from sluice.monitoring.response import Breach
from sluice.orchestration.replay.record import Check, Measured, Moved
from sluice.orchestration.replay.stages import Place, Release


@dataclass(frozen=True)
class Morning:
    """What the checks of one morning found.

    Attributes:
        checks: Kind of check -> what it found, and what followed.
        columns: What the drift check saw of each column.
        drifted_share: Of the columns that could be judged.
        metrics: The metric that the release is looked after by.
    """

    checks: dict[str, Check]
    columns: tuple[Moved, ...]
    drifted_share: float | None
    metrics: tuple[Measured, ...]


def check(place: Place, use_case: UseCase, release: Release, run_id: str, now: datetime) -> Morning:
    """Check drift, quality and performance, store what they found, and let the policy say what follows.

    Args:
        place: Where.
        use_case: Its policy.
        release: What serves.
        run_id: Names these checks in the ledger.
        now: The moment of the check, by the replay's clock.
    """
    from sluice.monitoring import drift, ledger, performance, quality, report
    from sluice.monitoring.report import Occasion

    warehouse, bundle, version = place.warehouse, release.bundle, release.version
    # What decides; the pages, which do not, would take most of the time.
    moved, _ = drift.measure(warehouse, use_case, bundle, version, "auto", now)
    unlogged = [given.name for given in bundle.contract.inputs if given.sensitive]
    sound = quality.check(warehouse, use_case, bundle.histograms(), version, now, unlogged)
    done, _ = performance.measured(warehouse, use_case, bundle, version, now)
    told: dict[Breach, tuple[str, str]] = {
        "drift": (moved.verdict, moved.message),
        "quality": (sound.verdict, sound.message),
        "performance": (done.verdict, done.message),
    }
    occasions = {
        kind: Occasion(run_id, now, ledger.advise(warehouse, use_case, kind, version, verdict, now))
        for kind, (verdict, _) in told.items()
    }
    report.store_quality(warehouse, use_case, sound, occasions["quality"])
    report.store_performance(warehouse, use_case, done, occasions["performance"])
    report.store_drift(warehouse, use_case, moved, occasions["drift"])
    given = {each.breach: each for each in ledger.respond(warehouse, use_case, run_id)}
    incidents = Incidents(warehouse)
    checks: dict[str, Check] = {}
    for kind, (verdict, message) in told.items():
        answer = given.get(kind)
        response, reason = (answer.response, answer.reason) if answer else ("nothing", "")
        mailed = _told(incidents, use_case, kind, verdict, response, reason, now)
        checks[kind] = Check(verdict, message, response, reason, mailed)
    return Morning(
        checks=checks,
        columns=tuple(Moved(c.column, c.score, c.threshold, c.drifted) for c in moved.columns),
        drifted_share=moved.drifted_share,
        metrics=tuple(
            Measured(figure.basis, figure.value, figure.low, figure.high, figure.rows)
            for figure in done.figures
            if not figure.slice and figure.metric == use_case.performance_metric
        ),
    )


def realised(place: Place, use_case: UseCase, release: Release, now: datetime) -> float | None:
    """The metric of the predictions that a check of that moment looked at, by the labels that are there by now."""
    from sluice.adapters.metrics import measure
    from sluice.monitoring import feedback
    from sluice.monitoring.feedback import Span

    policy, classes = use_case.monitoring, tuple(label.value for label in release.bundle.contract.output.labels)
    span = Span.before(now, policy.performance.days, use_case.name, release.version, classes)
    known = feedback.labelled(place.warehouse, span, policy.sample_rows)
    if not len(known.actual):
        return None
    value = measure(use_case.task, known.actual, known.said)[use_case.performance_metric]
    return value if math.isfinite(value) else None


def _told(
    incidents: Incidents, use_case: UseCase, kind: Breach, verdict: str, response: str, reason: str, now: datetime
) -> bool:
    """Whether a mail is due; a check that is stable again has healed."""
    cause = f"{kind}:{use_case.name}"
    if response == "nothing":
        if verdict == "stable":
            for alert in incidents.heal(cause):
                incidents.closed(alert.cause)
        return False
    alert = Alert(cause, use_case.name, "monitor", kind, verdict, error=reason)
    due = incidents.open(alert, now)
    if due:
        incidents.mailed(cause)
    return due
