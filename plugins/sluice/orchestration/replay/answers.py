"""Answers: a release's predictions in the log as the endpoint writes them, and what turned out to be true of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sluice.adapters.bundles import Bundle, score
from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

#: A day's requests: one an hour, each with as many rows as there are for it.
REQUESTS = 24


def log(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, rows: pd.DataFrame, midnight: datetime
) -> int:
    """Answer a day's rows and write the answers to the log, over the day; return how many rows there were.

    Args:
        warehouse: Holds the log.
        use_case: Whose.
        bundle: What answers.
        version: Its number.
        rows: One column per input.
        midnight: When the day begins; aware.
    """
    # What is not to be logged is left out, also where the endpoint would write a hash.
    names = [column.name for column in use_case.inputs if column.sensitive is None]
    with warehouse.transaction() as connection:
        fetch(connection, "SELECT serving.ensure_partition(%(day)s)", {"day": midnight.date()})
        for answer_id, moment, part in requests(use_case, rows, midnight):
            values = {
                "answer_id": str(answer_id),
                "request_id": f"replay-{moment:%Y%m%dT%H}",
                "use_case": use_case.name,
                "version": version,
                "size": len(part),
                "names": names,
                "features": json.dumps([[_plain(v) for v in row] for row in part[names].itertuples(index=False)]),
                "moment": moment,
                **_answered(use_case, bundle, part),
            }
            with connection.cursor() as cursor:
                cursor.execute(warehouse.statement("replay/log_answer"), values)
    return len(rows)


def label(warehouse: Warehouse, use_case: UseCase, rows: pd.DataFrame, midnight: datetime, known: datetime) -> int:
    """Write what was true of a day's rows, which were answered before; return how many labels were new.

    Args:
        warehouse: Holds the log.
        use_case: Whose.
        rows: Those that were answered, with the target.
        midnight: When their day began.
        known: When it turned out; aware.
    """
    written = 0
    with warehouse.transaction() as connection, connection.cursor() as cursor:
        for answer_id, moment, part in requests(use_case, rows, midnight):
            target = part[use_case.target]
            values = {
                "answer_id": str(answer_id),
                "predicted_at": moment,
                "numbers": None if use_case.classes else [float(value) for value in target],
                "classes": [_class(value) for value in target] if use_case.classes else None,
                "moment": known,
            }
            cursor.execute(warehouse.statement("replay/log_labels"), values)
            written += cursor.rowcount
    return written


def requests(
    use_case: UseCase, rows: pd.DataFrame, midnight: datetime
) -> Iterator[tuple[UUID, datetime, pd.DataFrame]]:
    """A day's rows as requests, each with its id and its moment; the same ones whenever they are asked for."""
    size = max(1, math.ceil(len(rows) / REQUESTS))
    for place, start in enumerate(range(0, len(rows), size)):
        moment = midnight + timedelta(days=1) * place / REQUESTS
        drawn = uuid5(NAMESPACE_URL, f"{use_case.name} {moment.isoformat()}")
        # The last 16 bits count the predictions of a request.
        yield UUID(int=drawn.int >> 16 << 16), moment, rows.iloc[start : start + size]


def _answered(use_case: UseCase, bundle: Bundle, rows: pd.DataFrame) -> dict[str, Any]:
    """What a release says of rows, as the log's columns."""
    scores = score(bundle, rows[[given.name for given in bundle.contract.inputs]])
    if not use_case.classes:
        return {"predictions": [float(s) for s in scores], "labels": None, "probabilities": None}
    classes = [each.value for each in bundle.contract.output.labels]
    return {
        "predictions": None,
        "labels": [classes[int(best)] for best in scores.argmax(axis=1)],
        "probabilities": json.dumps([dict(zip(classes, map(float, row), strict=True)) for row in scores]),
    }


def _plain(value: Any) -> Any:
    """A cell as JSON has it; pandas writes a missing number as NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _class(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
