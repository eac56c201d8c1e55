"""What of the checks is removed, on a real MLflow server and a real object store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.monitoring.comparison import ColumnDrift
from sluice.monitoring.drift import Drift
from sluice.monitoring.report import Occasion, experiment, publish, store_drift
from sluice.monitoring.retention import Shelf
from sluice.monitoring.windows import Window
from tests.bentos.servers import Mlflow


def test_old_pages_and_details_go_and_verdicts_stay(
    empty: Warehouse, registry: Mlflow, parcels: UseCase, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    shelf = Shelf(empty, ObjectStore(tmp_path.as_uri()), Tracking(registry.url))
    columns = (ColumnDrift("weight", "wasserstein", 0.2, 0.1, True),)
    drift = Drift(1, "drifted", "Drifted.", Window("validated", 300), 900, 1.0, columns)
    pages = {}
    for run in ("old", "young"):
        page = pages[run] = publish(shelf.store, parcels, "drift", "<html></html>", run)
        shelf.store.write_bytes(page.snapshot, b"{}")
        # A moment long past may be asked about today.
        store_drift(empty, parcels, drift, Occasion(run, now - timedelta(days=400), "advice", page.path))
        shelf.tracking.open_run(experiment(parcels), run, {})
    empty.execute("UPDATE monitoring.reports SET created_at = now() - interval '91 days' WHERE dag_run_id = 'old'")

    assert shelf.old(parcels, now) == (pages["old"],)
    assert shelf.store.exists(pages["old"].key), "nothing is touched by looking"
    assert shelf.clear(parcels, now) == (pages["old"],)

    assert not shelf.store.exists(pages["old"].key)
    assert not shelf.store.exists(pages["old"].snapshot)
    assert shelf.store.exists(pages["young"].key)
    kept = empty.rows(
        "SELECT dag_run_id, verdict, removed_at IS NULL AS there,"
        " (SELECT count(*) FROM monitoring.columns WHERE columns.report_id = reports.report_id) AS columns"
        " FROM monitoring.reports ORDER BY dag_run_id"
    )
    assert [tuple(row.values()) for row in kept] == [("old", "drifted", False, 0), ("young", "drifted", True, 1)]
    assert shelf.clear(parcels, now) == ()


def test_the_checks_of_others_stay(empty: Warehouse, registry: Mlflow, parcels: UseCase, tmp_path: Path) -> None:
    shelf = Shelf(empty, ObjectStore(tmp_path.as_uri()), Tracking(registry.url))
    drift = Drift(1, "stable", "Stable.", Window("validated", 300), 900)
    other = parcels.model_copy(update={"name": "letters"})
    store_drift(empty, other, drift, Occasion("run", datetime.now(UTC), "advice", None))

    later = datetime.now(UTC) + timedelta(days=400)

    assert shelf.clear(parcels, later) == ()
    assert len(shelf.clear(other, later)) == 1
