"""Plots: what a person looks at first when judging a training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluice.training.evidence.plots import classes, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sluice.training.candidate import Candidate


def answers(candidate: Candidate) -> Iterator[tuple[str, Figure]]:
    """Every plot of what a candidate says of the test rows, as its task asks for, as name and figure."""
    return classes.draw(candidate) if candidate.use_case.classes else numbers.draw(candidate)
