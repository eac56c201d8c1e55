import numpy as np
import pytest

from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.monitoring import Monitoring
from sluice.monitoring.comparison import MISSING, ColumnDrift, Sampled, compare

POLICY = Monitoring()


def numbers(values: np.ndarray, edges: np.ndarray, missing: int = 0) -> Numbers:
    """A histogram with bins of equal width."""
    bins = np.searchsorted(edges, values, side="right")
    known = len(values) > 0
    return Numbers(
        name="x",
        edges=tuple(edges.tolist()),
        counts=tuple(np.bincount(bins, minlength=len(edges) + 1).tolist()),
        sums=tuple(np.bincount(bins, weights=values, minlength=len(edges) + 1).tolist()),
        centre=0.0,
        discrete=False,
        missing=missing,
        mean=float(values.mean()) if known else None,
        std=float(values.std()) if known else None,
        minimum=float(values.min()) if known else None,
        maximum=float(values.max()) if known else None,
    )


def normal(count: int, mean: float = 0.0, seed: int = 0, missing: int = 0) -> Numbers:
    values = np.random.default_rng(seed).normal(mean, 1, count)
    return numbers(values, np.linspace(-6, 6, 200), missing)


def categories(*counts: int, missing: int = 0) -> Categories:
    labels = tuple(f"label {place}" for place in range(len(counts)))
    return Categories(name="x", labels=labels, counts=counts, other=0, missing=missing)


def found(reference: Numbers | Categories, current: Numbers | Categories) -> ColumnDrift:
    sides = (Histograms(rows=h.values + h.missing, columns=(h,)) for h in (reference, current))
    return compare(*sides, POLICY)[0]


@pytest.mark.parametrize(("mean", "drifted"), [(0.09, False), (0.11, True)], ids=["nearer", "farther"])
def test_a_number_has_drifted_from_its_threshold_on(mean: float, drifted: bool) -> None:
    exact = np.random.default_rng(0).normal(size=20_000)
    edges = np.linspace(-6, 6, 200)

    column = found(numbers(exact, edges), numbers(exact + mean, edges))

    assert (column.drifted, column.threshold) == (drifted, POLICY.drift.numerical)
    assert column.score == pytest.approx(mean, rel=0.01)


@pytest.mark.parametrize(("first", "drifted"), [(5500, False), (6500, True)], ids=["nearer", "farther"])
def test_a_category_has_drifted_from_its_threshold_on(first: int, drifted: bool) -> None:
    assert found(categories(5000, 5000), categories(first, 10_000 - first)).drifted is drifted


def test_by_chance_alone_few_rows_hardly_ever_drift() -> None:
    reference = normal(50_000, seed=1)
    looks = [found(reference, normal(200, seed=seed)) for seed in range(2, 402)]

    assert sum(column.drifted is None for column in looks) > 20
    assert sum(column.drifted is True for column in looks) <= 8
    draw = np.random.default_rng(0)
    shares = np.full(20, 0.05)
    looks = [found(categories(*[5000] * 20), categories(*draw.multinomial(200, shares).tolist())) for _ in range(400)]
    assert sum(column.drifted is None for column in looks) > 20
    assert sum(column.drifted is True for column in looks) <= 8


def test_far_enough_few_rows_have_drifted() -> None:
    assert found(normal(50_000), normal(200, mean=0.5, seed=1)).drifted is True


@pytest.mark.parametrize(
    ("reference", "current", "score", "drifted"),
    [
        (normal(90, missing=10), normal(0, missing=100), 0.9, True),
        (normal(0, missing=100), normal(90, missing=10), 0.9, True),
        (categories(2, 1, missing=97), categories(0, 0, missing=100), 0.03, None),
        (normal(0, missing=100), normal(0, missing=50), 0.0, False),
    ],
    ids=["went", "came", "hardly any were there", "never were any"],
)
def test_a_column_without_values_is_judged_by_how_many_are_missing(
    reference: Numbers | Categories, current: Numbers | Categories, score: float, drifted: bool | None
) -> None:
    column = found(reference, current)

    assert (column.method, column.drifted) == (MISSING, drifted)
    assert column.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("exact", "sampled", "disputed"),
    [(True, False, True), (True, True, False), (None, True, False), (False, None, False)],
    ids=["contrary", "alike", "all rows cannot tell", "the sample cannot tell"],
)
def test_a_sample_disputes_a_verdict_only_by_its_contrary(
    exact: bool | None, sampled: bool | None, disputed: bool
) -> None:
    said = Sampled("any", 0.1, 0.1, sampled)

    assert ColumnDrift("x", "any", 0.1, 0.1, exact, said).disputed is disputed


def test_only_columns_that_the_current_rows_have_are_compared() -> None:
    both = Histograms(rows=10, columns=(normal(10), categories(5, 5).model_copy(update={"name": "y"})))

    assert [c.column for c in compare(both, Histograms(rows=10, columns=both.columns[1:]), POLICY)] == ["y"]
