"""Retention: the checks' pages and details that are removed, and what of them stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.adapters.objects import ObjectStore
from sluice.adapters.removals import removing
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase
from sluice.monitoring.report import experiment


@dataclass(frozen=True)
class Shelf:
    """Where the checks of every use case are kept.

    Attributes:
        warehouse: Their numbers.
        store: Their pages.
        tracking: Both once more, in MLflow.
    """

    warehouse: Warehouse
    store: ObjectStore
    tracking: Tracking

    def old(self, use_case: UseCase, now: datetime) -> tuple[Report, ...]:
        """The reports whose pages and details may go; nothing is touched.

        Args:
            use_case: Whose; its `monitoring.reports_days` says how long they stay.
            now: What that is reckoned from.
        """
        return tuple(_page(use_case, row) for row in self._rows(use_case, now))

    def clear(self, use_case: UseCase, now: datetime) -> tuple[Report, ...]:
        """Remove them, and say which they were.

        The verdicts with their sentences stay in `monitoring.reports`, and what followed in `monitoring.responses`:
        they are small, and the way a release went is told by them. A removal that is cut short goes on with the next,
        and one that meets a backup waits for its end.
        """
        with removing(self.warehouse):
            return self._clear(use_case, now)

    def _clear(self, use_case: UseCase, now: datetime) -> tuple[Report, ...]:
        rows = self._rows(use_case, now)
        pages = tuple(_page(use_case, row) for row in rows)
        for page in pages:
            self.store.remove(page.key)
            self.store.remove(page.snapshot)
        self.tracking.discard_runs(experiment(use_case), _before(use_case, now))
        # Last: what is not marked is found again.
        gone = {"report_ids": [row["report_id"] for row in rows]}
        self.warehouse.execute(self.warehouse.statement("monitoring/remove_details"), gone)
        return pages

    def _rows(self, use_case: UseCase, now: datetime) -> list[dict[str, str]]:
        values = {"use_case": use_case.name, "before": _before(use_case, now)}
        return self.warehouse.rows(self.warehouse.statement("monitoring/old_reports"), values)


def _before(use_case: UseCase, now: datetime) -> datetime:
    return now - timedelta(days=use_case.monitoring.reports_days)


def _page(use_case: UseCase, row: dict[str, str]) -> Report:
    return Report.of_run(use_case.name, row["kind"], row["dag_run_id"])  # type: ignore[arg-type]  # the ledger's word
