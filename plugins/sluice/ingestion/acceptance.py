"""Acceptance: whether a landed batch becomes part of the data that counts."""

from __future__ import annotations

from dataclasses import replace

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BatchRejected
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, expectations, quarantine
from sluice.ingestion.batches import Batch
from sluice.ingestion.expectations import Validation
from sluice.ingestion.quarantine import Quarantined

#: Reasons and failed expectations named in a message; the report has them all.
NAMED = 5


def judge(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> Batch:
    """Sweep and validate a landed batch, then accept or reject it; the ledger changes last.

    An accepted batch stays accepted. A rejected one is judged anew, because its spec may have changed.

    Returns:
        The accepted batch.

    Raises:
        BatchRejected: It has too many bad rows or breaks an expectation; stored before it is raised.
        SpecError: An expectation of the spec does not exist, or has other arguments.
        StateError: There is no such batch.
    """
    batch = batches.get(warehouse, use_case, batch_id)
    if batch.status == "accepted":
        return batch
    if batch.status == "rejected":
        quarantine.restore(warehouse, use_case, batch_id)
    swept = quarantine.sweep(warehouse, use_case, batch_id)
    validation = expectations.validate(warehouse, use_case, batch_id)
    reason = objections(use_case, batch, swept, validation)
    verdict = {
        "batch_id": batch_id,
        "status": "rejected" if reason else "accepted",
        "reason": reason or None,
        "quarantined": swept.count,
    }
    warehouse.execute(warehouse.statement("ingestion/batch_judged"), verdict)
    if reason:
        raise BatchRejected(
            f"batch {batch_id} of {use_case.name} is rejected: {reason}",
            batch.source_uri,
            f"look at quarantine.{use_case.name} where _batch_id = {batch_id}; correct the source or"
            " the spec and run ingest again; the last good data stays in use",
        )
    return replace(batch, status="accepted", reason=None, quarantined=swept.count)


def objections(use_case: UseCase, batch: Batch, swept: Quarantined, validation: Validation) -> str:
    """Everything that speaks against a batch, in words; empty where nothing does."""
    found: list[str] = []
    limit = use_case.quality.max_bad_share
    if swept.share > limit:
        most = list(swept.by_reason.items())[:NAMED]
        reasons = ", ".join(f"{code} {plain(count)}" for code, count in most)
        bad = f"{plain(swept.count)} of {plain(batch.rows)} rows ({swept.share:.2%}) are bad"
        found.append(f"{bad}, {limit:.2%} may be: {reasons}")
    if not validation.success:
        named = "; ".join(validation.failed[:NAMED]) or "the suite did not succeed"
        more = len(validation.failed) - NAMED
        found.append(f"expectations do not hold: {named}" + (f"; and {more} more" if more > 0 else ""))
    return ". ".join(found)
