from datetime import timedelta

import pandas as pd

from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.monitoring import windows
from tests.unit.monitoring.conftest import (
    NOON,
    Rows,
    add_batch,
    add_labels,
    add_letters,
    add_predictions,
    posted,
)


def test_a_sample_is_bounded_and_repeatable(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    add_batch(empty, rows(1200))
    window = windows.find(empty, parcels, 1, "validated", NOON)

    first = windows.sample(empty, parcels, 1, window)
    again = windows.sample(empty, parcels, 1, window)

    assert len(first) == parcels.monitoring.sample_rows
    assert first.equals(again)


def test_a_sample_of_many_rows_is_as_full_as_one_of_few(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    landed = rows(20_000)
    add_batch(empty, landed)

    sample = windows.sample(empty, parcels, 1, windows.find(empty, parcels, 1, "validated", NOON))

    assert len(sample) == parcels.monitoring.sample_rows
    assert sample["price"].isin(landed["price"]).all()
    assert sample["price"].is_unique
    # Drawn from everywhere, and not from where the rows begin.
    assert 400 < sample["price"].isin(landed["price"].iloc[10_000:]).sum() < 600


def test_a_sample_of_predictions_is_drawn_from_blocks_and_single_requests_alike(
    empty: Warehouse, parcels: UseCase, rows: Rows
) -> None:
    asked = rows(1300)
    add_predictions(empty, asked.iloc[:1200], NOON - timedelta(days=1))
    for at in range(1200, 1300):
        add_predictions(empty, asked.iloc[at : at + 1], NOON - timedelta(days=1))
    window = windows.find(empty, parcels, 1, "predictions", NOON)

    first = windows.sample(empty, parcels, 1, window)

    assert len(first) == parcels.monitoring.sample_rows
    assert first.equals(windows.sample(empty, parcels, 1, window))
    assert first["prediction"].is_unique
    # Each comes with its own inputs, and about three quarters of either kind are there.
    known = asked.set_index("price")["weight"]
    assert first.set_index("prediction")["weight"].eq(known.loc[first["prediction"]]).all()
    single = first["prediction"].isin(asked["price"].iloc[1200:]).sum()
    assert 60 < single < 95


def test_a_window_between_any_moments_is_counted_and_told(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    for day in (1, 2, 3):
        add_predictions(empty, rows(day), NOON - timedelta(days=day))

    window = windows.counted(empty, parcels, 1, windows.between(NOON - timedelta(days=2), NOON))

    assert (window.rows, str(window)) == (3, "3 predictions from 2026-04-30 12:00 to 2026-05-02 12:00 UTC")


def test_a_batch_that_was_not_accepted_has_no_rows(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    batch_id = add_batch(empty, rows(5))
    assert windows.counted(empty, parcels, 1, windows.of_batch(batch_id)).rows == 5

    empty.execute("UPDATE ingest.batches SET status = 'rejected'")

    assert windows.counted(empty, parcels, 1, windows.of_batch(batch_id)).rows == 0


def test_requests_come_back_as_they_were_typed(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    # A caller's JSON may say 3.0 for an integer and null for a missing value.
    asked = rows(2).astype(object)
    asked["stops"] = pd.Series([3.0, None], dtype=object)
    asked["zone"] = pd.Series(["near", None], dtype=object)
    add_predictions(empty, asked, NOON - timedelta(days=1))
    window = windows.find(empty, parcels, 1, "predictions", NOON)

    found = windows.sample(empty, parcels, 1, window).sort_values("stops")

    assert list(found.columns) == ["weight", "stops", "fragile", "zone", "prediction"]
    assert found["stops"].iloc[0] == 3
    assert found["zone"].iloc[0] == "near"
    assert found[["stops", "zone"]].iloc[1].isna().all()


def test_classes_come_back_by_their_names(empty: Warehouse, letters: UseCase) -> None:
    sent = posted(letters, 50, first=0.5)
    add_letters(empty, letters, sent)
    add_labels(empty, sent, NOON - timedelta(days=1))

    ingested = windows.sample(empty, letters, 1, windows.find(empty, letters, 1, "validated", NOON))
    predicted = windows.sample(empty, letters, 1, windows.find(empty, letters, 1, "predictions", NOON))

    assert list(ingested.columns) == ["weight", "fate"]
    assert list(predicted.columns) == ["weight", "prediction"]
    for found, answer in ((ingested, "fate"), (predicted, "prediction")):
        by_weight = found.sort_values("weight")[answer].tolist()
        assert by_weight == sent.sort_values("weight")["fate"].tolist()


def test_the_newest_batch_is_the_one_that_joined_last(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    older = add_batch(empty, rows(5, seed=1))
    add_batch(empty, rows(6, seed=2))
    empty.execute(
        "UPDATE ingest.batches SET current_since = now() + interval '1 s' WHERE batch_id = %(id)s", {"id": older}
    )

    assert windows.find(empty, parcels, 1, "validated", NOON).batch_id == older


def test_what_was_answered_in_shadow_does_not_count(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    add_predictions(empty, rows(5), NOON - timedelta(days=1))
    empty.execute("UPDATE serving.answers SET role = 'shadow'")
    add_predictions(empty, rows(3), NOON - timedelta(days=1))

    window = windows.find(empty, parcels, 1, "predictions", NOON)

    assert window.rows == 3
    assert len(windows.sample(empty, parcels, 1, window)) == 3


def test_what_the_log_does_not_hold_is_left_out(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    # A hash stands where a number would, and a dropped column nowhere.
    asked = rows(5).drop(columns="zone").assign(weight="0f6d3a8e5b0c4f1e9a7d2b6c8e4f1a03")
    add_predictions(empty, asked, NOON - timedelta(days=1))
    window = windows.find(empty, parcels, 1, "predictions", NOON)

    found = windows.sample(empty, parcels, 1, window, unlogged=["weight", "zone"])

    assert list(found.columns) == ["stops", "fragile", "prediction"]
    assert found["stops"].notna().all()


def test_predictions_come_back_where_no_input_is_logged(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    add_predictions(empty, rows(5)[["price"]], NOON - timedelta(days=1))
    window = windows.find(empty, parcels, 1, "predictions", NOON)

    found = windows.sample(empty, parcels, 1, window, unlogged=["weight", "stops", "fragile", "zone"])

    assert list(found.columns) == ["prediction"]
    assert len(found) == 5


def test_validated_rows_hold_what_is_sensitive_too(empty: Warehouse, parcels: UseCase, rows: Rows) -> None:
    add_batch(empty, rows(5))
    window = windows.find(empty, parcels, 1, "validated", NOON)

    assert "weight" in windows.sample(empty, parcels, 1, window, unlogged=["weight"])
