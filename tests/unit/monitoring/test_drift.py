from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BundleError
from sluice.domain.use_case import UseCase
from sluice.monitoring.comparison import ColumnDrift
from sluice.monitoring.drift import Verdict, check, judge
from tests.unit.monitoring.conftest import (
    NOON,
    Rows,
    add_batch,
    add_labels,
    add_letters,
    add_predictions,
    posted,
)

YESTERDAY = NOON - timedelta(days=1)


def test_rows_like_the_reference_are_stable(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    batch_id = add_batch(empty, rows(1500, seed=2))

    drift = check(empty, parcels, reference, 3, "validated", NOON)

    assert drift.verdict == "stable"
    assert drift.drifted_share == 0
    assert [column.column for column in drift.columns] == ["weight", "stops", "fragile", "zone", "price"]
    assert all(column.score is not None and column.threshold for column in drift.columns)
    assert (drift.window.batch_id, drift.window.rows, drift.reference_rows) == (batch_id, 1500, 1000)
    assert f"the 1500 rows of batch {batch_id} (a sample of 1000)" in drift.message


def test_rows_that_moved_have_drifted(empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows) -> None:
    add_predictions(empty, rows(400, shift=1), YESTERDAY)

    drift = check(empty, parcels, reference, 1, "predictions", NOON)

    assert drift.verdict == "drifted"
    assert drift.drifted_share == 1
    assert {c.column for c in drift.columns if c.drifted} == {"weight", "stops", "fragile", "zone", "prediction"}
    assert drift.message.startswith("Drifted: 5 of 5 columns drifted (weight, stops")
    assert "400 predictions of 2026-05-01" in drift.message


def test_predictions_are_compared_without_what_the_log_does_not_hold(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    asked = rows(400, seed=2).drop(columns="zone").assign(weight="0f6d3a8e5b0c4f1e9a7d2b6c8e4f1a03")
    add_predictions(empty, asked, YESTERDAY)

    drift = check(empty, parcels, reference, 1, "predictions", NOON, unlogged=["weight", "zone"])

    assert drift.verdict == "stable"
    assert [column.column for column in drift.columns] == ["stops", "fragile", "prediction"]
    assert drift.message.endswith("Left out, because the log does not hold what is sensitive: weight, zone.")


def test_validated_rows_are_compared_with_what_is_sensitive(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(400, seed=2))

    drift = check(empty, parcels, reference, 1, "validated", NOON, unlogged=["weight"])

    assert [column.column for column in drift.columns] == ["weight", "stops", "fragile", "zone", "price"]
    assert "Left out" not in drift.message


@pytest.mark.parametrize(("first", "drifted"), [(0.5, []), (0.05, ["fate"])], ids=["alike", "moved"])
def test_the_target_of_classes_is_compared_as_a_category(
    empty: Warehouse, letters: UseCase, first: float, drifted: list[str]
) -> None:
    trained = posted(letters, 900, first=0.5, seed=1)
    add_letters(empty, letters, posted(letters, 900, first, seed=2))

    drift = check(empty, letters, trained.assign(prediction=trained["fate"]), 1, "validated", NOON)

    assert [column.column for column in drift.columns] == ["weight", "fate"]
    assert [column.column for column in drift.columns if column.drifted] == drifted
    assert drift.columns[1].method in ("chi-square p_value", "Z-test p_value")


@pytest.mark.parametrize(("first", "drifted"), [(0.5, []), (0.05, ["prediction"])], ids=["alike", "moved"])
def test_what_was_predicted_of_classes_is_compared_as_a_category(
    empty: Warehouse, letters: UseCase, first: float, drifted: list[str]
) -> None:
    trained = posted(letters, 900, first=0.5, seed=1)
    add_labels(empty, posted(letters, 900, first, seed=2), YESTERDAY)

    drift = check(empty, letters, trained.assign(prediction=trained["fate"]), 1, "predictions", NOON)

    assert [column.column for column in drift.columns] == ["weight", "prediction"]
    assert [column.column for column in drift.columns if column.drifted] == drifted
    assert drift.columns[1].method in ("chi-square p_value", "Z-test p_value")


def test_too_few_rows_are_never_called_stable(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(199))

    drift = check(empty, parcels, reference, 1, "validated", NOON)

    assert drift.verdict == "unknown"
    assert drift.html is None
    assert "at least 200" in drift.message


def test_no_rows_at_all_are_never_called_stable(empty: Warehouse, parcels: UseCase, reference: pd.DataFrame) -> None:
    assert check(empty, parcels, reference, 1, "auto", NOON).verdict == "unknown"


def test_a_small_reference_is_no_ground_for_a_verdict(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(500))

    assert check(empty, parcels, reference.head(199), 1, "validated", NOON).verdict == "unknown"


def test_a_reference_without_an_input_is_refused(empty: Warehouse, parcels: UseCase, reference: pd.DataFrame) -> None:
    with pytest.raises(BundleError, match="lacks zone"):
        check(empty, parcels, reference.drop(columns="zone"), 1, "auto", NOON)


def test_a_column_without_a_value_could_not_be_judged(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(300).assign(weight=None))

    drift = check(empty, parcels, reference, 1, "validated", NOON)

    assert drift.columns[0] == ColumnDrift("weight", "none: no values", None, None, None)
    assert "no verdict on weight" in drift.message


def test_the_page_loads_nothing_from_elsewhere(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(300))

    html = check(empty, parcels, reference, 1, "validated", NOON).html

    assert html is not None
    assert "<html" in html
    assert 'src="http' not in html
    assert "<link" not in html


@pytest.mark.parametrize(("count", "source"), [(199, "validated"), (200, "predictions")], ids=["too few", "enough"])
def test_auto_takes_predictions_where_there_are_enough(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows, count: int, source: str
) -> None:
    add_batch(empty, rows(250))
    add_predictions(empty, rows(count), YESTERDAY)

    assert check(empty, parcels, reference, 1, "auto", NOON).window.source == source


@pytest.mark.parametrize(
    ("at", "counted"),
    [
        (datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 5, 1, tzinfo=UTC), 5),
        (datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC), 5),
        (datetime(2026, 5, 2, tzinfo=UTC), 0),
    ],
    ids=["the day before", "first moment", "last moment", "today"],
)
def test_yesterday_is_the_utc_day_before(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows, at: datetime, counted: int
) -> None:
    add_predictions(empty, rows(5), at)

    assert check(empty, parcels, reference, 1, "predictions", NOON).window.rows == counted


