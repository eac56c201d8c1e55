"""Policies: what a use case demands of its data, its candidates, its endpoint and its daily check."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from sluice.domain.frozen import Frozen

Metric = Literal["rmse", "mae", "mape", "r2"]

#: Metrics where more is better; for all others less is.
HIGHER_IS_BETTER: frozenset[str] = frozenset({"r2"})


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

    metric: Metric = "rmse"
    min_improvement: FiniteFloat = 0.0
    """Relative improvement that the whole confidence interval must exceed; below 0 allows that much worse."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=200)


class Servable(Frozen):
    """What the release must keep to when it is started and queried."""

    ready_seconds: FiniteFloat = Field(default=60, gt=0)
    p99_ms: FiniteFloat = Field(default=250, gt=0)
    """For one row at a time."""


class Gate(Frozen):
    """What a candidate must show before it may serve."""

    thresholds: dict[Metric, Threshold] = Field(min_length=1)
    change: Change = Change()
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
