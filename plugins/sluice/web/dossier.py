"""Dossier: everything that a person may know of one use case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sluice.domain.use_case import UseCase
from sluice.web.batches import Arrival, batches
from sluice.web.course import Course, course
from sluice.web.decisions import (
    Challenged,
    Decided,
    Deployed,
    Made,
    Replica,
    challengers,
    decisions,
    deployments,
    releases,
    replicas,
)
from sluice.web.inquiry import Inquiry
from sluice.web.overview import Standing, standings
from sluice.web.rights import Stage


@dataclass(frozen=True)
class Promotion:
    """What was decided and let serve."""

    champion: int | None
    decisions: tuple[Decided, ...]
    deployments: tuple[Deployed, ...]
    challengers: tuple[Challenged, ...]
    releases: tuple[Made, ...]
    replicas: tuple[Replica, ...]


@dataclass(frozen=True)
class Dossier:
    """One use case; None for a part that the person may not see."""

    standing: Standing
    promotion: Promotion | None
    course: Course | None
    batches: tuple[Arrival, ...] | None


def dossier(inquiry: Inquiry, use_case: UseCase, stages: frozenset[Stage], now: datetime) -> Dossier:
    """Gather what there is to know of a use case.

    Args:
        inquiry: Where it is written down.
        use_case: Which.
        stages: What the person may read; at least one.
        now: The moment that heartbeats are measured against; aware.
    """
    (standing,) = standings(inquiry, [use_case], {use_case.name: stages}, now)
    return Dossier(
        standing,
        _promotion(inquiry, use_case.name, now) if "promote" in stages else None,
        course(inquiry, use_case) if "monitor" in stages else None,
        batches(inquiry, use_case.name) if "ingest" in stages else None,
    )


def _promotion(inquiry: Inquiry, use_case: str, now: datetime) -> Promotion:
    deployed = deployments(inquiry, use_case)
    champion = next((step.to_version for step in deployed if step.share == 1), None)
    challenged = challengers(inquiry, use_case)
    running = replicas(inquiry, use_case, champion, now)
    named = {champion, *(one.version for one in challenged), *(one.version for one in running)}
    return Promotion(
        champion,
        decisions(inquiry, use_case),
        deployed,
        challenged,
        releases(inquiry, use_case, {version for version in named if version is not None}),
        running,
    )