def test_only_this_release_and_use_case_count(
    empty: Warehouse, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_predictions(empty, rows(5), YESTERDAY, version=1)
    add_predictions(empty, rows(6), YESTERDAY, version=2)
    add_predictions(empty, rows(7), YESTERDAY, version=2, use_case="letters")

    assert check(empty, parcels, reference, 2, "predictions", NOON).window.rows == 6


@pytest.mark.parametrize(
    ("drifted", "verdict", "share"),
    [
        ([False, False, False, True], "stable", 0.25),
        ([False, False, True, True], "drifted", 0.5),
        ([False, False, False, None], "stable", 0.0),
        ([False, False, True, None], "unknown", 1 / 3),
        ([None, None, True, True], "drifted", 1.0),
        ([None, None, None, None], "unknown", None),
        ([], "unknown", None),
    ],
    ids=["below", "at the limit", "harmless doubt", "doubt decides", "doubt too late", "only doubt", "nothing"],
)
def test_the_verdict_takes_doubt_for_the_worst(
    drifted: list[bool | None], verdict: Verdict, share: float | None
) -> None:
    columns = tuple(ColumnDrift(f"c{i}", "any", 0.1, 0.1, one) for i, one in enumerate(drifted))

    found = judge(columns, max_share=0.5)

    assert found[0] == verdict
    assert found[1] == pytest.approx(share)
