"""The ingestion DAG: land a source as a batch, and judge whether it counts."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import DAG, Param

from sluice.domain.report import Report, sealed
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, specs
from sluice.orchestration.steps import common, cron, reason, step
from sluice.settings import settings

DOC = """
Brings the source's rows into the warehouse, as one batch that is accepted or rejected as a whole.

1. `land_batch` copies the file into a partition of its own and notes it in the ledger by its sha256.
   The same file twice changes nothing; a crash anywhere leaves what was before.
2. `judge_batch` moves bad rows to quarantine with reason codes and runs the expectations (Great Expectations)
   inside Postgres. Too many bad rows, or an expectation that does not hold, reject the batch: the run fails with
   a mail, and the last good data stays in use. **Report** under the task's Details opens the page.

Bad rows are in `quarantine.<use case>`, good ones of accepted batches in `validated.<use case>`.
"""

log = logging.getLogger(__name__)


def ingest_dag(use_case: UseCase) -> DAG:
    """The ingestion DAG of a use case; by its schedule, or by hand."""
    params = {
        "source": Param(
            None,
            type=["null", "string"],
            minLength=1,
            title="Source",
            description="A file path or an http(s) or s3 URL to read instead. Empty: "
            f"{use_case.source.uri or 'the sample that ships with the use case'}.",
        ),
        "reason": reason("Why this run was asked for."),
    }
    options = common(use_case, "ingest", DOC, hours=2)
    with DAG(**options, schedule=cron(use_case.schedule.ingest), params=params) as dag:
        batch = step(land_batch, minutes=60)(use_case.name)
        step(judge_batch, minutes=60, outlets=[assets.validated(use_case)])(use_case.name, batch)
    return dag


def land_batch(name: str, *, params: dict[str, Any]) -> int:
    """Copy the source into a batch, and return its number."""
    from sluice.ingestion import batches, sources

    use_case = specs.use_case(name)
    with sources.resolve(use_case, settings().use_cases / name, params["source"]) as source:
        batch = batches.land(clients.warehouse(), use_case, source)
    state = "landed" if batch.new else f"known already, {batch.status}"
    log.info("batch %d: %s, %d rows from %s", batch.batch_id, state, batch.rows, batch.source_uri)
    return batch.batch_id


def judge_batch(name: str, batch_id: int, *, run_id: str, ti: Any) -> str:
    """Accept or reject the batch, and keep the page that says why."""
    from sluice.domain.errors import BatchRejected
    from sluice.ingestion import acceptance, report
    from sluice.web import links

    use_case, warehouse = specs.use_case(name), clients.warehouse()
    try:
        batch = acceptance.judge(warehouse, use_case, batch_id)
        log.info("batch %d: %s, %d of %d rows in quarantine", batch_id, batch.status, batch.quarantined, batch.rows)
        return batch.status
    except BatchRejected as error:
        log.error("%s", error)
        raise
    finally:
        page = Report.of_run(name, "validation", run_id)
        clients.store().write_bytes(page.key, sealed(report.render(warehouse, use_case, batch_id)))
        reported = {"batch_id": batch_id, "report_uri": page.path}
        warehouse.execute(warehouse.statement("ingestion/batch_reported"), reported)
        links.show(ti, page)
