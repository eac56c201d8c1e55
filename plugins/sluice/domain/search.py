"""The search: which families of models are tried, over which hyper-parameters, for how long."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name

Family = Literal["ridge", "hist_gradient_boosting"]

#: The hyper-parameters a spec may search, by family. A family is listed here only when it can be written
#: as a graph (`training.graph`), so that nothing is trained that could not be served.
HYPERPARAMETERS: dict[Family, frozenset[str]] = {
    "ridge": frozenset({"alpha"}),
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
}


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
    """Share of rows kept out of fitting to measure prediction intervals."""
    identity: tuple[Name, ...] = Field(default=())
    """Columns that say which rows are the same thing; all features where none are named."""


class Training(Frozen):
    """How a candidate is made."""

    families: dict[Family, dict[str, Values]] = Field(min_length=1)
    """What is searched: family -> hyper-parameter -> value, span or choices."""
    metric: Literal["rmse", "mae"] = "rmse"
    """What the search minimises, over the folds."""
    trials: int = Field(default=20, ge=1)
    time_limit_minutes: float = Field(default=60, gt=0)
    folds: int = Field(default=4, ge=2, le=20)
    target_transform: Literal["none", "log"] = "none"
    """`log` fits log(1 + target) and answers in the target's own unit."""
    split: Split = Split()
    max_rows: int = Field(default=1_000_000, ge=100)
    """Above this many rows a seeded sample is drawn, and the evidence says so."""
    seed: int = 0

    @model_validator(mode="after")
    def _hyperparameters_exist(self) -> Self:
        for family, space in self.families.items():
            unknown = sorted(set(space) - HYPERPARAMETERS[family])
            if unknown:
                allowed = ", ".join(sorted(HYPERPARAMETERS[family]))
                raise ValueError(f"family {family!r} has no hyper-parameter {unknown[0]!r}; it has: {allowed}")
        return self
