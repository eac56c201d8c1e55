"""Histograms as the warehouse counts them, against what scipy says of the very values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from psycopg2.extras import Json, execute_values
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from sluice.adapters import histograms
from sluice.adapters.warehouse import Warehouse
from sluice.domain.contract import Contract, Input, Limits, Lineage, Output
from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.use_case import UseCase
from sluice.monitoring.distances import jensen_shannon, wasserstein

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)
ROWS = 4000
DRAW = np.random.default_rng(0)

Values = Sequence[Any] | np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def ships() -> UseCase:
    return UseCase.model_validate(
        {
            "name": "ships",
            "title": "Ships",
            "task": "regression",
            "target": "fee",
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": (
                {"name": "length", "type": "number", "nullable": True},
                {"name": "crew", "type": "integer", "nullable": True},
                {"name": "flag", "type": "category", "categories": ("blue", "red"), "nullable": True},
                {"name": "steam", "type": "boolean", "nullable": True},
                {"name": "fee", "type": "number"},
            ),
            "training": {"families": {"ridge": {}}},
            "gate": {"thresholds": {"r2": {"min": 0.5}}},
            "serving": {"example": {"length": 1.0, "crew": 2, "flag": "red", "steam": True}},
        }
    )


@pytest.fixture(scope="module")
def contract(ships: UseCase) -> Contract:
    return Contract(
        use_case="ships",
        title="Ships",
        task="regression",
        family="none",
        inputs=tuple(Input(name=c.name, type=c.type) for c in ships.inputs if c.type != "timestamp"),
        output=Output(name="fee"),
        limits=Limits(max_instances=1, missing="impute", unknown_fields="reject", unseen_category="ignore"),
        example=ships.serving.example,
        metrics={},
        lineage=Lineage(run_id="", snapshot_id="", spec_sha256="", test_share=0.0, identity=()),
        libraries={},
        runtime_sha256="",
        trained_at="",
    )


@pytest.fixture
def harbour(warehouse: Warehouse) -> Warehouse:
    warehouse.execute(
        "CREATE TABLE IF NOT EXISTS landing.ships (length double precision, crew bigint, flag text, steam boolean,"
        " fee double precision, _batch_id bigint, _row bigint);"
        "TRUNCATE landing.ships, serving.answers;"
        "ALTER TABLE serving.labels DISABLE TRIGGER USER; TRUNCATE serving.labels;"
        "ALTER TABLE serving.labels ENABLE TRIGGER USER"
    )
    return warehouse


def table(length: Values, **others: Values) -> pd.DataFrame:
    """Rows of ships, alike but for some columns."""
    same: dict[str, Any] = {"length": length, "crew": 3, "flag": "red", "steam": True, "fee": 1.0}
    return pd.DataFrame(same | others)


def land(warehouse: Warehouse, rows: pd.DataFrame, batch_id: int = 1) -> None:
    cells = rows.astype(object).where(rows.notna(), None)
    found = [(*row, batch_id, place) for place, row in enumerate(cells.itertuples(index=False, name=None))]
    with warehouse.transaction() as connection, connection.cursor() as cursor:
        execute_values(cursor, "INSERT INTO landing.ships VALUES %s", found, page_size=1000)


def answer(warehouse: Warehouse, rows: pd.DataFrame, at: datetime, role: str = "champion") -> None:
    inputs = rows.drop(columns="fee").astype(object)
    cells = inputs.where(inputs.notna(), None)
    warehouse.rows("SELECT serving.ensure_partition(%(day)s)", {"day": at.date()})
    warehouse.execute(
        "INSERT INTO serving.answers (answer_id, request_id, use_case, model_version, role, size, names, features,"
        " predictions, latency_ms, predicted_at) VALUES (gen_random_uuid(), 'r', 'ships', 4, %(role)s, %(size)s,"
        " %(names)s, %(features)s, %(predictions)s, 1, %(at)s)",
        {
            "role": role,
            "size": len(rows),
            "names": list(inputs.columns),
            "features": Json(cells.to_numpy().tolist()),
            "predictions": rows["fee"].tolist(),
            "at": at,
        },
    )


def logged(warehouse: Warehouse, ships: UseCase, frozen: Histograms, unlogged: Sequence[str] = ()) -> Histograms:
    return histograms.of_predictions(warehouse, ships, frozen, 4, MIDNIGHT, NEXT, unlogged)


def numbers(found: Histograms, name: str = "length") -> Numbers:
    column = found.column(name)
    assert isinstance(column, Numbers)
    return column


def categories(found: Histograms, name: str) -> Categories:
    column = found.column(name)
    assert isinstance(column, Categories)
    return column


def spiked(share: float) -> np.ndarray[Any, Any]:
    return np.where(DRAW.random(ROWS) < share, 0.0, DRAW.normal(5, 1, ROWS))


SHAPES: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {
    "alike": (DRAW.normal(size=ROWS), DRAW.normal(size=ROWS)),
    "shifted": (DRAW.normal(size=ROWS), DRAW.normal(0.1, 1, ROWS)),
    "wider": (DRAW.normal(size=ROWS), DRAW.normal(0, 1.5, ROWS)),
    "two humps in the place of one": (DRAW.normal(size=ROWS), np.repeat([-1.0, 1.0], ROWS // 2) + DRAW.random(ROWS)),
    "tails without a mean": (DRAW.standard_cauchy(ROWS), DRAW.standard_cauchy(ROWS)),
    "tails of many sizes": (DRAW.lognormal(0, 2, ROWS), DRAW.lognormal(0, 2.2, ROWS)),
    "a spike that shrinks": (spiked(0.9), spiked(0.7)),
    "a spike where none was": (DRAW.normal(size=ROWS), np.where(DRAW.random(ROWS) < 0.1, 0.25, DRAW.normal(size=ROWS))),
    "one far outlier": (DRAW.normal(size=ROWS), np.append(DRAW.normal(size=ROWS - 1), 1e9)),
    "all beyond": (DRAW.random(ROWS), DRAW.random(ROWS) - 40),
    "whole numbers": (DRAW.poisson(3, ROWS) * 1.0, DRAW.poisson(3.3, ROWS) * 1.0),
    "far from zero": (1e9 + DRAW.normal(size=ROWS) / 1000, 1e9 + DRAW.normal(0.2, 1, ROWS) / 1000),
    "very small": (DRAW.normal(size=ROWS) * 1e-9, DRAW.normal(0.2, 1, ROWS) * 1e-9),
    "few": (DRAW.normal(size=ROWS), DRAW.normal(size=200)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_distance_between_histograms_is_that_between_the_values(
    harbour: Warehouse, ships: UseCase, contract: Contract, shape: str
) -> None:
    before, now = SHAPES[shape]
    frozen = histograms.freeze(contract, table(before))
    land(harbour, table(now))

    found = numbers(histograms.of_batch(harbour, ships, frozen, 1))

    assert wasserstein(numbers(frozen), found) == pytest.approx(
        wasserstein_distance(before, now) / before.std(), abs=2e-3, rel=1e-6
    )
    assert found.values == len(now)
    assert (found.mean, found.std) == pytest.approx((now.mean(), now.std()), rel=1e-6, abs=1e-6 * now.std())
    assert (found.minimum, found.maximum) == (now.min(), now.max())


@pytest.mark.parametrize(("now", "distance"), [(0.1, 0.0), (0.3, 200.0)], ids=["as it was", "moved"])
def test_a_constant_is_measured_in_thousandths(
    harbour: Warehouse, ships: UseCase, contract: Contract, now: float, distance: float
) -> None:
    frozen = histograms.freeze(contract, table([0.1] * 300))
    land(harbour, table([now] * 300))

    found = numbers(histograms.of_batch(harbour, ships, frozen, 1))

    assert wasserstein(numbers(frozen), found) == pytest.approx(distance)


def test_numbers_so_large_that_no_sum_could_hold_them_are_counted(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    frozen = histograms.freeze(contract, table([1.0, 2.0, 3.0]))
    land(harbour, table([1e308, 1e308, -1e308]))

    found = numbers(histograms.of_batch(harbour, ships, frozen, 1))

    assert (found.counts[0], found.counts[-1]) == (1, 2)
    assert wasserstein(numbers(frozen), found) > 1e100


def test_the_same_rows_give_the_same_bytes(contract: Contract) -> None:
    rows = table(DRAW.lognormal(0, 2, ROWS), flag=DRAW.choice(["red", "blue"], ROWS))

    first, again = histograms.freeze(contract, rows), histograms.freeze(contract, rows.copy())

    assert first.model_dump_json() == again.model_dump_json()
    assert Histograms.model_validate_json(first.model_dump_json()) == first


def test_what_is_missing_is_counted_apart(harbour: Warehouse, ships: UseCase, contract: Contract) -> None:
    rows = table([1.0, None, 3.0, float("nan")], crew=[None, 2, 2, 2], flag=["red", None, "", "blue"], steam=[None] * 4)
    frozen = histograms.freeze(contract, rows)
    # Out of the release's graph a missing category comes as an empty text, into the warehouse as none.
    land(harbour, rows.assign(flag=["red", None, None, "blue"]))
    answer(harbour, rows, MIDNIGHT)

    missing = {"length": 2, "crew": 1, "flag": 2, "steam": 4}
    for found in (frozen, histograms.of_batch(harbour, ships, frozen, 1), logged(harbour, ships, frozen)):
        assert found.rows == 4
        assert {name: found.column(name).missing for name in missing} == missing


def test_what_is_counted_together_is_what_each_column_holds(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    draw = np.random.default_rng(3)
    rows = table(
        # More combinations than are counted together, so that there are two sets of columns, and a column by itself.
        draw.integers(0, 190, ROWS) / 2.0,
        crew=pd.Series(draw.integers(0, 150, ROWS)).where(draw.random(ROWS) < 0.9),
        flag=pd.Series(draw.choice(["red", "blue", ""], ROWS)).where(draw.random(ROWS) < 0.8),
        steam=pd.Series(draw.random(ROWS) < 0.3).where(draw.random(ROWS) < 0.7),
        fee=draw.normal(size=ROWS),
    )
    frozen = histograms.freeze(contract, rows)
    assert [numbers(frozen, name).discrete for name in ("length", "crew", "fee")] == [True, True, False]
    land(harbour, rows)

    found = histograms.of_batch(harbour, ships, frozen, 1)

    assert found.rows == ROWS
    for before, now in zip(frozen.columns, found.columns, strict=True):
        assert (before.name, before.counts, before.missing) == (now.name, now.counts, now.missing)
    assert numbers(found).sums == pytest.approx(numbers(frozen).sums)


def test_a_number_that_has_many_values_now_is_counted_as_exactly(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    whole = DRAW.integers(0, 40, ROWS) * 1.0
    frozen = histograms.freeze(contract, table(whole))
    assert numbers(frozen).discrete
    rows = table(whole * (1 + 0.01 * DRAW.random(ROWS)))
    land(harbour, rows)
    answer(harbour, rows, MIDNIGHT)

    bins = np.searchsorted(numbers(frozen).edges, rows["length"], side="right")
    for found in (histograms.of_batch(harbour, ships, frozen, 1), logged(harbour, ships, frozen)):
        assert numbers(found).counts == tuple(np.bincount(bins, minlength=len(numbers(frozen).edges) + 1))
        assert numbers(found).mean == pytest.approx(rows["length"].mean())
        assert numbers(found).maximum == rows["length"].max()


def test_labels_that_the_release_did_not_know_are_as_far_away_as_each_alone_would_be(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    frozen = histograms.freeze(contract, table([1.0] * 100, flag=["red"] * 60 + ["blue"] * 40))
    land(harbour, table([1.0] * 100, flag=["red"] * 50 + ["green"] * 30 + ["black"] * 20))

    found = categories(histograms.of_batch(harbour, ships, frozen, 1), "flag")

    assert (found.labels, found.counts, found.other) == (("blue", "red"), (0, 50), 50)
    expected = jensenshannon([0.6, 0.4, 0, 0], [0.5, 0, 0.3, 0.2])
    assert jensen_shannon(categories(frozen, "flag"), found) == pytest.approx(expected)


def test_what_was_asked_lies_as_the_same_rows_of_a_batch_do(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    rows = table(
        DRAW.normal(size=ROWS),
        crew=DRAW.integers(1, 9, ROWS),
        flag=DRAW.choice(["red", "blue", 'black "and" white, [striped]', None], ROWS),
        steam=DRAW.random(ROWS) < 0.3,
        fee=DRAW.normal(size=ROWS),
    )
    frozen = histograms.freeze(contract, rows.assign(prediction=rows["fee"]))
    land(harbour, rows)
    # A block, a request of some, and requests of one.
    for first, last in ((0, 3000), (3000, 3990), *((at, at + 1) for at in range(3990, ROWS))):
        answer(harbour, rows.iloc[first:last], MIDNIGHT)

    landed, asked = histograms.of_batch(harbour, ships, frozen, 1), logged(harbour, ships, frozen)

    assert asked.rows == ROWS
    assert asked.names == ("length", "crew", "flag", "steam", "prediction")
    for name in ("flag", "steam"):
        assert asked.column(name) == landed.column(name)
    for name, same in (("length", "length"), ("crew", "crew"), ("prediction", "fee")):
        assert numbers(asked, name).counts == numbers(landed, same).counts
        assert numbers(asked, name).sums == pytest.approx(numbers(landed, same).sums)


def test_a_caller_may_write_numbers_and_booleans_in_other_ways(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    frozen = histograms.freeze(contract, table([1.0, 2.0], crew=[3, 4], steam=[True, False]))
    answer(harbour, table([1, 2], crew=[3.0, 4.0], steam=[1, 0]), MIDNIGHT)

    found = logged(harbour, ships, frozen)

    assert [numbers(found, name).counts for name in ("length", "crew")] == [
        numbers(frozen, name).counts for name in ("length", "crew")
    ]
    assert categories(found, "steam").counts == (1, 1)


def test_only_the_window_and_what_somebody_was_given_count(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    rows = table([1.0, 2.0, 3.0])
    frozen = histograms.freeze(contract, rows.assign(prediction=rows["fee"]))
    answer(harbour, rows, MIDNIGHT - timedelta(seconds=1))
    answer(harbour, rows.head(2), MIDNIGHT)
    answer(harbour, rows, MIDNIGHT, role="shadow")
    answer(harbour, rows.head(1), MIDNIGHT, role="challenger")
    answer(harbour, rows, NEXT)

    assert logged(harbour, ships, frozen).rows == 3


def test_what_the_log_does_not_hold_is_left_out_or_missing(
    harbour: Warehouse, ships: UseCase, contract: Contract
) -> None:
    rows = table([1.0, 2.0])
    frozen = histograms.freeze(contract, rows.assign(prediction=rows["fee"]))
    answer(harbour, rows.assign(length="a hash").drop(columns="flag"), MIDNIGHT)
    answer(harbour, rows[["fee"]], MIDNIGHT)

    found = logged(harbour, ships, frozen, unlogged=["length", "flag"])

    assert found.names == ("crew", "steam", "prediction")
    assert (found.column("crew").values, found.column("crew").missing) == (2, 2)
    assert found.column("prediction").values == 4


def test_the_newest_label_of_a_prediction_counts(harbour: Warehouse, ships: UseCase, contract: Contract) -> None:
    frozen = histograms.freeze(contract, table([1.0, 1.0], fee=[10.0, 20.0]))
    answer(harbour, table([1.0, 1.0], fee=[11.0, 21.0]), MIDNIGHT)
    said = "INSERT INTO serving.labels (prediction_id, answer_id, place, request_id, use_case, model_version, role,"
    said += " predicted_at, prediction, true_number) SELECT answer_id, answer_id, 0, 'r', 'ships', 4, 'champion',"
    said += " predicted_at, 11, %(truth)s FROM serving.answers"
    for truth in (10.0, 20.0):
        harbour.execute(said, {"truth": truth})

    found = histograms.of_labels(harbour, ships, frozen, 4, MIDNIGHT, NEXT)

    assert isinstance(found, Numbers)
    assert (found.values, found.mean, found.missing) == (1, 20.0, 0)
