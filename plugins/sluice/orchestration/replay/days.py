"""Days: the rows that happen on each day of a scenario, drawn from the use case's own sample."""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.domain.mechanism import ClassMechanism
from sluice.domain.sample import Drift, Sample
from sluice.domain.use_case import UseCase
from sluice.ingestion import samples
from sluice.ingestion.readings import reader
from sluice.orchestration.replay.scenario import Change, Scenario

if TYPE_CHECKING:
    import pandas as pd

#: Rows that the standard deviations are measured on.
MEASURED_ROWS = 5_000
#: Keeps the seeds of one replay's days apart from those of another's; also days before the first have one.
SEEDS = 100_000
BEFORE = 1_000


@dataclass(frozen=True)
class Days:
    """The world of a replay; the same seed has the same days.

    Attributes:
        use_case: Whose rows.
        sample: How they are drawn.
        scenario: How the world changes.
        seed: Of all that is drawn.
    """

    use_case: UseCase
    sample: Sample
    scenario: Scenario
    seed: int = 0
    _drawn: OrderedDict[int, tuple[str, ...]] = field(default_factory=OrderedDict, repr=False)

    def lines(self, day: int) -> tuple[str, ...]:
        """The rows of a day as lines of CSV, the header first; days before the first are of the unchanged world."""
        if day not in self._drawn:
            volume = self._volume(day)
            text = "".join(
                samples.generate(
                    self.sample,
                    self.use_case.columns,
                    max(1, round(self.scenario.rows_per_day * volume)),
                    self.seed * SEEDS + BEFORE + day,
                    self.world(day),
                )
            )
            self._drawn[day] = tuple(text.splitlines())
            while len(self._drawn) > self.scenario.extract_days + self.scenario.label_delay_days + 1:
                self._drawn.popitem(last=False)
        return self._drawn[day]

    def extract(self, day: int) -> str:
        """What the source writes on a day: the last days' rows of which it is known by then what was true."""
        newest = day - self.scenario.label_delay_days - 1
        days = range(newest - self.scenario.extract_days + 1, newest + 1)
        rows = [line for each in days for line in self.lines(each)[1:]]
        return "\n".join([self.lines(newest)[0], *rows]) + "\n"

    def asked(self, day: int) -> pd.DataFrame:
        """The rows that the endpoint is asked about on a day, and takes: every column of the use case, read as it is.

        A row that holds what the contract refuses gets no prediction, as its caller is told.
        """
        import pandas as pd

        header, *rows = csv.reader(io.StringIO("\n".join(self.lines(day))))
        most = max(1, round(self.scenario.predictions_per_day * self._volume(day)))
        known = {column.source_header: column for column in self.use_case.columns}
        readers = [(known[name], reader(known[name])) for name in header]
        values = [
            {column.name: _value(column.type, read(text)) for (column, read), text in zip(readers, row, strict=True)}
            for row in rows[:most]
        ]
        fills = self.use_case.serving.missing == "impute"
        inputs = self.use_case.inputs
        taken = [
            row for row in values if all(c.allows(row[c.name]) and (fills or row[c.name] is not None) for c in inputs)
        ]
        return pd.DataFrame.from_records(taken, columns=[column.name for column in self.use_case.columns])

    def world(self, day: int) -> Drift:
        """How the world of a day differs from that of the sample."""
        whole = Drift()
        for change in self.scenario.changes:
            strength = change.strength(day)
            if strength:
                whole = _both(whole, self._drift(change, strength))
        return whole

    def _volume(self, day: int) -> float:
        volume = 1.0
        for change in self.scenario.changes:
            volume *= 1 - change.strength(day) * (1 - change.volume)
        return volume

    def _drift(self, change: Change, strength: float) -> Drift:
        """One change, as much of it as holds."""
        drawn = self.sample.columns
        chosen = change.columns or tuple(drawn)
        numbers = [name for name in chosen if name in drawn and drawn[name].continuous]
        spreads = _spreads(self.sample) if change.shift else {}
        shares = {
            name: {_first(self.sample, name): 1 + strength * (change.mix - 1)}
            for name in chosen
            if change.mix != 1 and name in drawn and drawn[name].category
        }
        share = strength * change.missing
        concept = change.concept
        target = self.sample.target
        scale = {target.column: 1 + strength * (concept.scale - 1)} if concept.scale != 1 else {}
        base = 0.0
        if isinstance(target, ClassMechanism):
            scale, base = {}, strength * concept.base * (target.temperature or 1)
        return Drift(
            shift={name: strength * change.shift * spreads[name] for name in numbers if change.shift},
            shares=shares,
            missing=dict.fromkeys(self._may_be_empty(change), share) if share else {},
            scale=scale,
            base=base,
        )

    def _may_be_empty(self, change: Change) -> tuple[str, ...]:
        """The columns that a broken feed leaves empty."""
        if change.columns:
            return change.columns
        drawn = [column for column in self.use_case.inputs if column.name in self.sample.columns]
        nullable = tuple(column.name for column in drawn if column.nullable)
        return nullable or tuple(column.name for column in drawn if column.type in ("number", "integer"))[:1]


def _spreads(sample: Sample) -> dict[str, float]:
    """The standard deviation of every number that is drawn, in the unchanged world."""
    import numpy as np

    from sluice.ingestion.draws import Draw

    table = Draw(sample, Drift())(np.random.Generator(np.random.PCG64(sample.seed)), MEASURED_ROWS)
    return {name: float(np.nanstd(table[name])) for name, marginal in sample.columns.items() if marginal.continuous}


def _first(sample: Sample, name: str) -> str:
    """The category of a column that its marginal names first."""
    marginal = sample.columns[name]
    tables = [
        marginal.shares,
        *(marginal.shares_by_group or {}).values(),
        *(marginal.shares_by_bin.shares if marginal.shares_by_bin else ()),
    ]
    return next(iter(next(table for table in tables if table)))


def _both(one: Drift, other: Drift) -> Drift:
    """Two changes at once."""
    shift = {n: one.shift.get(n, 0) + other.shift.get(n, 0) for n in {**one.shift, **other.shift}}
    scale = {n: one.scale.get(n, 1) * other.scale.get(n, 1) for n in {**one.scale, **other.scale}}
    return Drift(
        shift=shift,
        scale=scale,
        shares={**one.shares, **other.shares},
        missing={**one.missing, **other.missing},
        base=one.base + other.base,
    )


def _value(kind: str, text: str) -> Any:
    """A value as the endpoint's caller would write it, from how a landed one is written."""
    if text == "\\N":
        return None
    if kind in ("number", "integer"):
        return float(text)
    return text == "t" if kind == "boolean" else text
