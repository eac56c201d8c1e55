from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sluice.adapters import bundles, metrics
from sluice.domain.contract import Lineage
from sluice.domain.errors import ConversionError
from sluice.domain.use_case import UseCase
from sluice.training import candidate, graph
from sluice.training.candidate import Candidate
from sluice.training.search import Attempt
from sluice.training.snapshots import Rows
from tabular import contract as serving
from tests.unit.training.conftest import make_rows, spec

BEST = Attempt(
    number=3,
    family="hist_gradient_boosting",
    parameters={"max_iter": 40, "learning_rate": 0.1},
    scores=(80.0, 90.0),
    seconds=1.0,
    pruned=False,
)
LINEAGE = Lineage(run_id="run", snapshot_id="snap", spec_sha256="0" * 64, test_share=0.2, identity=("area",))


def make(use_case: UseCase, rows: Rows, folder: Path) -> Candidate:
    return candidate.make(use_case, rows, BEST, LINEAGE, "f" * 64, folder)


@pytest.fixture(scope="module")
def made(flats: UseCase, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    return make(flats, rows, tmp_path_factory.mktemp("candidate"))


def test_the_bundle_is_whole_and_agrees_with_the_fitted_model(made: Candidate) -> None:
    read = bundles.read(made.bundle.folder)
    assert read == made.bundle
    assert bundles.parity(read).holds


def test_the_metrics_are_those_of_the_graph_that_will_be_served(made: Candidate, rows: Rows) -> None:
    scored = bundles.score(made.bundle, rows.test.inputs)
    np.testing.assert_array_equal(scored, made.predicted)
    held_out = metrics.measure(rows.test.target, scored)
    assert made.bundle.contract.metrics == held_out
    assert {name: made.metrics[f"test_{name}"] for name in held_out} == held_out
    assert made.metrics["train_r2"] > made.metrics["test_r2"] > 0.8


def test_the_contract_says_what_the_spec_says(made: Candidate, flats: UseCase) -> None:
    contract = made.bundle.contract
    assert [i.name for i in contract.inputs] == ["area", "rooms", "lift", "district"]
    area, rooms, _, district = contract.inputs
    assert (area.minimum, area.maximum, area.unit, area.nullable) == (5, 500, "m2", False)
    assert (rooms.type, rooms.nullable) == ("integer", True)
    assert district.categories == ("north", "south", "old town")
    assert (contract.output.name, contract.output.unit) == ("rent", "EUR")
    assert contract.example == flats.serving.example
    assert (contract.limits.missing, contract.limits.unseen_category) == ("impute", "ignore")
    assert contract.lineage == LINEAGE
    assert contract.runtime_sha256 == "f" * 64
    assert contract.libraries["scikit-learn"]


def test_the_interval_covers_about_its_level_of_the_test_rows(made: Candidate) -> None:
    interval = made.bundle.contract.interval
    assert interval is not None
    assert interval.level == 0.9
    assert 0.8 < interval.coverage <= 1


def test_the_reference_is_a_bounded_sample_of_scored_train_rows(made: Candidate, flats: UseCase, rows: Rows) -> None:
    reference = made.bundle.reference()
    assert len(reference) == flats.monitoring.sample_rows
    assert list(reference) == ["area", "rooms", "lift", "district", "rent", "prediction"]
    np.testing.assert_array_equal(bundles.score(made.bundle, reference), reference["prediction"])
    assert set(reference["rent"]) <= set(rows.train.target)


def test_serving_reads_the_contract_and_the_golden_rows(made: Candidate) -> None:
    assert serving.read(serving.Contract, made.bundle.folder / "contract.json").use_case == "flats"
    assert len(serving.read(serving.Golden, made.bundle.folder / "golden.json").predictions) > 100
    assert serving.read(serving.Manifest, made.bundle.folder / "manifest.json").files


def test_the_same_training_gives_the_same_model_and_other_rows_another(
    made: Candidate, flats: UseCase, rows: Rows, tmp_path: Path
) -> None:
    assert make(flats, rows, tmp_path / "again").bundle.model_sha256 == made.bundle.model_sha256
    other = Rows.of(flats, make_rows(800, seed=1))
    assert make(flats, other, tmp_path / "other").bundle.model_sha256 != made.bundle.model_sha256


def test_without_calibration_rows_there_is_no_interval(rows: Rows, tmp_path: Path) -> None:
    none = Rows(rows.train, Rows.of(spec(), make_rows(0)).calibration, rows.test)
    assert make(spec(), none, tmp_path).bundle.contract.interval is None


def test_a_graph_that_answers_otherwise_than_its_model_is_never_written(
    flats: UseCase, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The graph of a model that was fitted on other rows stands for a writer with a mistake.
    other = Rows.of(flats, make_rows(800, seed=1))
    wrong = make(flats, other, tmp_path / "other").bundle.graph.model
    monkeypatch.setattr(graph, "write", lambda inputs, model: wrong)
    with pytest.raises(ConversionError, match="off by"):
        make(flats, rows, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
