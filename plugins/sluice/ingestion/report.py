"""Report: a page for people on what was found in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.adapters.templates import templates
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, expectations, quarantine

PAGES = Path(__file__).parent / "pages"


def render(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> str:
    """The page of a batch as it stands: its rows, its quarantine, its expectations.

    Returns:
        A whole HTML document that loads nothing from elsewhere.

    Raises:
        StateError: There is no such batch.
    """
    found = warehouse.rows(warehouse.statement("ingestion/validation_latest"), {"batch_id": batch_id})
    checks = found[0]["result"]["results"] if found else []
    template = templates(PAGES).get_template("validation.html.j2")
    return template.render(
        use_case=use_case,
        batch=batches.get(warehouse, use_case, batch_id),
        quarantined=quarantine.tally(warehouse, use_case, batch_id),
        validated_at=found[0]["created_at"] if found else None,
        checks=sorted(map(_line, checks), key=lambda line: bool(line["holds"])),
    )


def _line(check: Mapping[str, Any]) -> dict[str, Any]:
    """One expectation as a row of the table."""
    column = check["expectation_config"]["kwargs"].get("column", "whole batch")
    demand = expectations.demand(check)
    return {"holds": check["success"], "column": column, "demand": demand, "outcome": expectations.outcome(check)}
