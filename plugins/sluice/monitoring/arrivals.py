"""Arrivals: when batches and predictions came last, how many, and with what header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from statistics import median
from typing import Any

from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase
from sluice.monitoring.finding import Finding

#: Batches, or days, that the newest one is compared with; with fewer than the second number nobody can tell.
MOST_BEFORE, FEWEST_BEFORE = 28, 3


@dataclass(frozen=True)
class Arrivals:
    """What had arrived for a use case by a moment.

    Attributes:
        warehouse: Holds the ledger and the log.
        use_case: Whose; its `monitoring.quality` sets the limits.
        now: The moment; aware. What came later does not count.
    """

    warehouse: Warehouse
    use_case: UseCase
    now: datetime

    def newest_batch(self) -> int | None:
        """The batch that was accepted or rejected last; None where there is none."""
        batches = self._batches()
        return batches[0]["batch_id"] if batches else None

    def findings(self) -> tuple[Finding, ...]:
        """Everything that can be said without looking into the rows."""
        batches = self._batches()
        return (
            *self._headers(),
            *((self._quarantined(batches[0]), self._batch_age(batches)) if batches else ()),
            *self._batch_volume(batches),
            *self._silence(),
            *self._prediction_volume(),
        )

    def _batches(self) -> list[dict[str, Any]]:
        return self._rows("batches_before", most=MOST_BEFORE + 1)

    def _headers(self) -> tuple[Finding, ...]:
        """Whether the newest source has the columns of the spec, and no others than the one before."""
        headers = self._rows("headers_before")
        if not headers:
            return ()
        newest, *earlier = [{name for name in row["header"] if name} for row in headers]
        wanted = {column.source_header.strip() for column in self.use_case.columns}
        vanished = sorted(wanted - newest)
        extra = newest - wanted
        # What the spec leaves out may always have been there; without a header to compare with nobody knows.
        appeared = sorted(extra - earlier[0]) if earlier else []
        said = []
        for name in vanished:
            near = get_close_matches(name, sorted(extra), n=1)
            said.append(f"{name!r} is gone" + (f", perhaps renamed to {near[0]!r}" if near else ""))
        said += [f"{name!r} is new" for name in appeared]
        changes = len(vanished) + len(appeared)
        source = headers[0]["source_uri"]
        detail = (
            f"The header of {source} has changed: {'; '.join(said)}." if said else f"{source} has the known header."
        )
        return (Finding("batch.schema", "", float(changes), 0.0, changes == 0, detail),)

    def _quarantined(self, batch: Mapping[str, Any]) -> Finding:
        share, limit = batch["quarantined"] / max(batch["rows"], 1), self.use_case.quality.max_bad_share
        detail = (
            f"{share:.2%} of the {plain(batch['rows'])} rows of batch {batch['batch_id']}, which is {batch['status']}, "
            f"are in quarantine; {limit:.2%} may be."
        )
        return Finding("batch.quarantined", "", share, limit, share <= limit, detail)

    def _batch_age(self, batches: Sequence[Mapping[str, Any]]) -> Finding:
        limit = self.use_case.monitoring.quality.max_batch_age_hours
        joined = [batch["current_since"] for batch in batches if batch["current_since"]]
        if not joined:
            return Finding("batch.age", "", None, limit, None, "No batch has joined the validated data.")
        return self._age("batch.age", "The newest batch joined the validated data", max(joined), limit)

    def _silence(self) -> tuple[Finding, ...]:
        limit = self.use_case.monitoring.quality.max_silence_hours
        [last] = self._rows("last_prediction")
        if last["predicted_at"]:
            return (self._age("predictions.silence", "The last prediction was made", last["predicted_at"], limit),)
        if last["deployed_at"]:
            what = "No prediction was ever made; the first release was deployed"
            return (self._age("predictions.silence", what, last["deployed_at"], limit),)
        return ()

    def _age(self, check: str, what: str, moment: datetime, limit: float | None) -> Finding:
        """How long ago something was; without a limit nobody waits for it."""
        hours = max((self.now - moment).total_seconds() / 3600, 0.0)
        allowed = "nobody waits for one" if limit is None else f"{limit:g} hours may pass"
        return Finding(
            check, "", hours, limit, limit is None or hours <= limit, f"{what} {hours:.1f} hours ago; {allowed}."
        )

    def _batch_volume(self, batches: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
        if not batches:
            return ()
        newest, *before = [float(batch["rows"]) for batch in batches]
        return self._volume("batch.volume", f"Batch {batches[0]['batch_id']} has", "rows", newest, before)

    def _prediction_volume(self) -> tuple[Finding, ...]:
        """Yesterday's predictions against the days before it, from the first day with any."""
        today = self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today - timedelta(days=MOST_BEFORE + 1)
        made = {
            row["day"]: row["made"] for row in self._rows("predictions_by_day", window_start=first, window_end=today)
        }
        days = [(today - timedelta(days=back)).date() for back in range(1, MOST_BEFORE + 2)]
        counts = [float(made.get(day, 0)) for day in days if made and day >= min(made)]
        if not counts:
            return ()
        # Few are more or fewer by chance.
        usual = median(counts[1:]) if counts[1:] else 0.0
        fewest = self.use_case.monitoring.min_rows
        if len(counts) > FEWEST_BEFORE and max(usual, counts[0]) < fewest:
            said = f"Yesterday had {plain(counts[0], 1)} predictions, days before {plain(usual, 1)}"
            detail = f"{said}: fewer than {plain(fewest)} vary by chance."
            return (Finding("predictions.volume", "", None, self._most_change, None, detail),)
        return self._volume("predictions.volume", "Yesterday had", "predictions", counts[0], counts[1:])

    @property
    def _most_change(self) -> float | None:
        return self.use_case.monitoring.quality.max_volume_change

    def _volume(self, check: str, what: str, unit: str, newest: float, before: Sequence[float]) -> tuple[Finding, ...]:
        """How far a number lies from the median of those before, as a share of it."""
        limit = self._most_change
        if len(before) < FEWEST_BEFORE:
            detail = f"{what} {plain(newest, 1)} {unit}; {len(before)} before it are too few to say what is usual."
            return (Finding(check, "", None, limit, None, detail),)
        usual = median(before)
        change = abs(newest - usual) / usual if usual else float(newest > 0)
        allowed = "any change may be" if limit is None else f"{limit:.0%} more or less may be"
        detail = f"{what} {plain(newest, 1)} {unit}, {plain(usual, 1)} are usual: a change of {change:.0%}; {allowed}."
        return (Finding(check, "", change, limit, limit is None or change <= limit, detail),)

    def _rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        given = {"use_case": self.use_case.name, "until": self.now, **values}
        return self.warehouse.rows(self.warehouse.statement(f"monitoring/{statement}"), given)
