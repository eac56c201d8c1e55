"""Report: what a check found, kept in the warehouse and as a page in the object store."""

from __future__ import annotations

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase
from sluice.monitoring.drift import Drift


def publish(objects: ObjectStore, use_case: UseCase, drift: Drift, dag_run_id: str) -> Report | None:
    """Store the check's page, and return where it is; None where there was nothing to compare.

    Args:
        objects: Keeps the page.
        use_case: Whose check.
        drift: What it found.
        dag_run_id: The run that made it; the same run overwrites its own page.
    """
    if drift.html is None:
        return None
    report = Report.of_run(use_case.name, "drift", dag_run_id)
    objects.write_bytes(report.key, drift.html.encode())
    return report


def store(warehouse: Warehouse, use_case: UseCase, drift: Drift, report_uri: str | None, dag_run_id: str) -> int:
    """Store the check's numbers, and return the report's id; the same run replaces its own.

    Args:
        warehouse: Keeps them.
        use_case: Whose check.
        drift: What it found.
        report_uri: Where its page is kept, if it has one.
        dag_run_id: The run that made it.
    """
    values = {
        "use_case": use_case.name,
        "kind": "drift",
        "version": drift.version,
        "current_source": drift.window.source,
        "window_start": drift.window.start,
        "window_end": drift.window.end,
        "reference_rows": drift.reference_rows,
        "current_rows": drift.window.rows,
        "drifted_share": drift.drifted_share,
        "verdict": drift.verdict,
        "message": drift.message,
        "report_uri": report_uri,
        "dag_run_id": dag_run_id,
    }
    with warehouse.transaction() as connection:
        found = fetch(connection, warehouse.statement("monitoring/store_report"), values)
        report_id: int = found[0]["report_id"]
        fetch(connection, warehouse.statement("monitoring/clear_columns"), {"report_id": report_id})
        for column in drift.columns:
            row = {"report_id": report_id, "column_name": column.column, **vars(column)}
            fetch(connection, warehouse.statement("monitoring/store_column"), row)
    return report_id
