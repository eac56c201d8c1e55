"""The OpenAPI document, made from the contract of the release that serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabular.files.cells import quoted
from tabular.problem import MEDIA_TYPE
from tabular.releases.contract import Contract, Value
from tabular.watching import exposition
from tabular.web.probes import PROBES
from tabular.web.shapes import SANE, reference, shapes

Part = dict[str, Any]

JSON = "application/json"
CSV = "text/csv"
HTML = "text/html"


def document(contract: Contract, version: int, keyed: bool = False) -> Part:
    """Describe the interface of one release.

    Args:
        contract: What it promises.
        version: The release's version.
        keyed: Whether only who has a key may ask.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": contract.title, "description": contract.description, "version": str(version)},
        "security": [{scheme: []} for scheme in _SCHEMES] if keyed else [],
        "paths": {
            "/api/v1/predict": {"post": _predict(contract, keyed)},
            "/predict": {"post": _predict_one(contract, keyed)},
            "/predict/file": {method: _predict_file(contract, method, keyed) for method in ("post", "put")},
            "/api/v1/feedback": {"post": _feedback(contract, keyed)},
            "/": {"get": _card(keyed)},
            "/docs": {"get": _page("docs", "This description, to look at and to try out")},
            "/openapi.json": {"get": _itself(keyed)},
            "/metrics": {"get": _metrics(keyed)},
            **{address: {"get": _probe(address[1:], summary)} for address, summary in PROBES.items()},
        },
        "components": {"schemas": shapes(contract), "securitySchemes": _SCHEMES},
    }


def _predict(contract: Contract, keyed: bool) -> Part:
    return {
        "operationId": "predict",
        "summary": f"Predict {contract.output.name}",
        "parameters": [_REQUEST_ID, _SIDE],
        "requestBody": _body(JSON, reference("Request"), {"instances": [contract.example]}),
        "responses": {
            "200": _answer("One prediction per instance, in the same order", {JSON: reference("Answer")}),
            **_refusals(_POSTED, keyed),
        },
    }


def _predict_one(contract: Contract, keyed: bool) -> Part:
    refusals = _POSTED | {"413": "The body is too large"}
    return {
        "operationId": "predict_one",
        "summary": f"Predict {contract.output.name} for one flat object",
        "parameters": [_REQUEST_ID, _SIDE],
        "requestBody": _body(JSON, reference("Instance"), contract.example),
        "responses": {
            "200": _answer("The prediction", {JSON: reference("FlatAnswer")}),
            **_refusals(refusals, keyed),
        },
    }


def _predict_file(contract: Contract, method: str, keyed: bool) -> Part:
    text = {"type": "string", "description": "CSV in UTF-8, its header names the inputs; of any size"}
    refusals = {status: words for status, words in _POSTED.items() if status != "413"} | {
        "400": "The body is not CSV",
        "408": "The body stopped coming, or its answer was not read; or either went on too slowly",
        "415": "The body is not declared to be CSV in UTF-8",
        "422": "The header is not the contract's; a row that is not gets an error in the answer instead",
        "503": "No release is loaded yet, or too many uploads are under way",
    }
    told = "The file with the predictions, or what is wrong, beside each row; sent while the rest still comes in"
    return {
        "operationId": f"predict_file_by_{method}",
        "summary": f"Predict {contract.output.name} for every row of a CSV file",
        "parameters": [_REQUEST_ID],
        "requestBody": _body(CSV, text, _table(contract.example)),
        "responses": {"200": _answer(told, {CSV: {"type": "string"}}), **_refusals(refusals, keyed)},
    }


def _feedback(contract: Contract, keyed: bool) -> Part:
    shape = shapes(contract)["Labels"]
    refusals = _POSTED | {
        "413": "The body is too large, or holds too many labels",
        "503": "No release is loaded yet, too many large requests are under way, or the warehouse takes no labels; "
        "nothing was stored",
    }
    return {
        "operationId": "feedback",
        "summary": "Say what turned out to be true of predictions",
        "parameters": [_REQUEST_ID],
        "requestBody": _body(JSON, reference("Labels"), shape["example"]),
        "responses": {
            "200": _answer("What became of the labels", {JSON: reference("Kept")}),
            **_refusals(refusals, keyed),
        },
    }


