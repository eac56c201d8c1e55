"""Refusals: what no release may answer, and what this one's contract says it does not."""

from __future__ import annotations

import json
from typing import Any

import httpx

from sluice.domain.contract import Contract, Input
from sluice.domain.evidence import Check

JSON = "application/json"
#: Deep enough to exhaust a parser that recurses without bound.
DEEP = 100_000

#: A body and the content type it is sent with.
Request = tuple[bytes, str]


def refuses(client: httpx.Client, path: str, contract: Contract) -> Check:
    """Whether bad requests are called the caller's fault, each with a reason."""
    code = "bad_input"
    requests = bad_requests(contract)
    for name, (body, kind) in requests.items():
        response = client.post(path, content=body, headers={"content-type": kind})
        if not 400 <= response.status_code < 500:
            message = f"a request with {name} is answered by {response.status_code} instead of a refusal"
            return Check(code=code, verdict="fail", message=message)
        if not _reason(response):
            message = f"a request with {name} is refused without a reason: {response.text[:200]}"
            return Check(code=code, verdict="fail", message=message)
    return Check(code=code, verdict="pass", message=f"{len(requests)} kinds of bad requests are refused")


def bad_requests(contract: Contract) -> dict[str, Request]:
    """Requests that must be refused, by what is wrong with them."""
    example = contract.example
    return {
        "no JSON": (b"{", JSON),
        "an empty body": (b"", JSON),
        "text that is not UTF-8": (b'{"instances": "\xff"}', JSON),
        "a deep nest": (b"[" * DEEP, JSON),
        "a list for an object": _as_json([example]),
        "nothing known in it": _as_json({"rows": [example]}),
        "an object for the instances": _as_json({"instances": example}),
        "no instances": _as_json({"instances": []}),
        "an instance that is none": _as_json({"instances": [None]}),
        "too many instances": _as_json({"instances": [example] * (contract.limits.max_instances + 1)}),
        "another content type": (_as_json({"instances": [example]})[0], "application/x-pickle"),
    } | {name: _as_json({"instances": [instance]}) for name, instance in _bad_instances(contract).items()}


def _bad_instances(contract: Contract) -> dict[str, dict[str, Any]]:
    example, limits = dict(contract.example), contract.limits
    names = [given.name for given in contract.inputs]
    bad: dict[str, dict[str, Any]] = {"a list for a value": {**example, names[0]: []}}
    for given in contract.inputs:
        for what, value in _bad_values(given, closed=limits.unseen_category == "reject").items():
            # The last input of a kind stands for all of it.
            bad[what] = {**example, given.name: value}
    if limits.unknown_fields == "reject":
        # Longer than every input's name, so it is none of them.
        bad["an unknown field"] = {**example, "x" * (max(map(len, names)) + 1): 1}
    if limits.missing == "reject" or not all(given.nullable for given in contract.inputs):
        bad["no values"] = {}
    return bad


def _bad_values(given: Input, *, closed: bool) -> dict[str, Any]:
    """Values that an input cannot take, by what is wrong with them."""
    if given.type == "category":
        unseen = {"an unseen category": "?" * 20} if closed and given.categories is not None else {}
        return unseen | {"a number for a category": 1, "a category of control characters": "\x00\x1b"}
    if given.type == "boolean":
        return {"a number for a boolean": 1}
    bad: dict[str, Any] = {
        "text for a number": "1",
        "a boolean for a number": True,
        "a number that is none": float("nan"),
        "an infinite number": float("inf"),
        "an integer beyond all numbers": 10**400,
    }
    if given.minimum is not None:
        bad["a number below the range"] = given.minimum - max(1, abs(given.minimum))
    if given.maximum is not None:
        bad["a number above the range"] = given.maximum + max(1, abs(given.maximum))
    return bad | ({"a broken integer": 0.5} if given.type == "integer" else {})


def _as_json(content: Any) -> Request:
    return json.dumps(content).encode(), JSON


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, LookupError, TypeError):
        return ""
