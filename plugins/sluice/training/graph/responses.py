"""Responses: what a fitted estimator says before it is a prediction, and how classes get their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sluice.domain.errors import ConversionError
from sluice.training.graph.draft import Draft

#: What scikit-learn adds to a probability before it takes its logarithm.
_NEVER_ZERO = 1e-12


@dataclass(frozen=True)
class Response:
    """What an estimator says of each row, in a graph.

    Attributes:
        name: Of the doubles: shape (rows, 1) for a number and for two classes, of which it is the second's;
            (rows, classes) for more.
        kind: `number`: the target; `margin`: larger is more likely, on no scale; `log_odds`: a margin whose sigmoid,
            or softmax, is a probability; `probability`.
        classes: How many; none for a number.
    """

    name: str
    kind: Literal["number", "margin", "log_odds", "probability"]
    classes: int = 0


def probabilities(draft: Draft, response: Response) -> str:
    """Write the probabilities of an estimator that has its own, shape (rows, classes).

    Raises:
        ConversionError: It has none.
    """
    if response.kind == "probability":
        return _both(draft, response.name) if response.classes == 2 else response.name
    if response.kind != "log_odds":
        raise ConversionError("an estimator without probabilities has no writer", action="calibrate it by `sigmoid`")
    if response.classes == 2:
        return _both(draft, sigmoid(draft, response.name))
    return draft.node("Softmax", response.name, axis=1)


def calibrated(draft: Draft, response: Response, calibration: Any) -> str:
    """Write calibrated probabilities, shape (rows, classes).

    Args:
        draft: The graph.
        response: Of the estimator that is calibrated.
        calibration: The one pair of estimator and calibrators of a fitted CalibratedClassifierCV.

    Raises:
        ConversionError: The method has no writer.
    """
    if calibration.method == "sigmoid":
        return _platt(draft, response, calibration.calibrators)
    if calibration.method == "temperature":
        return _temperature(draft, response, calibration.calibrators[0].beta_)
    raise ConversionError(
        f"calibration by {calibration.method!r} has no writer", action="use `sigmoid` or `temperature`"
    )


def sigmoid(draft: Draft, name: str) -> str:
    """Write 1 / (1 + exp(-x)), as exact for very negative numbers as for others.

    The operator of that name answers 0 from -37 downwards, which shared out among classes is everything.
    """
    one = draft.doubles([[1.0]])
    small = draft.node("Exp", draft.node("Neg", draft.node("Abs", name)))
    above = draft.node("GreaterOrEqual", name, draft.doubles([[0.0]]))
    return draft.node("Div", draft.node("Where", above, one, small), draft.node("Add", one, small))


def _both(draft: Draft, second: str) -> str:
    """The probabilities of two classes from the second's."""
    return draft.node("Concat", draft.node("Sub", draft.doubles([[1.0]]), second), second, axis=1)


def _platt(draft: Draft, response: Response, calibrators: list[Any]) -> str:
    """A sigmoid for each class against the rest, shared out where there are more than two.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    slopes = draft.doubles([[-calibrator.a_ for calibrator in calibrators]])
    offsets = draft.doubles([[-calibrator.b_ for calibrator in calibrators]])
    each = sigmoid(draft, draft.node("Add", draft.node("Mul", response.name, slopes), offsets))
    if response.classes == 2:
        return _both(draft, each)
    sums = draft.node("ReduceSum", each, draft.constant(np.array([1], dtype=np.int64)), keepdims=1)
    nothing = draft.node("Equal", sums, draft.doubles([[0.0]]))
    uniform = draft.doubles([[1 / response.classes]])
    return draft.node("Where", nothing, uniform, draft.node("Div", each, sums))


def _temperature(draft: Draft, response: Response, inverse: float) -> str:
    """A softmax of logits that are all multiplied by the same number.

    Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    if response.kind == "probability":
        known = _both(draft, response.name) if response.classes == 2 else response.name
        logits = draft.node("Log", draft.node("Add", known, draft.doubles([[_NEVER_ZERO]])))
    elif response.classes == 2:
        logits = draft.node("Concat", draft.node("Neg", response.name), response.name, axis=1)
    else:
        logits = response.name
    return draft.node("Softmax", draft.node("Mul", logits, draft.doubles([[inverse]])), axis=1)
