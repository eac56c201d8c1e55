"""The draft: all that is known of a use case before its folder is written."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.domain.measures import Metric
from sluice.domain.policy import Threshold
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Baseline
from sluice.ingestion.drafting.findings import Finding
from sluice.ingestion.drafting.fitting import Fit


@dataclass(frozen=True)
class Draft:
    """What there is to write.

    Attributes:
        assumed: Of the file.
        reached: What a plain model reaches on it.
        errors: How far each metric asked for may be off by chance, on as many rows as the gate judges by.
        demanded: What the gate will ask for.
        fit: The sample.
        findings: What a person should know.
        alerts: Where alerts go until somebody says otherwise.
    """

    assumed: Assumptions
    reached: Baseline
    errors: dict[Metric, float]
    demanded: dict[Metric, Threshold]
    fit: Fit
    findings: tuple[Finding, ...]
    alerts: str

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.assumed.name.replace("_", " ").capitalize()
