"""The assets that let one stage start the next."""

from __future__ import annotations

from airflow.sdk import Asset

from sluice.domain.use_case import UseCase


def validated(use_case: UseCase) -> Asset:
    """Rows of the use case that passed validation."""
    return Asset(name=f"{use_case.name}_validated", uri=f"sluice://data/{use_case.name}/validated", group="sluice")


def candidate(use_case: UseCase) -> Asset:
    """A registered model version that waits for the gate."""
    return Asset(name=f"{use_case.name}_candidate", uri=f"sluice://models/{use_case.name}/candidate", group="sluice")


def champion(use_case: UseCase) -> Asset:
    """The model version that serves."""
    return Asset(name=f"{use_case.name}_champion", uri=f"sluice://models/{use_case.name}/champion", group="sluice")


def challenger(use_case: UseCase) -> Asset:
    """A release that begins to take part of the traffic."""
    return Asset(name=f"{use_case.name}_challenger", uri=f"sluice://models/{use_case.name}/challenger", group="sluice")


def drift_report(use_case: UseCase) -> Asset:
    """A drift report that is kept to be published."""
    return Asset(name=f"{use_case.name}_drift_report", uri=f"sluice://reports/{use_case.name}/drift", group="sluice")
