"""Landing: a file becomes a batch wholly, once, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from sluice import registry
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SourceError, StateError, TransientError
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, samples, sources, tables
from sluice.ingestion.sources import SourceFile
from tests.unit.ingestion.conftest import HEADER, ROW, SPEC, hashed

Make = Callable[..., SourceFile]

REPOSITORY = Path(__file__).resolve().parents[3]


def landed(warehouse: Warehouse, use_case: UseCase) -> list[dict[str, Any]]:
    statement = sql.SQL("SELECT * FROM {} ORDER BY _batch_id, _row")
    return warehouse.rows(statement.format(tables.landing(use_case)))


def quarantined(warehouse: Warehouse, use_case: UseCase) -> list[dict[str, Any]]:
    statement = sql.SQL('SELECT _row, "row", reasons FROM {} ORDER BY _batch_id, _row')
    return warehouse.rows(statement.format(tables.quarantine(use_case)))


def ledger(warehouse: Warehouse, use_case: UseCase) -> list[dict[str, Any]]:
    return warehouse.rows("SELECT * FROM ingest.batches WHERE use_case = %(name)s", {"name": use_case.name})


def test_a_file_becomes_a_batch(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    source = make_source(ROW, "8,,,,,")
    batch = batches.land(warehouse, heating, source)
    assert (batch.rows, batch.quarantined, batch.status, batch.new, batch.notes) == (2, 0, "landed", True, ())
    first, second = landed(warehouse, heating)
    assert (first["meter"], first["reading"], first["floor"], first["heated"], first["fuel"]) == (
        7,
        20.5,
        2,
        True,
        "gas",
    )
    assert first["at"].isoformat() == "2024-05-01T10:00:00+00:00"
    assert (first["_batch_id"], first["_row"], second["_row"]) == (batch.batch_id, 1, 2)
    assert {second[name] for name in ("reading", "floor", "heated", "fuel", "at")} == {None}
    (entry,) = ledger(warehouse, heating)
    assert (entry["source_uri"], entry["sha256"], entry["bytes"]) == (source.uri, source.sha256, source.bytes)


def test_the_same_file_again_changes_nothing(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    first = batches.land(warehouse, heating, make_source(ROW))
    before = ledger(warehouse, heating)
    again = batches.land(warehouse, heating, make_source(ROW))
    assert (again.batch_id, again.new) == (first.batch_id, False)
    assert ledger(warehouse, heating) == before
    assert len(landed(warehouse, heating)) == 1


def test_the_same_file_is_a_batch_of_each_use_case(
    warehouse: Warehouse, make_use_case: Callable[..., UseCase], make_source: Make
) -> None:
    one, other = (batches.land(warehouse, make_use_case(), make_source(ROW)) for _ in range(2))
    assert one.new
    assert other.new


def test_two_workers_with_the_same_file_land_it_once(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    source = make_source(*[ROW] * 20_000)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: batches.land(warehouse, heating, source), range(4)))
    assert sorted(batch.new for batch in found) == [False, False, False, True]
    assert len({batch.batch_id for batch in found}) == 1
    assert len(landed(warehouse, heating)) == 20_000


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        " 7,20.5 ,2, true,gas ,2024-05-01T10:00:00Z",
        "7.0,20.5,2.0,yes,gas,2024-05-01 10:00:00+00:00",
        '"7","20.5","2","1","gas","2024-05-01T12:00:00+02:00"',
        "7,20.5,2,T, gas,2024/05/01 10:00",
    ],
    ids=["plain", "spaces", "41.0 and yes", "quoted", "other dates"],
)
def test_values_are_read_alike_by_postgres_and_by_tolerance(
    warehouse: Warehouse, heating: UseCase, make_source: Make, row: str
) -> None:
    batches.land(warehouse, heating, make_source(ROW, row))
    first, second = ({k: v for k, v in r.items() if k != "_row"} for r in landed(warehouse, heating))
    assert first == second


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"thousands": "."}, (1234.0, "2024-02-01")), ({"format": "%Y/%d/%m"}, (1.234, "2024-01-02"))],
    ids=["thousands", "format"],
)
def test_numbers_and_dates_are_read_as_their_columns_say(
    warehouse: Warehouse,
    make_use_case: Callable[..., UseCase],
    make_source: Make,
    change: dict[str, str],
    expected: tuple[float, str],
) -> None:
    changed = "at" if "format" in change else "reading"
    columns = [column | (change if column["name"] == changed else {}) for column in SPEC["columns"]]
    # Postgres reads both without complaint, and one of them wrongly.
    batch = batches.land(
        warehouse, make_use_case("europe_" + changed, columns=columns), make_source("7,1.234,,,,2024/02/01")
    )
    assert (batch.rows, batch.quarantined) == (1, 0)
    (row,) = landed(warehouse, make_use_case("europe_" + changed, columns=columns))
    assert (row["reading"], row["at"].date().isoformat()) == expected


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_file_may_separate_its_fields_otherwise(
    warehouse: Warehouse, heating: UseCase, make_source: Make, delimiter: str
) -> None:
    rows = (ROW.replace(",", delimiter), ROW.replace(",", delimiter).replace("gas", '"oil"'), "a,b")
    batch = batches.land(warehouse, heating, make_source(*rows, header=HEADER.replace(",", delimiter)))
    assert (batch.rows, batch.quarantined) == (3, 1)
    assert [row["fuel"] for row in landed(warehouse, heating)] == ["gas", "oil"]


@pytest.mark.parametrize("missing", ["", '""', "NA", "NaN", "null", "?", "-", "n/a", "None"])
@pytest.mark.parametrize("beside", ["1", "1.0"], ids=["alone", "beside a tolerant reading"])
def test_a_missing_value_is_missing_however_it_is_spelt(
    warehouse: Warehouse, heating: UseCase, make_source: Make, missing: str, beside: str
) -> None:
    batches.land(warehouse, heating, make_source(f"{beside},{missing},{missing},{missing},{missing},{missing}"))
    (row,) = landed(warehouse, heating)
    assert [row[name] for name in ("reading", "floor", "heated", "fuel", "at")] == [None] * 5


def test_rows_that_cannot_be_read_go_to_quarantine(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    batch = batches.land(warehouse, heating, make_source(ROW, "x,1,y,true,gas,", "1,2", ROW))
    assert (batch.rows, batch.quarantined) == (4, 2)
    assert [row["_row"] for row in landed(warehouse, heating)] == [1, 4]
    unreadable, malformed = quarantined(warehouse, heating)
    assert (unreadable["_row"], unreadable["reasons"]) == (2, ["unreadable:meter", "unreadable:floor"])
    assert unreadable["row"] == dict(zip(HEADER.split(","), ["x", "1", "y", "true", "gas", ""], strict=True))
    assert (malformed["_row"], malformed["row"], malformed["reasons"]) == (3, {"fields": ["1", "2"]}, ["malformed"])


def test_a_mark_that_ends_older_servers_input_loses_no_row(
    warehouse: Warehouse, heating: UseCase, make_source: Make
) -> None:
    batch = batches.land(warehouse, heating, make_source(ROW, "\\.", ROW, ROW))
    assert (batch.rows, len(landed(warehouse, heating))) == (4, 3)


def test_fields_in_any_order_and_others_beside_them(warehouse: Warehouse, heating: UseCase, make_source: Make) -> None:
    plain = make_source("gas,7,1.5,2,true,", header="fuel,meter,reading,floor,heated,at")
    beside = make_source("gas,8,1.5,2,true,,x", header="fuel,meter, reading ,floor,heated,at,note")
    assert batches.land(warehouse, heating, plain).notes == ()
    notes = batches.land(warehouse, heating, beside).notes
    assert notes == ("the field 'note' is not in the spec and was ignored",)
    assert [(row["meter"], row["reading"], row["fuel"]) for row in landed(warehouse, heating)] == [
        (7, 1.5, "gas"),
        (8, 1.5, "gas"),
    ]


@pytest.mark.parametrize("rows", [(), ("", " ")], ids=["header only", "blank lines"])
def test_a_source_without_rows_leaves_nothing(
    warehouse: Warehouse, heating: UseCase, make_source: Make, rows: tuple[str, ...]
) -> None:
    with pytest.raises(SourceError, match="no rows"):
        batches.land(warehouse, heating, make_source(*rows))
    assert ledger(warehouse, heating) == []


def test_a_file_that_changes_while_it_is_read_leaves_nothing(
    warehouse: Warehouse, heating: UseCase, make_source: Make
) -> None:
    source = make_source(ROW)
    with source.path.open("a") as file:
        file.write(ROW + "\n")
    with pytest.raises(TransientError, match="changed"):
        batches.land(warehouse, heating, source)
    assert (ledger(warehouse, heating), landed(warehouse, heating)) == ([], [])


def test_a_batch_that_is_not_there_is_said_so(warehouse: Warehouse, heating: UseCase) -> None:
    with pytest.raises(StateError, match="no batch 404"):
        batches.get(warehouse, heating, 404)


KILLED = """
import sys
from pathlib import Path
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, sources

