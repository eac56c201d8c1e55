from dataclasses import replace
from pathlib import Path

import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.report import sealed
from sluice.domain.use_case import UseCase
from sluice.monitoring.comparison import ColumnDrift, Sampled
from sluice.monitoring.drift import Drift
from sluice.monitoring.finding import Finding
from sluice.monitoring.performance import Figure, Performance
from sluice.monitoring.quality import DataQuality
from sluice.monitoring.report import Occasion, page, publish, store_drift, store_performance, store_quality
from sluice.monitoring.windows import Window
from tests.unit.monitoring.conftest import NOON

OCCASION = Occasion("run-1", NOON, "Do not retrain.", "/sluice/reports/x")


@pytest.fixture
def drift() -> Drift:
    sampled = Sampled("wasserstein", 0.3, 0.1, True)
    columns = (
        ColumnDrift("weight", "Wasserstein", 0.2, 0.1, True, sampled),
        ColumnDrift("zone", "none", None, None, None),
    )
    html = "<html><head></head><body class='x'><p>drawn</p></body></html>"
    return Drift(2, "drifted", "Drifted.", Window("validated", 300, batch_id=1), 900, 1.0, columns, html)


@pytest.fixture
def quality() -> DataQuality:
    findings = (
        Finding("batch.missing", "weight", 0.2, 0.05, False, "weight is missing."),
        Finding("batch.missing", "zone", 0.0, 0.05, True, "zone is there."),
        Finding("batch.volume", "", None, 0.5, None, "Too few."),
    )
    return DataQuality(2, "degraded", "Degraded.", "batch", 300, 900, NOON, NOON, findings)


@pytest.fixture
def performance() -> Performance:
    figures = (
        Figure("", "rmse", "realised", 2.0, 1.5, 2.5, 250),
        Figure("zone=far", "rmse", "realised", 3.0, None, None, 60),
        Figure("", "rmse", "promised", 1.0, None, None, 0),
    )
    return Performance(2, "degraded", "Dropped.", NOON, NOON, 250, 400, figures)


def test_the_numbers_are_kept_per_column(empty: Warehouse, parcels: UseCase, drift: Drift) -> None:
    report_id = store_drift(empty, parcels, drift, OCCASION)

    kept = empty.rows(
        "SELECT kind, verdict, version, current_rows, dag_run_id, checked_for, recommendation, report_uri"
        " FROM monitoring.reports"
    )
    assert kept == [
        {
            "kind": "drift",
            "verdict": "drifted",
            "version": 2,
            "current_rows": 300,
            "dag_run_id": "run-1",
            "checked_for": NOON,
            "recommendation": "Do not retrain.",
            "report_uri": "/sluice/reports/x",
        }
    ]
    columns = empty.rows("SELECT * FROM monitoring.columns ORDER BY column_name")
    assert [(c["report_id"], c["column_name"], c["score"], c["drifted"], c["sampled_score"]) for c in columns] == [
        (report_id, "weight", 0.2, True, 0.3),
        (report_id, "zone", None, None, None),
    ]


def test_every_finding_is_kept(empty: Warehouse, parcels: UseCase, quality: DataQuality) -> None:
    store_quality(empty, parcels, quality, OCCASION)

    kept = empty.rows("SELECT * FROM monitoring.quality ORDER BY check_name, column_name")
    assert [(row["check_name"], row["column_name"], row["value"], row["passed"]) for row in kept] == [
        ("batch.missing", "weight", 0.2, False),
        ("batch.missing", "zone", 0.0, True),
        ("batch.volume", "", None, None),
    ]


def test_every_figure_is_kept(empty: Warehouse, parcels: UseCase, performance: Performance) -> None:
    store_performance(empty, parcels, performance, OCCASION)

    kept = empty.rows("SELECT slice, basis, value, low, rows FROM monitoring.performance ORDER BY value")
    assert [tuple(row.values()) for row in kept] == [
        ("", "promised", 1.0, None, 0),
        ("", "realised", 2.0, 1.5, 250),
        ("zone=far", "realised", 3.0, None, 60),
    ]
    [report] = empty.rows("SELECT current_source, current_rows FROM monitoring.reports")
    assert report == {"current_source": "labels", "current_rows": 250}


def test_a_task_that_runs_again_replaces_what_it_said(empty: Warehouse, parcels: UseCase, drift: Drift) -> None:
    first = store_drift(empty, parcels, drift, OCCASION)
    again = store_drift(empty, parcels, replace(drift, verdict="stable", columns=drift.columns[:1]), OCCASION)

    assert first == again
    assert empty.rows("SELECT verdict FROM monitoring.reports") == [{"verdict": "stable"}]
    assert len(empty.rows("SELECT * FROM monitoring.columns")) == 1


def test_the_checks_of_one_run_stand_side_by_side(
    empty: Warehouse, parcels: UseCase, drift: Drift, quality: DataQuality, performance: Performance
) -> None:
    store_drift(empty, parcels, drift, OCCASION)
    store_quality(empty, parcels, quality, OCCASION)
    store_performance(empty, parcels, performance, OCCASION)

    kinds = empty.rows("SELECT kind FROM monitoring.reports ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["drift", "performance", "quality"]


def test_a_report_that_cannot_be_kept_whole_is_not_kept(
    empty: Warehouse, parcels: UseCase, quality: DataQuality
) -> None:
    twice = replace(quality, findings=quality.findings[:1] * 2)

    with pytest.raises(Exception, match="duplicate key"):
        store_quality(empty, parcels, twice, OCCASION)

    assert empty.rows("SELECT * FROM monitoring.reports") == []


def test_every_page_begins_with_verdict_and_advice(parcels: UseCase, drift: Drift) -> None:
    html = page(parcels, "drift", replace(drift, message="Drifted: a < b."), "Do not retrain: <none>.")

    body, drawn = html.index("<body class='x'>"), html.index("drawn")
    assert body < html.index("Parcels, drift of version 2<") < drawn
    assert html.index("Drifted: a &lt; b.") < drawn
    assert html.index("Do not retrain: &lt;none&gt;.") < drawn
    assert html.count("<body") == 1


def test_a_check_that_has_nothing_to_draw_has_a_page_all_the_same(parcels: UseCase, drift: Drift) -> None:
    html = page(parcels, "drift", replace(drift, message="Could not tell.", html=None), "Wait for more rows.")

    assert html.startswith("<!doctype html>")
    assert "Could not tell." in html
    assert "Wait for more rows." in html


def test_the_page_is_kept_under_the_run(tmp_path: Path, parcels: UseCase) -> None:
    objects = ObjectStore(tmp_path.as_uri())

    shown = publish(objects, parcels, "quality", "<html></html>", "manual__2026-05-01T00:00:00+00:00")

    assert shown.key.startswith("reports/parcels/quality/manual__2026-05-01T00-00-00-00-00-")
    assert objects.read_bytes(shown.key) == sealed("<html></html>")
