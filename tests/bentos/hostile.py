"""Hostile requests, made by hand: each as the bytes that are sent, and what has to come back."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.bentos.bundles import EXAMPLE

KEY = "slk_only-for-hostile-requests"
#: Of the service that is asked: bytes of a body, and seconds for one.
BODY_LIMIT, BODY_SECONDS = 2_000_000, 1.0
#: Stands in values and names that must not be logged.
MARK = "Zq7"
BATCH, FLAT, FILE, FEEDBACK = "/api/v1/predict", "/predict", "/predict/file", "/api/v1/feedback"
JSON = ("content-type: application/json",)
CSV = ("content-type: text/csv",)
HEADER = "income,rooms,furnished,place\n"
#: As the HTTP parser itself answers: no problem document, and the connection ends.
NOT_HTTP = (400, None)
CONTRACT = (422, "contract")
NOT_JSON = (400, "malformed-json")
NOT_CSV = (400, "malformed-csv")
OTHER_TYPE = (415, "unsupported-media-type")
LARGE = (413, "body-too-large")
NOTHING = (404, "not-found")
METHOD = (405, "method-not-allowed")
STRANGER = (401, "unauthorized")
GOOD = (200, None)
#: The connection ends without an answer.
CUT = (0, None)


class Hostile(NamedTuple):
    """One request.

    Attributes:
        sent: Bytes, as they are.
        answer: Status and kind of the problem.
        path: Of the first fault that is told, or None.
        ended: Whether nothing more is sent, as by a caller who leaves.
    """

    sent: bytes
    answer: tuple[int, str | None]
    path: str | None = None
    ended: bool = False


def post(body: bytes | str, to: str = BATCH, headers: tuple[str, ...] = JSON, key: str | None = KEY) -> bytes:
    """A request that is in order, as far as HTTP goes."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"POST {to} HTTP/1.1", "host: s", *headers, *([f"x-api-key: {key}"] if key else [])]
    return head(*lines, f"content-length: {len(content)}") + content


def head(*lines: str) -> bytes:
    """A request's first line and headers, whatever they are."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def get(target: str, method: str = "GET", *headers: str) -> bytes:
    return head(f"{method} {target} HTTP/1.1", "host: s", f"x-api-key: {KEY}", *headers)


def row(**changes: Any) -> str:
    """The example with other values, as JSON."""
    return json.dumps(EXAMPLE | changes)


def rows(**changes: Any) -> bytes:
    return post(f'{{"instances": [{row(**changes)}]}}')


def income(text: str) -> bytes:
    """The example with an income that is written like this."""
    return post(f'{{"instances": [{row().replace("8.5", text, 1)}]}}')


def label(to: str = FEEDBACK, **members: Any) -> bytes:
    return post(json.dumps({"labels": [members]}), to)


def flat(body: str) -> bytes:
    return post(body, FLAT)


def file(body: bytes | str, headers: tuple[str, ...] = CSV) -> bytes:
    return post(body, FILE, headers)
