"""The tables follow the spec, and the view shows what counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SpecError
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, tables
from sluice.ingestion.sources import SourceFile
from tests.unit.ingestion.conftest import SPEC

MakeUseCase = Callable[..., UseCase]
MakeSource = Callable[..., SourceFile]


def accept(warehouse: Warehouse, use_case: UseCase, source: SourceFile) -> int:
    batch = batches.land(warehouse, use_case, source)
    verdict = {"batch_id": batch.batch_id, "status": "accepted", "reason": None, "quarantined": 0}
    warehouse.execute(warehouse.statement("ingestion/batch_judged"), verdict)
    return batch.batch_id


def validated(warehouse: Warehouse, use_case: UseCase) -> list[dict[str, Any]]:
    statement = sql.SQL("SELECT * FROM {} ORDER BY _batch_id, _row")
    return warehouse.rows(statement.format(tables.validated(use_case)))


def columns(**changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deepcopy(SPEC["columns"])
    return [column | changes.get(column["name"], {}) for column in found]


def test_making_the_tables_again_changes_nothing(warehouse: Warehouse, heating: UseCase) -> None:
    tables.ensure(warehouse, heating)
    view = "SELECT to_regclass(%(view)s)::oid AS id"
    before = warehouse.rows(view, {"view": f"validated.{heating.name}"})
    tables.ensure(warehouse, heating)
    assert warehouse.rows(view, {"view": f"validated.{heating.name}"}) == before


def test_a_new_column_is_added_and_old_rows_lack_it(
    warehouse: Warehouse, heating: UseCase, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    accept(warehouse, heating, make_source("1,2,3,true,gas,"))
    wider = make_use_case(heating.name, columns=[*columns(), {"name": "new", "type": "integer", "role": "ignore"}])
    header = "meter,reading,floor,heated,fuel,at,new"
    accept(warehouse, wider, make_source("1,2,3,true,gas,,4", header=header))
    assert [row["new"] for row in validated(warehouse, wider)] == [None, 4]


def test_a_column_that_left_the_spec_leaves_the_view_and_stays_in_the_table(
    warehouse: Warehouse, heating: UseCase, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    accept(warehouse, heating, make_source("1,2,3,true,gas,"))
    narrower = make_use_case(heating.name, columns=columns()[:-1])
    accept(warehouse, narrower, make_source("2,2,3,true,gas", header="meter,reading,floor,heated,fuel"))
    rows = validated(warehouse, narrower)
    assert [row["meter"] for row in rows] == [1, 2]
    assert "at" not in rows[0]


def test_a_changed_type_is_refused_with_advice(
    warehouse: Warehouse, heating: UseCase, make_use_case: MakeUseCase
) -> None:
    tables.ensure(warehouse, heating)
    changed = make_use_case(heating.name, columns=columns(floor={"type": "number"}))
    with pytest.raises(SpecError, match=r"'floor' is a number .* landed as bigint.*header: floor"):
        tables.ensure(warehouse, changed)


def test_appended_batches_all_count_and_a_full_extract_replaces_the_last(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    files = make_source("1,2,3,true,gas,"), make_source("2,2,3,true,gas,")
    growing, replaced = make_use_case(), make_use_case(source={"mode": "replace"})
    for use_case in (growing, replaced):
        for source in files:
            accept(warehouse, use_case, source)
        batches.land(warehouse, use_case, make_source("3,2,3,true,gas,"))
    assert [row["meter"] for row in validated(warehouse, growing)] == [1, 2]
    assert [row["meter"] for row in validated(warehouse, replaced)] == [2]

    again = batches.land(warehouse, replaced, files[0])
    assert (again.new, again.status) == (False, "accepted")
    assert [row["meter"] for row in validated(warehouse, replaced)] == [1]


def test_a_rows_identity_is_a_hash_of_canonical_text(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    identity = ["meter", "heated", "fuel", "at"]
    use_case = make_use_case(training=SPEC["training"] | {"split": {"identity": identity}})
    accept(warehouse, use_case, make_source("7,20.50,2,true,gas,2024-05-01T00:00:00Z", "7,-0.0,2,,,"))
    first, second = validated(warehouse, use_case)
    assert first["_identity"] == md5([use_case.name, "7", "true", "gas", "1714521600.000000"])
    assert second["_identity"] == md5([use_case.name, "7", None, None, None])


def test_identity_ignores_other_columns_and_is_salted_with_the_use_case(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    one, other = make_use_case(), make_use_case()
    source = make_source("7,1,2,true,gas,", "7,99,,,,")
    for use_case in (one, other):
        accept(warehouse, use_case, source)
    first = {row["_identity"] for row in validated(warehouse, one)}
    assert len(first) == 1
    assert first.isdisjoint(row["_identity"] for row in validated(warehouse, other))


def test_a_rows_part_follows_from_its_identity(
    warehouse: Warehouse, make_use_case: MakeUseCase, make_source: MakeSource
) -> None:
    split = {"identity": ["meter"], "test": 0.2, "calibration": 0.1}
    use_case = make_use_case(training=SPEC["training"] | {"split": split})
    accept(warehouse, use_case, make_source(*[f"{n},1,,,," for n in range(5000)]))
    rows = validated(warehouse, use_case)
    for row in rows:
        share = int(row["_identity"][:8], 16) / 2**32
        assert row["_part"] == ("test" if share < 0.2 else "calibration" if share < 0.2 + 0.1 else "train")
    shares = {part: sum(row["_part"] == part for row in rows) / len(rows) for part in ("test", "calibration")}
    assert shares == pytest.approx({"test": 0.2, "calibration": 0.1}, abs=0.02)


def md5(texts: list[str | None]) -> str:
    content = json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
