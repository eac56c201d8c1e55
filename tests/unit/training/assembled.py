"""Models of every family and task, small enough to fit in no time, and rows of every kind to ask them about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sluice.domain.measures import Task
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import families, folds
from sluice.training.choices import Choices
from sluice.training.families import Parameters
from sluice.training.snapshots import Part
from tests.unit.training.conftest import SPEC, make_rows

INPUTS = ["area", "rooms", "lift", "district"]
TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
CHOICES = Choices(impute="median", clusters={})
#: Of the rents, from the cheapest class to the dearest.
LABELS = {"binary": ("fair", "dear"), "multiclass": ("cheap", "fair", "dear", "absurd")}

SMALL: dict[Family, dict[str, int | float | str]] = {
    "ridge": {"alpha": 1.0},
    "logistic_regression": {"C": 1.0, "class_weight": "none"},
    "decision_tree": {"max_leaf_nodes": 60},
    "random_forest": {"n_estimators": 12, "max_leaf_nodes": 40, "max_features": 0.5, "max_samples": 0.8},
    "extra_trees": {"n_estimators": 12, "max_leaf_nodes": 40, "max_features": "sqrt"},
    "hist_gradient_boosting": {"max_iter": 12, "max_leaf_nodes": 12, "min_samples_leaf": 5},
    "lightgbm": {"n_estimators": 12, "num_leaves": 12, "min_child_samples": 5, "subsample": 0.8, "max_bin": 63},
}


@dataclass(frozen=True)
class Case:
    """A kind of model."""

    family: Family
    task: Task = "regression"
    transform: str = "none"
    calibrate: str = "none"

    def __str__(self) -> str:
        extra = self.transform if self.task == "regression" else self.calibrate
        return f"{self.family}-{self.task}-{extra}"

    @property
    def use_case(self) -> UseCase:
        """The flats, with a class of rents for the target where the task has classes."""
        document = dict(SPEC)
        training = {"target_transform": self.transform, "calibrate": self.calibrate}
        document["training"] = {**SPEC["training"], **training}
        if self.task != "regression":
            rent = {"name": "rent", "type": "category", "categories": LABELS[self.task]}
            document["columns"] = [rent if c["name"] == "rent" else c for c in SPEC["columns"]]
            document["gate"] = {**SPEC["gate"], "thresholds": {"accuracy": {"min": 0.5}}}
        if self.task == "binary":
            document["positive_label"] = "dear"
        return UseCase.model_validate_json(json.dumps({**document, "task": self.task}))

    def part(self, count: int = 400, seed: int = 0) -> Part:
        """Rows with what is to be predicted of them, as a snapshot divides them."""
        frame = make_rows(count, seed)
        target = frame["rent"].to_numpy(dtype=np.float64)
        if self.task != "regression":
            edges = np.quantile(target, np.linspace(0, 1, len(LABELS[self.task]) + 1)[1:-1])
            target = np.searchsorted(edges, target).astype(np.float64)
        return Part(inputs=frame[INPUTS], target=target, identity=frame["_identity"].to_numpy())

    def fit(self, parameters: Parameters | None = None) -> Pipeline:
        """The model, fitted on the rows of `part`."""
        use_case, part = self.use_case, self.part()
        parts = folds.divide(use_case, part, 3, seed=1) if self.calibrate != "none" else None
        chosen = SMALL[self.family] if parameters is None else parameters
        return families.assemble(use_case, self.family, chosen, CHOICES, parts).fit(part.inputs, part.target)


NUMBERS = [Case(f, "regression", t) for f in SMALL if f != "logistic_regression" for t in ("none", "log")]
CLASSES = [
    Case(family, task, calibrate=calibrate)
    for family in SMALL
    for task in TASKS[1:]
    # Ridge has no probabilities of its own, and always gets the same.
    for calibrate in (("none", "sigmoid") if family == "ridge" else ("none", "sigmoid", "temperature"))
]
LINEAR = ("ridge", "logistic_regression")


@cache
def thresholds(case: Case) -> dict[str, Any]:
    """Values on the model's thresholds and one step beside them, in single and in double precision, by column."""
    model = fitted(case)["model"]
    found = splits(bare(model))
    return {name: beside(found[found[:, 0] == i, 1]) for i, name in enumerate(("area", "rooms"))}


