"""How far a metric may be off, told from rows that a model was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.ingestion.drafting.outcomes import Outcomes


def outcomes(copies: int = 1) -> Outcomes:
    """Two classes, told with chance in it; each row so often."""
    random = np.random.default_rng(0)
    sure = random.uniform(0.02, 0.98, 500)
    observed = (random.random(500) < sure).astype(np.float64)
    rows = np.repeat(np.arange(500), copies)
    return Outcomes(observed[rows], np.column_stack([1 - sure, sure])[rows], rows)


@pytest.mark.parametrize("rows", [30, 300, 3000])
def test_the_error_of_a_mean_is_its_spread_over_the_root_of_the_rows(rows: int) -> None:
    known = outcomes()
    losses = -np.log(np.where(known.observed == 1, known.said[:, 1], known.said[:, 0]))
    assert known.error("log_loss", rows) == pytest.approx(losses.std() / np.sqrt(rows), rel=0.15)


def test_copies_of_a_row_tell_nothing_more() -> None:
    assert outcomes(copies=4).error("log_loss", 400) == pytest.approx(outcomes().error("log_loss", 100))


def test_rows_too_few_to_hold_both_classes_each_time_still_have_an_error() -> None:
    known = outcomes()
    assert 0 < known.error("roc_auc", 300) < known.error("roc_auc", 4)


def test_the_same_rows_have_the_same_error() -> None:
    assert outcomes().error("roc_auc", 50) == outcomes().error("roc_auc", 50)
