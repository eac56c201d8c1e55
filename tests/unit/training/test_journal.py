"""The journal on MLflow's own store, without the server in between."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import mlflow.artifacts
import mlflow.onnx
import optuna
import pytest

from sluice.adapters import bundles
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.domain.errors import TransientError
from sluice.domain.use_case import UseCase
from sluice.training import candidate, journal, search
from sluice.training.search import SearchResult
from sluice.training.snapshots import Rows, Snapshot

# MLflow's store uses what the installed SQLAlchemy is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

SNAPSHOT = Snapshot("feed" * 4, "flats", "file:///store/feed.parquet", "0" * 64, 800, 1000, 560, 80, 160, (1,))


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(f"sqlite:///{folder}/mlflow.db")
    tracking.client.create_experiment("flats", artifact_location=(folder / "artifacts").as_uri())
    return tracking


@pytest.fixture(scope="module")
def found(flats: UseCase, rows: Rows) -> SearchResult:
    return search.run(flats, rows.train, SNAPSHOT.snapshot_id, optuna.storages.InMemoryStorage(), trials=4)


@pytest.fixture(scope="module")
def written(
    tracking: Tracking, flats: UseCase, rows: Rows, found: SearchResult, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, candidate.Candidate]:
    with journal.begin(tracking, flats, SNAPSHOT) as entry:
        made = candidate.make(flats, rows, found.best, entry.lineage, "f" * 64, tmp_path_factory.mktemp("bundle"))
        entry.write(made, SNAPSHOT, found)
    return entry.run_id, made


def artifact(tracking: Tracking, run_id: str, path: str) -> Path:
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, tracking_uri=tracking.uri))


def test_the_run_is_finished_and_says_what_was_trained_on_what(
    tracking: Tracking, flats: UseCase, found: SearchResult, written: tuple[str, candidate.Candidate]
) -> None:
    run_id, made = written
    run = tracking.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["family"] == found.best.family
    assert run.data.params["seed"] == "3"
    assert {k: run.data.params[k] for k in found.best.parameters} == {
        k: str(v) for k, v in found.best.parameters.items()
    }
    assert run.data.tags["snapshot_id"] == SNAPSHOT.snapshot_id
    assert run.data.tags["spec_sha256"] == flats.sha256()
    assert run.data.tags["bundle_sha256"] == made.bundle.sha256
    assert run.data.tags["model_sha256"] == made.bundle.model_sha256
    assert run.data.tags["mlflow.note.content"].startswith("Trained on a sample of 800 of 1000")


def test_the_numbers_are_those_of_the_search_and_the_candidate(
    tracking: Tracking, found: SearchResult, written: tuple[str, candidate.Candidate]
) -> None:
    run_id, made = written
    numbers = tracking.client.get_run(run_id).data.metrics
    assert numbers["cv_rmse_mean"] == found.best.mean
    assert {k: v for k, v in numbers.items() if k.startswith(("train_", "test_"))} == made.metrics
    assert 0.5 < numbers["interval_coverage"] <= 1


def test_the_data_set_is_referred_to_by_its_content(
    tracking: Tracking, written: tuple[str, candidate.Candidate]
) -> None:
    (used,) = tracking.client.get_run(written[0]).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("flats", SNAPSHOT.snapshot_id)
    assert json.loads(used.dataset.source) == {"uri": SNAPSHOT.uri}


def test_the_bundle_can_be_read_back_as_it_was_made(
    tracking: Tracking, written: tuple[str, candidate.Candidate]
) -> None:
    run_id, made = written
    folder = artifact(tracking, run_id, BUNDLE_PATH)
    assert bundles.read(folder).sha256 == made.bundle.sha256
    assert mlflow.onnx.load_model(str(folder)).graph.output[0].name == "prediction"


def test_the_estimator_is_kept_beside_the_bundle_and_without_pickle(
    tracking: Tracking, rows: Rows, written: tuple[str, candidate.Candidate]
) -> None:
    run_id, made = written
    # Loaded by the journal already; by itself it trips over Airflow's deprecated names.
    import skops.io

    path = artifact(tracking, run_id, "model.skops")
    own = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(("sluice.training.features.", "numpy.", "sklearn.")) for name in own), own
    model = skops.io.load(path, trusted=own)
    assert model.predict(rows.test.inputs).tolist() == made.model.predict(rows.test.inputs).tolist()


def test_spec_plots_and_trials_are_kept(
    tracking: Tracking, flats: UseCase, found: SearchResult, written: tuple[str, candidate.Candidate]
) -> None:
    run_id, _ = written
    assert UseCase.model_validate_json(artifact(tracking, run_id, "use_case.json").read_text()) == flats
    best = json.loads(artifact(tracking, run_id, "best_params.json").read_text())
    assert best == {"family": found.best.family, "parameters": found.best.parameters}
    trials = list(csv.DictReader(io.StringIO(artifact(tracking, run_id, "trials.csv").read_text())))
    assert [json.loads(t["parameters"]) for t in trials] == [a.parameters for a in found.attempts]
    pictures = {f.path for f in tracking.client.list_artifacts(run_id, "plots")}
    assert "plots/importance.png" in pictures


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "stopped"])
def test_a_training_that_ends_early_is_a_failed_run(tracking: Tracking, flats: UseCase, error: BaseException) -> None:
    seen = []

    def train() -> None:
        with journal.begin(tracking, flats, SNAPSHOT) as entry:
            seen.append(entry.run_id)
            raise error

    with pytest.raises(type(error)):
        train()
    assert tracking.client.get_run(seen[0]).info.status == "FAILED"


def test_a_server_that_does_not_answer_may_be_tried_again(flats: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TransientError), journal.begin(Tracking("http://127.0.0.1:1"), flats, SNAPSHOT):
        pass
