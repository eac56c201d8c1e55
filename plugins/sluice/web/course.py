"""Course: how the data and the performance of a use case went, check by check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.domain.figures import plain
from sluice.domain.measures import TITLES
from sluice.domain.use_case import UseCase
from sluice.web import charts, facts
from sluice.web.charts import Chart, Look, Point, Series
from sluice.web.facts import Tone
from sluice.web.inquiry import Inquiry

#: Checks of each kind that are drawn, and reports and responses that are listed.
DRAWN, LISTED, ANSWERED = 60, 20, 10

BASES: dict[str, tuple[str, Look]] = {
    "promised": ("promised at promotion", "dotted"),
    "estimated": ("estimated without labels", "dashed"),
    "realised": ("realised, from labels", "solid"),
}

#: What was measured of the deciding metric over all rows: by check, version and what it rests on.
Whole = Mapping[tuple[int, int, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Looked:
    """One check."""

    report_id: int
    kind: str
    version: int
    at: datetime
    source: str
    rows: int
    share: float | None
    verdict: str
    tone: Tone
    message: str
    recommendation: str
    link: str | None


@dataclass(frozen=True)
class Column:
    """What a column did: of all rows, and as the sample that the page shows was judged."""

    name: str
    method: str
    score: float | None
    threshold: float | None
    tone: Tone
    verdict: str
    sampled: str
    disagrees: bool


@dataclass(frozen=True)
class Finding:
    """What a check of the data's quality found."""

    check: str
    column: str
    value: float | None
    limit: float | None
    tone: Tone
    detail: str


@dataclass(frozen=True)
class Figure:
    """A metric over some rows, by what it rests on; None where it is not known."""

    version: int
    slice: str
    metric: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """How it went.

    Attributes:
        checks: The last of each kind, the newest first.
        drift: Drawing of the share of drifted columns; None before the first check.
        columns: What the columns did in the newest check of drift.
        findings: What the newest check of quality found.
        performance: Drawing of the metric that decides; None before the first check.
        metric: What that metric is called.
        measured: The checks of performance, the newest first, with that metric by what it rests on.
        figures: What the newest check of performance measured.
        responses: Breach, response, reason and moment, the newest first.
    """

    checks: tuple[Looked, ...]
    drift: Chart | None
    columns: tuple[Column, ...]
    findings: tuple[Finding, ...]
    performance: Chart | None
    metric: str
    measured: tuple[tuple[Looked, Mapping[str, str]], ...]
    figures: tuple[Figure, ...]
    responses: tuple[Mapping[str, Any], ...]

    def newest(self, kind: str) -> Looked | None:
        """The newest check of a kind."""
        return next((check for check in self.checks if check.kind == kind), None)

    @property
    def listed(self) -> tuple[Looked, ...]:
        """The last checks of all kinds."""
        return self.checks[:LISTED]


def course(inquiry: Inquiry, use_case: UseCase) -> Course:
    """How a use case went."""
    rows = inquiry.rows("checks", {"use_case": use_case.name, "most": DRAWN})
    checks = tuple(_looked(use_case.name, row) for row in rows)
    by_kind: dict[str, list[Looked]] = defaultdict(list)
    for check in reversed(checks):
        by_kind[check.kind].append(check)
    measured = _measured(inquiry, use_case, by_kind["performance"])
    whole = _whole(use_case, measured)
    return Course(
        checks=checks,
        drift=_drift(by_kind["drift"], use_case.monitoring.max_drifted_share),
        columns=_columns(inquiry, by_kind["drift"]),
        findings=_findings(inquiry, by_kind["quality"]),
        performance=_performance(use_case, by_kind["performance"], whole),
        metric=TITLES[use_case.performance_metric],
        measured=tuple((check, _by_basis(check, whole)) for check in checks if check.kind == "performance"),
        figures=_figures(by_kind["performance"], measured),
        responses=tuple(inquiry.rows("responses", {"use_case": use_case.name, "most": ANSWERED})),
    )


def _looked(use_case: str, row: Mapping[str, Any]) -> Looked:
    return Looked(
        report_id=row["report_id"],
        kind=row["kind"],
        version=row["version"],
        at=row["checked_for"],
        source=row["current_source"],
        rows=row["current_rows"],
        share=row["drifted_share"],
        verdict=row["verdict"],
        tone=facts.of_verdict(row["verdict"]),
        message=row["message"],
        recommendation=row["recommendation"] or "",
        link=facts.page_of(use_case, row["kind"], row["dag_run_id"], row["report_uri"]),
    )


