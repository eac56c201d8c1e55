"""Traffic: what was seen of a champion and its challenger, counted as it comes."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import fetch
from sluice.domain.errors import BundleError
from sluice.domain.frozen import Frozen

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from sluice.adapters.bundles import Bundle
    from sluice.adapters.warehouse import Warehouse

#: Requests from which is told what slow is: the fewest, and the most.
FEWEST, MOST = 100, 1000
#: How far back they may lie.
LATELY = timedelta(days=1)
#: Predictions are logged in batches, up to this long after they were made.
SETTLED = timedelta(seconds=2)

#: Of the champion's predictions, how many divide the line that others are ranked on, and from how many rows.
_EDGES = 100
_REFERENCE_ROWS = 2_000


class Yardstick(Frozen):
    """What the challenger is measured by, taken from the champion once.

    Attributes:
        slow_ms: What one in twenty of its requests took longer than; None while too few are known.
        edges: Quantiles of its predictions of its own reference, rising: the rank of a prediction is the share of them
            that lies below it. Of classes, the probability is ranked.
        positive: The class whose probability that is; None for the one that was chosen, and for numbers.
    """

    slow_ms: float | None
    edges: tuple[float, ...]
    positive: str | None


class Side(Frozen):
    """What was seen of one version.

    Attributes:
        requests: That it answered.
        failures: That it could not answer.
        slow: That it answered slowly, each version by its own bound.
        ranks: Sum of the ranks of its predictions, the mean of each request.
    """

    requests: int = 0
    failures: int = 0
    slow: int = 0
    ranks: float = 0.0

    def __add__(self, other: Side) -> Side:
        return Side(
            requests=self.requests + other.requests,
            failures=self.failures + other.failures,
            slow=self.slow + other.slow,
            ranks=self.ranks + other.ranks,
        )


class Stage(Frozen):
    """What was seen while the challenger had one share; in shadow, failures and slow answers of one version alone.

    Attributes:
        step: Index into the shares of the policy; -1 is shadow.
    """

    step: int
    champion: Side = Side()
    challenger: Side = Side()


class Seen(Frozen):
    """All that was seen of a canary.

    Attributes:
        until: What came later is not in it.
        stages: One for each step so far.
    """

    until: datetime
    stages: tuple[Stage, ...] = ()

    def stage(self, step: int) -> Stage:
        """What was seen in a step."""
        return next((stage for stage in self.stages if stage.step == step), Stage(step=step))

    def further(self, step: int, champion: Side, challenger: Side, until: datetime) -> Seen:
        """The same, and what came since."""
        known = self.stage(step)
        grown = Stage(step=step, champion=known.champion + champion, challenger=known.challenger + challenger)
        return Seen(until=until, stages=(*(stage for stage in self.stages if stage.step != step), grown))


def yardstick(warehouse: Warehouse, tracking: Tracking, use_case: str, champion: int, now: datetime) -> Yardstick:
    """What the challenger of a champion is measured by.

    Raises:
        BundleError: The champion's reference holds no rows that it has predictions for.
    """
    from sluice.adapters import bundles

    with tempfile.TemporaryDirectory(prefix="sluice-canary-") as folder:
        bundle = bundles.read(tracking.download_bundle(tracking.version(use_case, champion), Path(folder)))
        edges = _edges(bundle)
    with warehouse.transaction() as connection:
        slow = slow_ms(warehouse, connection, use_case, champion, now - LATELY, now)
    return Yardstick(slow_ms=slow, edges=edges, positive=bundle.contract.output.positive)


def _edges(bundle: Bundle) -> tuple[float, ...]:
    import numpy as np

    from sluice.adapters import bundles

    reference = bundle.reference()
    scores = bundles.score(bundle, reference.sample(min(len(reference), _REFERENCE_ROWS), random_state=0))
    if scores.ndim > 1:
        labels = [label.value for label in bundle.contract.output.labels]
        positive = bundle.contract.output.positive
        scores = scores.max(axis=1) if positive is None else scores[:, labels.index(positive)]
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        raise BundleError(
            "its reference holds no rows that it has predictions for",
            bundle.sha256,
            "take the canary out of the spec, or promote a champion that was trained anew",
        )
    return tuple(float(edge) for edge in np.unique(np.quantile(finite, np.linspace(0, 1, _EDGES))))


def slow_ms(
    warehouse: Warehouse, connection: Connection, use_case: str, version: int, since: datetime, until: datetime
) -> float | None:
    """What one in twenty of a champion's requests in a window took longer than; None where they are too few."""
    [row] = fetch(
        connection,
        warehouse.statement("release/canary_latency"),
        {"use_case": use_case, "version": version, "since": since, "until": until, "most": MOST},
    )
    return row["slow_ms"] if row["requests"] >= FEWEST else None


def count(
    warehouse: Warehouse, connection: Connection, *, shadow: bool, yardstick: Yardstick, **values: Any
) -> tuple[Side, Side]:
    """What champion and challenger did in a window.

    Args:
        warehouse: Holds the statements.
        connection: What they run on.
        shadow: Whether the challenger answers aside.
        yardstick: What they are measured by.
        **values: `use_case`, `champion` and `challenger` (versions), `since`, `until`, `max_slowdown`.
    """
    statement = warehouse.statement("release/canary_pairs" if shadow else "release/canary_requests")
    rows = fetch(connection, statement, values | yardstick.model_dump() | {"edges": list(yardstick.edges)})
    sides = {row.pop("role"): Side(**row) for row in rows}
    return sides["champion"], sides["challenger"]
