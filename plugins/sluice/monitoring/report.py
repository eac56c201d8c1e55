"""Report: what a check found, kept in the warehouse as numbers and in the object store as a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.report import Report, sealed
from sluice.domain.use_case import UseCase
from sluice.monitoring.drift import Drift
from sluice.monitoring.quality import DataQuality
from sluice.monitoring.response import Breach

if TYPE_CHECKING:
    from sluice.monitoring.performance import Performance

#: Stands above every page: what was found, which begins with the verdict, and what is advised, in plain words. It
#: brings its own colours, because the page below it may be somebody else's.
BANNER = """
<div style="margin:0;padding:14px 22px;font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
background:#f3f5f9;color:#1b1f27;border-bottom:1px solid #d5dae3">
<h1 style="margin:0;font:inherit;font-weight:700">{title}</h1>
{message}<br><strong>{recommendation}</strong></div>
"""

#: A page of a check that had nothing to draw.
BARE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head><body style="margin:0"></body></html>
"""


@dataclass(frozen=True)
class Occasion:
    """What a report belongs to.

    Attributes:
        dag_run_id: The run that made it; the same run replaces its own.
        checked_for: The moment that the check was about; aware.
        recommendation: Whether to train again, and why, in plain words.
        report_uri: Where its page is shown, if it has one.
    """

    dag_run_id: str
    checked_for: datetime
    recommendation: str
    report_uri: str | None = None


def experiment(use_case: UseCase) -> str:
    """The MLflow experiment that keeps a use case's checks, one run for each run of the DAG."""
    return f"{use_case.name}_monitoring"


def page(use_case: UseCase, kind: Breach, found: Drift | DataQuality | Performance, advice: str) -> str:
    """The check's page with its verdict and the advice on top; of a check without a page, these alone.

    Args:
        use_case: Whose check.
        kind: What was checked.
        found: What it found.
        advice: Whether to train again, and why.
    """
    title = f"{use_case.title}, {kind} of version {found.version}"
    banner = BANNER.format(
        title=escape(title),
        message=escape(found.message),
        recommendation=escape(advice),
    )
    html = found.html if found.html is not None else BARE.format(title=escape(title))
    with_banner, placed = re.subn(r"<body[^>]*>", lambda body: body.group() + banner, html, count=1)
    return with_banner if placed else banner + html


def publish(objects: ObjectStore, use_case: UseCase, kind: Breach, html: str, dag_run_id: str) -> Report:
    """Store a check's page, and return where it is.

    Args:
        objects: Keeps the page.
        use_case: Whose check.
        kind: What was checked.
        html: As `page` made it.
        dag_run_id: The run that made it; the same run overwrites its own page.
    """
    report = Report.of_run(use_case.name, kind, dag_run_id)
    objects.write_bytes(report.key, sealed(html))
    return report


def store_drift(warehouse: Warehouse, use_case: UseCase, drift: Drift, occasion: Occasion) -> int:
    """Store what a drift check found in one transaction, and return the report's id."""
    values = {
        "kind": "drift",
        "version": drift.version,
        "current_source": drift.window.source,
        "window_start": drift.window.start,
        "window_end": drift.window.end,
        "reference_rows": drift.reference_rows,
        "current_rows": drift.window.rows or 0,
        "drifted_share": drift.drifted_share,
        "verdict": drift.verdict,
        "message": drift.message,
    }
    rows = []
    for column in drift.columns:
        sampled = column.sampled
        rows.append(
            {
                "column_name": column.column,
                "method": column.method,
                "score": column.score,
                "threshold": column.threshold,
                "drifted": column.drifted,
                "sampled_method": sampled.method if sampled else None,
                "sampled_score": sampled.score if sampled else None,
                "sampled_threshold": sampled.threshold if sampled else None,
                "sampled_drifted": sampled.drifted if sampled else None,
            }
        )
    return _store(warehouse, use_case, occasion, values, "columns", rows)


def store_quality(warehouse: Warehouse, use_case: UseCase, quality: DataQuality, occasion: Occasion) -> int:
    """Store what a check of the data's quality found in one transaction, and return the report's id."""
    values = {
        "kind": "quality",
        "version": quality.version,
        "current_source": quality.source,
        "window_start": quality.start,
        "window_end": quality.end,
        "reference_rows": quality.reference_rows,
        "current_rows": quality.rows,
        "drifted_share": None,
        "verdict": quality.verdict,
        "message": quality.message,
    }
    rows = [
        {
            "check_name": finding.check,
            "column_name": finding.column,
            "value": finding.value,
            "limit_value": finding.limit,
            "passed": finding.passed,
            "detail": finding.detail,
        }
        for finding in quality.findings
    ]
    return _store(warehouse, use_case, occasion, values, "quality", rows)


def store_performance(warehouse: Warehouse, use_case: UseCase, performance: Performance, occasion: Occasion) -> int:
    """Store what a check of the release's performance found in one transaction, and return the report's id."""
    promised = [figure.rows for figure in performance.figures if figure.basis == "promised"]
    values = {
        "kind": "performance",
        "version": performance.version,
        "current_source": "labels" if performance.labelled_rows else "predictions",
        "window_start": performance.start,
        "window_end": performance.end,
        "reference_rows": max(promised, default=0),
        "current_rows": performance.labelled_rows or performance.predicted_rows,
        "drifted_share": None,
        "verdict": performance.verdict,
        "message": performance.message,
    }
    rows = [{"version": performance.version, **vars(figure)} for figure in performance.figures]
    return _store(warehouse, use_case, occasion, values, "performance", rows)


def _store(
    warehouse: Warehouse,
    use_case: UseCase,
    occasion: Occasion,
    values: Mapping[str, Any],
    details: str,
    rows: Iterable[Mapping[str, Any]],
) -> int:
    """Store a report and its details; a task that runs again replaces what it said."""
    report = {"use_case": use_case.name, **vars(occasion), **values}
    with warehouse.transaction() as connection:
        found = fetch(connection, warehouse.statement("monitoring/store_report"), report)
        report_id: int = found[0]["report_id"]
        fetch(connection, warehouse.statement(f"monitoring/clear_{details}"), {"report_id": report_id})
        for row in rows:
            fetch(connection, warehouse.statement(f"monitoring/store_{details}"), {"report_id": report_id, **row})
    return report_id
