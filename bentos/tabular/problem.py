"""Problem details: what is wrong with a request, as RFC 9457 writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from traceback import format_tb
from typing import Any

MEDIA_TYPE = "application/problem+json"
#: More faults than this are not listed: a large body could hold millions.
MOST_FAULTS = 200

TITLES: Mapping[str, str] = {
    "malformed-json": "The body is not JSON",
    "malformed-csv": "The body is not CSV",
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address does not take this method",
    "body-too-large": "The body is too large",
    "too-many-instances": "There are too many instances in one request",
    "too-many-labels": "There are too many labels in one request",
    "body-too-slow": "The body takes too long to arrive",
    "unsupported-media-type": "The body is of another type than this address takes",
    "unauthorized": "A key is needed",
    "too-many-requests": "There are too many requests",
    "busy": "The service has its hands full",
    "warehouse-away": "The warehouse does not answer",
    "contract": "The request breaks the contract",
    "no-prediction": "The model has no answer for these values",
    "internal": "The service failed",
    "not-ready": "No release is loaded yet",
}


def trace(error: BaseException) -> str:
    """An exception as the log may hold it: its type and whence it came; its words may quote what was sent."""
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}".rstrip()


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request.

    Attributes:
        path: Where, for example `instances[3].median_income`.
        message: What is wrong.
        value: What was sent; absent where the field is.
        allowed: What would have been right.
    """

    path: str
    message: str
    value: Any = None
    allowed: str | None = None


@dataclass(eq=False)
class ProblemError(Exception):
    """A request that is not answered, and why."""

    status: int
    kind: str
    detail: str
    errors: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """The JSON text; pure ASCII, so that no value that was sent can keep it from being written."""
        document = {
            "type": f"urn:sluice:problem:{self.kind}",
            "title": TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            "errors": [asdict(fault) for fault in self.errors],
        }
        return json.dumps(document, allow_nan=False).encode("ascii")
