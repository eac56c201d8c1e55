"""The journal: one MLflow run per training, with everything a person needs to follow or repeat it."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from sluice.adapters.tracking import Tracking
from sluice.domain.contract import Lineage
from sluice.domain.use_case import UseCase
from sluice.training.candidate import Candidate
from sluice.training.evidence import artifacts, importance, learning, stages
from sluice.training.provenance import code_sha256
from sluice.training.search import SearchResult
from sluice.training.snapshots import Snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A training's run while it is being written.

    Attributes:
        tracking: The server it is written to.
        experiment_id: Where on the server.
        lineage: Where the model comes from, for its contract.
        begun: When the fit may have begun.
    """

    tracking: Tracking
    experiment_id: str
    lineage: Lineage
    begun: datetime

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.lineage.run_id

    def write(self, candidate: Candidate, snapshot: Snapshot, result: SearchResult) -> None:
        """Log a candidate: parameters, metrics, data set, files, and a nested run for each stage and trial.

        Args:
            candidate: What was made.
            snapshot: What it was made from.
            result: How it was found.
        """
        fitted = datetime.now(UTC)
        use_case, client = candidate.use_case, self.tracking.client
        parameters = {k: str(v) for k, v in _parameters(use_case, snapshot, result).items()}
        numbers = _numbers(candidate, result)
        with self.tracking.answers():
            now = int(time.time() * 1000)
            client.log_inputs(self.run_id, [_data_set(use_case, snapshot)])
            client.log_batch(
                self.run_id,
                metrics=[Metric(name, value, now, 0) for name, value in numbers.items()],
                params=[Param(name, value) for name, value in parameters.items()],
            )
            client.set_tag(self.run_id, "bundle_sha256", candidate.bundle.sha256)
            client.set_tag(self.run_id, "model_sha256", candidate.bundle.model_sha256)
        parent = stages.Parent(self.tracking, self.experiment_id, self.run_id)
        stages.write_features(parent, result.findings, min(attempt.begun for attempt in result.attempts))
        stages.write_search(parent, result)
        stages.write_fit(parent, self.begun, fitted, _fit(result, use_case), candidate.metrics)
        curve = learning.measure(candidate, result.choices, result.best)
        importances = importance.measure(candidate)
        with tempfile.TemporaryDirectory(prefix="sluice-run-") as folder:
            artifacts.write(Path(folder), candidate, result, curve, importances)
            stages.write_evaluation(parent, fitted, curve, importances)
            with self.tracking.answers():
                client.log_artifacts(self.run_id, folder)
        log.info("run %s of experiment %s holds the training", self.run_id, self.experiment_id)


@contextmanager
def begin(tracking: Tracking, use_case: UseCase, snapshot: Snapshot, begun: datetime | None = None) -> Iterator[Entry]:
    """A new run that ends as finished when the block ends well, and as failed when it does not.

    Args:
        tracking: The MLflow server.
        use_case: Names the experiment.
        snapshot: What is trained on.
        begun: When the training began, its search included; now where absent.
    """
    commit = get_git_commit(str(Path(__file__)))
    code = code_sha256()
    tags = {
        "snapshot_id": snapshot.snapshot_id,
        "spec_sha256": use_case.sha256(),
        "code_sha256": code,
        "task": use_case.task,
        "stage": "training",
        "mlflow.note.content": f"Trained on {snapshot.note}.",
    }
    if commit:
        tags[MLFLOW_GIT_COMMIT] = commit
    experiment_id = tracking.experiment(use_case.name)
    name = f"{use_case.name} {snapshot.snapshot_id}"
    with stages.run(tracking, experiment_id, name, tags, begun=begun) as run_id:
        lineage = Lineage(
            run_id=run_id,
            snapshot_id=snapshot.snapshot_id,
            spec_sha256=use_case.sha256(),
            test_share=use_case.training.split.test,
            identity=use_case.identity,
            git_commit=commit,
            code_sha256=code,
        )
        yield Entry(tracking, experiment_id, lineage, datetime.now(UTC))


def _data_set(use_case: UseCase, snapshot: Snapshot) -> DatasetInput:
    columns = [{"name": c.name, "type": c.type, "required": not c.nullable} for c in use_case.columns]
    scheme = urlsplit(snapshot.uri).scheme
    data = Dataset(
        name=use_case.name,
        digest=snapshot.snapshot_id,
        source_type="local" if scheme in ("", "file") else scheme,
        source=json.dumps({"uri": snapshot.uri}),
        schema=json.dumps({"columns": columns}),
        profile=json.dumps({"num_rows": snapshot.rows, "available_rows": snapshot.available_rows}),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", "training")])


def _numbers(candidate: Candidate, result: SearchResult) -> dict[str, float]:
    contract = candidate.bundle.contract
    numbers = {
        f"cv_{result.metric}_mean": result.best.mean,
        f"cv_{result.metric}_std": result.best.deviation,
        "search_seconds": sum(attempt.seconds for attempt in result.attempts),
        "trials_pruned": float(sum(attempt.state == "pruned" for attempt in result.attempts)),
        **candidate.metrics,
    }
    if contract.interval is not None:
        numbers["interval_half_width"] = contract.interval.half_width
        numbers["interval_coverage"] = contract.interval.coverage
    if contract.prediction_set is not None:
        numbers["set_threshold"] = contract.prediction_set.threshold
        numbers["set_coverage"] = contract.prediction_set.coverage
        numbers["set_mean_size"] = contract.prediction_set.mean_size
    return numbers


def _fit(result: SearchResult, use_case: UseCase) -> dict[str, str]:
    """What the best was fitted with."""
    values: dict[str, object] = {
        "family": result.best.family,
        **result.best.parameters,
        "impute": result.choices.impute,
        **{f"clusters_{name}": count for name, count in result.choices.clusters.items()},
        "target_transform": use_case.training.target_transform,
        "calibrate": use_case.training.calibrate,
        "seed": use_case.training.seed,
    }
    return {name: str(value) for name, value in values.items()}


def _parameters(use_case: UseCase, snapshot: Snapshot, result: SearchResult) -> dict[str, object]:
    return {
        **_fit(result, use_case),
        "metric": result.metric,
        "folds": use_case.training.folds,
        "pruner": use_case.training.pruner,
        "trials": len(result.attempts),
        "best_trial": result.best.number,
        "study": result.study,
        "snapshot_id": snapshot.snapshot_id,
        "spec_sha256": use_case.sha256(),
        "train_rows": snapshot.train_rows,
        "calibration_rows": snapshot.calibration_rows,
        "test_rows": snapshot.test_rows,
    }
