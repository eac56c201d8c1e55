"""Comparison: two samples of the same columns, side by side, as numbers and as a page for people."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["numerical", "boolean", "categorical"]


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        column: Its name.
        method: The distance or test that was used.
        score: What it gave; None where it could not be taken.
        threshold: The score from which (distances) or below which (p-values) the column counts as drifted.
        drifted: Whether it does; None is "could not tell".
    """

    column: str
    method: str
    score: float | None
    threshold: float | None
    drifted: bool | None


@dataclass(frozen=True)
class Comparison:
    """What two samples have and have not in common.

    Attributes:
        columns: One entry per compared column, in the order they were given.
        html: A page that needs nothing but itself.
    """

    columns: tuple[ColumnDrift, ...]
    html: str


def compare(
    reference: pd.DataFrame, current: pd.DataFrame, scales: Mapping[str, Scale], max_drifted_share: float
) -> Comparison:
    """Compare the distribution of every column, by the method that Evidently picks for its kind and size.

    Args:
        reference: What the release learned from; holds every column of `scales`.
        current: What it is met with now; holds the same.
        scales: The columns to compare, and how to read each.
        max_drifted_share: Share of drifted columns that the page calls too many.
    """
    # Before the import: the library counts its users over the network unless this is set.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    reference, current = _typed(reference, scales), _typed(current, scales)
    usable = [c for c in scales if reference[c].notna().any() and current[c].notna().any()]
    definition = DataDefinition(
        numerical_columns=[c for c in usable if scales[c] == "numerical"],
        categorical_columns=[c for c in usable if scales[c] != "numerical"],
    )
    report = Report([DataDriftPreset(drift_share=max_drifted_share)], include_tests=True)
    snapshot = report.run(
        Dataset.from_pandas(current[usable], data_definition=definition),
        Dataset.from_pandas(reference[usable], data_definition=definition),
    )
    judged = {drift.column: drift for drift in parse(json.loads(snapshot.json()))}
    columns = tuple(judged.get(c, ColumnDrift(c, "none: no values", None, None, None)) for c in scales)
    return Comparison(columns, snapshot.get_html_str(as_iframe=False))


def parse(result: dict[str, Any]) -> tuple[ColumnDrift, ...]:
    """The columns of an Evidently 0.7 result; a test that ended neither well nor badly is "could not tell".

    Args:
        result: What its JSON holds: `metrics` with values, and `tests` that refer to them.
    """
    statuses = {t["metric_config"]["metric_id"]: t["status"] for t in result["tests"]}
    verdicts = {"SUCCESS": False, "FAIL": True}
    drifts = []
    for metric in result["metrics"]:
        config = metric["config"]
        if "column" in config:
            value = metric["value"]
            score = float(value) if isinstance(value, float | int) and math.isfinite(value) else None
            drifted = verdicts.get(statuses.get(metric["id"], "")) if score is not None else None
            drifts.append(ColumnDrift(config["column"], config["method"], score, config["threshold"], drifted))
    return tuple(drifts)


def _typed(frame: pd.DataFrame, scales: Mapping[str, Scale]) -> pd.DataFrame:
    """Numbers as doubles and everything else as text, so that both sides are read alike.

    A model's inputs say 1.0 for true and "" for no category; the warehouse says true and null.
    """
    typed = frame[list(scales)].copy()
    for name, scale in scales.items():
        if scale == "numerical":
            typed[name] = typed[name].astype("float64")
        elif scale == "boolean":
            typed[name] = typed[name].map(lambda value: str(bool(value)), na_action="ignore").astype(object)
        else:
            typed[name] = typed[name].astype(object).mask(typed[name].eq(""))
    return typed
