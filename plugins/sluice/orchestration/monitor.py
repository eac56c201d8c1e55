"""The monitoring DAG: what changed since the release that serves, how well it does, and what follows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase
from sluice.orchestration import clients, publish, responding, specs
from sluice.orchestration.bundles import downloaded
from sluice.orchestration.steps import common, cron, reason, step

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse
    from sluice.monitoring.drift import Drift
    from sluice.monitoring.performance import Performance
    from sluice.monitoring.quality import DataQuality
    from sluice.monitoring.report import Occasion
    from sluice.monitoring.response import Breach

    Found = Drift | DataQuality | Performance
    Store = Callable[[Warehouse, UseCase, Any, Occasion], int]

DOC = """
Compares what arrives now with what the champion was trained on, looks at how well it does, and responds.

1. `pick_champion` names the release that is looked after.
2. `check_performance`: as well as at its promotion, by the labels that have come, and by an estimate without them?
   `check_drift`: do current rows still look like those of the training, column by column? `check_quality`: are they as
   whole, as known, as fresh and as many? Each says `stable`, `drifted` or `degraded`, or `unknown` where it could not
   tell; one that fails hides none of the others. **Report** under its Details opens its page, which begins with a
   recommendation: train again or not, and why. MLflow keeps the pages in the experiment `<use case>_monitoring`.
3. `respond` does what the spec's `monitoring` says after so many breaches: nothing, a mail, a question to a person
   (see **Required Actions**), or a training, whose run carries the reason. After a question or a training no other
   follows until the cool-down is over.

Current rows are yesterday's predictions, where there are enough of them, or the newest validated batch. With
`current: window` the checks are about the moments that the form names, and nothing follows from them.
Numbers are in `monitoring.reports` and beside it, what followed in `monitoring.responses`. Running it again replaces
its own reports.
"""

log = logging.getLogger(__name__)


def monitor_dag(use_case: UseCase) -> DAG:
    """The monitoring DAG of a use case; daily, or by hand."""
    options = common(use_case, "monitor", DOC, hours=1 + responding.hours(use_case))
    with DAG(**options, schedule=cron(use_case.schedule.monitor), params=_params()) as dag:
        name = use_case.name
        picked = step(pick_champion, minutes=5)(name)
        performance = step(check_performance, minutes=20)(name, picked)
        # After it, because their advice depends on what it found; whatever has become of it, they are made.
        offered = publish.offered(use_case)
        drift = step(check_drift, minutes=20, trigger_rule="all_done", outlets=offered)(name, picked)
        quality = step(check_quality, minutes=20, trigger_rule="all_done")(name, picked)
        checks = [performance, drift, quality]
        chain(performance, [drift, quality])
        responding.responses(use_case, checks)
        # The response comes whatever has failed before it; that something has, the run says by this.
        chain(checks, EmptyOperator(task_id="conclude", execution_timeout=timedelta(minutes=5)))
    return dag


def _params() -> dict[str, Param]:
    moment: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
    return {
        "current": Param(
            "auto",
            type="string",
            enum=["auto", "predictions", "validated", "window"],
            title="Current rows",
            description="What is compared with the training rows. auto: yesterday's predictions where there are "
            "enough, else the newest validated batch. window: the predictions between the two moments below.",
        ),
        "from": Param(None, **moment, title="From", description="First moment of the window."),
        "to": Param(None, **moment, title="To", description="The moment after the last of the window."),
        "reason": reason("Why this check was asked for."),
    }


def pick_champion(name: str, *, params: dict[str, Any], dag_run: Any) -> dict[str, Any]:
    """Name the release that is looked after, and the run that keeps the pages in MLflow."""
    from sluice.monitoring import report

    moment = about(params, dag_run)
    tracking = clients.tracking()
    champion = tracking.aliased(name, "champion")
    if champion is None:
        raise StateError(f"{name} has no champion to look after", "the model registry", f"run {name}_train first")
    tags = {"use_case": name, "version": str(champion.number), "checked_for": moment.isoformat()}
    journal = tracking.open_run(report.experiment(specs.use_case(name)), dag_run.run_id, tags)
    log.info("version %d of %s, on %s", champion.number, name, moment)
    return {"version": champion.number, "journal": journal}


def check_performance(
    name: str, picked: dict[str, Any] | None, *, params: dict[str, Any], dag_run: Any, ti: Any
) -> str:
    """Look at how well the champion does, with labels and without; keep numbers and page."""
    from sluice.monitoring import performance, report

    use_case, version, now = specs.use_case(name), _version(picked), about(params, dag_run)
    tracking, warehouse = clients.tracking(), clients.warehouse()
    with downloaded(tracking, tracking.version(name, version)) as bundle:
        found = performance.check(warehouse, use_case, bundle, version, now)
    deciding = use_case.performance_metric
    metrics = {
        f"{figure.basis}_{figure.metric}": figure.value
        for figure in found.figures
        if figure.metric == deciding and not figure.slice
    }
    return _keep(use_case, "performance", found, report.store_performance, picked, dag_run, ti, now, metrics)


def check_drift(
    name: str,
    picked: dict[str, Any] | None,
    *,
    params: dict[str, Any],
    dag_run: Any,
    ti: Any,
    outlet_events: Any = None,
) -> str:
    """Compare current rows with those that the champion was trained on; keep numbers and page."""
    from sluice.monitoring import drift, report, windows

    use_case, version, now = specs.use_case(name), _version(picked), about(params, dag_run)
    tracking, warehouse = clients.tracking(), clients.warehouse()
    window = asked(params)
    wanted = params["current"] if window is None else windows.between(*window)
    with downloaded(tracking, tracking.version(name, version)) as bundle:
        found = drift.check(warehouse, use_case, bundle, version, wanted, now)
    metrics = {"drifted_share": found.drifted_share}
    verdict = _keep(use_case, "drift", found, report.store_drift, picked, dag_run, ti, now, metrics)
    publish.offer(use_case, found, dag_run.run_id, now, outlet_events)
    return verdict


def check_quality(name: str, picked: dict[str, Any] | None, *, params: dict[str, Any], dag_run: Any, ti: Any) -> str:
    """Look at how whole, known, fresh and many the rows are that arrive; keep numbers and page."""
    from sluice.monitoring import quality, report

    use_case, version, now = specs.use_case(name), _version(picked), about(params, dag_run)
    tracking, warehouse = clients.tracking(), clients.warehouse()
    with downloaded(tracking, tracking.version(name, version)) as bundle:
        # The contract's word, not the spec's: it is what this release was logged by.
        unlogged = [given.name for given in bundle.contract.inputs if given.sensitive]
        histograms = bundle.histograms()
    found = quality.check(warehouse, use_case, histograms, version, now, unlogged)
    failed = sum(finding.passed is False for finding in found.findings)
    metrics = {"quality_checks": float(len(found.findings)), "quality_failed": float(failed)}
    return _keep(use_case, "quality", found, report.store_quality, picked, dag_run, ti, now, metrics)


def about(params: Mapping[str, Any], dag_run: Any) -> datetime:
    """The moment that a run's checks are about: the end of the window that was asked for, else when the run was due."""
    window = asked(params)
    now: datetime = window[1] if window else dag_run.logical_date or dag_run.run_after
    return now