def _card(keyed: bool) -> Part:
    told = "What serves; for whoever accepts text/html the page that shows it, which needs no key"
    page = {"description": "The page has not changed", "headers": _GUARDED}
    return {
        "operationId": "card",
        "summary": "What serves",
        "parameters": [_REQUEST_ID],
        "responses": {
            "200": {
                "description": told,
                "headers": _GUARDED,
                "content": {JSON: {"schema": reference("Card")}, HTML: {"schema": {"type": "string"}}},
            },
            "304": page,
            **_refusals({}, keyed),
        },
    }


def _page(name: str, summary: str) -> Part:
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {
            "200": {
                "description": "A page",
                "headers": _GUARDED,
                "content": {HTML: {"schema": {"type": "string"}}},
            },
            "304": {"description": "It has not changed", "headers": _GUARDED},
        },
    }


def _itself(keyed: bool) -> Part:
    return {
        "operationId": "openapi",
        "summary": "This description",
        "parameters": [_REQUEST_ID],
        "responses": {
            "200": _answer("An OpenAPI document", {JSON: {"type": "object"}}),
            **_refusals({"503": "No release is loaded yet"}, keyed),
        },
    }


def _metrics(keyed: bool) -> Part:
    media = exposition.MEDIA_TYPE.partition(";")[0]
    return {
        "operationId": "metrics",
        "summary": "The service's series",
        "parameters": [_REQUEST_ID],
        "responses": {
            "200": {
                "description": "Series for Prometheus",
                "headers": _GUARDED,
                "content": {media: {"schema": {"type": "string"}}},
            },
            **_refusals({}, keyed),
        },
    }


def _probe(name: str, summary: str) -> Part:
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Yes"}, "503": {"description": "No"}},
    }


def _body(media: str, shape: Part, example: Any) -> Part:
    return {"required": True, "content": {media: {"schema": shape, "example": example}}}


def _answer(description: str, content: Mapping[str, Part]) -> Part:
    return {
        "description": description,
        "headers": {**_GUARDED, "x-sluice-version": _VERSION},
        "content": {media: {"schema": shape} for media, shape in content.items()},
    }


def _refusals(refusals: Mapping[str, str], keyed: bool) -> Part:
    """The refusals of one address, and those that every address with data has."""
    common = {"401": "A valid key is needed"} if keyed else {}
    return {
        status: {
            "description": words,
            "headers": {**_GUARDED, **_FURTHER.get(status, {})},
            "content": {MEDIA_TYPE: {"schema": reference("Problem")}},
        }
        for status, words in sorted((common | {"429": "There are too many requests"} | dict(refusals)).items())
    }


def _table(instance: Mapping[str, Value]) -> str:
    """An instance as a CSV file of one row."""
    cells = ("" if value is None else str(value) for value in instance.values())
    return "".join(f"{','.join(map(quoted, line))}\n" for line in (instance, cells))


_POSTED = {
    "400": "The body is not JSON",
    "408": "The body takes too long to arrive",
    "413": "The body is too large, or holds too many instances",
    "415": "The body is not declared to be JSON in UTF-8",
    "422": "The request breaks the contract, or has no prediction",
    "503": "No release is loaded yet, or too many large requests are under way",
}
#: Either will do.
_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "Comes back in the answer and stands in the log, if it is 1 to 128 letters, digits and ._:-; "
    "otherwise one is made up",
    "schema": {"type": "string"},
    "example": "order-7",
}
_SIDE = {
    "name": "x-sluice-key",
    "in": "header",
    "description": "Whoever sends the same 1 to 128 letters, digits and ._:- is answered by the same release while "
    "another is tried beside it",
    "schema": {"type": "string"},
}
_VERSION = {"description": "The release that answered", "required": True, "schema": {"type": "integer", "minimum": 1}}
_GUARDED = {"x-request-id": {"description": "The request's id", "required": True, "schema": SANE}}
_SECONDS = {"description": "Seconds after which to ask again", "schema": {"type": "integer", "minimum": 1}}
_FURTHER: Mapping[str, Part] = {
    "401": {"www-authenticate": {"required": True, "schema": {"type": "string"}}},
    "429": {"retry-after": _SECONDS | {"required": True}},
    "503": {"retry-after": _SECONDS},
}
