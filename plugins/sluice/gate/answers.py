"""Answers: what a model says of rows, beside what was observed of them; or why neither can be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.adapters.bundles import Bundle, score
from sluice.adapters.groups import Mask
from sluice.adapters.metrics import Scores, Vector
from sluice.adapters.targets import encode
from sluice.domain.errors import DataError
from sluice.domain.evidence import Check
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

#: How far the probabilities of one row may be from adding up to 1.
_ROUNDING = 1e-6
#: Answers that differ by less, as a share of their size, are the same.
_SAME = 1e-9


@dataclass(frozen=True)
class Answered:
    """Rows with what is known and what is said of them.

    Attributes:
        rows: The inputs, and whatever else was read.
        actual: Shape (rows,), what was observed.
        scores: What the model says; every one a number, or probabilities.
    """

    rows: pd.DataFrame
    actual: Vector
    scores: Scores

    def __len__(self) -> int:
        return len(self.actual)


def answered(use_case: UseCase, bundle: Bundle, role: str, rows: pd.DataFrame, what: str) -> Answered | list[Check]:
    """Score rows, or say what makes that impossible.

    Args:
        use_case: Names the target and its classes.
        bundle: The model.
        role: Who it is: `candidate` or `champion`.
        rows: Inputs and target.
        what: What the rows are called, for example `held-out rows`.
    """
    actual, scores = observed(use_case, rows, what), answers(use_case, bundle, role, rows, what)
    if isinstance(actual, Check) or isinstance(scores, Check):
        return [check for check in (actual, scores) if isinstance(check, Check)]
    return Answered(rows, actual, scores)


def observed(use_case: UseCase, rows: pd.DataFrame, what: str) -> Vector | Check:
    """What was observed, or why that cannot be told."""
    import pandas as pd

    target = rows[use_case.target]
    told = np.isfinite(target.to_numpy(dtype=np.float64, na_value=np.nan)) if not use_case.classes else pd.notna(target)
    if missing := int(np.sum(~told)):
        message = f"{plain(missing)} of the {plain(len(rows))} {what} have no {use_case.target!r} to be judged by"
        return Check(code="target.missing", verdict="unknown", message=message)
    try:
        return encode(use_case, target)
    except DataError as error:
        return Check(code="target", verdict="unknown", message=f"the {what} cannot be judged: {error}")


def answers(use_case: UseCase, bundle: Bundle, role: str, rows: pd.DataFrame, what: str) -> Scores | Check:
    """What a model says of the rows, or in what way that is no answer."""
    scores = score(bundle, rows)
    expected = (len(rows), len(use_case.classes)) if use_case.classes else (len(rows),)
    if scores.shape != expected:
        wrong = f"answers in the shape {scores.shape}, not {expected}"
    elif strange := int(np.sum(~usable(scores))):
        wrong = f"gives no {'probabilities' if use_case.classes else 'number'} for {plain(strange)} {what}"
    else:
        return scores
    return Check(code=f"answers.{role}", verdict="unknown", message=f"the {role} {wrong}")


def usable(scores: Scores) -> Mask:
    """For each row, whether what is said is a number, or probabilities."""
    told: Mask = np.isfinite(scores)
    if scores.ndim == 2:
        told = (scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) <= _ROUNDING)
    return told


def constant(scores: Scores) -> Check:
    """Whether a model tells rows apart at all.

    Args:
        scores: What it says of the rows; at least one.
    """
    spread, size = np.ptp(scores, axis=0).max(), np.abs(scores).max()
    if spread <= _SAME * size:
        message = "the candidate gives every row the same answer, whatever its inputs are"
        return Check(code="constant", verdict="fail", message=message, value=float(spread), limit="> 0")
    message = f"the candidate tells rows apart: its answers differ by up to {plain(float(spread))}"
    return Check(code="constant", verdict="pass", message=message, value=float(spread), limit="> 0")
