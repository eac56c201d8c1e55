"""What a graph's outputs mean: numbers with their intervals, or classes with their probabilities and sets."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tabular.contract import Contract, Interval, PredictionSet
from tabular.errors import BundleError

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: How far a probability may lie outside of 0 to 1, and the sum of a row's from 1, through rounding alone.
ROUNDING = 1e-9
SUM_ROUNDING = 1e-6

#: Above this e^x is no double any more.
_LARGEST_EXPONENT = math.log(sys.float_info.max)


class Answer(NamedTuple):
    """What one instance is answered.

    Attributes:
        prediction: A number in the output's unit, or the value of a class.
        probabilities: Value -> probability of every class, in the contract's order; None for a number.
    """

    prediction: float | str
    probabilities: Mapping[str, float] | None = None


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

    def answers(self, outputs: Doubles) -> list[Answer]:
        """One answer per row.

        Args:
            outputs: Shape (rows, width), every row usable.
        """

    def document(self, answer: Answer) -> dict[str, Any]:
        """An answer as callers read it."""

    def figure(self, answer: Answer) -> float:
        """The one number that stands for an answer where only a number can."""


@dataclass(frozen=True)
class Number:
    """A number in a unit."""

    unit: str | None
    interval: Interval | None
    width: int = 1

    @property
    def envelope(self) -> Mapping[str, Any]:
        return {"unit": self.unit, "level": self.interval.level if self.interval else None}

    def usable(self, outputs: Doubles) -> Mask:
        finite: Mask = np.isfinite(outputs[:, 0])
        return finite

    def answers(self, outputs: Doubles) -> list[Answer]:
        return [Answer(number) for number in outputs[:, 0].tolist()]

    def document(self, answer: Answer) -> dict[str, Any]:
        return {"prediction": answer.prediction, "interval": bounds(self.interval, self.figure(answer))}

    def figure(self, answer: Answer) -> float:
        return float(answer.prediction)


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

    def answers(self, outputs: Doubles) -> list[Answer]:
        return [self._answer(row) for row in outputs.clip(0.0, 1.0).tolist()]

    def _answer(self, row: Sequence[float]) -> Answer:
        probabilities = dict(zip(self.titles, row, strict=True))
        # The first of equals.
        return Answer(max(probabilities, key=probabilities.__getitem__), probabilities)

    def document(self, answer: Answer) -> dict[str, Any]:
        return {
            "prediction": answer.prediction,
            "prediction_label": self.titles[str(answer.prediction)],
            "probabilities": answer.probabilities,
            "prediction_set": self._set(answer),
        }

    def _set(self, answer: Answer) -> list[str] | None:
        if self.prediction_set is None:
            return None
        least = self.prediction_set.threshold
        probabilities = (answer.probabilities or {}).items()
        return [value for value, p in probabilities if p >= least or value == answer.prediction]

    def figure(self, answer: Answer) -> float:
        return (answer.probabilities or {})[self.positive or str(answer.prediction)]


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


def bounds(interval: Interval | None, prediction: float) -> tuple[float, float] | None:
    """Both ends of the interval around a prediction, cut to the target's declared range; always finite.

    Args:
        interval: None where it was not measured.
        prediction: In the output's unit.
    """
    if interval is None:
        return None
    half = interval.half_width
    if interval.scale == "log":
        # There is no logarithm from -1 down; the limit there is -1 itself.
        centre = math.log1p(prediction) if prediction > -1 else -math.inf
        low, high = _expm1(centre - half), _expm1(centre + half)
    else:
        low, high = prediction - half, prediction + half
    least = -sys.float_info.max if interval.minimum is None else interval.minimum
    most = sys.float_info.max if interval.maximum is None else interval.maximum
    return min(max(low, least), most), min(max(high, least), most)


def _expm1(exponent: float) -> float:
    return math.expm1(exponent) if exponent < _LARGEST_EXPONENT else math.inf
