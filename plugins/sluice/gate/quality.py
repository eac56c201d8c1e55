"""The first blessing: is the candidate good enough, on rows that neither it nor the champion has seen?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from psycopg2 import sql

from sluice.adapters.bundles import Bundle, score
from sluice.adapters.metrics import measure
from sluice.domain.evidence import Check, Evidence, Subject, bounded
from sluice.domain.use_case import UseCase
from sluice.gate.comparison import Vector, change

if TYPE_CHECKING:
    import pandas as pd

    from sluice.adapters.warehouse import Warehouse


def held_out_rows(warehouse: Warehouse, use_case: UseCase) -> pd.DataFrame:
    """The validated test rows: inputs and target, one row per source row."""
    names = [c.name for c in use_case.inputs] + [use_case.target]
    statement = warehouse.statement(
        "gate/test_rows",
        columns=sql.SQL(", ").join(sql.Identifier(name) for name in names),
        view=("validated", use_case.name),
    )
    rows: pd.DataFrame = warehouse.arrow(statement).to_pandas()
    return rows


def judge(
    use_case: UseCase, subject: Subject, candidate: Bundle, champion: Bundle | None, rows: pd.DataFrame
) -> Evidence:
    """Judge a candidate on held-out rows.

    Args:
        use_case: Its policy.
        subject: What is judged; names both bundles.
        candidate: The candidate's verified bundle.
        champion: The champion's verified bundle; None for a first release, which the thresholds alone judge.
        rows: As `held_out_rows` returns them.
    """
    checks = [_same_split(use_case, candidate, "candidate"), _enough(use_case, len(rows))]
    if any(c.verdict != "pass" for c in checks):
        return Evidence(subject=subject, blessing="good_enough", checks=tuple(checks), test_rows=len(rows))
    actual = rows[use_case.target].to_numpy(dtype=np.float64)
    ours = score(candidate, rows)
    metrics = measure(actual, ours)
    checks += _thresholds(use_case, metrics)
    theirs: Vector | None = None
    notes: list[str] = []
    if champion is None:
        notes.append("there is no champion yet: the thresholds alone decide")
    else:
        theirs = score(champion, rows)
        checks += _against(use_case, candidate, champion, actual, ours, theirs)
    return Evidence(
        subject=subject,
        blessing="good_enough",
        checks=tuple(checks),
        metrics=_finite(metrics),
        champion_metrics={} if theirs is None else _finite(measure(actual, theirs)),
        test_rows=len(rows),
        notes=tuple(notes),
    )


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """What JSON can hold; the checks have said what the others are."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _enough(use_case: UseCase, rows: int) -> Check:
    least = use_case.gate.min_test_rows
    check = bounded("test_rows", rows, "the number of held-out rows", minimum=least)
    # Too few rows say nothing about the model, so they are no reason to reject it.
    return check if check.verdict == "pass" else check.model_copy(update={"verdict": "unknown"})


def _same_split(use_case: UseCase, bundle: Bundle, role: str) -> Check:
    """Whether a model's test rows were those of today; otherwise it may have been trained on them."""
    code = f"split.{role}"
    then, now = bundle.contract.lineage, use_case.training.split
    if (then.test_share, then.identity) == (now.test, use_case.identity):
        return Check(code=code, verdict="pass", message=f"the {role} never saw the held-out rows")
    message = f"the {role} was trained under another split and may have seen the held-out rows"
    return Check(code=code, verdict="unknown", message=message)


def _thresholds(use_case: UseCase, metrics: dict[str, float]) -> list[Check]:
    return [
        bounded(f"threshold.{name}", metrics[name], f"held-out {name}", bound.min, bound.max)
        for name, bound in use_case.gate.thresholds.items()
    ]


def _against(
    use_case: UseCase, candidate: Bundle, champion: Bundle, actual: Vector, ours: Vector, theirs: Vector
) -> list[Check]:
    if candidate.model_sha256 == champion.model_sha256:
        message = "the candidate is the champion, to the byte: nothing has changed"
        return [Check(code="unchanged", verdict="fail", message=message)]
    split = _same_split(use_case, champion, "champion")
    if split.verdict != "pass":
        return [split]
    return [split, change(use_case.gate.change, actual, ours, theirs, use_case.training.seed)]
