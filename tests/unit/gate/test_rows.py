"""What is read to judge on: every held-out row, and a bounded sample of those to train on."""

import pytest
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.policy import Fairness, Gate, Slice
from sluice.domain.use_case import UseCase
from sluice.gate import rows


@pytest.fixture(scope="module")
def filled(warehouse: Warehouse) -> Warehouse:
    """Four loans; the last one's income is that of a row to train on."""
    warehouse.execute(
        """
        CREATE TABLE validated.loans AS
        SELECT *, 1 AS _batch_id, md5(_row::text) AS _identity
        FROM (VALUES
            (1, 'test', 1.5::double precision, 'own', 30::bigint, 'repaid'),
            (2, 'train', 2.5, 'own', 31, 'lost'),
            (3, 'test', 3.5, NULL, NULL, 'lost'),
            (4, 'test', 2.5, 'rent', 40, 'repaid'),
            (5, 'calibration', 1.5, 'rent', 40, 'repaid')
        ) AS given (_row, _part, income, home, age, outcome)
        """
    )
    return warehouse


def test_held_out_rows_hold_all_that_is_looked_at(filled: Warehouse, loans: UseCase) -> None:
    slices = (Slice.model_validate({"column": "outcome", "thresholds": {"accuracy": {"min": 0}}}),)
    fairness = (Fairness(column="home", max_difference=0.2), Fairness(column="age", edges=(50,), min_ratio=0.8))
    asked = Gate.model_validate({**loans.gate.model_dump(), "slices": slices, "fairness": fairness})

    test = rows.read(filled, loans.model_copy(update={"gate": asked})).test

    assert list(test.columns) == ["income", "outcome", "home", "age", "_identity", "_repeated"]
    assert test["income"].tolist() == [1.5, 3.5, 2.5]
    assert test.isna().sum().sum() == 2
    assert list(rows.read(filled, loans).test.columns) == ["income", "outcome", "_identity", "_repeated"]


def test_a_held_out_row_is_repeated_where_a_row_to_train_on_has_its_inputs(filled: Warehouse, loans: UseCase) -> None:
    assert rows.read(filled, loans).test["_repeated"].tolist() == [False, False, True]


def test_rows_that_lack_the_same_inputs_are_equal(warehouse: Warehouse, loans: UseCase) -> None:
    home = loans.column("home").model_copy(update={"role": "feature"})
    named = loans.model_copy(update={"name": "homes", "columns": (loans.columns[0], home, *loans.columns[2:])})
    warehouse.execute(
        """
        CREATE TABLE validated.homes AS
        SELECT *, 1 AS _batch_id, md5(_row::text) AS _identity
        FROM (VALUES (1, 'train', 1.5::double precision, NULL::text, 'repaid'), (2, 'test', 1.5, NULL, 'lost'),
            (3, 'test', 1.5, 'own', 'lost')) AS given (_row, _part, income, home, outcome)
        """
    )

    assert rows.read(warehouse, named).test["_repeated"].tolist() == [True, False]


def test_rows_to_train_on_are_a_bounded_sample_that_stays_the_same(warehouse: Warehouse, loans: UseCase) -> None:
    many = loans.model_copy(update={"name": "many"})
    warehouse.execute(
        sql.SQL(
            """
            CREATE TABLE validated.many AS
            SELECT i AS _row, 1 AS _batch_id, md5(i::text) AS _identity, i::double precision AS income,
                'lost' AS outcome, 'train' AS _part
            FROM generate_series(1, {}) AS i
            """
        ).format(sql.Literal(rows.MOST_TRAIN_ROWS + 500))
    )

    first, again = rows.read(warehouse, many).train, rows.read(warehouse, many).train

    assert len(first) == rows.MOST_TRAIN_ROWS
    assert first.equals(again)
    assert list(first.columns) == ["income", "outcome", "_identity"]
    # Neither the first nor the last to arrive.
    assert 0.45 < first["income"].mean() / (rows.MOST_TRAIN_ROWS + 500) < 0.55
