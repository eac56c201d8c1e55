"""Quality: whether what arrives is as whole, as known, as fresh and as much as what the release learned from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sluice.adapters import histograms as counting
from sluice.adapters.templates import templates
from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.histograms import Histograms
from sluice.domain.use_case import UseCase
from sluice.monitoring import tallies
from sluice.monitoring.arrivals import Arrivals
from sluice.monitoring.finding import Finding
from sluice.monitoring.tallies import Known, Tally

if TYPE_CHECKING:
    from jinja2 import Template

Verdict = Literal["stable", "degraded", "unknown"]

#: Failed checks that a message names.
NAMED = 5

PLACES = {"batch": "the newest batch", "predictions": "yesterday's predictions"}


@dataclass(frozen=True)
class DataQuality:
    """What one check of the data's quality found.

    Attributes:
        version: The release whose training rows are the measure.
        verdict: `unknown` where no column could be judged; that never counts as stable.
        message: The verdict and its grounds in a sentence.
        source: What was looked into: `batch`, `predictions`, both with a plus sign, or `nothing`.
        rows: How many rows that were.
        reference_rows: Training rows that they were compared with.
        start: First moment of the predictions.
        end: The moment after the last.
        findings: Every check, in the order they were made.
        html: A page for people.
    """

    version: int
    verdict: Verdict
    message: str
    source: str
    rows: int
    reference_rows: int
    start: datetime
    end: datetime
    findings: tuple[Finding, ...]
    html: str | None = None


def check(
    warehouse: Warehouse,
    use_case: UseCase,
    histograms: Histograms,
    version: int,
    now: datetime,
    unlogged: Collection[str] = (),
) -> DataQuality:
    """Look at the newest batch and at yesterday's predictions, as far as there are any.

    Columns are judged in the newest batch that was accepted or rejected, its rows in quarantine included, and in what
    the release was asked on the UTC day before `now`; either needs `monitoring.min_rows` rows.

    Args:
        warehouse: Holds the ledger, the rows and the log.
        use_case: Whose data; its `monitoring.quality` sets the limits.
        histograms: Of the release's training rows.
        version: The release's version.
        now: The moment the check is for; aware. What came later does not count.
        unlogged: Inputs of which the release's log holds nothing, or a hash.
    """
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    known = tallies.expected(use_case, histograms)
    arrivals = Arrivals(warehouse, use_case, now)
    batch_id = arrivals.newest_batch()
    findings, rows = [], {}
    if batch_id is not None:
        tally = tallies.of_batch(warehouse, use_case, batch_id, known)
        rows["batch"] = tally.rows
        findings += columns("batch", use_case, known, tally)
    counted = counting.of_predictions(warehouse, use_case, histograms, version, start, end, unlogged)
    if counted.rows:
        rows["predictions"] = counted.rows
        logged = [each for each in known if each.column in counted.names]
        findings += columns("predictions", use_case, logged, tallies.of_histograms(counted, logged))
    found = (*findings, *arrivals.findings())
    verdict, message = judge(found)
    source = "+".join(rows) or "nothing"
    quality = DataQuality(version, verdict, message, source, sum(rows.values()), histograms.rows, start, end, found)
    return replace(quality, html=_template().render(use_case=use_case, quality=quality, now=now, places=PLACES))


def judge(findings: Sequence[Finding]) -> tuple[Verdict, str]:
    """Turn what the checks found into a verdict and a sentence.

    One check that fails is enough. What could not be told is named; where that is so of every column, nothing is
    called stable.
    """
    failed = [finding for finding in findings if finding.passed is False]
    untold = list(dict.fromkeys(finding.check for finding in findings if finding.passed is None))
    judged = any(finding.column and finding.passed is not None for finding in findings)
    doubt = f" Could not tell: {', '.join(untold)}." if untold else ""
    if failed:
        said = " ".join(finding.detail for finding in failed[:NAMED])
        more = f" And {len(failed) - NAMED} more." if len(failed) > NAMED else ""
        return "degraded", f"Degraded: {len(failed)} of {len(findings)} checks do not hold. {said}{more}{doubt}"
    if not judged:
        return "unknown", f"Could not tell: there are too few rows to judge any column by.{doubt}"
    held = sum(finding.passed is True for finding in findings)
    return "stable", f"Stable: {held} checks hold.{doubt}"


def columns(place: str, use_case: UseCase, known: Sequence[Known], tally: Tally) -> list[Finding]:
    """Judge each column's share of missing, new and out-of-range values.

    Args:
        place: Where the rows are: `batch` or `predictions`.
        use_case: Its `monitoring.quality` sets the limits.
        known: What the training rows knew of the columns.
        tally: What was counted of them, in the same order.
    """
    policy, fewest, where = use_case.monitoring.quality, use_case.monitoring.min_rows, PLACES[place]
    if tally.rows < fewest:
        detail = f"There are {plain(tally.rows)} rows in {where}, and {plain(fewest)} are needed to judge columns by."
        return [Finding(f"{place}.rows", "", float(tally.rows), float(fewest), None, detail)]
    findings = []
    for number, column in enumerate(known):
        share, limit = tally.missing[number] / tally.rows, policy.max_missing_rise
        rise = share - column.missing
        detail = (
            f"{column.column} is missing in {share:.2%} of {where}, in {column.missing:.2%} of the training rows; "
            f"{limit:.2%} more may be."
        )
        findings.append(Finding(f"{place}.missing", column.column, rise, limit, rise <= limit, detail))
        counts: list[tuple[str, int, float, str]] = []
        if column.categories is not None:
            words = "has a category that the training rows did not have"
            counts.append(("new_categories", tally.unseen[number], policy.max_new_categories, words))
        if column.low is not None and column.high is not None:
            words = f"lies beyond {plain(column.low)} to {plain(column.high)}"
            counts.append(("out_of_range", tally.outside[number], policy.max_out_of_range, words))
        for name, count, most, words in counts:
            share = count / tally.rows
            detail = f"{column.column} {words} in {share:.2%} of {where}; {most:.2%} may."
            findings.append(Finding(f"{place}.{name}", column.column, share, most, share <= most, detail))
    return findings


@cache
def _template() -> Template:
    pages = templates(Path(__file__).parent / "pages")
    pages.tests["of_place"] = lambda check, place: check.startswith(f"{place}.")
    return pages.get_template("quality.html.j2")
