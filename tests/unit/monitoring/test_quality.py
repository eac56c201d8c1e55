"""Data quality over time: on batches that were really landed and swept, and on the log as the endpoint writes it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SourceError
from sluice.domain.histograms import Histograms
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, quarantine
from sluice.monitoring import quality, report
from sluice.monitoring.finding import Finding
from sluice.monitoring.quality import DataQuality, check
from tests.unit.ingestion.conftest import hashed
from tests.unit.monitoring.conftest import NOON, Rows, add_predictions, release

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NUMBERS = count(1)

Arrive = Callable[..., int]


@pytest.fixture(scope="module")
def crates(parcels: UseCase) -> UseCase:
    """Parcels with a declared range, and with two columns that may be missing."""
    changed = {"weight": {"range": (0.0, 50.0)}, "stops": {"nullable": True}, "zone": {"nullable": True}}
    columns = tuple(column.model_copy(update=changed.get(column.name, {})) for column in parcels.columns)
    return parcels.model_copy(update={"name": "crates", "columns": columns})


@pytest.fixture(scope="module")
def histograms(crates: UseCase, reference: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Histograms:
    """Of a release of crates that learned from the reference."""
    return release(tmp_path_factory.mktemp("release"), crates, reference).histograms()


@pytest.fixture
def clean(warehouse: Warehouse) -> Warehouse:
    """The module's warehouse, in which nothing has arrived."""
    warehouse.execute("TRUNCATE ingest.batches, ingest.headers, monitoring.reports, serving.answers CASCADE")
    return warehouse


@pytest.fixture
def arrive(clean: Warehouse, crates: UseCase, tmp_path: Path) -> Arrive:
    """Lands a batch and sweeps it, as ingestion does, at a moment."""

    def arrived(frame: pd.DataFrame, at: datetime = NOON - HOUR, status: str = "accepted") -> int:
        path = tmp_path / f"{next(NUMBERS)}.csv"
        frame.to_csv(path, index=False)
        batch = batches.land(clean, crates, hashed(path))
        swept = quarantine.sweep(clean, crates, batch.batch_id)
        clean.execute(
            "UPDATE ingest.batches SET status = %(status)s, quarantined = %(bad)s, landed_at = %(at)s,"
            " current_since = CASE WHEN %(status)s = 'accepted' THEN %(at)s::timestamptz END"
            " WHERE batch_id = %(batch_id)s",
            {"status": status, "bad": swept.count, "at": at, "batch_id": batch.batch_id},
        )
        return batch.batch_id

    return arrived


def limits(use_case: UseCase, **changes: Any) -> UseCase:
    policy = use_case.monitoring.quality.model_copy(update=changes)
    return use_case.model_copy(update={"monitoring": use_case.monitoring.model_copy(update={"quality": policy})})


def finding(found: DataQuality, check: str, column: str = "") -> Finding:
    return next(each for each in found.findings if (each.check, each.column) == (check, column))


def failed(found: DataQuality) -> set[tuple[str, str]]:
    return {(each.check, each.column) for each in found.findings if each.passed is False}


