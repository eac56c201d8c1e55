"""Labels: what turned out to be true of a prediction, as callers send it later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tabular.exchange import SANE_ID
from tabular.ids import MOST_PLACES
from tabular.problem import MOST_FAULTS, Fault
from tabular.releases.contract import Contract, Input
from tabular.releases.fields import field
from tabular.releases.reading import listed, parse, quote, refuse, repetitions, step, strangers

MEMBERS = ("prediction_id", "request_id", "index", "label", "observed_at")
#: Nothing was observed before; what lies ahead is a clock that goes wrong, or a zone that was forgotten.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)

_ABSENT = object()
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True)
class Label:
    """What was true of one prediction.

    Attributes:
        path: Where it stands in the body, for whoever sent it.
        prediction_id: Whose it is; None where the request's id says so.
        request_id: Of the request, where there is no prediction's id.
        index: Which of the request's predictions; None for its only one.
        value: A number, or the value of a class.
        observed_at: When it turned out; None where nobody says.
    """

    path: str
    prediction_id: UUID | None
    request_id: str | None
    index: int | None
    value: float | str
    observed_at: datetime | None


@dataclass(frozen=True)
class Target:
    """What a label may be: what is wrong with a value, or None; and what is allowed, in words."""

    fault: Callable[[Any], str | None]
    allowed: str


def read(body: bytes, contract: Contract) -> list[Label]:
    """The labels in a request's body, at least one.

    Args:
        body: `{"labels": [...]}`, as JSON.
        contract: Of the release that serves; its output says what a label may be.

    Raises:
        ProblemError: The body is not JSON, or breaks the contract; it lists every fault, up to `MOST_FAULTS`.
    """
    faults: list[Fault] = []
    told: list[Label] = []
    known = target(contract)
    for place, given in enumerate(listed(parse(body), "labels", contract.limits.max_instances, faults)):
        label = _label(f"labels[{place}]", given, known, faults)
        if label:
            told.append(label)
        if len(faults) >= MOST_FAULTS:
            break
    faults.extend(twice(told, [_named(label) for label in told]))
    refuse(faults)
    return told


def target(contract: Contract) -> Target:
    """What a label may be."""
    output = contract.output
    if output.labels:
        values = [label.value for label in output.labels]
        return Target(lambda value: None if value in values else "is not one of the classes", _one_of(values))
    interval = contract.interval
    number = field(
        Input(
            name=output.name,
            type="number",
            unit=output.unit,
            # The target's declared range, which the contract knows by the interval alone.
            minimum=interval.minimum if interval else None,
            maximum=interval.maximum if interval else None,
        ),
        contract.limits,
    )
    return Target(number.fault, number.allowed)


def twice(labels: Sequence[Label], named: Sequence[object]) -> list[Fault]:
    """The faults of labels that speak of a prediction that an earlier one speaks of.

    Args:
        labels: In the request's order.
        named: What each speaks of.
    """
    first: dict[object, str] = {}
    faults = []
    for label, name in zip(labels, named, strict=True):
        if first.setdefault(name, label.path) != label.path:
            message = f"is of the same prediction as {first[name]}"
            faults.append(Fault(label.path, message, None, "one label for each prediction"))
    return faults


def _label(path: str, given: Any, known: Target, faults: list[Fault]) -> Label | None:
    """One label, or None and faults."""
    if not isinstance(given, dict):
        faults.append(Fault(path, "is not an object", quote(given), "an object with an id and a label"))
        return None
    before = len(faults)
    faults.extend(repetitions(given, path))
    faults.extend(strangers(path, given, MEMBERS, "is not known"))
    faults.extend(_owner_faults(path, given))
    if "label" not in given:
        faults.append(Fault(f"{path}.label", "is missing", None, known.allowed))

    def taken(name: str, fault: Callable[[Any], str | None], allowed: str) -> Any:
        value = given.get(name, _ABSENT)
        if value is _ABSENT:
            return None
        if message := ("is null" if value is None else fault(value)):
            faults.append(Fault(f"{path}.{name}", message, quote(value), allowed))
            return None
        return value

    prediction_id = taken("prediction_id", _uuid_fault, "an id as an answer gives it to a prediction")
    request_id = taken("request_id", _request_fault, "an id as an answer gives it to a request")
    index = taken("index", _index_fault, f"a whole number from 0 to {MOST_PLACES - 1}")
    value = taken("label", known.fault, known.allowed)
    observed_at = taken("observed_at", _moment_fault, "a time in the past, as 2026-05-01T12:00:00Z")
    if len(faults) > before:
        return None
    return Label(
        path,
        UUID(prediction_id) if prediction_id else None,
        request_id,
        None if index is None else int(index),
        value if isinstance(value, str) else float(value),
        datetime.fromisoformat(observed_at) if observed_at else None,
    )


def _owner_faults(path: str, given: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with which ids are there."""
    if "prediction_id" not in given and "request_id" not in given:
        return [Fault(path, "has no id", None, "a prediction_id, or a request_id and an index")]
    if "prediction_id" not in given:
        return []
    odd = [name for name in ("request_id", "index") if name in given]
    return [Fault(step(path, name), "is one too many", quote(given[name]), "prediction_id alone") for name in odd]


def _named(label: Label) -> object:
    """What a label speaks of, as far as it says so itself."""
    return label.prediction_id or (label.request_id, label.index or 0)


def _one_of(values: Sequence[str]) -> str:
    return f"one of: {', '.join(values[:20])}{', ...' if len(values) > 20 else ''}"


def _uuid_fault(value: Any) -> str | None:
    return None if isinstance(value, str) and UUID_TEXT.fullmatch(value) else "is not the id of a prediction"


def _request_fault(value: Any) -> str | None:
    return None if isinstance(value, str) and SANE_ID.fullmatch(value) else "is not the id of a request"


def _index_fault(value: Any) -> str | None:
    # A boolean is an int in Python; 2.0 is 2 in JSON.
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return None if whole and 0 <= value < MOST_PLACES else "is not a place in a request"


def _moment_fault(value: Any) -> str | None:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return "is not a time with its zone"
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return "is not a time with its zone"
    return None if EARLIEST <= moment <= datetime.now(UTC) + AHEAD else "is not in the past"
