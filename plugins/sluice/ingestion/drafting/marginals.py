"""Marginals: each column of a file summed up as a sample draws it, and how columns go together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sluice.domain.columns import Column
from sluice.domain.sample import Bins, Marginal
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.choices import Choice
from sluice.ingestion.drafting.design import Floats
from sluice.ingestion.drafting.effects import rounded

#: Probabilities of the quantiles, closer together at the ends.
LEVELS = (0, 0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
          0.85, 0.9, 0.95, 0.98, 0.995, 1)  # fmt: skip

#: Weakest rank correlation that is declared.
WEAKEST = 0.08

#: Most numbers that are drawn together, or that categories depend on: the work grows with their square.
MOST_CORRELATED = 60

#: Share of a number's variance between categories from which their shares depend on it.
BETWEEN = 0.05


def of(assumed: Assumptions) -> dict[str, Marginal]:
    """The marginal of every declared column but the target, numbers first."""
    declared = [c for c in assumed.choices if c.column is not None]
    numbers = {c.field.name: _known(c, assumed) for c in assumed.features if c.field.numeric}
    together = dict(list(numbers.items())[:MOST_CORRELATED])
    found = {c.field.name: _number(c, numbers[c.field.name], assumed) for c in declared if c.field.name in numbers}
    for choice in declared:
        name, column = choice.field.name, choice.column
        if column is None or name in found:
            continue
        found[name] = _words(choice, together, assumed) if choice.feeds else _unused(choice, column)
    return found


def correlations(assumed: Assumptions) -> list[tuple[str, str, float]]:
    """Rank correlations of the first `MOST_CORRELATED` numbers that feed the model, the weak ones left out."""
    numbers = [c for c in assumed.features if c.field.numeric][:MOST_CORRELATED]
    names = [c.field.name for c in numbers]
    frame = pd.DataFrame({c.field.name: _known(c, assumed) for c in numbers})
    matrix = frame.corr(method="spearman", min_periods=30).to_numpy() if len(names) > 1 else np.ones((1, 1))
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if abs(matrix[i, j]) > WEAKEST]
    return [(names[j], names[i], float(np.clip(round(matrix[i, j], 2), -0.99, 0.99))) for i, j in pairs]


def decimals(values: Floats) -> int:
    """How many decimals values are written with, as far as they matter."""
    span = float(values.max() - values.min()) or abs(float(values.max())) or 1.0
    enough = max(0, 5 - math.floor(math.log10(span)))
    for count in range(min(enough, 12)):
        if np.allclose(np.round(values, count), values, rtol=0, atol=1e-9 * span):
            return count
    return min(enough, 12)


def _number(choice: Choice, values: Floats, assumed: Assumptions) -> Marginal:
    known = values[~np.isnan(values)]
    places = decimals(known)
    quantiles = np.quantile(known, LEVELS)
    if choice.field.kind == "number":
        table = tuple(float(f"{np.round(q, places):.6g}") + 0.0 for q in quantiles)
    else:
        table = tuple(float(np.round(q)) + 0.0 for q in quantiles)
    return Marginal(quantiles=table, decimals=places, missing=_missing(values))


def _words(choice: Choice, numbers: dict[str, Floats], assumed: Assumptions) -> Marginal:
    texts = choice.values[assumed.usable]
    present = np.array([text is not None for text in texts])
    missing = round(1 - float(present.mean()), 4)
    between = {name: _between(texts, values, present) for name, values in numbers.items()}
    best = max(between, key=lambda name: between[name], default=None)
    if best is None or between[best] < BETWEEN:
        return Marginal(shares=_shares(texts[present]), missing=missing)
    values = numbers[best]
    known = values[~np.isnan(values)]
    edges = [rounded(e) for e in np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8]))]
    bins = np.digitize(values, sorted(set(edges)))
    rows = [present & ~np.isnan(values) & (bins == b) for b in range(len(set(edges)) + 1)]
    # A bin that happens to be empty is like the whole.
    shares = tuple(_shares(texts[r] if r.any() else texts[present]) for r in rows)
    return Marginal(shares_by_bin=Bins(column=best, edges=tuple(sorted(set(edges))), shares=shares), missing=missing)


def _unused(choice: Choice, column: Column) -> Marginal:
    """Rows are named at random; what feeds no model is left empty."""
    if column.role == "id":
        low, high = choice.field.known.min(), choice.field.known.max()
        return Marginal(quantiles=tuple(round(low + (high - low) * level) * 1.0 for level in LEVELS), decimals=0)
    if column.type == "boolean":
        return Marginal(shares={"false": 1.0}, missing=1)
    return Marginal(constant=0, decimals=0, missing=1)


def _between(texts: NDArray[Any], values: Floats, present: NDArray[np.bool_]) -> float:
    """The correlation ratio: share of the variance of a number's ranks that lies between categories."""
    rows = present & ~np.isnan(values)
    if rows.sum() < 50:
        return 0.0
    ranks = pd.Series(values[rows]).rank().to_numpy()
    codes, names = pd.factorize(texts[rows])
    counts = np.bincount(codes, minlength=len(names))
    means = np.bincount(codes, ranks) / counts
    total = float(ranks.var())
    return float(counts @ (means - ranks.mean()) ** 2 / len(ranks) / total) if total else 0.0


def _shares(texts: NDArray[Any]) -> dict[str, float]:
    counted = pd.Series(texts).value_counts(normalize=True)
    return {str(name): rounded(counted[name]) for name in sorted(counted.index)}


def _known(choice: Choice, assumed: Assumptions) -> Floats:
    values: Floats = choice.field.values[assumed.usable].astype(np.float64)
    return values


def _missing(values: Floats) -> float:
    return round(float(np.isnan(values).mean()), 4)
