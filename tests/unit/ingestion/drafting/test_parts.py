"""The parts are told before the rows are in the warehouse, and are those of the warehouse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, quarantine, tables
from sluice.ingestion.drafting import parts
from sluice.ingestion.sources import SourceFile
from sluice.training import snapshots


def test_a_row_has_the_part_that_the_warehouse_gives_it(
    warehouse: Warehouse, make_use_case: Callable[..., UseCase], make_source: Callable[..., SourceFile]
) -> None:
    columns = [
        {"name": "meter", "type": "integer", "role": "id"},
        {"name": "reading", "type": "number"},
        {"name": "floor", "type": "integer", "nullable": True},
        {"name": "heated", "type": "boolean", "nullable": True},
        {"name": "fuel", "type": "category", "categories": ['g"äs', "oil"], "nullable": True},
        {"name": "at", "type": "timestamp", "role": "ignore", "nullable": True},
        {"name": "size", "type": "number", "nullable": True},
    ]
    use_case = make_use_case(
        columns=columns,
        training={"families": {"ridge": {}}, "split": {"test": 0.3, "calibration": 0.2}},
        serving={"example": {"floor": 1, "heated": True, "fuel": "oil", "size": 1}},
    )
    random = np.random.default_rng(0)
    floor = np.where(random.random(200) < 0.1, np.nan, random.integers(-5, 30, 200))
    size = np.where(random.random(200) < 0.1, np.nan, random.choice([0.1, -0.0, 1e-7, 2.0, 123456789.25, 1e17], 200))
    heated = random.choice(np.array(["true", "false", None], dtype=object), 200)
    fuel = random.choice(np.array(['g"äs', "oil", None], dtype=object), 200)
    written = [
        f"{i},1,{'' if f != f else int(f)},{h or ''},{(u or '').replace(chr(34), '')},,{'' if s != s else s}"
        for i, (f, h, u, s) in enumerate(zip(floor, heated, fuel, size, strict=True))
    ]
    written = [line.replace("gäs", '"g""äs"') for line in written]
    source = make_source(*written, header="meter,reading,floor,heated,fuel,at,size")
    batch = batches.land(warehouse, use_case, source)
    quarantine.sweep(warehouse, use_case, batch.batch_id)
    warehouse.execute("UPDATE ingest.batches SET status = 'accepted' WHERE batch_id = %(id)s", {"id": batch.batch_id})
    view = tables.validated(use_case)
    rows = warehouse.rows(sql.SQL("SELECT meter, _part FROM {} ORDER BY meter").format(view))
    shares = parts.identities(use_case.name, [floor, heated, fuel, size], [True, False, False, False])
    told = np.where(shares < 0.3, "test", np.where(shares < 0.5, "calibration", "train"))
    assert [row["_part"] for row in rows] == told.tolist()


def test_the_fewest_rows_are_those_that_training_asks_for() -> None:
    assert parts.FEWEST_TRAIN_ROWS == snapshots.FEWEST_TRAIN_ROWS


@pytest.mark.parametrize(("rows", "shares"), [(1000, (0.2, 0.1)), (150, (0.2, 0.1)), (138, (0.16, 0.08))])
def test_few_rows_are_divided_otherwise(rows: int, shares: tuple[float, float]) -> None:
    made = parts.divide((np.arange(rows) + 0.5) / rows, None, "f.csv")
    assert (made.test, made.calibration) == shares
    assert made.counts["train"] >= 100
    assert made.counts["train"] == made.train.sum()


def test_each_class_has_rows_to_train_and_to_judge_on() -> None:
    shares = (np.arange(1000) + 0.5) / 1000
    rare_in_test_only = (shares < 0.15).astype(float)
    with pytest.raises(DataError, match="each class among them"):
        parts.divide(shares, rare_in_test_only, "f.csv")
    assert parts.divide(shares, (np.arange(1000) % 2).astype(float), "f.csv").counts["test"] == 200


@pytest.mark.parametrize("rows", [12, 120])
def test_too_few_rows_are_refused(rows: int) -> None:
    with pytest.raises(DataError, match=rf"{rows} rows are too few: 100 .* 20 .* 10 .*about 150"):
        parts.divide((np.arange(rows) + 0.5) / rows, None, "f.csv")
