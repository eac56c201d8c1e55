"""Policies: what a use case demands of its data, its candidates and its endpoint."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from sluice.domain.frozen import Frozen, Name
from sluice.domain.measures import Metric

#: In one request: an answer's predictions have ids that count them in 16 bits.
MOST_INSTANCES = 65_536


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


class Invariance(Frozen):
    """An input whose value must not matter: pairs of rows that differ in it alone are answered alike."""

    kind: Literal["invariance"]
    column: Name
    """An input; in each pair it takes another of its values, drawn from the held-out rows."""
    max_change: FiniteFloat = Field(default=0.05, ge=0)
    """Of a number: as a share of it. Of classes: the largest change of a probability."""
    min_share: float = Field(default=0.95, gt=0, le=1)
    """Of the pairs that must keep to it."""


class Direction(Frozen):
    """An input that must push the answer one way: pairs of rows that differ in it by a step."""

    kind: Literal["direction"]
    column: Name
    """An input that is a number or an integer."""
    step: FiniteFloat
    """Added to the column; a row that it would carry out of the declared range makes no pair."""
    expect: Literal["rise", "fall"]
    """What the number does, or the probability of `label`."""
    label: str | None = None
    """The class that is looked at; the positive one where absent."""
    tolerance: FiniteFloat = Field(default=0, ge=0)
    """How far the wrong way counts as none: of a number as a share of it, of a probability as it is."""
    min_share: float = Field(default=0.95, gt=0, le=1)
    """Of the pairs that must keep to it."""


Behaviour = Annotated[Invariance | Direction, Field(discriminator="kind")]


class Calibration(Frozen):
    """How true the model's own words about its certainty must be."""

    max_error: float = Field(default=0.1, ge=0, le=1)
    """Expected calibration error of the probabilities; for classes."""
    max_undercoverage: float = Field(default=0.05, ge=0, lt=1)
    """How far below its level the interval, or the prediction set, may cover the held-out rows; what chance explains
    on as many rows does not count."""


class Generalisation(Frozen):
    """How alike training and held-out rows must be, and how alike the model must do on them."""

    max_gap: FiniteFloat = Field(default=0.25, ge=0)
    """Largest loss of R2, or of the area under the ROC curve, from training rows to held-out rows. What is hard to tell
    needs more: a model that knows its training rows by heart is no worse for it."""
    max_shift: float = Field(default=0.25, gt=0, le=1)
    """Largest distance between the distributions of an input in both: 0 is none, 1 is apart. What chance explains does
    not count."""


class Leaks(Frozen):
    """What is too good to be true; scores are suspected from 100 held-out rows on."""

    max_score: FiniteFloat = Field(default=0.999, gt=0, le=1)
    """R2, or the area under the ROC curve, above which a model is suspected of knowing the answer; 1 never is."""
    max_alone: FiniteFloat = Field(default=0.99, gt=0, le=1)
    """The same of a model that sees one input only."""
    max_repeated: float = Field(default=0.05, ge=0, le=1)
    """Share of held-out rows whose inputs all equal those of a training row."""


class Servable(Frozen):
    """What the release must keep to when it is started and queried."""

    ready_seconds: FiniteFloat = Field(default=60, gt=0)
    p99_ms: FiniteFloat = Field(default=250, gt=0)
    """For one row at a time."""
    stop_seconds: FiniteFloat = Field(default=10, gt=0)
    """From the signal to stop until it has ended."""
    image: Literal["required", "where_possible"] = "where_possible"
    """Whether a release may be promoted where no container engine is configured."""
    image_mb: FiniteFloat = Field(default=600, gt=0)


class Gate(Frozen):
    """What a candidate must show before it may serve."""

    thresholds: dict[Metric, Threshold] = Field(min_length=1)
    change: Change = Change()
    slices: tuple[Slice, ...] = Field(default=())
    fairness: tuple[Fairness, ...] = Field(default=())
    behaviour: tuple[Behaviour, ...] = Field(default=())
    calibration: Calibration = Calibration()
    generalisation: Generalisation = Generalisation()
    leaks: Leaks = Leaks()
    min_test_rows: int = Field(default=200, ge=20)
    servable: Servable = Servable()
    approval: Literal["automatic", "required"] = "automatic"
    """`required`: a person says yes in Airflow before what passed is deployed."""
    approval_hours: FiniteFloat = Field(default=72, gt=0)
    """After which no answer is a no."""


class Canary(Frozen):
    """How a new release takes over the traffic: little by little, watched, and back by itself."""

    shadow_minutes: FiniteFloat = Field(default=0, ge=0)
    """How long it answers aside, seen by nobody, before its first share; 0 for not at all."""
    steps: tuple[float, ...] = Field(default=(0.1, 0.5), min_length=1)
    """Rising shares of the traffic; after the last one it takes all of it."""
    step_minutes: FiniteFloat = Field(default=30, gt=0)
    """How long each share is watched, at least."""
    min_requests: int = Field(default=200, ge=20)
    """That it must have answered in each step before it goes on."""
    max_hours: FiniteFloat = Field(default=24, gt=0)
    """After which a canary that could not be told about is withdrawn."""
    false_alarm: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance that a healthy release is withdrawn, however often it is looked at."""
    max_slowdown: FiniteFloat = Field(default=2.0, ge=1)
    """How many times as long as the champion it may take."""
    max_shift: float = Field(default=0.1, ge=0, lt=1)
    """How far its predictions may lie from the champion's, on average, in ranks among them: 0 to 1."""

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)) or not all(0 < share < 1 for share in self.steps):
            raise ValueError(f"the steps {self.steps} are not rising shares between 0 and 1")
        return self

    @model_validator(mode="after")
    def _there_is_time_for_every_step(self) -> Self:
        minutes = self.shadow_minutes + len(self.steps) * self.step_minutes
        if minutes >= 60 * self.max_hours:
            raise ValueError(f"max_hours {self.max_hours:g} leaves no time for shadow and steps, {minutes:g} minutes")
        return self


class Retention(Frozen):
    """What is kept of the past; what the last deployments could need always is."""

    deployments: int = Field(default=5, ge=1)
    """The last ones whose releases can be gone back to."""
    candidates: int = Field(default=5, ge=1)
    """The newest model versions, deployed or not."""
    days: int = Field(default=30, ge=1)
    """What is younger is kept."""


class Serving(Frozen):
    """How the endpoint behaves."""

    example: dict[str, float | int | bool | str | None]
    """One valid instance: shown in the docs, sent by the demo and the health check."""
    max_instances: int = Field(default=1000, ge=1, le=MOST_INSTANCES)
    missing: Literal["reject", "impute"] = "reject"
    """A missing value in a nullable column is refused, or filled in inside the graph."""
    unknown_fields: Literal["reject", "ignore"] = "reject"
    canary: Canary | None = None
    """Where absent, what passed the gate takes all of the traffic at once."""
