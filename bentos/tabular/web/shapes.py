"""Shapes: the JSON Schemas of what the service takes and answers, made from the contract of the release that serves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tabular.exchange import SANE_ID
from tabular.ids import MOST_PLACES
from tabular.problem import MOST_FAULTS, TITLES
from tabular.record import labels
from tabular.releases.contract import Contract, Input, Limits
from tabular.releases.fields import MOST_CHARACTERS

Shape = dict[str, Any]

_TYPES = {"number": "number", "integer": "integer", "boolean": "boolean", "category": "string"}
#: What may stand in a text of any kind; that it must be printable is more than patterns can say alike everywhere.
_TEXT = {"minLength": 1, "maxLength": MOST_CHARACTERS, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}
ID = {"type": "string", "format": "uuid"}
SANE = {"type": "string", "pattern": f"^{SANE_ID.pattern}$"}


def shapes(contract: Contract) -> dict[str, Shape]:
    """Every schema that the document refers to, by its name."""
    row, envelope = _prediction(contract), _envelope(contract)
    return {
        "Instance": _instance(contract),
        "Request": _listed("instances", reference("Instance"), contract.limits.max_instances, contract.example),
        "Answer": _answer(row, envelope),
        "FlatAnswer": _flat_answer(row, envelope, [given.name for given in contract.inputs]),
        "Labels": _labels(contract),
        "Kept": _KEPT,
        "Card": _CARD,
        "Problem": _PROBLEM,
    }


def reference(name: str) -> Shape:
    """A schema, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _instance(contract: Contract) -> Shape:
    limits = contract.limits
    return {
        "type": "object",
        "properties": {given.name: _input(given, limits) for given in contract.inputs},
        "required": [given.name for given in contract.inputs if not _may_be_missing(given, limits)],
        "additionalProperties": limits.unknown_fields == "ignore",
        "example": contract.example,
    }


def _input(given: Input, limits: Limits) -> Shape:
    kind = _TYPES[given.type]
    missing = _may_be_missing(given, limits)
    shape: Shape = {"type": [kind, "null"] if missing else kind}
    description = " ".join(part for part in (given.description, f"({given.unit})" if given.unit else "") if part)
    if description:
        shape["description"] = description
    if given.type in ("number", "integer"):
        shape |= _range(given.minimum, given.maximum)
    if given.type == "category":
        known = list(given.categories or ())
        if given.categories is None or limits.unseen_category != "reject":
            shape |= _TEXT
            shape |= {"examples": known} if known else {}
        else:
            shape["enum"] = [*known, *([None] if missing else [])]
    return shape


def _range(low: float | None, high: float | None) -> Shape:
    """What a number may be: where nothing is declared, what a double holds."""
    most = sys.float_info.max
    return {"minimum": -most if low is None else low, "maximum": most if high is None else high}


def _may_be_missing(given: Input, limits: Limits) -> bool:
    return given.nullable and limits.missing == "impute"


def _listed(name: str, items: Shape, most: int, *examples: Any) -> Shape:
    """An object with nothing but a list of at least one."""
    return {
        "type": "object",
        "properties": {name: {"type": "array", "minItems": 1, "maxItems": most, "items": items}},
        "required": [name],
        "additionalProperties": False,
        "example": {name: [*examples][:most]},
    }


def _answer(row: Shape, envelope: Shape) -> Shape:
    predictions = {"type": "array", "minItems": 1, "items": _object(row)}
    return _object({"predictions": predictions, **envelope, **_ORIGIN})


def _flat_answer(row: Shape, envelope: Shape, names: Sequence[str]) -> Shape:
    used = {
        "type": "array",
        "description": "The inputs that had a value",
        "items": {"type": "string", "enum": [*names]},
        "uniqueItems": True,
    }
    taken = {"type": "number", "minimum": 0, "description": "From the request's arrival to its answer"}
    return _object({**row, **envelope, "features_used": used, **_ORIGIN, "latency_seconds": taken})


def _prediction(contract: Contract) -> Shape:
    """What is said of one row."""
    return {**(_class(contract) if contract.output.labels else _number(contract)), "prediction_id": ID}


def _envelope(contract: Contract) -> Shape:
    """What is said once for all rows."""
    envelope: Shape = {
        "unit": {"type": ["string", "null"], "enum": [contract.output.unit]},
        "level": {
            "type": ["number", "null"],
            "description": "Share of new rows that the interval or the set covers; null where it was not measured",
        },
    }
    if contract.output.labels:
        envelope["positive"] = {
            "type": ["string", "null"],
            "description": "The class that a model of two classes looks for",
            "enum": [contract.output.positive],
        }
    return envelope


