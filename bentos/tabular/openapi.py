"""The OpenAPI document, made from the contract of the release that serves."""

from __future__ import annotations

from typing import Any

from tabular.contract import Contract, Input, Limits
from tabular.problem import MEDIA_TYPE

_TYPES = {"number": "number", "integer": "integer", "boolean": "boolean", "category": "string"}
_REFUSALS = {
    "400": "The body is not JSON",
    "413": "The body is too large, or holds too many instances",
    "415": "The body is not declared to be JSON",
    "422": "The request breaks the contract",
    "503": "No release is loaded yet",
}


def document(contract: Contract, version: int) -> dict[str, Any]:
    """Describe the interface of one release.

    Args:
        contract: What it promises.
        version: The release's version.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": contract.title, "description": contract.description, "version": str(version)},
        "paths": {
            "/api/v1/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": f"Predict {contract.output.name}",
                    "parameters": [_REQUEST_ID, _KEY],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}},
                    },
                    "responses": {
                        "200": {
                            "description": "One prediction per instance, in the same order",
                            "headers": {"x-sluice-version": {"schema": {"type": "string"}}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
                        },
                        **{status: _refusal(words) for status, words in _REFUSALS.items()},
                    },
                }
            },
            "/": {"get": {"operationId": "card", "summary": "What serves", "responses": {"200": _ANY_OBJECT}}},
        },
        "components": {
            "schemas": {
                "Instance": _instance(contract),
                "Request": _request(contract),
                "Answer": _answer(contract),
                "Problem": _PROBLEM,
            }
        },
    }


def _instance(contract: Contract) -> dict[str, Any]:
    limits = contract.limits
    return {
        "type": "object",
        "properties": {given.name: _property(given, limits) for given in contract.inputs},
        "required": [given.name for given in contract.inputs if not _may_be_missing(given, limits)],
        "additionalProperties": limits.unknown_fields == "ignore",
        "example": contract.example,
    }


def _property(given: Input, limits: Limits) -> dict[str, Any]:
    kind = _TYPES[given.type]
    missing = _may_be_missing(given, limits)
    schema: dict[str, Any] = {"type": [kind, "null"] if missing else kind}
    description = " ".join(part for part in (given.description, f"({given.unit})" if given.unit else "") if part)
    if description:
        schema["description"] = description
    if given.minimum is not None:
        schema["minimum"] = given.minimum
    if given.maximum is not None:
        schema["maximum"] = given.maximum
    if given.categories is not None and limits.unseen_category == "reject":
        schema["enum"] = [*given.categories, *([None] if missing else [])]
    return schema


def _may_be_missing(given: Input, limits: Limits) -> bool:
    return given.nullable and limits.missing == "impute"


def _request(contract: Contract) -> dict[str, Any]:
    instances = {
        "type": "array",
        "minItems": 1,
        "maxItems": contract.limits.max_instances,
        "items": {"$ref": "#/components/schemas/Instance"},
    }
    return {
        "type": "object",
        "properties": {"instances": instances},
        "required": ["instances"],
        "additionalProperties": False,
        "example": {"instances": [contract.example]},
    }


def _answer(contract: Contract) -> dict[str, Any]:
    row = {**(_class(contract) if contract.output.labels else _number(contract)), "prediction_id": _ID}
    prediction = {"type": "object", "properties": row, "required": list(row)}
    properties: dict[str, Any] = {
        "predictions": {"type": "array", "items": prediction},
        "unit": {"type": ["string", "null"]},
        "level": {"type": ["number", "null"], "description": "Share of new rows that the interval or the set covers"},
        "use_case": {"type": "string"},
        "model_version": {"type": "integer"},
        "request_id": {"type": "string"},
    }
    if contract.output.labels:
        properties["positive"] = {
            "type": ["string", "null"],
            "description": "The class that a model of two classes looks for",
            "enum": [contract.output.positive],
        }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _number(contract: Contract) -> dict[str, Any]:
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


def _class(contract: Contract) -> dict[str, Any]:
    labels = contract.output.labels
    values = [label.value for label in labels]
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
            "enum": list(dict.fromkeys(label.title for label in labels)),
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


def _refusal(words: str) -> dict[str, Any]:
    return {
        "description": words,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_ID = {"type": "string", "format": "uuid"}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "Comes back in the answer and stands in the log; made up where absent",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
}
_KEY = {
    "name": "x-sluice-key",
    "in": "header",
    "description": "Whoever sends the same key is answered by the same release while another is tried beside it",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
}
_ANY_OBJECT = {
    "description": "The service card",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
_FAULT = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "examples": ["instances[3].median_income"]},
        "message": {"type": "string"},
        "value": {"description": "What was sent, shortened; null where nothing was"},
        "allowed": {"type": ["string", "null"]},
    },
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": _FAULT},
    },
    "required": ["type", "title", "status", "detail", "errors"],
}
