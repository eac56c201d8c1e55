"""The record of what the gate saw and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2.extras import Json

from sluice.domain.evidence import Blessing, Decision, Evidence, Subject

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse


def store_evidence(warehouse: Warehouse, dag_run_id: str, evidence: Evidence) -> None:
    """Keep what one blessing saw in a run; gathering it again in the same run replaces it."""
    warehouse.execute(
        warehouse.statement("gate/store_evidence"),
        {
            "dag_run_id": dag_run_id,
            "use_case": evidence.subject.use_case,
            "blessing": evidence.blessing,
            "evidence": Json(evidence.model_dump(mode="json")),
        },
    )


def discard_evidence(warehouse: Warehouse, use_case: str, dag_run_id: str, *blessings: Blessing) -> None:
    """Forget what a run gathered, before it is gathered anew: what fails then must not rest on what was."""
    values = {"use_case": use_case, "dag_run_id": dag_run_id, "blessings": list(blessings)}
    warehouse.execute(warehouse.statement("gate/discard_evidence"), values)


def read_evidence(warehouse: Warehouse, use_case: str, dag_run_id: str) -> tuple[Evidence, ...]:
    """What was gathered in a run."""
    rows = warehouse.rows(warehouse.statement("gate/read_evidence"), {"use_case": use_case, "dag_run_id": dag_run_id})
    return tuple(Evidence.model_validate(row["evidence"], strict=False) for row in rows)


def store_decision(
    warehouse: Warehouse, dag_run_id: str, subject: Subject, decision: Decision, evidence: tuple[Evidence, ...]
) -> int:
    """Keep a decision with its evidence, and return its id; deciding again adds a row and rewrites none."""
    [row] = warehouse.rows(
        warehouse.statement("gate/store_decision"),
        {
            "use_case": subject.use_case,
            "version": subject.version,
            "bundle_sha256": subject.bundle_sha256,
            "champion_version": subject.champion_version,
            "code": decision.code,
            "message": decision.message,
            "evidence": Json([e.model_dump(mode="json") for e in evidence]),
            "dag_run_id": dag_run_id,
        },
    )
    return int(row["decision_id"])
