from dataclasses import replace
from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.monitoring.comparison import ColumnDrift
from sluice.monitoring.drift import Drift
from sluice.monitoring.report import publish, store
from sluice.monitoring.windows import Window


@pytest.fixture
def drift() -> Drift:
    columns = (ColumnDrift("weight", "Wasserstein", 0.2, 0.1, True), ColumnDrift("zone", "none", None, None, None))
    return Drift(2, "drifted", "Drifted.", Window("validated", 300, batch_id=1), 900, 1.0, columns, "<html></html>")


def test_the_numbers_are_kept_per_column(empty: Warehouse, parcels: UseCase, drift: Drift) -> None:
    report_id = store(empty, parcels, drift, "/sluice/reports/x", "run-1")

    kept = empty.rows("SELECT verdict, version, current_rows, dag_run_id FROM monitoring.reports")
    assert kept == [{"verdict": "drifted", "version": 2, "current_rows": 300, "dag_run_id": "run-1"}]
    columns = empty.rows("SELECT * FROM monitoring.columns ORDER BY column_name")
    assert [(c["report_id"], c["column_name"], c["score"], c["drifted"]) for c in columns] == [
        (report_id, "weight", 0.2, True),
        (report_id, "zone", None, None),
    ]


def test_a_task_that_runs_again_replaces_what_it_said(empty: Warehouse, parcels: UseCase, drift: Drift) -> None:
    first = store(empty, parcels, drift, None, "run-1")
    again = store(empty, parcels, replace(drift, verdict="stable", columns=drift.columns[:1]), None, "run-1")

    assert first == again
    assert empty.rows("SELECT verdict FROM monitoring.reports") == [{"verdict": "stable"}]
    assert len(empty.rows("SELECT * FROM monitoring.columns")) == 1


def test_the_page_is_kept_under_the_run(tmp_path: Path, parcels: UseCase, drift: Drift) -> None:
    objects = ObjectStore(tmp_path.as_uri())

    page = publish(objects, parcels, drift, "manual__2026-05-01T00:00:00+00:00")

    assert page is not None
    assert page.key.startswith("reports/parcels/drift/manual__2026-05-01T00-00-00-00-00-")
    assert objects.read_bytes(page.key) == b"<html></html>"
    assert publish(objects, parcels, replace(drift, html=None), "run-2") is None
