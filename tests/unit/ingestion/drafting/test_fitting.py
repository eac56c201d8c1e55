"""A fitted sample: like the file, as hard to learn, and no copy of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.domain.measures import default_metric
from sluice.domain.mechanism import ClassMechanism
from sluice.ingestion.drafting import assumptions, baseline, contents, findings, fitting, profile, thresholds
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Baseline
from sluice.ingestion.drafting.fitting import Fit
from tests.unit.ingestion.drafting import files


@pytest.fixture(scope="module", params=["wine", "messy", "numbers"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Assumptions, Baseline, Fit]:
    path = tmp_path_factory.mktemp("case") / "file.csv"
    target = {"wine": "target", "messy": "outcome", "numbers": "y"}[request.param]
    getattr(files, request.param)(path)
    assumed = assumptions.assume("drafted", profile.take(contents.read(path)), target)
    reached = baseline.reach(assumed.inputs, assumed.observed, assumed.problem)
    return assumed, reached, fitting.fit(assumed, reached)


Case = tuple[Assumptions, Baseline, Fit]


def test_a_plain_model_does_as_well_on_the_sample(case: Case) -> None:
    assumed, reached, fit = case
    metric = default_metric(assumed.objective.task)
    assert fit.reached.skill(metric) == pytest.approx(reached.skill(metric), abs=0.05)


def test_a_model_of_the_sample_passes_what_the_file_demands(case: Case) -> None:
    assumed, reached, fit = case
    errors = thresholds.errors(assumed.objective.task, reached, assumed.parts.counts["test"])
    for metric, bound in thresholds.demand(assumed.objective.task, reached, errors, better_than_chance=True).items():
        value = fit.reached.mean[metric]
        assert bound.min is None or value >= bound.min
        assert bound.max is None or value <= bound.max


def test_columns_are_distributed_and_go_together_as_in_the_file(case: Case) -> None:
    assumed, _, fit = case
    drawn = fitting.table(fit.sample, 4000)
    real = {c.field.name: c.field.values[assumed.usable] for c in assumed.features if c.field.numeric}
    for name, values in real.items():
        known, spread = values[~np.isnan(values)], np.nanstd(values)
        assert np.nanmean(drawn[name]) == pytest.approx(known.mean(), abs=0.1 * spread)
        assert np.nanstd(drawn[name]) == pytest.approx(spread, rel=0.1)
        assert np.isnan(drawn[name]).mean() == pytest.approx(np.isnan(values).mean(), abs=0.02)
    ranks = pd.DataFrame(real).corr(method="spearman").to_numpy()
    again = pd.DataFrame({name: drawn[name] for name in real}).corr(method="spearman").to_numpy()
    assert np.abs(ranks - again).max() < 0.15


def test_the_target_is_distributed_as_in_the_file(case: Case) -> None:
    assumed, _, fit = case
    drawn = fitting.table(fit.sample, 4000)[assumed.target.name]
    if isinstance(fit.sample.target, ClassMechanism):
        shares = np.bincount(assumed.observed.astype(int)) / assumed.rows
        for name, share in zip(assumed.objective.order, shares, strict=True):
            assert np.mean(drawn == name) == pytest.approx(share, abs=0.04)
    else:
        assert drawn.mean() == pytest.approx(assumed.observed.mean(), abs=0.1 * assumed.observed.std())
        assert drawn.std() == pytest.approx(assumed.observed.std(), rel=0.1)


def test_no_row_of_the_file_is_repeated(case: Case) -> None:
    assumed, _, fit = case
    names = [c.field.name for c in assumed.features]
    real = pd.DataFrame({c.field.name: c.values for c in assumed.features}).dropna()
    drawn = fitting.table(fit.sample, 3000)
    table = pd.DataFrame({name: drawn[name] for name in names}).dropna()
    shuffled = real.apply(lambda column: column.sample(frac=1, random_state=0).to_numpy())
    # Rows of a few small numbers meet by chance, as those of a shuffled file do.
    assert len(table.merge(real, on=names)) <= len(table.merge(shuffled, on=names)) + 5


def test_the_same_file_gives_the_same_sample(tmp_path: Path) -> None:
    def fitted(name: str) -> Fit:
        assumed = assumptions.assume("drafted", profile.take(contents.read(files.numbers(tmp_path / name))), "y")
        return fitting.fit(assumed, baseline.reach(assumed.inputs, assumed.observed, assumed.problem))

    assert fitted("one.csv") == fitted("two.csv")


def test_a_file_without_anything_to_learn_gives_a_sample_without(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(f"{a:.3f}", f"{b:.3f}", "yes" if c > 0 else "no") for a, b, c in random.normal(0, 1, (400, 3))]
    path = files.write(tmp_path / "f.csv", ["a", "b", "y"], rows)
    assumed = assumptions.assume("drafted", profile.take(contents.read(path)), "y")
    reached = baseline.reach(assumed.inputs, assumed.observed, assumed.problem)
    assert not findings.beats_chance(assumed, reached)
    fit = fitting.fit(assumed, reached)
    assert all(not score.effects for score in fit.sample.scores)


def test_interactions_are_found_and_declared(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, z = random.normal(0, 1, 4000).round(4), random.normal(0, 1, 4000).round(4)
    kind = random.choice(["a", "b"], 4000)
    y = (x + 2 * x * (kind == "b") + 1.5 * x * z + random.normal(0, 0.3, 4000)).round(4)
    path = files.write(tmp_path / "f.csv", ["x", "z", "kind", "y"], zip(x, z, kind, y, strict=True))
    assumed = assumptions.assume("drafted", profile.take(contents.read(path)), "y")
    reached = baseline.reach(assumed.inputs, assumed.observed, assumed.problem)
    fit = fitting.fit(assumed, reached)
    pairs = [{f.column for f in i.factors} for i in fit.sample.scores[0].interactions]
    assert pairs[:2] in ([{"x", "z"}, {"x", "kind"}], [{"x", "kind"}, {"x", "z"}])
    assert fit.reached.mean["r2"] == pytest.approx(reached.mean["r2"], abs=0.06)
