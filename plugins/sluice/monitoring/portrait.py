"""Portrait: a check of performance as a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.adapters.templates import templates
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES, Metric, metrics_of
from sluice.domain.use_case import UseCase
from sluice.monitoring import pictures
from sluice.monitoring.judgement import LABELLED, Basis, Figure, one
from sluice.monitoring.pictures import Seen

if TYPE_CHECKING:
    from sluice.monitoring.performance import Performance

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Line:
    """A metric on every basis as it is read, the number and its interval; empty where there is none."""

    title: str
    decides: bool
    promised: tuple[str, str]
    realised: tuple[str, str]
    same: tuple[str, str]
    whole: tuple[str, str]


def page(use_case: UseCase, found: Performance, seen: Seen) -> str:
    """A whole HTML document that loads nothing from elsewhere and runs nothing.

    Args:
        use_case: Whose release.
        found: By the check.
        seen: What its numbers are of.
    """
    metric = use_case.performance_metric
    template = templates(PAGES).get_template("performance.html.j2")
    return template.render(
        use_case=use_case,
        found=found,
        days=(found.start, found.end - timedelta(days=1)),
        metric=TITLES[metric],
        lines=_lines(use_case, found.figures),
        course=pictures.course(use_case, found, seen.past),
        confusion=pictures.confusion(use_case, seen) if seen.classes else None,
        errors=None if seen.classes else pictures.errors(seen),
        unit=use_case.target_column.unit,
        unseen=len(seen.unseen.actual) if seen.unseen else 0,
        slices=pictures.slices(use_case, found.figures),
    )


def _lines(use_case: UseCase, figures: Sequence[Figure]) -> list[Line]:
    """The metric that decides first."""
    names = sorted(metrics_of(use_case.task), key=lambda metric: metric != use_case.performance_metric)

    def read(metric: Metric, basis: Basis, part: str = "") -> tuple[str, str]:
        found = one(figures, basis, metric, part)
        if found is None or found.value is None:
            return "", ""
        ends = "" if found.low is None or found.high is None else f"({plain(found.low)} to {plain(found.high)})"
        return plain(found.value), ends

    lines = [
        Line(
            TITLES[metric],
            metric == use_case.performance_metric,
            read(metric, "promised"),
            read(metric, "realised"),
            read(metric, "estimated", LABELLED),
            read(metric, "estimated"),
        )
        for metric in names
    ]
    return [line for line in lines if line.promised[0] or line.realised[0] or line.whole[0]]