def _drift(checks: Sequence[Looked], limit: float) -> Chart | None:
    points = tuple(
        Point(c.at, c.share, f"{c.at:%Y-%m-%d %H:%M} UTC: {c.verdict}, {_share(c.share)}", c.tone) for c in checks
    )
    series = [Series("share of columns that drifted", "solid", points)] if points else []
    return charts.draw("Share of columns that drifted", series, [(limit, f"limit {limit:.0%}")], shares=True)


def _share(share: float | None) -> str:
    return "no share known" if share is None else f"{share:.0%} of the columns drifted"


def _columns(inquiry: Inquiry, checks: Sequence[Looked]) -> tuple[Column, ...]:
    if not checks:
        return ()
    return tuple(_column(row) for row in inquiry.rows("columns", {"report_id": checks[-1].report_id}))


def _column(row: Mapping[str, Any]) -> Column:
    words: dict[bool | None, tuple[str, Tone]] = {
        True: ("drifted", "bad"),
        False: ("stable", "good"),
        None: ("could not tell", "unsure"),
    }
    verdict, tone = words[row["drifted"]]
    sampled = ""
    if row["sampled_method"]:
        score = "" if row["sampled_score"] is None else f", {plain(row['sampled_score'])}"
        sampled = f"{words[row['sampled_drifted']][0]} ({row['sampled_method']}{score})"
    disagrees = row["sampled_drifted"] is not None and row["sampled_drifted"] != row["drifted"]
    return Column(row["column_name"], row["method"], row["score"], row["threshold"], tone, verdict, sampled, disagrees)


def _findings(inquiry: Inquiry, checks: Sequence[Looked]) -> tuple[Finding, ...]:
    if not checks:
        return ()
    tones: dict[bool | None, Tone] = {True: "good", False: "bad", None: "unsure"}
    return tuple(
        Finding(
            row["check_name"],
            row["column_name"],
            row["value"],
            row["limit_value"],
            tones[row["passed"]],
            row["detail"],
        )
        for row in inquiry.rows("quality", {"report_id": checks[-1].report_id})
    )


def _measured(inquiry: Inquiry, use_case: UseCase, checks: Sequence[Looked]) -> list[dict[str, Any]]:
    if not checks:
        return []
    values = {
        "report_ids": [check.report_id for check in checks],
        "newest": checks[-1].report_id,
        "metric": use_case.performance_metric,
    }
    return inquiry.rows("performance", values)


def _whole(use_case: UseCase, rows: Sequence[Mapping[str, Any]]) -> Whole:
    return {
        (row["report_id"], row["version"], row["basis"]): row
        for row in rows
        if row["slice"] == "" and row["metric"] == use_case.performance_metric
    }


def _by_basis(check: Looked, whole: Whole) -> dict[str, str]:
    found = {basis: whole.get((check.report_id, check.version, basis)) for basis in BASES}
    return {basis: _figure(row) for basis, row in found.items() if row is not None}


def _performance(use_case: UseCase, checks: Sequence[Looked], whole: Whole) -> Chart | None:
    """The metric that decides, of the version that each check was about."""
    series = []
    for basis, (name, look) in BASES.items():
        points = tuple(_point(check, name, whole.get((check.report_id, check.version, basis))) for check in checks)
        if any(point.value is not None for point in points):
            series.append(Series(name, look, points))
    return charts.draw(TITLES[use_case.performance_metric], series)


def _point(check: Looked, name: str, row: Mapping[str, Any] | None) -> Point:
    if row is None or row["value"] is None:
        return Point(check.at, None, "")
    text = f"{check.at:%Y-%m-%d %H:%M} UTC, version {check.version}, {name}: {_figure(row)}"
    return Point(check.at, row["value"], text, "plain", row["low"], row["high"])


def _figure(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "unknown"
    bounds = "" if row["low"] is None or row["high"] is None else f" ({plain(row['low'])} to {plain(row['high'])})"
    return f"{plain(row['value'])}{bounds}"


def _figures(checks: Sequence[Looked], rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    if not checks:
        return ()
    values: dict[tuple[int, str, str], dict[str, str]] = {}
    for row in rows:
        if row["report_id"] == checks[-1].report_id:
            values.setdefault((row["version"], row["slice"], row["metric"]), {})[row["basis"]] = _figure(row)
    titles = {str(metric): title for metric, title in TITLES.items()}
    return tuple(
        Figure(version, slice_, titles.get(metric, metric), known)
        for (version, slice_, metric), known in values.items()
    )
