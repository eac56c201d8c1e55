"""The record of what the gate saw and decided, and of what people said to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg2.extras import Json

from sluice.domain.evidence import Blessing, Decision, Evidence, Subject
from sluice.domain.report import Report

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse


@dataclass(frozen=True)
class Entry:
    """A decision as the ledger has it.

    Attributes:
        decision_id: Its number.
        use_case: Whose.
        version: What would be promoted.
        bundle_sha256: Names the bundle that was judged.
        champion_version: What it was compared with; None for a first release.
        decision: What was decided, by whom.
        overrides: The gate's decision that a person spoke about; None where this is the gate's.
        evidence: What it rests on.
        decided_at: When.
        dag_run_id: The run that decided.
    """

    decision_id: int
    use_case: str
    version: int
    bundle_sha256: str
    champion_version: int | None
    decision: Decision
    overrides: int | None
    evidence: tuple[Evidence, ...]
    decided_at: datetime
    dag_run_id: str

    @property
    def is_of_the_gate(self) -> bool:
        """Whether no person has spoken."""
        return self.overrides is None

    @property
    def report(self) -> Report:
        """Where its page is: one for everything that was decided in a run."""
        return Report.of_run(self.use_case, "decision", self.dag_run_id)


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
    warehouse: Warehouse,
    dag_run_id: str,
    subject: Subject,
    decision: Decision,
    evidence: tuple[Evidence, ...],
    overrides: int | None = None,
) -> int:
    """Keep a decision with its evidence, and return its id; deciding again adds a row and rewrites none.

    Args:
        warehouse: Keeps it.
        dag_run_id: The run that decides; the address of the decision's page follows from it.
        subject: What was judged.
        decision: What was decided.
        evidence: What it rests on.
        overrides: The gate's decision that a person speaks about.
    """
    [row] = warehouse.rows(
        warehouse.statement("gate/store_decision"),
        {
            "use_case": subject.use_case,
            "version": subject.version,
            "bundle_sha256": subject.bundle_sha256,
            "champion_version": subject.champion_version,
            "code": decision.code,
            "message": decision.message,
            "actor": decision.actor,
            "overrides": overrides,
            "evidence": Json([e.model_dump(mode="json") for e in evidence]),
            "report_uri": Report.of_run(subject.use_case, "decision", dag_run_id).path,
            "dag_run_id": dag_run_id,
        },
    )
    return int(row["decision_id"])


def decisions(warehouse: Warehouse, use_case: str, dag_run_id: str) -> tuple[Entry, ...]:
    """What was decided in a run, the newest first."""
    values = {"use_case": use_case, "dag_run_id": dag_run_id}
    return tuple(
        Entry(
            decision_id=row["decision_id"],
            use_case=use_case,
            version=row["version"],
            bundle_sha256=row["bundle_sha256"] or "",
            champion_version=row["champion_version"],
            decision=Decision(code=row["code"], message=row["message"], actor=row["actor"]),
            overrides=row["overrides"],
            evidence=tuple(Evidence.model_validate(part, strict=False) for part in row["evidence"]),
            decided_at=row["decided_at"],
            dag_run_id=dag_run_id,
        )
        for row in warehouse.rows(warehouse.statement("gate/decisions_of_run"), values)
    )
