"""What a graph's outputs mean: numbers with their intervals, or classes with their probabilities and sets."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tabular.errors import BundleError
from tabular.releases.contract import Contract, Interval, PredictionSet

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: How far a probability may lie outside of 0 to 1, and the sum of a row's from 1, through rounding alone.
ROUNDING = 1e-9
SUM_ROUNDING = 1e-6
#: So many rows are answered without arrays.
FEW_ROWS = 8
#: e to this is still a double.
MOST_EXPONENT = 700.0


class Answers(NamedTuple):
    """What the instances of a request are answered, in their order.

    Attributes:
        predictions: Numbers in the output's unit, or values of classes.
        probabilities: Value -> probability of every class, in the contract's order; None for numbers.
    """

    predictions: Sequence[float] | Sequence[str]
    probabilities: Sequence[Mapping[str, float]] | None = None


class Outputs(Protocol):
    """How the outputs of one release are read."""

    @property
    def width(self) -> int:
        """How many outputs the graph gives for a row."""

    @property
    def envelope(self) -> Mapping[str, Any]:
        """What an answer says once for all of its rows."""

    def usable(self, outputs: Doubles) -> Mask:
        """Which rows have an answer.

        Args:
            outputs: Shape (rows, width).

        Returns:
            Shape (rows,).
        """

    def answers(self, outputs: Doubles) -> Answers:
        """One answer per row.

        Args:
            outputs: Shape (rows, width), every row usable.
        """

    def documents(self, answers: Answers, prediction_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The answers as callers read them, each with its id."""

    def figure(self, answers: Answers) -> float:
        """The one number that stands for the last answer where only a number can."""


@dataclass(frozen=True)
class Number:
    """A number in a unit."""

    unit: str | None
    interval: Interval | None
    width: int = 1

    @cached_property
    def _ends(self) -> Ends | None:
        return Ends.of(self.interval) if self.interval else None

    @property
    def envelope(self) -> Mapping[str, Any]:
        return {"unit": self.unit, "level": self.interval.level if self.interval else None}

    def usable(self, outputs: Doubles) -> Mask:
        finite: Mask = np.isfinite(outputs[:, 0])
        return finite

    def answers(self, outputs: Doubles) -> Answers:
        return Answers(outputs[:, 0].tolist())

    def documents(self, answers: Answers, prediction_ids: Sequence[str]) -> list[dict[str, Any]]:
        numbers: Sequence[Any] = answers.predictions
        intervals: Sequence[list[float] | None]
        intervals = self._ends.pairs(numbers) if self._ends else [None] * len(numbers)
        return [
            {"prediction": number, "interval": interval, "prediction_id": prediction_id}
            for number, interval, prediction_id in zip(numbers, intervals, prediction_ids, strict=True)
        ]

    def figure(self, answers: Answers) -> float:
        return float(answers.predictions[-1])


@dataclass(frozen=True)
class Classes:
    """Classes with their probabilities.

    Attributes:
        titles: Value -> title, in the order of the graph's outputs.
        positive: The class that a binary model looks for.
    """

    titles: Mapping[str, str]
    positive: str | None
    prediction_set: PredictionSet | None

    @property
    def width(self) -> int:
        return len(self.titles)

    @property
    def envelope(self) -> Mapping[str, Any]:
        level = self.prediction_set.level if self.prediction_set else None
        return {"unit": None, "level": level, "positive": self.positive}

    def usable(self, outputs: Doubles) -> Mask:
        # A NaN compares as false, and an infinity lies outside of the range.
        within = ((outputs >= -ROUNDING) & (outputs <= 1 + ROUNDING)).all(axis=1)
        whole: Mask = within & (np.abs(outputs.sum(axis=1) - 1) <= SUM_ROUNDING)
        return whole

    def answers(self, outputs: Doubles) -> Answers:
        values, cut = list(self.titles), outputs.clip(0.0, 1.0)
        # The first of equals.
        chosen = [values[place] for place in cut.argmax(axis=1).tolist()]
        return Answers(chosen, [dict(zip(values, row, strict=True)) for row in cut.tolist()])

    def documents(self, answers: Answers, prediction_ids: Sequence[str]) -> list[dict[str, Any]]:
        rows = zip(answers.predictions, answers.probabilities or (), prediction_ids, strict=True)
        return [
            {
                "prediction": value,
                "prediction_label": self.titles[str(value)],
                "probabilities": probabilities,
                "prediction_set": self._set(str(value), probabilities),
                "prediction_id": prediction_id,
            }
            for value, probabilities, prediction_id in rows
        ]

    def _set(self, chosen: str, probabilities: Mapping[str, float]) -> list[str] | None:
        if self.prediction_set is None:
            return None
        least = self.prediction_set.threshold
        return [value for value, p in probabilities.items() if p >= least or value == chosen]

    def figure(self, answers: Answers) -> float:
        return (answers.probabilities or ())[-1][self.positive or str(answers.predictions[-1])]


