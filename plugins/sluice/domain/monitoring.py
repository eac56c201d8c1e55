"""Monitoring: what the daily check of a use case compares, when it speaks up, and what follows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen
from sluice.domain.measures import Metric

#: What follows a breach: nothing, a mail, a question to a person, or a new training at once.
Response = Literal["nothing", "alert", "approval", "retrain"]


class DriftPolicy(Frozen):
    """What a drift is, and what it leads to."""

    numerical: float = Field(default=0.1, gt=0)
    """Wasserstein distance, in standard deviations of the reference, from which a number has drifted."""
    categorical: float = Field(default=0.1, gt=0, le=1)
    """Jensen-Shannon distance from which a category or a boolean has drifted."""
    response: Response = "alert"


class DataQualityPolicy(Frozen):
    """How far what arrives may depart from what the release learned from."""

    max_missing_rise: float = Field(default=0.05, ge=0, le=1)
    """Share of missing values in a column, beyond the reference's."""
    max_new_categories: float = Field(default=0.01, ge=0, le=1)
    """Share of rows with a category that the reference did not have."""
    max_out_of_range: float = Field(default=0.01, ge=0, le=1)
    """Share of rows beyond the range that the spec declares, or that the reference had where it declares none."""
    max_batch_age_hours: float | None = Field(default=None, gt=0)
    """Since the newest batch joined the validated data; where absent, nobody waits for one."""
    max_silence_hours: float | None = Field(default=None, gt=0)
    """Since the last prediction; where absent, nobody waits for one."""
    max_volume_change: float | None = Field(default=0.5, gt=0)
    """Of a batch's rows, or of a day's predictions, against the median of those before, as a share of it."""
    response: Response = "alert"


class PerformancePolicy(Frozen):
    """How much worse than at its promotion a release may become."""

    metric: Metric | None = None
    """The one that decides; where absent, the metric that candidates are compared by."""
    max_drop: float = Field(default=0.1, gt=0)
    """Relative worsening against the value in the release's contract, from which performance has dropped."""
    min_labels: int = Field(default=200, ge=20)
    """Fewer labelled predictions than this are too few to tell."""
    days: int = Field(default=7, ge=1)
    """Predictions of so many days are looked at together: labels come late and are few."""
    response: Response = "alert"


class Monitoring(Frozen):
    """What the daily check compares, when it speaks up, and what follows."""

    max_drifted_share: float = Field(default=0.5, gt=0, le=1)
    """Share of drifted columns from which the check calls the data drifted."""
    min_rows: int = Field(default=200, ge=1)
    """Fewer current rows than this are too few to tell."""
    sample_rows: int = Field(default=5_000, ge=100, le=100_000)
    """Most rows on either side of the comparison that the report draws; the statistics are of all rows."""
    breaches: int = Field(default=1, ge=1)
    """So many of the last `windows` checks must be breaches before anything follows."""
    windows: int = Field(default=1, ge=1)
    cool_down_days: float = Field(default=7, ge=0)
    """After an `approval` or a `retrain` no other of these follows for so long: one drift is one retraining."""
    reports_days: int = Field(default=90, ge=1)
    """Reports and numbers that are older are removed."""
    drift: DriftPolicy = DriftPolicy()
    quality: DataQualityPolicy = DataQualityPolicy()
    performance: PerformancePolicy = PerformancePolicy()

    @model_validator(mode="after")
    def _breaches_fit_into_windows(self) -> Self:
        if self.breaches > self.windows:
            raise ValueError(f"breaches: {self.breaches} of {self.windows} windows can never be; raise `windows`")
        return self