@cache
def fitted(case: Case) -> Pipeline:
    """`Case.fit`, once."""
    return case.fit()


def bare(model: Any) -> Any:
    """The estimator within a transform or a calibration."""
    if hasattr(model, "calibrated_classifiers_"):
        return model.calibrated_classifiers_[0].estimator
    return getattr(model, "regressor_", model)


def splits(model: Any) -> np.ndarray[Any, Any]:
    """Feature and threshold of every split, shape (splits, 2); none of a linear model."""
    if hasattr(model, "coef_"):
        return np.empty((0, 2))
    if hasattr(model, "booster_"):
        table = model.booster_.trees_to_dataframe()
        inner = table[table["left_child"].notna()]
        return np.column_stack([inner["split_feature"].str[7:].astype(float), inner["threshold"].astype(float)])
    if hasattr(model, "_predictors"):
        nodes = np.concatenate([one.nodes for column in model._predictors for one in column])  # noqa: SLF001
        inner = nodes[(nodes["is_leaf"] == 0) & np.isfinite(nodes["num_threshold"])]
        return np.column_stack([inner["feature_idx"].astype(float), inner["num_threshold"]])
    trees = [one.tree_ for one in getattr(model, "estimators_", [model])]
    inner = [np.column_stack([t.feature, t.threshold])[t.children_left >= 0] for t in trees]
    return np.concatenate(inner)


def beside(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values, and their neighbours on both sides in double and in single precision."""
    doubles = np.unique(values)
    single = np.clip(doubles, -3e38, 3e38).astype(np.float32)
    singles = [single, np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))]
    # Half-way between two singles is where rounding turns.
    near = [doubles, *(one.astype(np.float64) for one in singles)]
    near.append((near[1] + near[2]) / 2)
    near.append((near[1] + near[3]) / 2)
    return np.unique([f(v) for v in near for f in (lambda x: x, up, down)])


def up(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The next doubles above."""
    return np.asarray(np.nextafter(values, np.inf))


def down(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The next doubles below."""
    return np.asarray(np.nextafter(values, -np.inf))


def rows(case: Case, count: int, seed: int) -> pd.DataFrame:
    """Rows like the training's, in which some cells were replaced by missing values, categories that were never
    seen, values on and beside thresholds, extremes, and numbers of every size."""
    draw = np.random.default_rng(seed)
    frame = make_rows(count, seed=seed)[INPUTS]
    linear = case.family in LINEAR
    largest = 1e4 if case.family == "ridge" and case.transform == "log" else 1e150 if linear else 1.7e308
    odd = np.array([0.0, -0.0, 5e-324, -5e-324, 1e-35, -1e-35, np.float32(1e-35), 1e-310, largest, -largest, np.nan])
    odd = odd if linear else np.append(odd, [1e300, -1e300, 3.4028235e38, 3.4028236e38, 3.5e38, -3.5e38, 1e39])
    for name in ("area", "rooms"):
        edges = thresholds(case)[name]
        edges = edges if len(edges) else odd
        sizes = np.clip(draw.choice([-1, 1], count) * 10 ** draw.uniform(-320, 300, count), -largest, largest)
        even = draw.uniform(-300, 300, count)
        cells = np.choose(
            draw.choice(5, count, p=[0.35, 0.35, 0.1, 0.1, 0.1]),
            [frame[name].to_numpy(), draw.choice(edges, count), draw.choice(odd, count), sizes, even],
        )
        frame[name] = cells
    frame["lift"] = pd.Series(draw.choice(np.array([True, False, None], dtype=object), count), dtype=object)
    words = np.array(["north", "south", "old town", "North", "moon", "", None], dtype=object)
    frame["district"] = pd.Series(draw.choice(words, count), dtype=object)
    return frame