def of(contract: Contract) -> Outputs:
    """How the outputs of a release are read.

    Args:
        contract: What it promises.

    Raises:
        BundleError: The contract promises what does not go together.
    """
    if contract.task == "regression":
        if contract.output.labels or contract.output.positive is not None or contract.prediction_set:
            raise BundleError("contract.json promises a number, and classes or a prediction set too")
        return Number(contract.output.unit, contract.interval)
    titles = {label.value: label.title for label in contract.output.labels}
    if len(titles) < len(contract.output.labels) or "" in titles:
        raise BundleError("contract.json names a class twice, or one without a value")
    if contract.interval:
        raise BundleError("contract.json promises classes, and an interval too")
    positive = contract.output.positive
    if contract.task == "binary" and (len(titles) != 2 or positive != list(titles)[-1]):
        raise BundleError("contract.json promises a binary model, and not two classes with the positive one last")
    if contract.task == "multiclass" and (len(titles) < 3 or positive is not None):
        raise BundleError("contract.json promises a multiclass model, and not three classes or more, none positive")
    return Classes(titles, positive, contract.prediction_set)


@dataclass(frozen=True)
class Ends:
    """Both ends of the intervals around predictions: straight lines, also where log(1 + y) ± h is e^±h · (1 + y) - 1.

    They are cut to the target's declared range, and always finite.

    Attributes:
        low: Slope and offset of the lower end.
        high: The same of the upper end.
        floor: What is below has the ends of this.
        least: The lowest that an end may be.
        most: The highest.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    floor: float
    least: float
    most: float

    @classmethod
    def of(cls, interval: Interval) -> Ends:
        """The ends of an interval as it was measured."""
        half, floor = interval.half_width, -math.inf
        low, high = (1.0, -half), (1.0, half)
        if interval.scale == "log":
            # There is no logarithm from -1 down; the limit there is -1 itself. What leaves the doubles is cut anyway.
            shrink, grow, floor = math.exp(-half), math.exp(min(half, MOST_EXPONENT)), -1.0
            low, high = (shrink, shrink - 1), (grow, grow - 1)
        least = -sys.float_info.max if interval.minimum is None else interval.minimum
        most = sys.float_info.max if interval.maximum is None else interval.maximum
        return cls(low, high, floor, least, most)

    def pairs(self, predictions: Sequence[float]) -> list[list[float]]:
        """Both ends around each prediction, in the output's unit."""
        # An array costs as much as a few rows do without.
        if len(predictions) <= FEW_ROWS:
            return [self.around(prediction) for prediction in predictions]
        both: list[list[float]] = np.column_stack(self.arrays(np.array(predictions))).tolist()
        return both

    def around(self, prediction: float) -> list[float]:
        """Both ends around one prediction, in the output's unit."""
        base = max(prediction, self.floor)
        ends = (slope * base + offset for slope, offset in (self.low, self.high))
        return [min(max(end, self.least), self.most) for end in ends]

    def arrays(self, predictions: Doubles) -> tuple[Doubles, Doubles]:
        """The lower and the upper ends around predictions, each of shape (rows,), as `around` has them."""
        base = np.maximum(predictions, self.floor)
        with np.errstate(over="ignore"):
            low, high = ((slope * base + offset).clip(self.least, self.most) for slope, offset in (self.low, self.high))
        return low, high
