"""Judging: a batch counts only when it was seen to be good, and the last good one stays until then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BatchRejected, SpecError
from sluice.domain.use_case import UseCase
from sluice.ingestion import acceptance, batches, expectations, report, sources, tables
from sluice.ingestion.sources import SourceFile

MakeUseCase = Callable[..., UseCase]
MakeSource = Callable[..., SourceFile]

GOOD = "1,20,2,true,gas,2024-05-01"
BAD = "1,200,2,true,gas,2024-05-01"


def counted(warehouse: Warehouse, use_case: UseCase) -> int:
    statement = sql.SQL("SELECT count(*) AS rows FROM {}").format(tables.validated(use_case))
    rows: int = warehouse.rows(statement)[0]["rows"]
    return rows


def entry(warehouse: Warehouse, batch_id: int) -> dict[str, Any]:
    return warehouse.rows("SELECT * FROM ingest.batches WHERE batch_id = %(id)s", {"id": batch_id})[0]


def quality(**changes: Any) -> dict[str, Any]:
    return {"max_bad_share": 0.25, "min_rows": 1} | changes


def test_a_good_batch_is_accepted_and_counts(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    use_case = make_use_case(quality=quality())
    batch = batches.land(warehouse, use_case, make_source(GOOD, GOOD, GOOD, BAD))
    assert counted(warehouse, use_case) == 0
    judged = acceptance.judge(warehouse, use_case, batch.batch_id)
    assert (judged.status, judged.quarantined, counted(warehouse, use_case)) == ("accepted", 1, 3)
    before = entry(warehouse, batch.batch_id)
    assert before["judged_at"] is not None
    assert before["current_since"] is not None

    assert acceptance.judge(warehouse, use_case, batch.batch_id).status == "accepted"
    assert entry(warehouse, batch.batch_id) == before


def test_too_many_bad_rows_reject_the_batch_and_the_last_good_one_stays(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    use_case = make_use_case(quality=quality(), source={"mode": "replace"})
    good = batches.land(warehouse, use_case, make_source(GOOD, GOOD))
    acceptance.judge(warehouse, use_case, good.batch_id)
    bad = batches.land(warehouse, use_case, make_source(GOOD, BAD, "1,2"))
    with pytest.raises(BatchRejected) as error:
        acceptance.judge(warehouse, use_case, bad.batch_id)
    message = str(error.value)
    assert "2 of 3 rows (66.67%) are bad, 25.00% may be: malformed 1, range:reading 1" in message
    assert f"quarantine.{use_case.name} where _batch_id = {bad.batch_id}" in message
    stored = entry(warehouse, bad.batch_id)
    assert (stored["status"], stored["quarantined"], stored["current_since"]) == ("rejected", 2, None)
    assert "66.67%" in stored["reason"]
    assert counted(warehouse, use_case) == 2


def test_a_rejected_batch_is_judged_by_the_spec_as_it_is_now(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    strict = make_use_case(quality=quality())
    batch = batches.land(warehouse, strict, make_source(GOOD, BAD))
    for _ in range(2):
        with pytest.raises(BatchRejected):
            acceptance.judge(warehouse, strict, batch.batch_id)
    columns = [c.model_dump(exclude_none=True) for c in strict.columns]
    columns[1]["range"] = [0, 1000]
    wider = make_use_case(strict.name, quality=quality(), columns=columns)
    judged = acceptance.judge(warehouse, wider, batch.batch_id)
    assert (judged.status, judged.quarantined, counted(warehouse, wider)) == ("accepted", 0, 2)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"min_rows": 3}, "row count to be between (at least 3); observed 2"),
        (
            {"expectations": [{"type": "expect_column_mean_to_be_between", "column": "reading", "max_value": 1}]},
            "reading: mean to be between (at most 1); observed 20",
        ),
        (
            {"expectations": [{"type": "expect_column_values_to_be_unique", "column": "meter"}]},
            "meter: values to be unique; 2 of 2 rows do not fit",
        ),
        (
            {"expectations": [{"type": "expect_column_mean_to_be_between", "column": "fuel", "max_value": 1}]},
            "could not tell",
        ),
    ],
    ids=["too few rows", "a mean", "not unique", "what cannot be computed"],
)
def test_an_expectation_that_does_not_hold_rejects_the_batch(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource, rules: dict[str, Any], says: str
) -> None:
    use_case = make_use_case(quality=quality(**rules))
    batch = batches.land(warehouse, use_case, make_source(GOOD, GOOD))
    with pytest.raises(BatchRejected) as error:
        acceptance.judge(warehouse, use_case, batch.batch_id)
    assert says in str(error.value)
    stored = warehouse.rows("SELECT * FROM ingest.validations WHERE batch_id = %(id)s", {"id": batch.batch_id})
    assert [row["success"] for row in stored] == [False]
    assert len(stored[0]["result"]["results"]) == len(list(expectations.checks(use_case)))


def test_a_batch_of_bad_rows_only_is_rejected(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    use_case = make_use_case(quality=quality(max_bad_share=1))
    batch = batches.land(warehouse, use_case, make_source(BAD))
    with pytest.raises(BatchRejected, match="row count"):
        acceptance.judge(warehouse, use_case, batch.batch_id)


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        ({"type": "expect_column_mean_to_be_betwen", "column": "reading"}, "did you mean 'expect_column_mean_to_be_"),
        ({"type": "expect_column_mean_to_be_between", "column": "readings"}, "'readings', which there is not"),
        ({"type": "expect_column_mean_to_be_between", "column": "reading", "smallest": 1}, "smallest"),
        ({"column": "reading"}, "no expectation ''"),
    ],
)
def test_an_expectation_that_cannot_be_is_an_error_of_the_spec(
    make_use_case: MakeUseCase, expectation: dict[str, Any], says: str
) -> None:
    use_case = make_use_case(quality=quality(expectations=[expectation]))
    with pytest.raises(SpecError, match=r"quality\.expectations") as error:
        expectations.suite(use_case)
    assert says in str(error.value)


def test_a_batch_is_left_as_it_was_when_its_suite_cannot_be_made(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    use_case = make_use_case(quality=quality(expectations=[{"type": "expect_nothing"}]))
    batch = batches.land(warehouse, use_case, make_source(GOOD))
    with pytest.raises(SpecError):
        acceptance.judge(warehouse, use_case, batch.batch_id)
    assert batches.get(warehouse, use_case, batch.batch_id).status == "landed"
    assert "The suite has not run." in report.render(warehouse, use_case, batch.batch_id)


def test_the_page_tells_what_was_found(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    use_case = make_use_case(title="Heat & <light>", quality=quality(min_rows=1000))
    batch = batches.land(warehouse, use_case, make_source(GOOD, GOOD, GOOD, BAD))
    with pytest.raises(BatchRejected):
        acceptance.judge(warehouse, use_case, batch.batch_id)
    page = report.render(warehouse, use_case, batch.batch_id)
    for text in ("Heat &amp; &lt;light&gt;", "rejected", "1 (25.00%", "range:reading", batch.sha256, "observed 3"):
        assert text in page
    assert page.index("fails</td>") < page.index("holds</td>")
    assert "http:" not in page
    assert "https:" not in page


@pytest.mark.real_data
def test_the_real_data_is_accepted(warehouse: Warehouse, housing: UseCase, real_data: Path) -> None:
    with sources.resolve(housing, real_data, str(housing.source.real_data)) as source:
        batch = batches.land(warehouse, housing, source)
    judged = acceptance.judge(warehouse, housing, batch.batch_id)
    assert (judged.status, judged.quarantined, counted(warehouse, housing)) == ("accepted", 0, 20_640)
