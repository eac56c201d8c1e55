"""Choices: what the training rows decide about the features, once, before any search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np
from pydantic import TypeAdapter
from sklearn.metrics import silhouette_score

from sluice.domain.errors import DataError
from sluice.domain.features import Clusters, Imputation
from sluice.domain.use_case import UseCase
from sluice.training import features, geometry
from sluice.training.imputation import Matrix, imputer, moments, sample
from sluice.training.snapshots import Part

if TYPE_CHECKING:
    import pandas as pd

#: The comparisons are made on at most so many training rows.
MOST_ROWS = 5000
#: Share of the known values that are hidden, in each column with gaps.
HIDDEN = 0.2
#: Silhouettes compare every pair of at most so many rows.
MOST_SILHOUETTES = 2000

#: What fills gaps where nothing speaks for another way.
DEFAULT: Imputation = "median"
#: The ways that are compared; of two that err alike the first is taken.
WAYS: tuple[Imputation, ...] = get_args(Imputation)


@dataclass(frozen=True)
class Choices:
    """What is left open by a spec and settled by its training rows.

    Attributes:
        impute: How missing numbers are filled in.
        clusters: Number of clusters of each declared k-means, by its name.
    """

    impute: Imputation
    clusters: dict[str, int]


@dataclass(frozen=True)
class Findings:
    """The choices, and what they rest on; empty where there was nothing to settle.

    Attributes:
        choices: What was settled.
        notes: In words, one for each choice that the spec left open.
        imputations: Way of filling in -> column -> root mean squared error on hidden values, in standard
            deviations of the column.
        overall: Way of filling in -> root mean square over the columns; the smallest is chosen.
        silhouettes: Name of a k-means -> k -> mean silhouette, -1 to 1; the largest is chosen.
    """

    choices: Choices
    notes: tuple[str, ...]
    imputations: dict[Imputation, dict[str, float]]
    overall: dict[Imputation, float]
    silhouettes: dict[str, dict[int, float]]

    def to_json(self) -> str:
        """As JSON text."""
        return _FINDINGS.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote.

        Raises:
            pydantic.ValidationError: The text is something else.
        """
        return _FINDINGS.validate_json(text)  # type: ignore[return-value]


_FINDINGS = TypeAdapter(Findings)


def choose(use_case: UseCase, train: Part) -> Findings:
    """Settle what the spec leaves open; costs nothing where it leaves nothing open.

    Args:
        use_case: Declares the features and the seed; the same rows and seed give the same findings.
        train: The rows that candidates are fitted on, and no others.

    Raises:
        DataError: No number of clusters can be judged.
    """
    declared, seed = use_case.features, use_case.training.seed
    reader = features.numbers(use_case)
    open_clusters = [c for c in declared.clusters if isinstance(c.k, tuple) and c.k[0] < c.k[1]]
    settled = {c.name: c.k if isinstance(c.k, int) else c.k[0] for c in declared.clusters}
    if reader is None or (declared.impute != "auto" and not open_clusters):
        return Findings(Choices(DEFAULT if declared.impute == "auto" else declared.impute, settled), (), {}, {}, {})
    rows = _different_rows(train, seed)
    if declared.impute == "auto":
        errors = _errors(reader, rows, seed)
        overall = {way: _root_mean_square(list(by_column.values())) for way, by_column in errors.items()}
        impute, note = _best_way(overall)
        notes = [note]
    else:
        errors, overall, impute, notes = {}, {}, declared.impute, []
    silhouettes = {}
    if open_clusters:
        filled = imputer(impute, seed).fit_transform(reader.transform(rows))
        for clusters in open_clusters:
            points = filled[:, [reader.columns.index(name) for name in clusters.columns]]
            found = silhouettes[clusters.name] = _silhouettes(clusters, points, seed)
            best = settled[clusters.name] = max(found, key=lambda k: found[k])
            notes.append(f"clusters {clusters.name!r}: {best}, with the best silhouette, {found[best]:.3f}")
    return Findings(Choices(impute, settled), tuple(notes), errors, overall, silhouettes)


def _different_rows(train: Part, seed: int) -> pd.DataFrame:
    """At most `MOST_ROWS` raw rows, one of each identity: a copy of a row would give its hidden value away."""
    _, first = np.unique(train.identity, return_index=True)
    rows: pd.DataFrame = train.inputs.iloc[sample(np.sort(first), MOST_ROWS, seed)]
    return rows


def _errors(reader: features.Numbers, rows: pd.DataFrame, seed: int) -> dict[Imputation, dict[str, float]]:
    """What each way errs by on values that were hidden from it, in each column with gaps."""
    truth = features.Numbers(reader.columns, []).transform(rows)
    draw = np.random.default_rng(seed)
    known = ~np.isnan(truth)
    judged = [c for c in np.flatnonzero(~known.all(axis=0)) if known[:, c].sum() > 1]
    hidden = np.zeros(truth.shape, dtype=bool)
    for column in judged:
        positions = np.flatnonzero(known[:, column])
        hidden[draw.choice(positions, max(1, int(HIDDEN * len(positions))), replace=False), column] = True
    if not judged:
        return {}
    # Hidden before ratios are made, or a ratio would give its part away.
    masked = reader.with_ratios(np.where(hidden, np.nan, truth))
    _, scale = moments(truth)
    errors: dict[Imputation, dict[str, float]] = {}
    for way in WAYS:
        filled = imputer(way, seed).fit_transform(masked)
        errors[way] = {
            reader.columns[c]: _root_mean_square((filled[hidden[:, c], c] - truth[hidden[:, c], c]) / scale[c])
            for c in judged
        }
    return errors


def _best_way(overall: dict[Imputation, float]) -> tuple[Imputation, str]:
    if not overall:
        return DEFAULT, f"impute: {DEFAULT}, as no training row has a gap that could be tried"
    best = min(overall, key=lambda way: overall[way])
    others = ", ".join(f"{way} {error:.4f}" for way, error in overall.items() if way != best)
    return best, f"impute: {best}, with the smallest error on hidden values, {overall[best]:.4f} ({others})"


def _silhouettes(clusters: Clusters, points: Matrix, seed: int) -> dict[int, float]:
    low, high = clusters.k if isinstance(clusters.k, tuple) else (clusters.k, clusters.k)
    standard = geometry.standard(points, *moments(points))
    judges = sample(np.arange(len(points)), MOST_SILHOUETTES, seed)
    found = {}
    for k in range(low, min(high, len(np.unique(standard, axis=0))) + 1):
        labels = geometry.partition(standard, k, seed).labels_[judges]
        # A silhouette compares clusters that rows are in with each other, and rows within one.
        if 1 < len(np.unique(labels)) < len(judges):
            found[k] = float(silhouette_score(standard[judges], labels))
    if not found:
        raise DataError(
            f"too few different points to judge {low} to {high} clusters by",
            f"features.clusters {clusters.name!r}",
            "give fewer clusters, or take them out of the spec",
        )
    return found


def _root_mean_square(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
