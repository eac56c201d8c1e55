"""Drift: whether today's rows still look like those the release learned from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import ColumnType
from sluice.domain.errors import BundleError
from sluice.domain.use_case import UseCase
from sluice.monitoring import windows
from sluice.monitoring.comparison import ColumnDrift, Scale, compare
from sluice.monitoring.windows import PREDICTION, Wanted, Window

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["stable", "drifted", "unknown"]

SCALES: dict[ColumnType, Scale] = {
    "number": "numerical",
    "integer": "numerical",
    "boolean": "boolean",
    "category": "categorical",
}


@dataclass(frozen=True)
class Drift:
    """What one check found.

    Attributes:
        version: The release that was looked after.
        verdict: `unknown` is a verdict of its own and never counts as stable.
        message: The verdict and its grounds in a sentence.
        window: The rows that were looked at.
        reference_rows: How many rows they were compared with.
        drifted_share: Drifted columns among those that could be judged, 0 to 1; None where none could.
        columns: What each column did; empty where nothing was compared.
        html: A page for people; None where nothing was compared.
    """

    version: int
    verdict: Verdict
    message: str
    window: Window
    reference_rows: int
    drifted_share: float | None = None
    columns: tuple[ColumnDrift, ...] = ()
    html: str | None = None


def check(
    warehouse: Warehouse,
    use_case: UseCase,
    reference: pd.DataFrame,
    version: int,
    current_source: Wanted,
    now: datetime,
    unlogged: Collection[str] = (),
) -> Drift:
    """Compare current rows with the release's reference.

    Args:
        warehouse: Holds the current rows.
        use_case: Whose release.
        reference: The release's `reference.parquet`: every input, and the target and the prediction where
            they are to be compared too.
        version: The release's version.
        current_source: Yesterday's `predictions`, the newest `validated` batch, or `auto`.
        now: The moment the check is for; aware. "Yesterday" is the UTC day before it.
        unlogged: Inputs of which the release's log holds nothing, or a hash: predictions are compared without them.

    Raises:
        BundleError: The reference lacks an input.
    """
    scales = _scales(use_case, reference, version)
    window = windows.find(warehouse, use_case, version, current_source, now)
    least = use_case.monitoring.min_rows
    for what, rows in ((f"{window}", window.rows), (f"a reference of {len(reference)} rows", len(reference))):
        if rows < least:
            message = f"Could not tell: {what} is too little to judge by; at least {least} rows are needed."
            return Drift(version, "unknown", message, window, len(reference))
    current = windows.sample(warehouse, use_case, version, window, unlogged)
    hidden = [column.name for column in use_case.inputs if column.name not in current]
    scales = {name: scale for name, scale in scales.items() if name in current}
    most = use_case.monitoring.sample_rows
    bounded = reference if len(reference) <= most else reference.sample(most, random_state=0)
    comparison = compare(bounded, current, scales, use_case.monitoring.max_drifted_share)
    verdict, share, message = judge(comparison.columns, use_case.monitoring.max_drifted_share)
    sampled = f" (a sample of {len(current)})" if len(current) < window.rows else ""
    message = f"{message} Compared: {window}{sampled} with {len(bounded)} reference rows of version {version}."
    if hidden:
        message += f" Left out, because the log does not hold what is sensitive: {', '.join(hidden)}."
    return Drift(version, verdict, message, window, len(bounded), share, comparison.columns, comparison.html)


def judge(columns: tuple[ColumnDrift, ...], max_share: float) -> tuple[Verdict, float | None, str]:
    """Turn what the columns did into a verdict, the share that drifted, and a sentence.

    A column that could not be judged may have drifted: the data is called stable only when it would be
    stable even then.

    Args:
        columns: What each did.
        max_share: Share of drifted columns from which the data has drifted.
    """
    drifted = [c.column for c in columns if c.drifted]
    untold = [c.column for c in columns if c.drifted is None]
    judged = len(columns) - len(untold)
    if not judged:
        return "unknown", None, "Could not tell: no column could be judged."
    share = len(drifted) / judged
    moved = f"{len(drifted)} of {judged} columns drifted" + (f" ({', '.join(drifted)})" if drifted else "")
    limit = f"{max_share:.0%} is the limit"
    doubt = f"; no verdict on {', '.join(untold)}" if untold else ""
    if len(drifted) >= max_share * len(columns):
        return "drifted", share, f"Drifted: {moved}, {limit}{doubt}."
    if len(drifted) + len(untold) >= max_share * len(columns):
        return "unknown", share, f"Could not tell: {moved}, {limit}{doubt}."
    return "stable", share, f"Stable: {moved}, {limit}{doubt}."


def _scales(use_case: UseCase, reference: pd.DataFrame, version: int) -> dict[str, Scale]:
    scales = {column.name: SCALES[column.type] for column in use_case.inputs}
    missing = sorted(set(scales) - set(reference.columns))
    if missing:
        raise BundleError(
            f"the reference lacks {', '.join(missing)}",
            f"{use_case.name} version {version}",
            "train and promote again",
        )
    # Both are written by name where the target is a class.
    answer: Scale = "categorical" if use_case.classes else "numerical"
    return scales | {name: answer for name in (PREDICTION, use_case.target) if name in reference.columns}
