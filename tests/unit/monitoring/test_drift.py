import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BundleError
from sluice.domain.use_case import UseCase
from sluice.monitoring import windows
from sluice.monitoring.comparison import MISSING, ColumnDrift
from sluice.monitoring.drift import Verdict, check, judge
from sluice.monitoring.report import page
from tests.unit.monitoring.conftest import (
    NOON,
    Rows,
    add_batch,
    add_labels,
    add_letters,
    add_predictions,
    add_truth,
    posted,
    release,
)

YESTERDAY = NOON - timedelta(days=1)


def test_rows_like_the_reference_are_stable(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    batch_id = add_batch(empty, rows(1500, seed=2))

    drift = check(empty, parcels, bundle, 3, "validated", NOON)

    assert drift.verdict == "stable"
    assert drift.drifted_share == 0
    assert [column.column for column in drift.columns] == ["weight", "stops", "fragile", "zone", "price"]
    assert all(column.score is not None and column.threshold for column in drift.columns)
    assert (drift.window.batch_id, drift.window.rows, drift.reference_rows) == (batch_id, 1500, 3000)
    assert f"the 1,500 rows of batch {batch_id} with the 3,000 training rows of version 3" in drift.message


def test_rows_that_moved_have_drifted(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_predictions(empty, rows(400, shift=1), YESTERDAY)

    drift = check(empty, parcels, bundle, 1, "predictions", NOON)

    assert drift.verdict == "drifted"
    assert drift.drifted_share == 1
    assert {c.column for c in drift.columns if c.drifted} == {"weight", "stops", "fragile", "zone", "prediction"}
    assert drift.sample
    assert {"weight", "zone"} <= set(re.findall(r'"column": "(\w+)"', drift.sample.dumps())), "it can be published"
    assert drift.message.startswith("Drifted: 5 of 5 columns drifted (weight, stops")
    assert "400 predictions of 2026-05-01" in drift.message


def test_all_rows_decide_and_what_the_sample_says_stands_beside(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows
) -> None:
    # A tenth of the rows has one weight; the sample has 1000 rows, and `zone` moves by less than chance moves them.
    batch = rows(3000, seed=2)
    batch.loc[batch.index % 10 == 0, "weight"] = 40.0
    add_batch(empty, batch)

    weight, *others = check(empty, parcels, bundle, 1, "validated", NOON).columns

    assert weight.sampled is not None
    assert (weight.drifted, weight.sampled.drifted) == (True, True)
    assert (weight.method, weight.threshold) == (weight.sampled.method, weight.sampled.threshold)
    assert weight.score == pytest.approx(3.5, rel=0.02)
    assert weight.sampled.score == pytest.approx(weight.score, rel=0.2)
    assert [column.drifted for column in others] == [False] * 4


def test_where_the_sample_says_otherwise_both_are_told(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows
) -> None:
    # One far weight among many rows: all of them see it, and the sample does not hold it.
    batch = rows(3000, seed=2)
    add_batch(empty, batch)
    window = windows.find(empty, parcels, 1, "validated", NOON)
    drawn = set(windows.sample(empty, parcels, 1, window)["weight"])
    unseen = next(weight for weight in batch["weight"] if weight not in drawn)
    empty.execute("UPDATE landing.parcels SET weight = 1000 WHERE weight = %(weight)s", {"weight": unseen})

    drift = check(empty, parcels, bundle, 1, "validated", NOON)

    weight = drift.columns[0]
    assert weight.sampled is not None
    assert (weight.drifted, weight.sampled.drifted) == (True, False)
    assert "The sample that the page shows says otherwise of weight (0.0" in drift.message
    assert drift.html is not None
    assert drift.html.count('class="disputed"') == 1


def test_predictions_are_compared_without_what_the_log_does_not_hold(
    empty: Warehouse, tmp_path: Path, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    asked = rows(400, seed=3).drop(columns="zone").assign(weight="0f6d3a8e5b0c4f1e9a7d2b6c8e4f1a03")
    add_predictions(empty, asked, YESTERDAY)
    shy = release(tmp_path, parcels, reference, weight="hash", zone="drop")

    drift = check(empty, parcels, shy, 1, "predictions", NOON)

    assert drift.verdict == "stable"
    assert [column.column for column in drift.columns] == ["stops", "fragile", "prediction"]
    assert "Left out, because the log does not hold what is sensitive: weight, zone." in drift.message


def test_validated_rows_are_compared_with_what_is_sensitive(
    empty: Warehouse, tmp_path: Path, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(400, seed=3))

    drift = check(empty, parcels, release(tmp_path, parcels, reference, weight="hash"), 1, "validated", NOON)

    assert [column.column for column in drift.columns] == ["weight", "stops", "fragile", "zone", "price"]
    assert "Left out" not in drift.message


def test_a_release_without_histograms_is_compared_by_its_reference(
    empty: Warehouse, tmp_path: Path, parcels: UseCase, bundle: Bundle, rows: Rows
) -> None:
    older = bundles.write(tmp_path / "older", b"", bundle.contract, bundle.golden, bundle.reference())
    add_batch(empty, rows(400, shift=1))

    drift = check(empty, parcels, older, 1, "validated", NOON)

    assert (drift.verdict, drift.reference_rows) == ("drifted", 1000)


@pytest.mark.parametrize(("labelled", "compared"), [(199, False), (200, True)], ids=["too few", "enough"])
def test_labels_are_compared_where_there_are_enough(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows, labelled: int, compared: bool
) -> None:
    add_predictions(empty, rows(400, seed=3), YESTERDAY)
    add_truth(empty, YESTERDAY, [40.0] * labelled)

    drift = check(empty, parcels, bundle, 1, "predictions", NOON)

    assert [c.column for c in drift.columns if c.drifted] == (["price"] if compared else [])
    assert ("199 labels are too few to compare price by" in drift.message) is not compared


@pytest.mark.parametrize(("first", "drifted"), [(0.5, []), (0.05, ["fate"])], ids=["alike", "moved"])
def test_the_target_of_classes_is_compared_as_a_category(
    empty: Warehouse, tmp_path: Path, letters: UseCase, first: float, drifted: list[str]
) -> None:
    trained = posted(letters, 900, first=0.5, seed=1)
    add_letters(empty, letters, posted(letters, 900, first, seed=2))

    learned = release(tmp_path, letters, trained.assign(prediction=trained["fate"]))
    drift = check(empty, letters, learned, 1, "validated", NOON)

    assert [column.column for column in drift.columns] == ["weight", "fate"]
    assert [column.column for column in drift.columns if column.drifted] == drifted
    assert drift.columns[1].method == "Jensen-Shannon distance"


@pytest.mark.parametrize(("first", "drifted"), [(0.5, []), (0.05, ["prediction"])], ids=["alike", "moved"])
def test_what_was_predicted_of_classes_is_compared_as_a_category(
    empty: Warehouse, tmp_path: Path, letters: UseCase, first: float, drifted: list[str]
) -> None:
    trained = posted(letters, 900, first=0.5, seed=1)
    add_labels(empty, posted(letters, 900, first, seed=2), YESTERDAY)

    learned = release(tmp_path, letters, trained.assign(prediction=trained["fate"]))
    drift = check(empty, letters, learned, 1, "predictions", NOON)

    assert [column.column for column in drift.columns] == ["weight", "prediction"]
    assert [column.column for column in drift.columns if column.drifted] == drifted
    assert drift.columns[1].method == "Jensen-Shannon distance"


def test_too_few_rows_are_never_called_stable(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_batch(empty, rows(199))

    drift = check(empty, parcels, bundle, 1, "validated", NOON)

    assert drift.verdict == "unknown"
    assert drift.html is None
    assert "at least 200" in drift.message


def test_no_rows_at_all_are_never_called_stable(empty: Warehouse, parcels: UseCase, bundle: Bundle) -> None:
    assert check(empty, parcels, bundle, 1, "auto", NOON).verdict == "unknown"


def test_a_small_reference_is_no_ground_for_a_verdict(
    empty: Warehouse, tmp_path: Path, parcels: UseCase, reference: pd.DataFrame, rows: Rows
) -> None:
    add_batch(empty, rows(500))

    assert check(empty, parcels, release(tmp_path, parcels, reference.head(199)), 1, "validated", NOON).html is None


def test_a_reference_without_an_input_is_refused(
    empty: Warehouse, tmp_path: Path, parcels: UseCase, reference: pd.DataFrame
) -> None:
    with pytest.raises(BundleError, match="lacks zone"):
        check(empty, parcels, release(tmp_path, parcels, reference.drop(columns="zone")), 1, "auto", NOON)


def test_a_column_whose_values_went_has_drifted(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_batch(empty, rows(300).assign(weight=None))

    drift = check(empty, parcels, bundle, 1, "validated", NOON)

    assert drift.columns[0] == ColumnDrift("weight", MISSING, 1.0, 0.05, True)
    assert "weight holds no value: its missing share changed by 100%." in drift.message


def test_nothing_but_missing_values_is_drawn_without_a_sample(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows
) -> None:
    add_batch(empty, rows(300).assign(weight=None, stops=None, fragile=None, zone=None, price=None))

    drift = check(empty, parcels, bundle, 1, "validated", NOON)

    assert drift.verdict == "drifted"
    assert drift.html is not None
    assert "no column has values on both sides" in drift.html


def test_any_window_can_be_asked_for(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_predictions(empty, rows(150, shift=1), NOON - timedelta(days=9))
    add_predictions(empty, rows(150, shift=1, seed=2), NOON - timedelta(days=8))
    batch_id = add_batch(empty, rows(300))
    add_batch(empty, rows(310, shift=1))

    past = check(empty, parcels, bundle, 1, windows.between(NOON - timedelta(days=9), NOON - timedelta(days=7)), NOON)
    batch = check(empty, parcels, bundle, 1, windows.of_batch(batch_id), NOON)

    assert (past.verdict, past.window.rows) == ("drifted", 300)
    assert "300 predictions from 2026-04-23 12:00 to 2026-04-25 12:00 UTC" in past.message
    assert (batch.verdict, batch.window.rows) == ("stable", 300)


def test_the_page_loads_nothing_from_elsewhere(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_batch(empty, rows(300))

    html = check(empty, parcels, bundle, 1, "validated", NOON).html

    assert html is not None
    assert "<html" in html
    assert 'src="http' not in html
    assert "<link" not in html


def test_the_page_begins_with_the_verdict_and_a_picture_of_every_column(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows
) -> None:
    add_batch(empty, rows(300, shift=1))

    drift = check(empty, parcels, bundle, 7, "validated", NOON)

    shown = page(parcels, "drift", drift, "Train again.")
    head = shown[: shown.index("</main>")]
    assert "<title>Parcels: drifted</title>" in head
    assert head.count(drift.message) == head.count("<h1") == 1
    assert "version 7, learned from 3,000 rows" in head
    for column in drift.columns:
        assert f"<h3>{column.column}: " in head
    assert head.count("<svg") == 3
    assert head.count('class="bar"') == 4


@pytest.mark.parametrize(("count", "source"), [(199, "validated"), (200, "predictions")], ids=["too few", "enough"])
def test_auto_takes_predictions_where_there_are_enough(
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows, count: int, source: str
) -> None:
    add_batch(empty, rows(250))
    add_predictions(empty, rows(count), YESTERDAY)

    assert check(empty, parcels, bundle, 1, "auto", NOON).window.source == source


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
    empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows, at: datetime, counted: int
) -> None:
    add_predictions(empty, rows(5), at)

    assert check(empty, parcels, bundle, 1, "predictions", NOON).window.rows == counted


def test_only_this_release_and_use_case_count(empty: Warehouse, parcels: UseCase, bundle: Bundle, rows: Rows) -> None:
    add_predictions(empty, rows(5), YESTERDAY, version=1)
    add_predictions(empty, rows(6), YESTERDAY, version=2)
    add_predictions(empty, rows(7), YESTERDAY, version=2, use_case="letters")

    assert check(empty, parcels, bundle, 2, "predictions", NOON).window.rows == 6


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