def _number(contract: Contract) -> Shape:
    return {
        "prediction": {"type": "number", "description": contract.output.unit or ""},
        "interval": {
            "type": ["array", "null"],
            "description": "Lower and upper end; null where it was not measured",
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
        },
    }


def _class(contract: Contract) -> Shape:
    known = contract.output.labels
    values = [label.value for label in known]
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "prediction": {
            "type": "string",
            "description": "The most probable class, the first of equals",
            "enum": values,
        },
        "prediction_label": {
            "type": "string",
            "description": "What people call it",
            "enum": list(dict.fromkeys(label.title for label in known)),
        },
        "probabilities": {
            "type": "object",
            "properties": dict.fromkeys(values, probability),
            "required": values,
            "additionalProperties": False,
        },
        "prediction_set": {
            "type": ["array", "null"],
            "description": "The classes that may be the true one at this level; null where it was not measured",
            "items": {"type": "string", "enum": values},
            "minItems": 1,
            "uniqueItems": True,
        },
    }


def _labels(contract: Contract) -> Shape:
    label: Shape = {"type": "number", "description": contract.output.unit or ""}
    values = [known.value for known in contract.output.labels]
    interval = contract.interval
    if values:
        label = {"type": "string", "enum": values}
    else:
        # The target's declared range, which the contract knows by the interval alone.
        label |= _range(interval.minimum, interval.maximum) if interval else _range(None, None)
    moment = {
        "type": "string",
        "format": "date-time",
        "pattern": f"^{labels.MOMENT.pattern}$",
        "description": "When it turned out; from 1970 on, and not in the future",
    }
    truth = {"label": label, "observed_at": moment}
    index = {
        "type": "integer",
        "minimum": 0,
        "maximum": MOST_PLACES - 1,
        "description": "May be left out where there is one",
    }
    by_prediction = {"prediction_id": ID | {"pattern": f"^{labels.UUID_TEXT.pattern}$"}, **truth}
    by_request = {"request_id": SANE, "index": index, **truth}
    ways = [(by_prediction, ["prediction_id", "label"]), (by_request, ["request_id", "label"])]
    items = {
        "oneOf": [
            {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
            for properties, required in ways
        ]
    }
    example = values[-1] if values else (interval and interval.minimum) or 0.0
    return _listed(
        "labels",
        items,
        contract.limits.max_instances,
        {"prediction_id": "01985c1e-7a2b-7c3d-9e4f-5a6b7c8d0000", "label": example},
        {"request_id": "order-7", "index": 0, "label": example, "observed_at": "2026-05-01T12:00:00Z"},
    )


def _object(properties: Shape, *optional: str) -> Shape:
    """An object in an answer; later versions of this service may say more."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


_ORIGIN: Shape = {
    "use_case": {"type": "string"},
    "model_version": {"type": "integer", "minimum": 1},
    "request_id": SANE,
}
_COUNT = {"type": "integer", "minimum": 0}
_FAULT = _object(
    {
        "path": {"type": "string", "examples": ["instances[3].median_income"]},
        "message": {"type": "string"},
        "value": {"description": "What was sent, shortened; null where nothing was"},
        "allowed": {"type": ["string", "null"]},
    }
)
_PROBLEM = _object(
    {
        "type": {"type": "string", "enum": [f"urn:sluice:problem:{kind}" for kind in TITLES]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "request_id": SANE,
        "errors": {"type": "array", "maxItems": MOST_FAULTS, "items": _FAULT},
    }
)
_KEPT = _object(
    {
        "stored": _COUNT | {"description": "Labels that are new, or correct an older one"},
        "unchanged": _COUNT | {"description": "Labels that were known"},
        "unknown": {
            "type": "array",
            "description": "Labels that were not stored, because no logged prediction is theirs; send them again later",
            "items": _FAULT,
        },
        "use_case": {"type": "string"},
        "request_id": SANE,
    }
)
_OBJECT = {"type": "object"}
_CARD = _object(
    {
        "use_case": {"type": "string"},
        "ready": {"type": "boolean", "description": "Whether a release is loaded; what follows `challenger` is of it"},
        "source": {"type": "string", "description": "Where it was found"},
        "reason": {"type": "string", "description": "`ok`, or why not the champion from the registry"},
        "runtime_sha256": {"type": "string"},
        "challenger": {"type": ["object", "null"], "description": "What is tried beside it"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string"},
        "task": {"type": "string", "enum": ["regression", "binary", "multiclass"]},
        "inputs": {"type": "array", "items": _OBJECT},
        "output": _OBJECT,
        "limits": _OBJECT,
        "example": _OBJECT,
        "metrics": _OBJECT,
        "lineage": _OBJECT,
    },
    *("version", "title", "task", "inputs", "output", "limits", "example", "metrics", "lineage"),
)
