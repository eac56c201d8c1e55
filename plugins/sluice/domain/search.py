"""The search: which families of models are tried, over which hyper-parameters, for how long."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name
from sluice.domain.measures import Metric

Family = Literal[
    "ridge",
    "logistic_regression",
    "decision_tree",
    "random_forest",
    "extra_trees",
    "hist_gradient_boosting",
    "lightgbm",
]

_TREE = frozenset({"max_depth", "max_leaf_nodes", "min_samples_leaf", "max_features"})

#: The hyper-parameters a spec may search, by family. A family is listed here only when it can be written
#: as a graph (`training.graph`), so that nothing is trained that could not be served. The choice "none" of a
#: hyper-parameter is the library's None.
HYPERPARAMETERS: dict[Family, frozenset[str]] = {
    "ridge": frozenset({"alpha"}),
    "logistic_regression": frozenset({"C", "class_weight"}),
    "decision_tree": _TREE,
    "random_forest": _TREE | {"n_estimators", "max_samples"},
    "extra_trees": _TREE | {"n_estimators"},
    "hist_gradient_boosting": frozenset(
        {
            "learning_rate",
            "max_iter",
            "max_leaf_nodes",
            "max_depth",
            "min_samples_leaf",
            "l2_regularization",
            "max_bins",
            "max_features",
        }
    ),
    "lightgbm": frozenset(
        {
            "learning_rate",
            "n_estimators",
            "num_leaves",
            "max_depth",
            "min_child_samples",
            "reg_alpha",
            "reg_lambda",
            "subsample",
            "colsample_bytree",
            "max_bin",
        }
    ),
}

#: Families that are one tree, or many grown to their full depth unless the spec bounds them.
BOUNDED: tuple[Family, ...] = ("decision_tree", "random_forest", "extra_trees")


class Span(Frozen):
    """A range of values to search; whole numbers when both ends are."""

    low: int | float
    high: int | float
    log: bool = False
    """Search the logarithm evenly: for values whose order of magnitude matters."""

    @model_validator(mode="after")
    def _has_an_inside(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"the span {self.low} .. {self.high} ends before it starts")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic span must start above 0, not at {self.low}")
        return self


#: A fixed value, a range, or a list of choices.
Values = int | float | str | Span | tuple[int | float | str, ...]


class Split(Frozen):
    """Which rows are for what; a row's part is a function of its identity and never changes."""

    test: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of rows that no training ever sees; the gate judges on them."""
    calibration: float = Field(default=0.1, ge=0, lt=0.5)
    """Share of rows kept out of fitting to measure prediction intervals and sets."""
    identity: tuple[Name, ...] = Field(default=())
    """Columns that say which rows are the same thing; all features where none are named. Rows that are the same
    thing are never divided between parts or folds, so that duplicates cannot leak."""


class Training(Frozen):
    """How a candidate is made."""

    families: dict[Family, dict[str, Values]] = Field(min_length=1)
    """What is searched: family -> hyper-parameter -> value, span or choices."""
    metric: Metric | None = None
    """What the search improves, over the folds; rmse for numbers and log_loss for classes where absent."""
    trials: int = Field(default=20, ge=1)
    time_limit_minutes: float = Field(default=60, gt=0)
    pruner: Literal["median", "hyperband", "wilcoxon", "none"] = "median"
    """How weak trials are given up before their last fold, by its name in Optuna."""
    folds: int = Field(default=4, ge=2, le=20)
    target_transform: Literal["none", "log"] = "none"
    """`log` fits log(1 + target) and answers in the target's own unit; for regression."""
    calibrate: Literal["none", "sigmoid", "temperature"] = "none"
    """How class probabilities are calibrated, on predictions out of the folds; ridge needs and gets `sigmoid`."""
    split: Split = Split()
    max_rows: int = Field(default=1_000_000, ge=100)
    """Above this many rows a seeded sample is drawn, and the evidence says so."""
    seed: int = 0

    @model_validator(mode="after")
    def _pruner_can_tell(self) -> Self:
        if self.pruner == "wilcoxon" and self.folds < 5:
            raise ValueError(f"pruner 'wilcoxon' needs 5 folds at least to tell anything, and `folds` is {self.folds}")
        return self

    @model_validator(mode="after")
    def _hyperparameters_exist(self) -> Self:
        for family, space in self.families.items():
            unknown = sorted(set(space) - HYPERPARAMETERS[family])
            if unknown:
                allowed = ", ".join(sorted(HYPERPARAMETERS[family]))
                raise ValueError(f"family {family!r} has no hyper-parameter {unknown[0]!r}; it has: {allowed}")
            if family in BOUNDED and not {"max_depth", "max_leaf_nodes"} & set(space):
                raise ValueError(
                    f"family {family!r} grows without end: bound it with `max_leaf_nodes` or `max_depth`, "
                    "or its graph becomes too large to serve"
                )
        return self
