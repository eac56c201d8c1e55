"""Policies: what a use case demands of its data, its candidates, its endpoint and its daily check."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from sluice.domain.frozen import Frozen, Name
from sluice.domain.measures import Metric


class Quality(Frozen):
    """What a batch must be like to be used."""

    max_bad_share: float = Field(default=0.05, ge=0, le=1)
    """Largest share of rows that may go to quarantine; above it the whole batch is rejected."""
    min_rows: int = Field(default=100, ge=1)
    """Fewest good rows a batch must hold."""
    expectations: tuple[dict[str, Any], ...] = Field(default=())
    """Further Great Expectations checks: `{type: expect_..., column: ..., ...}`."""


class Threshold(Frozen):
    """A bound on a metric: at least `min`, at most `max`."""

    min: FiniteFloat | None = Field(default=None)
    max: FiniteFloat | None = Field(default=None)

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a threshold needs `min`, `max` or both")
        return self


class Change(Frozen):
    """How much better than the champion a candidate must be, beyond doubt."""

    metric: Metric | None = None
    """rmse for numbers and log_loss for classes where absent."""
    min_improvement: FiniteFloat = 0.0
    """Relative improvement that the whole confidence interval must exceed; below 0 allows that much worse."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=200)


class Slice(Frozen):
    """A part of the held-out rows that must do well by itself: one slice for each category, or each band."""

    column: Name
    """A category, a boolean, or a number with `edges`; also one that does not feed the model, or the target."""
    edges: tuple[FiniteFloat, ...] = Field(default=())
    """Rising; the first band lies below the first edge, the last from the last edge on."""
    thresholds: dict[Metric, Threshold] = Field(min_length=1)
    min_rows: int = Field(default=50, ge=10)
    """A slice with fewer held-out rows is too small to tell: it is reported and does not decide."""

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"slice by {self.column!r}: the edges {self.edges} do not rise")
        return self


class Fairness(Frozen):
    """How far apart two groups of people may be, for a model of two classes."""

    column: Name
    """A category, a boolean, or a number with `edges`; best one that does not feed the model."""
    edges: tuple[FiniteFloat, ...] = Field(default=())
    metric: Literal["selection_rate", "true_positive_rate", "false_positive_rate", "accuracy"] = "selection_rate"
    max_difference: float | None = Field(default=None, ge=0, le=1)
    """Between the group with the highest value and the one with the lowest."""
    min_ratio: float | None = Field(default=None, ge=0, le=1)
    """Of the lowest value to the highest; 0.8 is the four-fifths rule."""
    min_rows: int = Field(default=50, ge=10)
    """A group with fewer held-out rows is too small to tell: it is reported and does not decide."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.max_difference is None and self.min_ratio is None:
            raise ValueError(f"fairness by {self.column!r} needs `max_difference`, `min_ratio` or both")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"fairness by {self.column!r}: the edges {self.edges} do not rise")
        return self


class Servable(Frozen):
    """What the release must keep to when it is started and queried."""

    ready_seconds: FiniteFloat = Field(default=60, gt=0)
    p99_ms: FiniteFloat = Field(default=250, gt=0)
    """For one row at a time."""


class Gate(Frozen):
    """What a candidate must show before it may serve."""

    thresholds: dict[Metric, Threshold] = Field(min_length=1)
    change: Change = Change()
    slices: tuple[Slice, ...] = Field(default=())
    fairness: tuple[Fairness, ...] = Field(default=())
    min_test_rows: int = Field(default=200, ge=20)
    servable: Servable = Servable()


class Serving(Frozen):
    """How the endpoint behaves."""

    example: dict[str, float | int | bool | str | None]
    """One valid instance: shown in the docs, sent by the demo and the health check."""
    max_instances: int = Field(default=1000, ge=1, le=100_000)
    missing: Literal["reject", "impute"] = "reject"
    """A missing value in a nullable column is refused, or filled in inside the graph."""
    unknown_fields: Literal["reject", "ignore"] = "reject"


class Monitoring(Frozen):
    """What the daily check compares, and when it speaks up."""

    max_drifted_share: float = Field(default=0.5, gt=0, le=1)
    """Share of drifted columns from which the check calls the data drifted."""
    min_rows: int = Field(default=200, ge=1)
    """Fewer current rows than this are too few to tell."""
    sample_rows: int = Field(default=20_000, ge=100, le=100_000)
    """Most rows on either side of the comparison."""
