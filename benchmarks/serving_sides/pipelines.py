"""Fitted housing pipelines, each as the release bundle that Sluice serves and as the files that the others load."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd

from sluice import registry
from sluice.adapters import bundles
from sluice.domain.contract import Lineage
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.ingestion import samples
from sluice.settings import settings
from sluice.training import candidate, families
from sluice.training.choices import choose
from sluice.training.search import Attempt
from sluice.training.snapshots import Rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

USE_CASE = "housing"
#: Shares of the sample's rows: enough to test on to ask with, and to measure an interval on.
PARTS = {"test": 0.2, "calibration": 0.1, "train": 0.7}
#: How many different requests a client sends in turns.
REQUESTS = 8


@dataclass(frozen=True)
class Trained:
    """One fitted pipeline.

    Attributes:
        model: The scikit-learn pipeline, from raw rows to dollars.
        service: Folder with the serving code that its release is for: a copy, which nobody edits meanwhile.
        bundle: Folder of its release bundle, which also says that it is version 1.
        pickle: The same pipeline, as joblib writes it.
        mlflow: Folder of the same pipeline, as MLflow writes it.
        rows: Raw rows that it was not fitted on, none with a gap.
    """

    family: Family
    parameters: dict[str, int | float | str]
    model: Pipeline
    service: Path
    bundle: Path
    pickle: Path
    mlflow: Path
    rows: pd.DataFrame

    def requests(self, count: int) -> list[pd.DataFrame]:
        """The rows of a few different requests of so many rows each."""
        return [self.rows.iloc[first * count : (first + 1) * count] for first in range(REQUESTS)]


def train(family: Family, rows: int, folder: Path) -> Trained:
    """Fit a family on the housing sample with the hyper-parameters that its search begins with.

    Args:
        family: Which estimator.
        rows: How many of the sample's.
        folder: Where everything is written.
    """
    use_case = registry.find(settings().use_cases).get(USE_CASE)
    parts = Rows.of(use_case, _sample(use_case, rows, folder / "rows.csv"))
    parameters = dict(families.start(family, use_case.task))
    service = folder / "bentos"
    shutil.copytree(settings().service, service / "tabular", ignore=shutil.ignore_patterns("__pycache__"))
    made = candidate.make(
        use_case,
        parts,
        choose(use_case, parts.train).choices,
        _attempt(family, parameters),
        Lineage(run_id="", snapshot_id="", spec_sha256="", test_share=PARTS["test"], identity=use_case.identity),
        bundles.runtime_sha256(service / "tabular"),
        folder / "bundle",
    )
    (folder / "bundle" / "release.json").write_text(json.dumps({"version": 1}))
    joblib.dump(made.model, folder / "model.joblib")
    whole = parts.test.inputs.dropna(ignore_index=True)
    _save(made.model, whole, folder / "mlflow")
    return Trained(
        family=family,
        parameters=parameters,
        model=made.model,
        service=service,
        bundle=folder / "bundle",
        pickle=folder / "model.joblib",
        mlflow=folder / "mlflow",
        rows=whole,
    )


def _sample(use_case: UseCase, rows: int, path: Path) -> pd.DataFrame:
    samples.write(path, samples.read(settings().use_cases / use_case.name), use_case.columns, rows=rows)
    # The warehouse's numbers are doubles, whatever the file's look like.
    doubles = {c.source_header: "float64" for c in use_case.columns if c.type == "number"}
    frame = pd.read_csv(path, dtype=doubles).rename(columns={c.source_header: c.name for c in use_case.columns})
    hashes = [hashlib.md5(str(row).encode(), usedforsecurity=False).hexdigest() for row in range(len(frame))]
    places = np.random.default_rng(0).choice(list(PARTS), size=len(frame), p=list(PARTS.values()))
    return frame.assign(_identity=hashes, _part=places)


def _attempt(family: Family, parameters: dict[str, int | float | str]) -> Attempt:
    now = datetime.now(UTC)
    return Attempt(0, family, parameters, scores=(0.0,), seconds=0, begun=now, finished=now, state="complete")


def _save(model: Pipeline, rows: pd.DataFrame, folder: Path) -> None:
    import mlflow

    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format="cloudpickle",
        signature=mlflow.models.infer_signature(rows, model.predict(rows)),
        # Otherwise a process is started to guess them; the server runs in this environment anyway.
        pip_requirements=["scikit-learn"],
    )