def asked(params: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """The window that the form asks for; None where it asks for none.

    Raises:
        StateError: Half of it is missing, it ends before it begins, or moments are given without asking for it.
    """
    given = {field: _moment(field, params.get(field)) for field in ("from", "to")}
    missing = [field for field, moment in given.items() if moment is None]
    if params["current"] != "window":
        if len(missing) < len(given):
            raise StateError(
                f"a window is given, and {params['current']!r} rows were asked for",
                "the trigger form",
                "choose `window`, or leave `from` and `to` empty",
            )
        return None
    start, end = given["from"], given["to"]
    if start is None or end is None:
        what = f"a window needs {' and '.join(repr(field) for field in missing)}"
        raise StateError(what, "the trigger form", "give both moments, such as 2026-05-01T00:00:00Z")
    if start >= end:
        raise StateError(f"the window ends at {end}, before it begins", "the trigger form", "exchange the two")
    return start, end


def _moment(field: str, text: str | None) -> datetime | None:
    """A moment of the form; without a zone it is UTC."""
    if text is None or not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        action = "write it as 2026-05-01T00:00:00Z"
        raise StateError(f"{field!r} is no moment: {text!r}", "the trigger form", action) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _version(picked: Mapping[str, Any] | None) -> int:
    if picked is None:
        raise AirflowSkipException("no release was picked, so there is nothing to look after")
    version: int = picked["version"]
    return version


def _keep(
    use_case: UseCase,
    kind: Breach,
    found: Found,
    store: Store,
    picked: Mapping[str, Any] | None,
    dag_run: Any,
    ti: Any,
    now: datetime,
    metrics: Mapping[str, float | None],
) -> str:
    """Keep what a check found: its page, its numbers, and both in MLflow."""
    from sluice.monitoring import ledger, report
    from sluice.monitoring.report import Occasion
    from sluice.web import links

    warehouse, tracking = clients.warehouse(), clients.tracking()
    advice = ledger.advise(warehouse, use_case, kind, found.version, found.verdict, now)
    html = report.page(use_case, kind, found, advice)
    page = report.publish(clients.store(), use_case, kind, html, dag_run.run_id)
    store(warehouse, use_case, found, Occasion(dag_run.run_id, now, advice, page.path))
    links.show(ti, page)
    journal = (picked or {})["journal"]
    tracking.attach(journal, f"{kind}.html", html)
    tracking.measure(journal, {name: value for name, value in metrics.items() if value is not None})
    log.info("%s: %s %s", found.verdict, found.message, advice)
    return found.verdict
