"""Sampling: two bounded samples of the same columns side by side, tested and drawn by Evidently."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sluice.domain.monitoring import Monitoring
from sluice.monitoring.comparison import JENSEN_SHANNON, WASSERSTEIN, Sampled
from sluice.monitoring.imports import later, listings

if TYPE_CHECKING:
    import pandas as pd
    from evidently.core.report import Snapshot

Scale = Literal["numerical", "boolean", "categorical"]

#: Evidently's packages that import all that it can do, of which a comparison needs little.
LISTINGS = ("evidently", "evidently.metrics", "evidently.legacy.metrics", "evidently.legacy.tests", "evidently.tests")
#: What Evidently calls the distances.
METHODS = {"wasserstein": WASSERSTEIN, "jensenshannon": JENSEN_SHANNON}


@dataclass(frozen=True)
class Sample:
    """What two samples have and have not in common.

    Attributes:
        columns: What the tests said, by column; those without a value on either side are not among them.
        html: A page that needs nothing but itself.
        snapshot: What Evidently found.
    """

    columns: dict[str, Sampled]
    html: str
    snapshot: Snapshot

    def dumps(self) -> str:
        """What Evidently found as JSON, as its workspaces keep it."""
        with uncollected():
            dumped: str = self.snapshot.dumps()
        return dumped


def compare(
    reference: pd.DataFrame, current: pd.DataFrame, scales: Mapping[str, Scale], policy: Monitoring
) -> Sample | None:
    """Compare every column by the distance and threshold of all rows; None where none has values on both sides.

    Each column is tested and drawn once. Evidently's preset for drift does so three times over, and shows one.

    Args:
        reference: What the release learned from; holds every column of `scales`.
        current: What it is met with now; holds the same.
        scales: The columns to compare, and how to read each.
        policy: The thresholds.
    """
    load()
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    reference, current = _typed(reference, scales), _typed(current, scales)
    usable = [c for c in scales if reference[c].notna().any() and current[c].notna().any()]
    if not usable:
        return None
    numbers = [c for c in usable if scales[c] == "numerical"]
    others = [c for c in usable if scales[c] != "numerical"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    # Named, so that the number of rows does not choose them.
    methods = dict.fromkeys(numbers, ("wasserstein", policy.drift.numerical))
    methods |= dict.fromkeys(others, ("jensenshannon", policy.drift.categorical))
    metrics = [ValueDrift(column=c, method=methods[c][0], threshold=methods[c][1]) for c in usable]
    with uncollected():
        snapshot = Report(metrics, include_tests=True).run(
            Dataset.from_pandas(current[usable], data_definition=definition),
            Dataset.from_pandas(reference[usable], data_definition=definition),
        )
        return Sample(parse(snapshot.dict()), snapshot.get_html_str(as_iframe=False), snapshot)


def parse(result: dict[str, Any]) -> dict[str, Sampled]:
    """The columns of an Evidently 0.7 result; a test that ended neither well nor badly is "could not tell".

    Args:
        result: What its JSON holds: `metrics` with values, and `tests` that refer to them.
    """
    statuses = {t["metric_config"]["metric_id"]: t["status"] for t in result["tests"]}
    verdicts = {"SUCCESS": False, "FAIL": True}
    found = {}
    for metric in result["metrics"]:
        config = metric["config"]
        if "column" in config:
            value = metric["value"]
            score = float(value) if isinstance(value, float | int) and math.isfinite(value) else None
            drifted = verdicts.get(statuses.get(metric["id"], "")) if score is not None else None
            method = METHODS.get(config["method"], config["method"])
            found[config["column"]] = Sampled(method, score, config["threshold"], drifted)
    return found


def load() -> None:
    """Import what compares, which is most of what a check of few rows costs."""
    # Before the import: the library counts its users over the network unless this is set.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # What it has scikit-learn for is the comparison of texts, and importing that takes as long as all of Evidently.
    with uncollected(), listings(LISTINGS), later("sklearn"):
        from evidently import DataDefinition, Dataset, Report  # noqa: F401
        from evidently.metrics import ValueDrift  # noqa: F401


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: among the many objects of a large library that takes longer than the work."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            # All that was made counts as old now: it is looked at with everything else, and not at once.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


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
