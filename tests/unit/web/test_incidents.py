from datetime import UTC, datetime

from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import PLATFORM
from sluice.web.incidents import incidents
from sluice.web.inquiry import inquire
from tests.unit.web.history import History

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


def test_what_is_wrong_is_for_those_whom_it_concerns(warehouse: Warehouse) -> None:
    History(warehouse, "housing").incident("drift", "monitor", "income", NOW)
    History(warehouse, "housing").incident("task_failed", "train", "search_trials", NOW)
    History(warehouse, "housing").incident("serving_not_ready", "serving", "housing", NOW)
    History(warehouse, "loan").incident("drift", "monitor", "age", NOW)
    History(warehouse, PLATFORM).incident("disk_full", "disk", "/var", NOW)
    warehouse.execute("UPDATE monitoring.incidents SET closed_at = now() WHERE kind = 'drift' AND use_case = 'loan'")

    with inquire(warehouse) as inquiry:
        monitor = incidents(inquiry, {"housing": frozenset(["monitor"]), "loan": frozenset(["monitor"])})
        train = incidents(inquiry, {"housing": frozenset(["train"])}, platform=True)

    assert {i.title for i in monitor} == {"monitor drifted: income", "serving is not ready: housing"}
    assert {i.title for i in train} == {
        "train failed: search_trials",
        "serving is not ready: housing",
        "disk is nearly full: /var",
    }
