"""Bad rows leave the batch, with every reason; good rows stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, quarantine, tables
from sluice.ingestion.quarantine import Quarantined
from sluice.ingestion.sources import SourceFile

Make = Callable[..., SourceFile]

GOOD = "1,20,2,true,gas,2024-05-01"


def meters(warehouse: Warehouse, table: sql.Composable) -> list[int]:
    statement = sql.SQL("SELECT _row FROM {} ORDER BY _row").format(table)
    return [row["_row"] for row in warehouse.rows(statement)]


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        (",20,2,true,gas,", {"missing:meter"}),
        ("1,NaN,2,true,gas,", {"missing:reading"}),
        ("1,Infinity,2,true,gas,", {"not_finite:reading"}),
        ("1,1e999,2,true,gas,", {"not_finite:reading"}),
        ("1,100.001,2,true,gas,", {"range:reading"}),
        ("1,20,-1,true,gas,", {"range:floor"}),
        ("1,20,2,true,coal,", {"category:fuel"}),
        ("1,20,2,true,GAS,", {"category:fuel"}),
        ("1,20,2,true,gas,infinity", {"not_finite:at"}),
        (",-5,31,,coal,", {"missing:meter", "range:reading", "range:floor", "category:fuel"}),
    ],
)
def test_a_row_that_breaks_a_rule_leaves_with_its_reasons(
    warehouse: Warehouse, heating: UseCase, make_source: Make, row: str, reasons: set[str]
) -> None:
    batch = batches.land(warehouse, heating, make_source(GOOD, row, GOOD))
    found = quarantine.sweep(warehouse, heating, batch.batch_id)
    assert found == Quarantined(1, dict.fromkeys(reasons, 1), 1 / 3)
    assert meters(warehouse, tables.landing(heating)) == [1, 3]
    assert meters(warehouse, tables.quarantine(heating)) == [2]


@pytest.mark.parametrize("row", ["1,0,0,false,oil,", "1,100,30,,,", GOOD], ids=["lower ends", "upper ends", "inside"])
def test_a_row_within_the_rules_stays(warehouse: Warehouse, heating: UseCase, make_source: Make, row: str) -> None:
    batch = batches.land(warehouse, heating, make_source(row))
    assert quarantine.sweep(warehouse, heating, batch.batch_id) == Quarantined(0, {}, 0)


def test_rows_that_landing_could_not_read_count_too(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    batch = batches.land(warehouse, heating, make_source(GOOD, "1,2", "1,-5,2,true,gas,", "1,-6,2,true,gas,"))
    found = quarantine.sweep(warehouse, heating, batch.batch_id)
    assert found == Quarantined(3, {"range:reading": 2, "malformed": 1}, 0.75)
    assert list(found.by_reason) == ["range:reading", "malformed"]
    assert quarantine.sweep(warehouse, heating, batch.batch_id) == found


def test_swept_rows_come_back_as_they_were(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    rows = ["1,0.1,-3,yes,coal,2024-05-01T10:00:00.123456Z", "1,-Infinity,31,,,", "x,1,1,true,gas,", GOOD]
    batch = batches.land(warehouse, heating, make_source(*rows))
    everything = sql.SQL("SELECT * FROM {} ORDER BY _row").format(tables.landing(heating))
    before = warehouse.rows(everything)
    quarantine.sweep(warehouse, heating, batch.batch_id)
    assert len(warehouse.rows(everything)) == 1
    assert quarantine.restore(warehouse, heating, batch.batch_id) == 2
    assert warehouse.rows(everything) == before
    assert quarantine.tally(warehouse, heating, batch.batch_id).by_reason == {"unreadable:meter": 1}


def test_only_the_batch_itself_is_swept(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    first = batches.land(warehouse, heating, make_source("1,-5,2,true,gas,"))
    second = batches.land(warehouse, heating, make_source("2,-5,2,true,gas,"))
    assert quarantine.sweep(warehouse, heating, second.batch_id).count == 1
    assert quarantine.tally(warehouse, heating, first.batch_id).count == 0


def test_a_name_is_an_identifier_and_a_category_a_value(
    warehouse: Warehouse, make_use_case: Callable[..., UseCase], make_source: Make
) -> None:
    columns = [
        {"name": "select", "type": "number"},
        {"name": "Order", "type": "category", "categories": ["it's; --", "100 %", "{x}"]},
    ]
    use_case = make_use_case(
        target="select", columns=columns, serving={"example": {"Order": "100 %"}}, training={"families": {"ridge": {}}}
    )
    batch = batches.land(
        warehouse, use_case, make_source("1,it's; --", "1,100 %", "1,{x}", "1,'", header="select,Order")
    )
    assert quarantine.sweep(warehouse, use_case, batch.batch_id).by_reason == {"category:Order": 1}


def test_a_batch_that_is_not_there_is_said_so(warehouse: Warehouse, heating: UseCase) -> None:
    tables.ensure(warehouse, heating)
    with pytest.raises(StateError, match="no batch 404"):
        quarantine.tally(warehouse, heating, 404)
