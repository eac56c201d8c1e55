"""Effects: an additive model of a target, read out as the knots and amounts that a sample declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sluice.domain.mechanism import Effect, Interaction, Score
from sluice.ingestion.drafting import baseline
from sluice.ingestion.drafting.baseline import FEW_ROWS, Problem
from sluice.ingestion.drafting.design import Design, Floats, thin

#: Most rows fitted on, divided by the number of scores.
MOST_ROWS = 30_000

#: Probabilities at which an effect has its knots.
KNOTS = (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1)

#: Share of a score's spread under which an effect is left out.
LEAST_SPREAD = 0.02

#: Columns whose pairs are looked at, intervals that a number falls into there, and most interactions of a score.
STRONGEST = 7
INTERVALS = 6
MOST_INTERACTIONS = 4

#: What an interaction must gain on rows it was not fitted on, relative to what is left to explain.
LEAST_GAIN = 0.004

#: Weight of "no interaction" in each cell.
SHRINKAGE = 20.0


@dataclass(frozen=True, eq=False)
class _Shape:
    """What one column may add: its amounts at knots, or of its categories."""

    name: str
    knots: Floats
    categories: tuple[str, ...]
    amounts: Floats = field(repr=False)

    def at(self, values: Floats) -> Floats:
        """The amount for each value; 0 where it is missing."""
        known = ~np.isnan(values)
        amounts = np.zeros(len(values))
        if self.categories:
            amounts[known] = self.amounts[values[known].astype(int)]
        else:
            amounts[known] = np.interp(values[known], self.knots, self.amounts)
        return amounts

    def effect(self) -> Effect:
        """The shape as a sample declares it."""
        amounts = [rounded(a) for a in self.amounts]
        if self.categories:
            return Effect(column=self.name, add=dict(zip(self.categories, amounts, strict=True)))
        if len(self.knots) == 1:
            return Effect(column=self.name, at=(rounded(self.knots[0]),), add=(amounts[0],))
        at = [rounded(k) for k in self.knots]
        rising = [i for i in range(len(at)) if i == 0 or at[i] > at[i - 1]]
        return Effect(column=self.name, at=tuple(at[i] for i in rising), add=tuple(amounts[i] for i in rising))


def scores(design: Design, observed: Floats, problem: Problem, family: str) -> list[Score]:
    """One score for a number or for the positive class of two; of more classes one for each.

    Main effects are those of a linear model, or of boosted trees that each see one column; beside trees there may be
    interactions, products of two shapes: the leading singular vectors of what is left in the cells of two columns.

    Args:
        design: The rows.
        observed: Shape (rows,), the number on the scale that effects add up on, or a class's position.
        problem: What is predicted.
        family: One of `baseline.FAMILIES`.
    """
    count = problem.classes if problem.classes > 2 else 1
    rows = thin(len(design), max(2_000, MOST_ROWS // count))
    design, observed = design.take(rows), observed[rows]
    model = _fitted(design, observed, problem, family)
    raw = _raw(model, design.matrix, problem)
    shapes = [
        [_centred(s, design) for s in _read_out(model, design, j, problem, family)] for j in range(len(design.names))
    ]
    mains = [[shapes[j][c] for j in range(len(design.names))] for c in range(count)]
    totals = np.column_stack([raw[:, c].mean() + _sum(mains[c], design) for c in range(count)])
    found: list[list[tuple[_Shape, _Shape]]] = [[] for _ in range(count)]
    if family == "boosting" and count <= MOST_INTERACTIONS and len(design) >= FEW_ROWS:
        for c in range(count):
            found[c] = _interactions(mains[c], design, observed, totals, c, problem)
    return [_score(float(raw[:, c].mean()), mains[c], found[c], design) for c in range(count)]


def rounded(value: float) -> float:
    """A number with four digits that matter."""
    return float(f"{float(value):.4g}") + 0.0


def _fitted(design: Design, observed: Floats, problem: Problem, family: str) -> Any:
    if family == "linear":
        return baseline.model("linear", design, problem, len(design)).fit(design.matrix, observed)
    few = len(design) < FEW_ROWS
    kind = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
    return kind(
        max_iter=60 if few else 150,
        learning_rate=0.1,
        max_leaf_nodes=4 if few else 8,
        min_samples_leaf=10 if few else 20,
        interaction_cst="no_interactions",
        categorical_features=design.are_categories,
        early_stopping=False,
        random_state=0,
    ).fit(design.matrix, observed)


def _raw(model: Any, matrix: Floats, problem: Problem) -> Floats:
    """Shape (rows, scores), before any link."""
    raw = model.decision_function(matrix) if problem.classes else model.predict(matrix)
    return np.asarray(raw, dtype=np.float64).reshape(len(matrix), -1)


def _read_out(model: Any, design: Design, column: int, problem: Problem, family: str) -> list[_Shape]:
    """A column's shape in each score: what the model says while all else stays as in the first row."""
    categories = design.categories[column]
    if categories:
        knots = np.arange(len(categories), dtype=np.float64)
    else:
        values = design.matrix[:, column]
        known = values[~np.isnan(values)]
        # A straight line needs its ends only.
        levels = KNOTS if family == "boosting" else (0, 1)
        different = np.unique(known)
        knots = different if len(different) <= len(levels) else np.unique(np.quantile(known, levels))
    matrix = np.repeat(design.matrix[:1], len(knots), axis=0)
    matrix[:, column] = knots
    raw = _raw(model, matrix, problem)
    return [_Shape(design.names[column], knots, categories, raw[:, c]) for c in range(raw.shape[1])]


