"""The first blessing: is the candidate good enough, on rows that neither it nor the champion has seen?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from psycopg2 import sql

from sluice.adapters.bundles import Bundle, score
from sluice.adapters.metrics import Scores, Vector, measure
from sluice.adapters.targets import encode
from sluice.domain.errors import DataError
from sluice.domain.evidence import Check, Evidence, Subject, bounded
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES
from sluice.domain.use_case import UseCase
from sluice.gate import fairness, slices
from sluice.gate.comparison import change
from sluice.gate.groups import Mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from sluice.adapters.warehouse import Warehouse

#: How far the probabilities of one row may be from adding up to 1.
_ROUNDING = 1e-6


def held_out_rows(warehouse: Warehouse, use_case: UseCase) -> pd.DataFrame:
    """The validated test rows: inputs, target, and what slices and fairness look at; one row per source row."""
    inputs = [column.name for column in use_case.inputs]
    looked_at = [s.column for s in use_case.gate.slices] + [f.column for f in use_case.gate.fairness]
    names = dict.fromkeys((*inputs, use_case.target, *looked_at))
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
        champion: The champion's verified bundle; None for a first release, which is compared with nothing.
        rows: As `held_out_rows` returns them.
    """
    checks = [*_comparable(use_case, candidate, "candidate"), _enough(use_case, len(rows))]
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] = {}
    if all(c.verdict == "pass" for c in checks):
        observed, ours = _observed(use_case, rows), _answers(use_case, candidate, "candidate", rows)
        if isinstance(observed, Check) or isinstance(ours, Check):
            checks += [c for c in (observed, ours) if isinstance(c, Check)]
        else:
            metrics = measure(use_case.task, observed, ours)
            good, notes = _good_enough(use_case, candidate, rows, observed, ours, metrics)
            checks += good
            if champion is None:
                notes += ("there is no champion yet, so the candidate is compared with nothing",)
            else:
                against, champion_metrics = _against(use_case, candidate, champion, rows, observed, ours)
                checks += against
    return Evidence(
        subject=subject,
        blessing="good_enough",
        checks=tuple(checks),
        metrics=_finite(metrics),
        champion_metrics=_finite(champion_metrics),
        test_rows=len(rows),
        notes=notes,
    )


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """What JSON can hold; the checks have said what the others are."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _enough(use_case: UseCase, rows: int) -> Check:
    check = bounded("test_rows", rows, "the number of held-out rows", minimum=use_case.gate.min_test_rows)
    # Too few rows say nothing about the model, so they are no reason to reject it.
    return check if check.verdict == "pass" else check.model_copy(update={"verdict": "unknown"})


def _comparable(use_case: UseCase, bundle: Bundle, role: str) -> list[Check]:
    """Whether a model's test rows and classes were those of today; otherwise its answers mean something else."""
    then, now = bundle.contract.lineage, use_case.training.split
    message = f"the {role} never saw the held-out rows"
    split = Check(code=f"split.{role}", verdict="pass", message=message)
    if (then.test_share, then.identity) != (now.test, use_case.identity):
        message = f"the {role} was trained under another split and may have seen the held-out rows"
        split = Check(code=f"split.{role}", verdict="unknown", message=message)
    known = tuple(label.value for label in bundle.contract.output.labels)
    if (bundle.contract.task, known) == (use_case.task, use_case.classes):
        return [split]
    message = f"the {role} was trained for {', '.join(known) or 'a number'}, and the spec now says otherwise"
    return [split, Check(code=f"classes.{role}", verdict="unknown", message=message)]


def _observed(use_case: UseCase, rows: pd.DataFrame) -> Vector | Check:
    """What was observed, or why that cannot be told."""
    try:
        return encode(use_case, rows[use_case.target])
    except DataError as error:
        return Check(code="target", verdict="unknown", message=f"the held-out rows cannot be judged: {error}")


def _answers(use_case: UseCase, bundle: Bundle, role: str, rows: pd.DataFrame) -> Scores | Check:
    """What a model says of the rows, or in what way that is no answer."""
    scores = score(bundle, rows)
    expected = (len(rows), len(use_case.classes)) if use_case.classes else (len(rows),)
    if scores.shape != expected:
        wrong = f"answers in the shape {scores.shape}, not {expected}"
    elif strange := int(np.sum(~_is_answer(scores))):
        wrong = f"gives no {'probabilities' if use_case.classes else 'number'} for {plain(strange)} held-out rows"
    else:
        return scores
    return Check(code=f"answers.{role}", verdict="unknown", message=f"the {role} {wrong}")


def _is_answer(scores: Scores) -> Mask:
    """For each row, whether it is a number, or probabilities."""
    told: Mask = np.isfinite(scores)
    if scores.ndim == 2:
        told = (scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) <= _ROUNDING)
    return told


def _good_enough(
    use_case: UseCase,
    candidate: Bundle,
    rows: pd.DataFrame,
    observed: Vector,
    ours: Scores,
    metrics: Mapping[str, float],
) -> tuple[list[Check], tuple[str, ...]]:
    """What the candidate must show by itself, and what there is to say about the evidence."""
    checks = _thresholds(use_case, "threshold", metrics, "on held-out rows")
    notes: tuple[str, ...] = ()
    if candidate.contract.out_of_fold:
        checks += _thresholds(use_case, "out_of_fold", candidate.contract.out_of_fold, "out of fold")
        notes += (f"{plain(len(rows))} held-out rows are few, so the evidence is repeated out of fold",)
    for policy in (slices, fairness):
        more, said = policy.judge(use_case, rows, observed, ours)
        checks += more
        notes += said
    return checks, notes


def _thresholds(use_case: UseCase, code: str, metrics: Mapping[str, float], where: str) -> list[Check]:
    return [
        bounded(f"{code}.{name}", metrics.get(name, math.nan), f"{TITLES[name]} {where}", bound.min, bound.max)
        for name, bound in use_case.gate.thresholds.items()
    ]


def _against(
    use_case: UseCase, candidate: Bundle, champion: Bundle, rows: pd.DataFrame, observed: Vector, ours: Scores
) -> tuple[list[Check], dict[str, float]]:
    """What the comparison with the champion shows, and the champion's metrics."""
    if candidate.model_sha256 == champion.model_sha256:
        message = "the candidate is the champion, to the byte: nothing has changed"
        check = Check(code="unchanged", verdict="fail", message=message)
        return [check], measure(use_case.task, observed, ours)
    checks = _comparable(use_case, champion, "champion")
    if any(c.verdict != "pass" for c in checks):
        return checks, {}
    theirs = _answers(use_case, champion, "champion", rows)
    if isinstance(theirs, Check):
        return [*checks, theirs], {}
    policy, seed = use_case.gate.change, use_case.training.seed
    checks.append(change(policy, use_case.change_metric, observed, ours, theirs, seed))
    return checks, measure(use_case.task, observed, theirs)