def test_rows_like_those_of_the_training_are_stable(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    arrive(rows(600, seed=2))
    add_predictions(clean, rows(400, seed=3), NOON - DAY, use_case="crates")

    found = check(clean, crates, histograms, 1, NOON)

    assert found.verdict == "stable", found.message
    assert (found.source, found.rows, found.reference_rows) == ("batch+predictions", 1000, 3000)
    judged = {each.column for each in found.findings if each.check == "batch.missing"}
    assert judged == {"weight", "stops", "fragile", "zone", "price"}
    assert {each.column for each in found.findings if each.check == "predictions.missing"} == judged - {"price"}


def test_values_that_go_missing_are_found_in_good_rows_and_in_quarantine(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    frame = rows(500, seed=2).astype({"stops": object, "fragile": object})
    frame.loc[:49, "stops"] = None  # nullable: stays among the good rows
    frame.loc[50:99, "fragile"] = None  # not nullable: goes to quarantine
    frame.loc[100:149, "price"] = np.nan
    frame["price"] = frame["price"].astype(object)
    frame.loc[140:149, "price"] = "n/a!"  # cannot be read
    arrive(frame, status="rejected")

    found = check(clean, crates, histograms, 1, NOON)

    assert found.verdict == "degraded"
    for column in ("stops", "fragile", "price"):
        assert finding(found, "batch.missing", column).value == pytest.approx(0.1)
    assert failed(found) >= {("batch.missing", column) for column in ("stops", "fragile", "price")}
    assert ("batch.missing", "weight") not in failed(found)
    assert "stops is missing in 10.00% of the newest batch" in found.message


def test_new_categories_and_values_out_of_range_are_found(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    frame = rows(500, seed=2)
    frame.loc[:19, "zone"] = "moon"  # not declared: goes to quarantine
    frame.loc[20:44, "weight"] = 99.0  # beyond the declared range
    frame.loc[45:94, "price"] = 1e6  # no range is declared: beyond that of the training rows
    arrive(frame)

    found = check(clean, crates, histograms, 1, NOON)

    assert finding(found, "batch.new_categories", "zone").value == pytest.approx(0.04)
    assert finding(found, "batch.out_of_range", "weight").value == pytest.approx(0.05)
    assert finding(found, "batch.out_of_range", "price").value == pytest.approx(0.1)
    assert failed(found) >= {
        ("batch.new_categories", "zone"),
        ("batch.out_of_range", "weight"),
        ("batch.out_of_range", "price"),
        ("batch.quarantined", ""),
    }


def test_a_declared_category_that_the_training_did_not_see_is_new(
    clean: Warehouse, parcels: UseCase, crates: UseCase, rows: Rows, arrive: Arrive, tmp_path: Path
) -> None:
    near = rows(3000, seed=1).assign(zone="near", prediction=1.0)
    arrive(rows(500, seed=2))
    add_predictions(clean, rows(400, seed=3), NOON - DAY, use_case="crates")

    found = check(clean, crates, release(tmp_path / "b", crates, near).histograms(), 1, NOON)

    assert {("batch.new_categories", "zone"), ("predictions.new_categories", "zone")} <= failed(found)


def test_what_the_endpoint_is_asked_is_judged_too(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows
) -> None:
    asked = rows(400, seed=2).astype({"stops": object})
    asked.loc[:79, "stops"] = None
    add_predictions(clean, asked, NOON - DAY, use_case="crates")

    found = check(clean, crates, histograms, 1, NOON)

    assert finding(found, "predictions.missing", "stops").value == pytest.approx(0.2)
    assert failed(found) == {("predictions.missing", "stops")}


def test_what_the_log_does_not_hold_is_left_out(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows
) -> None:
    asked = rows(400, seed=2).drop(columns="zone").assign(weight="0f6d3a8e5b0c4f1e9a7d2b6c8e4f1a03")
    add_predictions(clean, asked, NOON - DAY, use_case="crates")

    found = check(clean, crates, histograms, 1, NOON, unlogged=["weight", "zone"])

    assert found.verdict == "stable"
    assert {each.column for each in found.findings if each.column} == {"stops", "fragile"}


def test_too_few_rows_are_never_called_stable(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    arrive(rows(199))
    add_predictions(clean, rows(5), NOON - DAY, use_case="crates")

    found = check(clean, crates, histograms, 1, NOON)

    assert found.verdict == "unknown"
    assert finding(found, "batch.rows").passed is None
    assert finding(found, "predictions.rows").value == 5


def test_nothing_at_all_is_never_called_stable(clean: Warehouse, crates: UseCase, histograms: Histograms) -> None:
    found = check(clean, crates, histograms, 1, NOON)

    assert (found.verdict, found.source, found.rows) == ("unknown", "nothing", 0)


def test_what_came_later_does_not_count(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    arrive(rows(500, seed=2))
    arrive(rows(500, seed=3).assign(price=1e6), at=NOON + HOUR)

    assert check(clean, crates, histograms, 1, NOON).verdict == "stable"
    assert check(clean, crates, histograms, 1, NOON + DAY).verdict == "degraded"


@pytest.mark.parametrize(("limit", "passed"), [(24.0, False), (49.0, True), (None, True)])
def test_a_batch_that_does_not_come_is_missed(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive, limit: Any, passed: bool
) -> None:
    arrive(rows(300, seed=2), at=NOON - 2 * DAY)
    arrive(rows(300, seed=3), at=NOON - HOUR, status="rejected")

    age = finding(check(clean, limits(crates, max_batch_age_hours=limit), histograms, 1, NOON), "batch.age")

    assert age.value == pytest.approx(48)
    assert (age.limit, age.passed) == (limit, passed)


@pytest.mark.parametrize(("limit", "passed"), [(12.0, False), (36.0, True), (None, True)])
def test_callers_who_fall_silent_are_missed(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, limit: Any, passed: bool
) -> None:
    add_predictions(clean, rows(5), NOON - DAY, use_case="crates")

    silence = finding(check(clean, limits(crates, max_silence_hours=limit), histograms, 1, NOON), "predictions.silence")

    assert silence.value == pytest.approx(24)
    assert silence.passed is passed


@pytest.mark.parametrize(
    ("before", "newest", "passed"),
    [
        ((300, 320, 310), 290, True),
        ((300, 320, 310), 700, False),
        ((700, 720, 680), 300, False),
        ((300, 300), 900, None),
    ],
    ids=["usual", "more", "fewer", "too short a past"],
)
def test_a_batch_of_an_unusual_size_is_told(
    clean: Warehouse,
    crates: UseCase,
    histograms: Histograms,
    rows: Rows,
    arrive: Arrive,
    before: tuple[int, ...],
    newest: int,
    passed: bool | None,
) -> None:
    for back, size in enumerate(before, start=1):
        arrive(rows(size, seed=10 + back), at=NOON - back * DAY)
    arrive(rows(newest, seed=2))

    volume = finding(check(clean, crates, histograms, 1, NOON), "batch.volume")

    assert volume.passed is passed
    assert (volume.value is None) == (passed is None)


@pytest.mark.parametrize(
    ("before", "yesterday", "passed"),
    [((300, 320, 310), 290, True), ((300, 320, 310), 20, False), ((300, 0, 300, 300), 0, False), ((9, 9, 9), 2, None)],
    ids=["usual", "fewer", "none", "few at all times"],
)
def test_a_day_with_unusually_few_predictions_is_told(
    clean: Warehouse,
    crates: UseCase,
    histograms: Histograms,
    rows: Rows,
    before: tuple[int, ...],
    yesterday: int,
    passed: bool | None,
) -> None:
    for back, size in enumerate((yesterday, *before), start=1):
        if size:
            # By whichever release: a promotion is no change of the callers'.
            add_predictions(clean, rows(size, seed=back), NOON - back * DAY, version=back, use_case="crates")

    volume = finding(check(clean, crates, histograms, 1, NOON), "predictions.volume")

    assert volume.passed is passed


def test_a_source_whose_header_changes_is_told_even_where_it_could_not_be_landed(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive, tmp_path: Path
) -> None:
    frame = rows(300, seed=2)
    arrive(frame.assign(note="x"), at=NOON - DAY)
    assert finding(check(clean, crates, histograms, 1, NOON), "batch.schema").passed is True

    path = tmp_path / "renamed.csv"
    frame.assign(note="x", colour="red").rename(columns={"weight": "weights"}).to_csv(path, index=False)
    with pytest.raises(SourceError, match="lacks the column 'weight'"):
        batches.land(clean, crates, hashed(path))
    clean.execute("UPDATE ingest.headers SET seen_at = %(at)s", {"at": NOON - HOUR})

    schema = finding(check(clean, crates, histograms, 1, NOON), "batch.schema")

    assert schema.passed is False
    assert schema.value == 3
    assert "'weight' is gone, perhaps renamed to 'weights'" in schema.detail
    assert "'colour' is new" in schema.detail
    assert "note" not in schema.detail


def test_a_field_that_stays_is_no_change(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    arrive(rows(300, seed=2), at=NOON - 3 * HOUR)
    arrive(rows(300, seed=3).assign(colour="red"), at=NOON - 2 * HOUR)
    assert ("batch.schema", "") in failed(check(clean, crates, histograms, 1, NOON))

    arrive(rows(300, seed=4).assign(colour="red"), at=NOON - HOUR)

    assert check(clean, crates, histograms, 1, NOON).verdict == "stable"


def test_the_page_names_what_does_not_hold_and_loads_nothing_from_elsewhere(
    clean: Warehouse, crates: UseCase, histograms: Histograms, rows: Rows, arrive: Arrive
) -> None:
    arrive(rows(300, seed=2).assign(price=1e6))

    found = check(clean, crates, histograms, 1, NOON)

    html = report.page(crates, "quality", found, "Mend the source.")
    assert html.lower().count(found.verdict) == html.count("<h1") == 1
    assert "What does not hold" in html
    assert "price lies beyond" in html
    assert "http" not in html
    assert "<link" not in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("passed", "verdict"),
    [
        ([True, True], "stable"),
        ([True, False], "degraded"),
        ([True, None], "stable"),
        ([None, False], "degraded"),
        ([None, None], "unknown"),
        ([], "unknown"),
    ],
)
def test_one_check_that_fails_is_enough(passed: list[bool | None], verdict: str) -> None:
    findings = [Finding("batch.missing", f"c{i}", 0.1, 0.1, each, "said") for i, each in enumerate(passed)]

    assert quality.judge(findings)[0] == verdict
