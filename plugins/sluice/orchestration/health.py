"""Health: what is wrong with the platform that no use case's own DAG could report."""

from __future__ import annotations

import time

from sluice import registry
from sluice.domain.alert import PLATFORM, Alert
from sluice.domain.errors import SpecError, StateError
from sluice.orchestration import alerts, clients, notices
from sluice.settings import settings

#: The DAG that checks.
CHECK = "sluice_check"
#: What watches Airflow itself, as it signs its signs of life and as alerts name it.
WATCHER = "watcher"
#: Its signs of life come every few seconds; one that is older says that it is silent.
SILENT_SECONDS = 120.0


def check_specs(*, run_id: str) -> list[str]:
    """Read every spec, tell people of each that is broken or mended, and return the names of the use cases.

    Args:
        run_id: The run that looks.

    Raises:
        SpecError: Any is broken, which names each with its file and line; or there is none at all.
    """
    found = registry.find(settings().use_cases)
    notices.broken(found.broken, CHECK, run_id)
    if found.broken:
        raise SpecError(
            f"{len(found.broken)} of {len(found.broken) + len(found.use_cases)} use cases have no DAGs: "
            + " | ".join(str(error) for error in found.broken),
            str(settings().use_cases),
            "correct the named lines; `make check` reads the specs too",
        )
    if not found.use_cases:
        raise SpecError("there is no use case", str(settings().use_cases), "set SLUICE_USE_CASES to their folder")
    return [use_case.name for use_case in found.use_cases]


def check_watcher(*, run_id: str, patience: float = 120.0) -> str:
    """See that the watcher lives, tell people where it does not or does again, and return what it says of itself.

    Args:
        run_id: The run that looks.
        patience: Seconds in which it may still be starting, as after a night in which nothing ran.

    Raises:
        StateError: It is silent.
    """
    deadline = time.monotonic() + patience
    while (heard := _heard()) is None or heard[0] > SILENT_SECONDS:
        if time.monotonic() > deadline:
            raise _silent(heard, run_id)
        time.sleep(min(5.0, patience))
    alerts.heal(WATCHER)
    return heard[1]


def _heard() -> tuple[float, str] | None:
    """How many seconds ago the watcher last gave a sign of life, and what it said; None where it never did."""
    warehouse = clients.warehouse()
    rows = warehouse.rows(warehouse.statement("watcher/silence"), {"component": WATCHER})
    return (rows[0]["seconds"], rows[0]["note"]) if rows else None


def _silent(heard: tuple[float, str] | None, run_id: str) -> StateError:
    """The error of a watcher that is silent, of which people are told."""
    since = "it has never given a sign of life" if heard is None else f"its last sign of life is {heard[0]:.0f} s old"
    action = "start it: make up, or the container named watcher; its log says why it ended"
    alerts.raise_alert(
        Alert(
            cause=WATCHER,
            use_case=PLATFORM,
            stage="check",
            kind="watcher_down",
            headline="the watcher",
            facts=(("Run", run_id),),
            error=f"{since.capitalize()}. Until it is back nobody tells when the scheduler or the warehouse is dead.",
            advice=f"{action.capitalize()}.",
            links=(("Run", alerts.run_url(CHECK, run_id)),),
            occasion=alerts.occasion(CHECK, run_id),
        )
    )
    return StateError(f"the watcher is silent: {since}", "monitoring.heartbeats", action)