def _centred(shape: _Shape, design: Design) -> _Shape:
    values = design.matrix[:, design.names.index(shape.name)]
    mean = shape.at(values)[~np.isnan(values)].mean()
    return _Shape(shape.name, shape.knots, shape.categories, shape.amounts - mean)


def _sum(shapes: list[_Shape], design: Design) -> Floats:
    total: Floats = np.sum([s.at(design.matrix[:, design.names.index(s.name)]) for s in shapes], axis=0)
    return total


def _score(base: float, mains: list[_Shape], pairs: list[tuple[_Shape, _Shape]], design: Design) -> Score:
    spreads = [float(s.at(design.matrix[:, design.names.index(s.name)]).std()) for s in mains]
    total = float(np.sqrt(np.sum(np.square(spreads)))) or 1.0
    order = sorted(range(len(mains)), key=lambda j: -spreads[j])
    return Score(
        base=rounded(base),
        effects=tuple(mains[j].effect() for j in order if spreads[j] > LEAST_SPREAD * total),
        interactions=tuple(
            Interaction(name=f"{one.name[:23]}_{other.name[:23]}", factors=(one.effect(), other.effect()))
            for one, other in pairs
        ),
    )


def _interactions(
    mains: list[_Shape], design: Design, observed: Floats, totals: Floats, score: int, problem: Problem
) -> list[tuple[_Shape, _Shape]]:
    spreads = [-float(s.at(design.matrix[:, j]).std()) for j, s in enumerate(mains)]
    strongest = sorted(np.argsort(spreads, kind="stable")[:STRONGEST].tolist())
    pairs = list(combinations(strongest, 2))
    half = np.random.default_rng(0).random(len(design)) < 0.5
    found: list[tuple[_Shape, _Shape]] = []
    while pairs and len(found) < MOST_INTERACTIONS:
        left, weight = _left(observed, totals, score, problem)
        gains = [_gain(design, pair, left, weight, half) for pair in pairs]
        best = int(np.argmax(gains))
        if gains[best] < LEAST_GAIN:
            break
        one, other = _pair(design, pairs.pop(best), left, weight)
        totals = totals.copy()
        totals[:, score] += _product(one, other, design)
        found.append((one, other))
    return found


def _left(observed: Floats, totals: Floats, score: int, problem: Problem) -> tuple[Floats, Floats]:
    """What is left to explain, and how much each row weighs: a Newton step for classes."""
    if not problem.classes:
        return observed - totals[:, 0], np.ones(len(observed))
    if problem.classes == 2:
        positive, chance = observed == 1, 1 / (1 + np.exp(-totals[:, 0]))
    else:
        positive, chance = observed == score, softmax(totals, axis=1)[:, score]
    return positive - chance, np.maximum(chance * (1 - chance), 1e-3)


def _gain(design: Design, pair: tuple[int, int], left: Floats, weight: Floats, half: NDArray[np.bool_]) -> float:
    """What a pair fitted on one half of the rows explains of the other, relative to all that is left there."""
    one, other = _pair(design.take(half), pair, left[half], weight[half])
    said = _product(one, other, design.take(~half))
    rest, heavy = left[~half], weight[~half]
    return float((rest @ said - 0.5 * heavy @ said**2) / (0.5 * np.sum(rest**2 / heavy)))


def _product(one: _Shape, other: _Shape, design: Design) -> Floats:
    places = design.names.index(one.name), design.names.index(other.name)
    return one.at(design.matrix[:, places[0]]) * other.at(design.matrix[:, places[1]])


def _pair(design: Design, pair: tuple[int, int], left: Floats, weight: Floats) -> tuple[_Shape, _Shape]:
    """The two shapes whose product comes nearest to what is left in the cells of two columns."""
    (rows, first), (columns, second) = (_cells(design, j) for j in pair)
    shape = (len(first.amounts), len(second.amounts))
    known = (rows >= 0) & (columns >= 0)
    cell = rows[known] * shape[1] + columns[known]
    sums = np.bincount(cell, left[known], minlength=shape[0] * shape[1]).reshape(shape)
    weights = np.bincount(cell, weight[known], minlength=shape[0] * shape[1]).reshape(shape)
    means = sums / (weights + SHRINKAGE * float(weight.mean()))
    u, s, v = np.linalg.svd(means, full_matrices=False)
    # The sign is free; fixed, so that the same rows give the same sample.
    sign = 1.0 if u[np.argmax(np.abs(u[:, 0])), 0] > 0 else -1.0
    size = np.sqrt(s[0]) * sign
    return (
        _Shape(first.name, first.knots, first.categories, u[:, 0] * size),
        _Shape(second.name, second.knots, second.categories, v[0] * size),
    )


def _cells(design: Design, column: int) -> tuple[NDArray[np.int64], _Shape]:
    """Each row's cell along a column, -1 where missing, and an empty shape with a knot in each cell."""
    values, categories = design.matrix[:, column], design.categories[column]
    known = ~np.isnan(values)
    name = design.names[column]
    cells = np.full(len(values), -1)
    if categories:
        cells[known] = values[known].astype(int)
        return cells, _Shape(name, np.arange(len(categories), dtype=float), categories, np.zeros(len(categories)))
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, INTERVALS + 1)[1:-1]))
    cells[known] = np.searchsorted(edges, values[known], side="right")
    used, cells[known] = np.unique(cells[known], return_inverse=True)
    knots = np.array([np.median(values[cells == c]) for c in range(len(used))])
    return cells, _Shape(name, knots, (), np.zeros(len(knots)))