dsn, statements, spec, file = sys.argv[1:]
use_case = UseCase.model_validate_json(spec)
with sources.resolve(use_case, Path("/"), file) as source:
    print("landing", flush=True)
    batches.land(Warehouse(dsn, Path(statements)), use_case, source)
"""


@pytest.mark.parametrize(
    ("first", "rows"), [(ROW, 3_000_000), (" " + ROW, 300_000)], ids=["by Postgres", "by tolerance"]
)
def test_killing_the_process_in_the_middle_leaves_nothing(
    warehouse: Warehouse, heating: UseCase, tmp_path: Path, first: str, rows: int
) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write(f"{HEADER}\n{first}\n")
        file.writelines([f"{ROW}\n"] * rows)
    arguments = [warehouse.dsn, str(warehouse.statements), heating.model_dump_json(), str(path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], env=environment)
    _wait_until(lambda: _copied(warehouse) > 1000)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    _wait_until(lambda: _copied(warehouse) == 0)

    assert (ledger(warehouse, heating), landed(warehouse, heating)) == ([], [])
    left = "SELECT relname FROM pg_class WHERE starts_with(relname, %(name)s || '$')"
    assert warehouse.rows(left, {"name": heating.name}) == []
    path.write_text(f"{HEADER}\n{ROW}\n")
    assert batches.land(warehouse, heating, hashed(path)).new


def _copied(warehouse: Warehouse) -> int:
    rows = warehouse.rows("SELECT sum(tuples_processed) AS rows FROM pg_stat_progress_copy")
    return int(rows[0]["rows"] or 0)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.01)


@pytest.mark.real_data
def test_the_real_data_lands_as_it_is(warehouse: Warehouse, housing: UseCase, real_data: Path) -> None:
    with sources.resolve(housing, real_data, str(housing.source.real_data)) as source:
        batch = batches.land(warehouse, housing, source)
    assert (batch.rows, batch.quarantined, batch.new) == (20_640, 0, True)
    missing = warehouse.rows("SELECT count(*) AS n FROM landing.housing WHERE total_bedrooms IS NULL")
    assert missing == [{"n": 207}]


def test_every_sample_that_ships_lands_without_a_bad_row(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = REPOSITORY / "include" / "use_cases"
    for use_case in registry.find(folder).use_cases:
        path = tmp_path / f"{use_case.name}.csv"
        samples.write(path, samples.read(folder / use_case.name), use_case.columns, rows=3000)
        batch = batches.land(warehouse, use_case, hashed(path))
        assert (batch.rows, batch.quarantined) == (3000, 0)
