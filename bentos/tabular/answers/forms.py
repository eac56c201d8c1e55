"""Forms: the shapes in which rows are asked for and answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from tabular import ids
from tabular.releases.outputs import Answers
from tabular.releases.schema import Row, Schema
from tabular.releases.standing import Release

_encode = msgspec.json.Encoder().encode


class Scored(NamedTuple):
    """What a release makes of a request.

    Attributes:
        answer_id: The first prediction's id.
    """

    answer_id: str
    rows: Sequence[Row]
    answers: Answers


class Form(Protocol):
    """One shape of requests and answers."""

    def rows(self, schema: Schema, body: bytes) -> Sequence[Row]:
        """The rows in a request's body.

        Raises:
            ProblemError: The request breaks the contract.
        """

    def most(self, schema: Schema) -> int:
        """Bytes that a request's body may have."""

    def place(self, index: int) -> str:
        """Where a row stands in the body, for whoever sent it."""

    def content(self, release: Release, scored: Scored, request_id: str, started: float) -> bytes:
        """The answer's JSON text."""


class Batch:
    """A list of instances, answered by a list of predictions."""

    def rows(self, schema: Schema, body: bytes) -> Sequence[Row]:
        return schema.instances(body)

    def most(self, schema: Schema) -> int:
        return schema.sizes.instances

    def place(self, index: int) -> str:
        return f"instances[{index}]"

    def content(self, release: Release, scored: Scored, request_id: str, started: float) -> bytes:
        outputs = release.bundle.outputs
        names = ids.predictions(scored.answer_id, len(scored.rows))
        return _encode(
            {
                "predictions": outputs.documents(scored.answers, names),
                **outputs.envelope,
                **_origin(release, request_id),
            }
        )


class Flat:
    """One flat object, answered by one."""

    def rows(self, schema: Schema, body: bytes) -> Sequence[Row]:
        return schema.instance(body)

    def most(self, schema: Schema) -> int:
        return schema.sizes.instance

    def place(self, index: int) -> str:
        return "body"

    def content(self, release: Release, scored: Scored, request_id: str, started: float) -> bytes:
        bundle = release.bundle
        (document,) = bundle.outputs.documents(scored.answers, [scored.answer_id])
        (row,) = scored.rows
        used = [field.name for field, value in zip(bundle.schema.fields, row, strict=True) if value is not None]
        return _encode(
            {
                **document,
                **bundle.outputs.envelope,
                "features_used": used,
                **_origin(release, request_id),
                "latency_seconds": time.perf_counter() - started,
            }
        )


def _origin(release: Release, request_id: str) -> dict[str, Any]:
    return {
        "use_case": release.bundle.contract.use_case,
        "model_version": release.version,
        "request_id": request_id,
    }


BATCH, FLAT = Batch(), Flat()
